//! Walks the scans of a JPEG file and counts their blocks. A decoder shows an image whose data is cut or has a hole, and
//! fills the missing part; only a count of the blocks reveals it. The walk reads each Huffman code and computes no pixel,
//! so it takes a small part of the decoder's time.
//! Not zune-jpeg or another decoder: each fills missing blocks without an error.
//!
//! <https://www.w3.org/Graphics/JPEG/itu-t81.pdf>: annex B for markers, F for sequential and G for progressive scans.

use super::entropy::{Bits, Fault, Table};
use super::flaw::{Flaw, check_size};
use std::rc::Rc;

/// Largest number of scans: encoders write about ten, and each may cover all blocks with a few bytes.
const MAX_SCANS: usize = 100;
/// Bytes behind the last block that an encoder may write to fill a word of four: all 0, or all ones.
const MAX_FILL: usize = 3;

/// Checks that the scans of a file hold every block of an image that is not too large.
pub(super) fn check(file: &[u8]) -> Result<(), Flaw> {
    let mut walk =
        Walk { file, position: 2, frame: None, tables: Default::default(), interval: 0, bits: Bits::default() };
    let mut scans = 0;
    loop {
        match walk.marker()? {
            0xc0..=0xc2 => walk.frame()?,
            0xc4 => walk.huffman_tables()?,
            0xc3 | 0xc5..=0xcf => {
                return Err(Flaw::Incomplete("its form is neither baseline nor progressive".to_owned()));
            }
            0xd9 => return Ok(walk.end()?),
            0xda if scans == MAX_SCANS => return Err(Flaw::Incomplete(format!("it has more than {MAX_SCANS} scans"))),
            0xda => {
                walk.scan()?;
                scans += 1;
            }
            0xdd => {
                let [high, low] = walk.segment()? else { return Err(damaged("restart interval").into()) };
                walk.interval = usize::from(u16::from_be_bytes([*high, *low]));
            }
            0xd0..=0xd7 if scans > 0 => return Err(Flaw::Incomplete(left_over())),
            // Markers without a segment.
            0x01 | 0xd0..=0xd8 => {}
            _ => _ = walk.segment()?,
        }
    }
}

fn damaged(part: &str) -> String {
    format!("its {part} is damaged")
}

fn left_over() -> String {
    "image data is left over after its last block: its size or its data is damaged".to_owned()
}

/// A colour component.
struct Component {
    id: u8,
    /// Blocks of a unit of an interleaved scan.
    unit: usize,
    /// Blocks that hold pixels, across and down.
    blocks: (usize, usize),
    /// For each of the 64 coefficients, the number of low bits that are still missing; `None` if it was never sent.
    missing_bits: [Option<u8>; 64],
    /// For each block of a progressive image, the coefficients that are not 0.
    non_zero: Vec<u64>,
}

struct Frame {
    progressive: bool,
    /// Units of an interleaved scan.
    units: usize,
    components: Vec<Component>,
}

struct Walk<'a> {
    file: &'a [u8],
    position: usize,
    frame: Option<Frame>,
    /// Tables of DC coefficients, then of the others, by number.
    tables: [[Option<Rc<Table>>; 4]; 2],
    /// Units between restart markers; 0 without them.
    interval: usize,
    bits: Bits,
}

/// The parameters of a scan.
struct Scan {
    /// Index of each component, and its two tables' numbers.
    components: Vec<(usize, usize, usize)>,
    /// First and last coefficient.
    band: (usize, usize),
    /// True if an earlier scan sent the higher bits.
    refines: bool,
    /// Number of low bits that a later scan sends.
    missing_bits: u8,
}

impl<'a> Walk<'a> {
    /// The next marker. Bytes before it are skipped, as decoders do.
    fn marker(&mut self) -> Result<u8, String> {
        let ended = || "its end is missing".to_owned();
        loop {
            let rest = self.file.get(self.position..).ok_or_else(ended)?;
            self.position += memchr::memchr(0xff, rest).ok_or_else(ended)? + 1;
            match self.file.get(self.position) {
                None => return Err(ended()),
                Some(0 | 0xff) => {}
                Some(marker) => {
                    self.position += 1;
                    return Ok(*marker);
                }
            }
        }
    }

    /// The content of a marker's segment.
    fn segment(&mut self) -> Result<&'a [u8], String> {
        let ended = || "its end is missing".to_owned();
        let length = self.file.get(self.position..).and_then(|rest| rest.first_chunk::<2>()).ok_or_else(ended)?;
        let end = self.position + usize::from(u16::from_be_bytes(*length));
        if end < self.position + 2 {
            return Err(damaged("header"));
        }
        let segment = self.file.get(self.position + 2..end).ok_or_else(ended)?;
        self.position = end;
        Ok(segment)
    }

    fn frame(&mut self) -> Result<(), Flaw> {
        let progressive = self.file[self.position - 1] == 0xc2;
        let segment = self.segment()?;
        let wrong = || damaged("header");
        let (head, rest) = segment.split_first_chunk::<6>().ok_or_else(wrong)?;
        let side = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low]));
        let (height, width) = (side(head[1], head[2]), side(head[3], head[4]));
        if width == 0 || height == 0 {
            return Err("it has no pixels".to_owned().into());
        }
        check_size(width as u32, height as u32)?;
        let components: Vec<(u8, usize, usize)> = rest
            .as_chunks::<3>()
            .0
            .iter()
            .map(|[id, factors, _]| (*id, usize::from(factors >> 4), usize::from(factors & 15)))
            .collect();
        let fine = |(_, h, v): &(u8, usize, usize)| (1..=4).contains(h) && (1..=4).contains(v);
        if self.frame.is_some() || components.len() != usize::from(head[5]) || !components.iter().all(fine) {
            return Err(wrong().into());
        }
        let h_max = components.iter().map(|c| c.1).max().ok_or_else(wrong)?;
        let v_max = components.iter().map(|c| c.2).max().ok_or_else(wrong)?;
        let component = |(id, h, v): (u8, usize, usize)| Component {
            id,
            unit: h * v,
            blocks: ((width * h).div_ceil(8 * h_max), (height * v).div_ceil(8 * v_max)),
            missing_bits: [None; 64],
            non_zero: Vec::new(),
        };
        self.frame = Some(Frame {
            progressive,
            units: width.div_ceil(8 * h_max) * height.div_ceil(8 * v_max),
            components: components.into_iter().map(component).collect(),
        });
        Ok(())
    }

    fn huffman_tables(&mut self) -> Result<(), String> {
        let mut segment = self.segment()?;
        let wrong = || damaged("Huffman table");
        while let Some(place) = segment.first() {
            let counts = segment.get(1..17).ok_or_else(wrong)?;
            let count: usize = counts.iter().map(|count| usize::from(*count)).sum();
            let (definition, rest) = segment.split_at_checked(17 + count).ok_or_else(wrong)?;
            let of_kind = self.tables.get_mut(usize::from(place >> 4)).ok_or_else(wrong)?;
            let table = of_kind.get_mut(usize::from(place & 15)).ok_or_else(wrong)?;
            *table = Some(Table::defined(definition).ok_or_else(wrong)?);
            segment = rest;
        }
        Ok(())
    }

    /// Walks the scan whose marker was read.
    fn scan(&mut self) -> Result<(), String> {
        let segment = self.segment()?;
        let mut frame = self.frame.take().ok_or_else(|| damaged("header"))?;
        let scan = Scan::parse(segment, &frame).ok_or_else(|| damaged("scan header"))?;
        scan.record(&mut frame)?;
        let units = match scan.components[..] {
            [(one, ..)] => frame.components[one].blocks.0 * frame.components[one].blocks.1,
            _ => frame.units,
        };
        let mut done = 0;
        for restart in 0_usize.. {
            let start = self.position;
            self.position = self.bits.load(self.file, start);
            let until = if self.interval == 0 { units } else { units.min(done + self.interval) };
            let (is_cut, mut empty_blocks) = (self.position == self.file.len(), 0);
            while done < until {
                scan.unit(&mut frame, &self.tables, &mut self.bits, done, &mut empty_blocks).map_err(|problem| {
                    match problem {
                        Problem::Fault(Fault::Ended) if is_cut => "its end is missing".to_owned(),
                        Problem::Fault(Fault::Ended) => {
                            format!("its image data ends after {done} of {units} blocks: part of it is missing")
                        }
                        Problem::Fault(Fault::Damaged) => {
                            format!("its image data is damaged after {done} of {units} blocks")
                        }
                        Problem::NoTable => "it lacks a Huffman table, as a frame of a video does".to_owned(),
                    }
                })?;
                done += 1;
            }
            let rest = self.bits.rest();
            let is_fill = rest.len() <= MAX_FILL && (rest.iter().all(|b| *b == 0) || rest.iter().all(|b| *b == 0xff));
            if !is_fill {
                let left = rest.len();
                return Err(format!(
                    "{left} bytes of its image data are left over after {done} of {units} blocks: part of it is missing or \
                     damaged"
                ));
            }
            self.skip_fill();
            let is_restart = self.file.get(self.position + 1) == Some(&(0xd0 | (restart % 8) as u8));
            if done == units {
                // Some encoders write a restart marker behind the last block, too.
                if self.interval > 0 && is_restart {
                    self.position += 2;
                    self.skip_fill();
                }
                // Blocks that follow show that the size in the header is too small.
                if self.has_more_data() {
                    return Err(left_over());
                }
                break;
            }
            if !is_restart {
                return Err(format!("its image data ends after {done} of {units} blocks: part of it is missing"));
            }
            self.position += 2;
        }
        self.frame = Some(frame);
        Ok(())
    }

    /// Skips the fill bytes that may precede a marker.
    fn skip_fill(&mut self) {
        while self.file.get(self.position..self.position + 2) == Some(&[0xff, 0xff]) {
            self.position += 1;
        }
    }

    /// Returns whether no marker follows, or that of more blocks. A file that ends here lacks its end, not its blocks.
    fn has_more_data(&self) -> bool {
        match self.file[self.position..] {
            [0xff, marker, ..] => matches!(marker, 0 | 0xd0..=0xd7),
            [] | [0xff] => false,
            _ => true,
        }
    }

    /// Checks that the scans sent every bit of every coefficient.
    fn end(&self) -> Result<(), String> {
        let frame = self.frame.as_ref().ok_or_else(|| damaged("header"))?;
        let sent = |component: &Component| component.missing_bits.iter().all(|bits| *bits == Some(0));
        if !frame.components.iter().all(sent) {
            return Err("its last scans are missing".to_owned());
        }
        Ok(())
    }
}

enum Problem {
    Fault(Fault),
    NoTable,
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Scan {
    /// Parses a scan's header; `None` if it is not one of `frame`.
    fn parse(segment: &[u8], frame: &Frame) -> Option<Self> {
        let (count, rest) = segment.split_first()?;
        let (of_components, rest) = rest.split_at_checked(2 * usize::from(*count))?;
        let [first, last, bits] = *rest.first_chunk::<3>()?;
        let component = |[id, tables]: &[u8; 2]| {
            let index = frame.components.iter().position(|component| component.id == *id)?;
            Some((index, usize::from(tables >> 4), usize::from(tables & 15)))
        };
        let components = of_components.as_chunks::<2>().0.iter().map(component).collect::<Option<Vec<_>>>()?;
        let band = if frame.progressive { (usize::from(first), usize::from(last)) } else { (0, 63) };
        let (high, low) = if frame.progressive { (bits >> 4, bits & 15) } else { (0, 0) };
        let known = (1..=4).contains(&components.len()) && components.iter().all(|(_, dc, ac)| *dc < 4 && *ac < 4);
        // A progressive scan holds DC coefficients, or others of one component.
        let whole = !frame.progressive
            || (band.0 <= band.1 && band.1 < 64 && if band.0 == 0 { band.1 == 0 } else { components.len() == 1 });
        (known && whole).then_some(Self { components, band, refines: high > 0, missing_bits: low })
    }

    /// Notes which coefficients the scan sends.
    ///
    /// # Errors
    /// A scan that refines one which is missing.
    fn record(&self, frame: &mut Frame) -> Result<(), String> {
        let missing = || Err("a scan is missing".to_owned());
        for (index, ..) in &self.components {
            let component = &mut frame.components[*index];
            // The walk of DC coefficients has proved that the file is as long as its blocks need.
            if self.band.0 > 0 && component.missing_bits[0].is_none() {
                return missing();
            }
            for bits in &mut component.missing_bits[self.band.0..=self.band.1] {
                if self.refines != bits.is_some() || bits.is_some_and(|bits| bits != self.missing_bits + 1) {
                    return missing();
                }
                *bits = Some(self.missing_bits);
            }
            if self.band.0 > 0 {
                component.non_zero.resize(component.blocks.0 * component.blocks.1, 0);
            }
        }
        Ok(())
    }

    /// Walks the blocks of unit `number`. `empty_blocks` counts the next blocks for which the scan has no symbol.
    fn unit(
        &self,
        frame: &mut Frame,
        tables: &[[Option<Rc<Table>>; 4]; 2],
        bits: &mut Bits,
        number: usize,
        empty_blocks: &mut usize,
    ) -> Result<(), Problem> {
        let table = |kind: usize, place: usize| tables[kind][place].as_ref().ok_or(Problem::NoTable);
        for &(index, dc, ac) in &self.components {
            let component = &mut frame.components[index];
            let blocks = if self.components.len() == 1 { 1 } else { component.unit };
            if !frame.progressive {
                let (dc, ac) = (table(0, dc)?, table(1, ac)?);
                for _ in 0..blocks {
                    bits.skip_dc(dc)?;
                    bits.skip_ac(ac)?;
                }
            } else if self.band.0 > 0 {
                let non_zero = &mut component.non_zero[number];
                if self.refines {
                    self.refine(bits, table(1, ac)?, non_zero, empty_blocks)?;
                } else {
                    self.first(bits, table(1, ac)?, non_zero, empty_blocks)?;
                }
            } else if self.refines {
                bits.skip(blocks)?;
            } else {
                let dc = table(0, dc)?;
                (0..blocks).try_for_each(|_| bits.skip_dc(dc))?;
            }
        }
        Ok(())
    }

    /// A block of a progressive scan that sends coefficients for the first time.
    fn first(&self, bits: &mut Bits, ac: &Table, non_zero: &mut u64, empty_blocks: &mut usize) -> Result<(), Fault> {
        if *empty_blocks > 0 {
            *empty_blocks -= 1;
            return Ok(());
        }
        let mut next = self.band.0;
        while next <= self.band.1 {
            let symbol = bits.symbol(ac)?;
            let (run, size) = (usize::from(symbol >> 4), usize::from(symbol & 15));
            if size == 0 && run < 15 {
                *empty_blocks = (1 << run) - 1 + bits.number(run)?;
                return Ok(());
            }
            bits.skip(size)?;
            let coefficient = next + run;
            if coefficient > self.band.1 {
                return Err(Fault::Damaged);
            }
            *non_zero |= u64::from(size > 0) << coefficient;
            next = coefficient + 1;
        }
        Ok(())
    }

    /// A block of a progressive scan that sends one more bit: a symbol for each coefficient that was 0 before, and a bit
    /// for each that was not.
    fn refine(&self, bits: &mut Bits, ac: &Table, non_zero: &mut u64, empty_blocks: &mut usize) -> Result<(), Fault> {
        let mut next = self.band.0;
        if *empty_blocks == 0 {
            while next <= self.band.1 {
                let symbol = bits.symbol(ac)?;
                let (mut run, size) = (usize::from(symbol >> 4), usize::from(symbol & 15));
                if size == 0 && run < 15 {
                    *empty_blocks = (1 << run) + bits.number(run)?;
                    break;
                }
                bits.skip(size.min(1))?;
                while next <= self.band.1 {
                    if *non_zero >> next & 1 == 1 {
                        bits.skip(1)?;
                    } else if run == 0 {
                        break;
                    } else {
                        run -= 1;
                    }
                    next += 1;
                }
                if next > self.band.1 && size > 0 {
                    return Err(Fault::Damaged);
                }
                if size > 0 {
                    *non_zero |= 1 << next;
                }
                next += 1;
            }
        }
        if *empty_blocks > 0 {
            let rest = (next..=self.band.1).filter(|coefficient| *non_zero >> coefficient & 1 == 1).count();
            bits.skip(rest)?;
            *empty_blocks -= 1;
        }
        Ok(())
    }
}
