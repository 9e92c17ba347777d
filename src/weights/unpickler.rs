//! The virtual machine of pickles, protocols 0 to 5, as Python's own `pickletools.py` describes it.

use super::object::{Global, Object};
use super::pickle_text::{Input, parsed, raw_unicode, unquoted};
use std::collections::BTreeMap;

/// Maximum opcodes of a pickle, each of which takes some tens of bytes; a network of 50 layers needs 11,000.
const OPERATIONS: usize = 1 << 20;

/// Executes a pickle, but only records the functions that Python would call.
pub(super) struct Unpickler<'a> {
    input: Input<'a>,
    objects: Vec<Object<'a>>,
    /// Indices of objects; an object that is filled later keeps its index.
    stack: Vec<usize>,
    /// Heights of the stack at its marks.
    marks: Vec<usize>,
    memo: BTreeMap<usize, usize>,
    operations: usize,
    /// Remaining bytes that may be encoded from text, as a pickle may encode one text many times.
    encodable: usize,
}

impl<'a> Unpickler<'a> {
    /// Reads one pickle and advances `bytes` past it. Returns all objects, and the index of the root.
    pub(super) fn run(bytes: &mut &'a [u8]) -> Result<(Vec<Object<'a>>, usize), String> {
        let mut unpickler = Self {
            input: Input { rest: bytes },
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: BTreeMap::new(),
            operations: 0,
            encodable: bytes.len(),
        };
        while unpickler.step()? {
            unpickler.operations += 1;
            if unpickler.operations > OPERATIONS {
                return Err(format!("it has more than {OPERATIONS} operations"));
            }
        }
        let root = unpickler.pop()?;
        *bytes = unpickler.input.rest;
        Ok((unpickler.objects, root))
    }

    /// Executes one opcode. Returns `false` at the end of the pickle.
    fn step(&mut self) -> Result<bool, String> {
        let opcode = self.input.byte()?;
        if opcode == b'.' {
            return Ok(false);
        }
        let known = self.frame(opcode)?
            || self.constant(opcode)?
            || self.text(opcode)?
            || self.container(opcode)?
            || self.container_item(opcode)?
            || self.object(opcode)?
            || self.memo(opcode)?;
        if known {
            Ok(true)
        } else {
            Err(format!("it holds the operation {opcode:#04x}, which arrays of numbers do not need"))
        }
    }

    /// Protocol and frames. Returns `false`, as all groups below, for an opcode of another group.
    fn frame(&mut self, opcode: u8) -> Result<bool, String> {
        match opcode {
            0x80 => {
                let protocol = self.input.byte()?;
                if protocol > 5 {
                    return Err(format!("it is of protocol {protocol}, known are 0 to 5"));
                }
            }
            0x95 => drop(self.input.take(8)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// None, booleans and numbers.
    fn constant(&mut self, opcode: u8) -> Result<bool, String> {
        match opcode {
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
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Text and bytes.
    fn text(&mut self, opcode: u8) -> Result<bool, String> {
        match opcode {
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
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// New lists, tuples and dictionaries.
    fn container(&mut self, opcode: u8) -> Result<bool, String> {
        match opcode {
            b'(' => self.marks.push(self.stack.len()),
            b']' | b')' => self.push(Object::Sequence(Vec::new())),
            b'l' | b't' => {
                let items = self.pop_to_mark()?;
                self.push(Object::Sequence(items));
            }
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(opcode - 0x84))?;
                self.push(Object::Sequence(items));
            }
            b'}' => self.push(Object::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Object::Dict(Vec::new()));
                self.set(&items)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Items of existing lists and dictionaries.
    fn container_item(&mut self, opcode: u8) -> Result<bool, String> {
        match opcode {
            b'a' => {
                let items = self.pop_many(1)?;
                self.extend(items)?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.extend(items)?;
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set(&items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(&items)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Functions, classes, their calls, and objects outside the pickle.
    fn object(&mut self, opcode: u8) -> Result<bool, String> {
        match opcode {
            b'c' => {
                let (module, name) = (self.input.ascii()?, self.input.ascii()?);
                self.push(Object::Global(Global::named(module, name)?));
            }
            0x93 => {
                let names = self.pop_many(2)?;
                let [module, name] = [names[0], names[1]].map(|index| &self.objects[index]);
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
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The memo.
    fn memo(&mut self, opcode: u8) -> Result<bool, String> {
        match opcode {
            0x94 => self.memoize(self.memo.len())?,
            b'p' | b'q' | b'r' => {
                let key = self.memo_key(opcode)?;
                self.memoize(key)?;
            }
            b'g' | b'h' | b'j' => {
                let key = self.memo_key(opcode)?;
                let index = *self.memo.get(&key).ok_or("it gets a value that is not in its memo")?;
                self.stack.push(index);
            }
            _ => return Ok(false),
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

    /// The topmost `count` indices, lowest first.
    fn pop_many(&mut self, count: usize) -> Result<Vec<usize>, String> {
        let height = self.stack.len().checked_sub(count).filter(|height| self.marks.last().is_none_or(|m| m <= height));
        Ok(self.stack.split_off(height.ok_or("it pops more values than its stack holds")?))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<usize>, String> {
        let mark = self.marks.pop().ok_or("it pops to a mark that its stack does not hold")?;
        Ok(self.stack.split_off(mark))
    }

    /// The object on top of the stack.
    fn top(&mut self) -> Result<&mut Object<'a>, String> {
        let index = *self.stack.last().ok_or("it fills a value, but its stack is empty")?;
        Ok(&mut self.objects[index])
    }

    fn extend(&mut self, items: Vec<usize>) -> Result<(), String> {
        let Object::Sequence(list) = self.top()? else {
            return Err("it appends to a value that is no list".to_owned());
        };
        list.extend(items);
        Ok(())
    }

    fn set(&mut self, items: &[usize]) -> Result<(), String> {
        let Object::Dict(dict) = self.top()? else {
            return Err("it sets items of a value that is no dictionary".to_owned());
        };
        let (pairs, []) = items.as_chunks::<2>() else { return Err("a key has no value".to_owned()) };
        dict.extend(pairs.iter().map(|[key, value]| (*key, *value)));
        Ok(())
    }

    fn call(&mut self) -> Result<(), String> {
        let indices = self.pop_many(2)?;
        let (Object::Global(function), Object::Sequence(items)) =
            (&self.objects[indices[0]], &self.objects[indices[1]])
        else {
            return Err("it calls a value that is no function".to_owned());
        };
        let result = match *function {
            Global::OrderedDict => match items[..] {
                [] => Object::Dict(Vec::new()),
                [pairs, ..] => Object::Pairs(pairs),
            },
            Global::Encode => {
                let (bytes, left) = self.encoded(items)?;
                self.encodable = left;
                Object::Bytes(bytes.into())
            }
            function => Object::Call { function, arguments: indices[1], state: None },
        };
        self.push(result);
        Ok(())
    }

    /// `_codecs.encode(text, "latin1")`, and the remaining value of `encodable`.
    fn encoded(&self, arguments: &[usize]) -> Result<(Vec<u8>, usize), String> {
        let wrong = || "it encodes something other than bytes as Latin-1".to_owned();
        let [text, codec] = arguments else { return Err(wrong()) };
        let (Object::Text(text), Object::Text(codec)) = (&self.objects[*text], &self.objects[*codec]) else {
            return Err(wrong());
        };
        let left = self.encodable.checked_sub(text.chars().count());
        let left = left.ok_or("it encodes one text too many times")?;
        let bytes = (codec == "latin1").then(|| text.chars().map(|c| u8::try_from(c).ok()).collect());
        Ok((bytes.flatten().ok_or_else(wrong)?, left))
    }

    fn build(&mut self) -> Result<(), String> {
        let state_index = self.pop()?;
        match self.top()? {
            Object::Call { state, .. } => *state = Some(state_index),
            // PyTorch stores the versions of modules as an attribute of its ordered dictionary.
            Object::Dict(_) | Object::Pairs(_) => {}
            _ => return Err("it sets the state of a plain value".to_owned()),
        }
        Ok(())
    }

    fn persistent(&mut self) -> Result<(), String> {
        let id = self.pop()?;
        self.push(Object::Persistent(id));
        Ok(())
    }

    fn memoize(&mut self, key: usize) -> Result<(), String> {
        let index = *self.stack.last().ok_or("it memoizes a value, but its stack is empty")?;
        self.memo.insert(key, index);
        Ok(())
    }

    /// The memo key of an opcode, in a line, one byte or four bytes.
    fn memo_key(&mut self, opcode: u8) -> Result<usize, String> {
        match opcode {
            b'p' | b'g' => parsed(self.input.ascii()?),
            b'q' | b'h' => self.input.size(1),
            _ => self.input.size(4),
        }
    }
}
