//! The operations of pickles, protocols 0 to 5, as Python's own `pickletools.py` describes them.

use super::pickle::{Global, Object};
use super::shown;
use std::borrow::Cow;
use std::collections::BTreeMap;

const CUT: &str = "it ends in the middle of a pickle";
/// The most operations of a pickle, which takes up some tens of bytes for each; a network of 50 layers needs 11,000.
const OPERATIONS: usize = 1 << 20;

/// The bytes yet to be read.
struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CUT)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    /// A whole number without sign, its lowest byte first.
    fn size(&mut self, width: usize) -> Result<usize, String> {
        let number = self.take(width)?.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        usize::try_from(number).map_err(|_| CUT.to_owned())
    }

    /// Bytes with their count, of `width` bytes, before them.
    fn counted(&mut self, width: usize) -> Result<&'a [u8], String> {
        let count = self.size(width)?;
        self.take(count)
    }

    /// A whole number with sign, its lowest byte first.
    fn int(&mut self, width: usize) -> Result<i128, String> {
        let bytes = self.take(width)?;
        let mut number = match bytes.last() {
            Some(last) if last & 0x80 != 0 => [0xff; 16],
            _ => [0; 16],
        };
        let low = number.get_mut(..width).ok_or("a number has more than 16 bytes")?;
        low.copy_from_slice(bytes);
        Ok(i128::from_le_bytes(number))
    }

    /// A line, without its end.
    fn line(&mut self) -> Result<&'a [u8], String> {
        let length = memchr::memchr(b'\n', self.rest).ok_or(CUT)?;
        Ok(&self.take(length + 1)?[..length])
    }

    fn ascii(&mut self) -> Result<&'a str, String> {
        str::from_utf8(self.line()?).map_err(|_| "a line of it is no text".to_owned())
    }
}

/// Python's pickle machine, which makes values where Python would call functions.
pub(super) struct Machine<'a> {
    input: Input<'a>,
    objects: Vec<Object<'a>>,
    /// Places of values; a value that is filled later keeps its place.
    stack: Vec<usize>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: BTreeMap<usize, usize>,
    operations: usize,
    /// Bytes that may yet be made of text: a pickle may ask for those of one text again and again.
    encodable: usize,
}

impl<'a> Machine<'a> {
    /// Reads one pickle off the front of `bytes`: all of its values, and the place of the one that holds the others.
    pub(super) fn run(bytes: &mut &'a [u8]) -> Result<(Vec<Object<'a>>, usize), String> {
        let mut machine = Self {
            input: Input { rest: bytes },
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: BTreeMap::new(),
            operations: 0,
            encodable: bytes.len(),
        };
        while machine.step()? {
            machine.operations += 1;
            if machine.operations > OPERATIONS {
                return Err(format!("it has more than {OPERATIONS} operations"));
            }
        }
        let root = machine.pop()?;
        *bytes = machine.input.rest;
        Ok((machine.objects, root))
    }

    /// Carries out one operation; whether there is another.
    fn step(&mut self) -> Result<bool, String> {
        let operation = self.input.byte()?;
        match operation {
            b'.' => return Ok(false),
            // Protocol and frames.
            0x80 => {
                let protocol = self.input.byte()?;
                if protocol > 5 {
                    return Err(format!("it is of protocol {protocol}, known are 0 to 5"));
                }
            }
            0x95 => drop(self.input.take(8)?),
            // Single values.
            b'N' => self.push(Object::Other),
            0x88 => self.push(Object::Bool(true)),
            0x89 => self.push(Object::Bool(false)),
            b'J' => self.push_int(4)?,
            b'K' => self.push_size(1)?,
            b'M' => self.push_size(2)?,
            0x8a => {
                let width = self.input.size(1)?;
                self.push_int(width)?;
            }
            0x8b => {
                let width = self.input.size(4)?;
                self.push_int(width)?;
            }
            b'I' | b'L' => {
                let value = match self.input.ascii()? {
                    "00" => Object::Bool(false),
                    "01" => Object::Bool(true),
                    digits => Object::Int(parsed(digits.strip_suffix('L').unwrap_or(digits))?),
                };
                self.push(value);
            }
            b'G' => {
                self.input.take(8)?;
                self.push(Object::Other);
            }
            b'F' => {
                self.input.line()?;
                self.push(Object::Other);
            }
            // Text and bytes.
            b'X' => self.push_text(4)?,
            0x8c => self.push_text(1)?,
            0x8d => self.push_text(8)?,
            b'U' | b'C' => self.push_bytes(1)?,
            b'T' | b'B' => self.push_bytes(4)?,
            0x8e | 0x96 => self.push_bytes(8)?,
            b'S' => {
                let bytes = unquoted(self.input.line()?)?;
                self.push(Object::Bytes(bytes.into()));
            }
            b'V' => {
                let text = raw_unicode(self.input.line()?)?;
                self.push(Object::Text(text.into()));
            }
            // Lists, tuples and dictionaries.
            b'(' => self.marks.push(self.stack.len()),
            b']' | b')' => self.push(Object::Sequence(Vec::new())),
            b'l' | b't' => {
                let items = self.pop_to_mark()?;
                self.push(Object::Sequence(items));
            }
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(operation - 0x84))?;
                self.push(Object::Sequence(items));
            }
            b'a' => {
                let items = self.pop_many(1)?;
                self.extend(items)?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.extend(items)?;
            }
            b'}' => self.push(Object::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Object::Dict(Vec::new()));
                self.set(&items)?;
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set(&items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(&items)?;
            }
            // Functions, classes and what they would make.
            b'c' => {
                let (module, name) = (self.input.ascii()?, self.input.ascii()?);
                self.push(Object::Global(Global::named(module, name)?));
            }
            0x93 => {
                let names = self.pop_many(2)?;
                let [module, name] = [names[0], names[1]].map(|place| &self.objects[place]);
                let (Object::Text(module), Object::Text(name)) = (module, name) else {
                    return Err("it asks Python for something without a name".to_owned());
                };
                let global = Global::named(module, name)?;
                self.push(Object::Global(global));
            }
            b'R' | 0x81 => self.call()?,
            b'b' => self.build()?,
            b'P' => {
                let id = self.input.ascii()?;
                self.push(Object::Text(id.into()));
                self.persistent()?;
            }
            b'Q' => self.persistent()?,
            // The memo.
            0x94 => self.memoize(self.memo.len())?,
            b'p' | b'q' | b'r' => {
                let key = self.key(operation)?;
                self.memoize(key)?;
            }
            b'g' | b'h' | b'j' => {
                let key = self.key(operation)?;
                let place = *self.memo.get(&key).ok_or("it recalls a value that it has not put down")?;
                self.stack.push(place);
            }
            other => return Err(format!("it holds the operation {other:#04x}, which arrays of numbers do not need")),
        }
        Ok(true)
    }

    fn push(&mut self, object: Object<'a>) {
        self.stack.push(self.objects.len());
        self.objects.push(object);
    }

    fn push_int(&mut self, width: usize) -> Result<(), String> {
        let value = self.input.int(width)?;
        self.push(Object::Int(value));
        Ok(())
    }

    fn push_size(&mut self, width: usize) -> Result<(), String> {
        let value = self.input.size(width)?;
        self.push(Object::Int(value as i128));
        Ok(())
    }

    fn push_text(&mut self, width: usize) -> Result<(), String> {
        let text = str::from_utf8(self.input.counted(width)?).map_err(|_| "a text of it is not UTF-8".to_owned())?;
        self.push(Object::Text(text.into()));
        Ok(())
    }

    fn push_bytes(&mut self, width: usize) -> Result<(), String> {
        let bytes = self.input.counted(width)?;
        self.push(Object::Bytes(bytes.into()));
        Ok(())
    }

    fn pop(&mut self) -> Result<usize, String> {
        Ok(self.pop_many(1)?[0])
    }

    /// The topmost `count`, from the lowest on.
    fn pop_many(&mut self, count: usize) -> Result<Vec<usize>, String> {
        let height = self.stack.len().checked_sub(count).filter(|height| self.marks.last().is_none_or(|m| m <= height));
        Ok(self.stack.split_off(height.ok_or("it takes more values than it has put down")?))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<usize>, String> {
        let mark = self.marks.pop().ok_or("it goes back to a mark that is not there")?;
        Ok(self.stack.split_off(mark))
    }

    /// The value on top of the stack, to be filled.
    fn top(&mut self) -> Result<&mut Object<'a>, String> {
        let place = *self.stack.last().ok_or("it fills a value that is not there")?;
        Ok(&mut self.objects[place])
    }

    fn extend(&mut self, items: Vec<usize>) -> Result<(), String> {
        let Object::Sequence(list) = self.top()? else { return Err("it extends what is no list".to_owned()) };
        list.extend(items);
        Ok(())
    }

    fn set(&mut self, items: &[usize]) -> Result<(), String> {
        let Object::Dict(dict) = self.top()? else { return Err("it fills what is no dictionary".to_owned()) };
        let (pairs, []) = items.as_chunks::<2>() else { return Err("a key has no value".to_owned()) };
        dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
        Ok(())
    }

    fn call(&mut self) -> Result<(), String> {
        let places = self.pop_many(2)?;
        let (Object::Global(function), Object::Sequence(items)) = (&self.objects[places[0]], &self.objects[places[1]])
        else {
            return Err("it calls what is no function".to_owned());
        };
        let made = match *function {
            Global::OrderedDict => match items[..] {
                [] => Object::Dict(Vec::new()),
                [pairs, ..] => Object::Pairs(pairs),
            },
            Global::Encode => {
                let (bytes, left) = self.encoded(items)?;
                self.encodable = left;
                Object::Bytes(bytes.into())
            }
            function => Object::Call { function, arguments: places[1], state: None },
        };
        self.push(made);
        Ok(())
    }

    /// `_codecs.encode(text, "latin1")`, and how many bytes may be made after that.
    fn encoded(&self, arguments: &[usize]) -> Result<(Vec<u8>, usize), String> {
        let wrong = || "it encodes something else than bytes as Latin-1".to_owned();
        let [text, codec] = arguments else { return Err(wrong()) };
        let (Object::Text(text), Object::Text(codec)) = (&self.objects[*text], &self.objects[*codec]) else {
            return Err(wrong());
        };
        let left = self.encodable.checked_sub(text.chars().count());
        let left = left.ok_or("it encodes one text again and again")?;
        let bytes = (codec == "latin1").then(|| text.chars().map(|c| u8::try_from(c).ok()).collect());
        Ok((bytes.flatten().ok_or_else(wrong)?, left))
    }

    fn build(&mut self) -> Result<(), String> {
        let given = self.pop()?;
        match self.top()? {
            Object::Call { state, .. } => *state = Some(given),
            // PyTorch's versions of modules, as an attribute of its ordered dictionary.
            Object::Dict(_) | Object::Pairs(_) => {}
            _ => return Err("it gives a state to a plain value".to_owned()),
        }
        Ok(())
    }

    fn persistent(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        self.push(Object::Persistent(id));
        Ok(())
    }

    fn memoize(&mut self, key: usize) -> Result<(), String> {
        let place = *self.stack.last().ok_or("it remembers a value that is not there")?;
        self.memo.insert(key, place);
        Ok(())
    }

    /// The key in the memo of an operation that names it in a line, a byte or four bytes.
    fn key(&mut self, operation: u8) -> Result<usize, String> {
        match operation {
            b'p' | b'g' => parsed(self.input.ascii()?),
            b'q' | b'h' => self.input.size(1),
            _ => self.input.size(4),
        }
    }
}

fn parsed<T: std::str::FromStr>(digits: &str) -> Result<T, String> {
    digits.trim().parse().map_err(|_| format!("`{}` is no number", shown(digits)))
}

/// Bytes as text, a character a byte.
pub(super) fn latin1(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) if bytes.is_ascii() => Cow::Borrowed(text),
        _ => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// A string literal of Python 2, as `repr` writes it.
fn unquoted(line: &[u8]) -> Result<Vec<u8>, String> {
    let wrong = || "a string of it is not quoted as Python does".to_owned();
    let [quote @ (b'\'' | b'"'), inner @ .., last] = line else { return Err(wrong()) };
    if quote != last {
        return Err(wrong());
    }
    let mut found = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied();
    while let Some(byte) = rest.next() {
        let byte = if byte == b'\\' {
            match rest.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'x') => {
                    let digits = [rest.next(), rest.next()].map(|digit| hexadecimal(digit?));
                    let [Some(high), Some(low)] = digits else { return Err(wrong()) };
                    (high << 4 | low) as u8
                }
                Some(plain @ (b'\\' | b'\'' | b'"')) => plain,
                _ => return Err(wrong()),
            }
        } else {
            byte
        };
        found.push(byte);
    }
    Ok(found)
}

/// Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
fn raw_unicode(line: &[u8]) -> Result<String, String> {
    let mut found = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((first, after)) = rest.split_first() {
        let digits = match (first, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => 0,
        };
        if digits == 0 {
            found.push(char::from(*first));
            rest = after;
            continue;
        }
        let code = after
            .get(1..=digits)
            .and_then(|code| code.iter().try_fold(0_u32, |code, digit| Some(code << 4 | hexadecimal(*digit)?)));
        found.push(code.and_then(char::from_u32).ok_or("a text of it holds a code that is no character")?);
        rest = &after[1 + digits..];
    }
    Ok(found)
}

fn hexadecimal(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}
