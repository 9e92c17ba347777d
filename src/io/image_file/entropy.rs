//! Huffman codes and bits of a JPEG scan: how many bits each symbol takes, without its value.

use memchr::memchr;
use std::cell::RefCell;
use std::rc::Rc;

/// Bits by which codes are looked up; longer codes are rare.
const FAST: usize = 10;
/// Bytes behind a segment, so that its last bits can be read as a whole word.
const PADDING: usize = 8;

/// A Huffman table.
pub(super) struct Table {
    /// The code that begins with these bits; its length is 0 if it is longer.
    codes: [Code; 1 << FAST],
    /// The coefficients that begin with these bits; no bits if the first code is longer. Empty for DC coefficients.
    runs: Vec<Run>,
    /// For each length, the first code that is longer, as the high bits of 16.
    limits: [u32; 17],
    /// For each length, the index of the first symbol minus its code.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

#[derive(Clone, Copy, Default)]
struct Code {
    length: u8,
    symbol: u8,
}

impl Code {
    /// Bits of the coefficient behind it.
    fn size(self) -> usize {
        usize::from(self.symbol & 15)
    }

    /// Length with those bits.
    fn bits(self) -> usize {
        usize::from(self.length) + self.size()
    }

    /// True if the remaining coefficients of the block are 0.
    fn ends_block(self) -> bool {
        self.size() == 0 && self.symbol != 0xf0
    }

    /// Number of coefficients up to the one that it codes.
    fn coefficients(self) -> usize {
        usize::from(self.symbol >> 4) + 1
    }
}

/// Several coefficients of a block, each a code with its bits.
#[derive(Clone, Copy, Default)]
struct Run {
    bits: u8,
    coefficients: u8,
    ends_block: bool,
}

/// Number of tables that each thread keeps: most files of a data set have the same four.
const KEPT: usize = 8;

thread_local! {
    /// The tables that this thread read last, with the bytes that define each.
    static TABLES: RefCell<Vec<(Vec<u8>, Rc<Table>)>> = const { RefCell::new(Vec::new()) };
}

impl Table {
    /// Like [`Table::new`], without making a table twice; `definition` holds the table's place, counts and symbols.
    pub(super) fn defined(definition: &[u8]) -> Option<Rc<Self>> {
        TABLES.with_borrow_mut(|tables| {
            if let Some((_, table)) = tables.iter().find(|(known, _)| known == definition) {
                return Some(Rc::clone(table));
            }
            let (place, rest) = definition.split_first()?;
            let (counts, symbols) = rest.split_first_chunk::<16>()?;
            let table = Rc::new(Self::new(counts, symbols, place >> 4 == 0)?);
            if tables.len() == KEPT {
                tables.remove(0);
            }
            tables.push((definition.to_vec(), Rc::clone(&table)));
            Some(table)
        })
    }

    /// A table from the number of codes of each length from 1 to 16, and their symbols. `None` if there are more codes
    /// than bits for them.
    fn new(counts: &[u8; 16], symbols: &[u8], of_dc: bool) -> Option<Self> {
        let mut table = Self {
            codes: [Code::default(); 1 << FAST],
            runs: Vec::new(),
            limits: [0; 17],
            offsets: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut index) = (0_usize, 0_usize);
        for length in 1..=16 {
            table.offsets[length] = index as i32 - code as i32;
            for _ in 0..counts[length - 1] {
                let symbol = *symbols.get(index)?;
                if code >= 1 << length {
                    return None;
                }
                if length <= FAST {
                    let first = code << (FAST - length);
                    table.codes[first..first + (1 << (FAST - length))].fill(Code { length: length as u8, symbol });
                }
                (code, index) = (code + 1, index + 1);
            }
            table.limits[length] = (code << (16 - length)) as u32;
            code <<= 1;
        }
        if !of_dc {
            table.runs = (0..1 << FAST).map(|bits| table.run(bits)).collect();
        }
        Some(table)
    }

    /// The coefficients whose codes are within the first `FAST` bits.
    fn run(&self, bits: usize) -> Run {
        let mut run = Run::default();
        loop {
            let used = usize::from(run.bits);
            let code = self.codes[bits << used & ((1 << FAST) - 1)];
            if code.length == 0 || used + usize::from(code.length) > FAST {
                return run;
            }
            run.bits += code.bits() as u8;
            run.ends_block = code.ends_block();
            run.coefficients += if run.ends_block { 0 } else { code.coefficients() as u8 };
            if run.ends_block || usize::from(run.bits) >= FAST {
                return run;
            }
        }
    }

    /// The code at the start of `window`; `None` if there is no such code.
    fn find(&self, window: u64) -> Option<Code> {
        let code = self.codes[(window >> (64 - FAST)) as usize];
        if code.length > 0 {
            return Some(code);
        }
        let bits = (window >> 48) as u32;
        let length = (FAST + 1..=16).find(|length| bits < self.limits[*length])?;
        let index = (bits >> (16 - length)) as i32 + self.offsets[length];
        Some(Code { length: length as u8, symbol: *self.symbols.get(usize::try_from(index).ok()?)? })
    }
}

/// Why a block cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The segment ends before it.
    Ended,
    /// Its bits are no code, or it has more than 64 coefficients.
    Damaged,
}

/// The bits of a segment: the data between two markers, without stuffed bytes.
#[derive(Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// Number of bits read.
    position: usize,
    /// Number of bits in the segment.
    end: usize,
}

impl Bits {
    /// Loads the segment that starts at `start` of a file. Returns the index behind it: of a marker, or of the file's end.
    pub(super) fn load(&mut self, file: &[u8], start: usize) -> usize {
        self.bytes.clear();
        let mut from = start;
        let end = loop {
            let Some(found) = memchr(0xff, &file[from..]) else {
                self.bytes.extend(&file[from..]);
                break file.len();
            };
            let marker = from + found;
            self.bytes.extend(&file[from..marker]);
            if file.get(marker + 1) != Some(&0) {
                break marker;
            }
            self.bytes.push(0xff);
            from = marker + 2;
        };
        self.position = 0;
        self.end = 8 * self.bytes.len();
        self.bytes.extend([0; PADDING]);
        end
    }

    /// The next bits, at least 57 of them, at the high end of a word. Behind the segment they are 0.
    fn window(&self) -> Result<u64, Fault> {
        let word = self.bytes.get(self.position / 8..).and_then(|rest| rest.first_chunk::<8>()).ok_or(Fault::Ended)?;
        Ok(u64::from_be_bytes(*word) << (self.position % 8))
    }

    /// Reads a symbol.
    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8, Fault> {
        let code = table.find(self.window()?).ok_or(Fault::Damaged)?;
        self.position += usize::from(code.length);
        self.check(code.symbol)
    }

    /// Skips the DC coefficient of a block.
    pub(super) fn skip_dc(&mut self, table: &Table) -> Result<(), Fault> {
        let code = table.find(self.window()?).ok_or(Fault::Damaged)?;
        if code.symbol > 15 {
            return Err(Fault::Damaged);
        }
        self.position += code.bits();
        self.check(())
    }

    /// Skips the 63 other coefficients of a block.
    pub(super) fn skip_ac(&mut self, table: &Table) -> Result<(), Fault> {
        let mut next = 1;
        while next < 64 {
            let window = self.window()?;
            let run = table.runs.get((window >> (64 - FAST)) as usize).copied().unwrap_or_default();
            let after = next + usize::from(run.coefficients);
            // A run that reaches the end of the block may continue in the next one.
            if run.bits > 0 && after < 64 {
                self.position += usize::from(run.bits);
                if run.ends_block {
                    return self.check(());
                }
                next = after;
                continue;
            }
            let code = table.find(window).ok_or(Fault::Damaged)?;
            self.position += code.bits();
            if code.ends_block() {
                return self.check(());
            }
            next += code.coefficients();
        }
        if next > 64 { Err(Fault::Damaged) } else { self.check(()) }
    }

    /// Skips bits, such as the size of a coefficient.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), Fault> {
        self.position += count;
        self.check(())
    }

    /// Reads at most 16 bits as a number.
    pub(super) fn number(&mut self, count: usize) -> Result<usize, Fault> {
        let value = if count == 0 { 0 } else { self.window()? >> (64 - count) };
        self.position += count;
        self.check(value as usize)
    }

    fn check<T>(&self, value: T) -> Result<T, Fault> {
        if self.position <= self.end { Ok(value) } else { Err(Fault::Ended) }
    }

    /// The whole bytes that are left.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.position.div_ceil(8)..self.end / 8]
    }
}
