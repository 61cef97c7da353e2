//! Where DEFLATE data ends (RFC 1951), which gzip compresses to. Only that is looked for, so
//! nothing is unpacked: lengths and distances are read and left alone.

use std::io;

use super::walk::{Walk, invalid};

/// Longest code, in bits.
const LONGEST: usize = 15;
/// The order in which the lengths of the codes for lengths come.
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];
/// The symbol behind which a block ends; those above it are lengths.
const END_OF_BLOCK: u16 = 256;

/// Walks over all blocks, up to the first byte behind them.
///
/// # Errors
/// `InvalidData` where it is no DEFLATE; what reading says.
pub fn walk(from: &mut Walk) -> io::Result<()> {
    let mut bits = Bits {
        from,
        held: 0,
        count: 0,
    };
    loop {
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => bits.stored()?,
            1 => bits.coded(&Code::new(&fixed_lengths())?, &Code::new(&[5; 30])?)?,
            2 => {
                let (symbols, distances) = bits.codes()?;
                bits.coded(&symbols, &distances)?;
            }
            _ => return Err(invalid("a block of an unknown kind")),
        }
        if is_last {
            return Ok(());
        }
    }
}

fn fixed_lengths() -> [u8; 288] {
    let mut lengths = [8; 288];
    lengths[144..256].fill(9);
    lengths[256..280].fill(7);
    lengths
}

/// Codes of the same length are consecutive numbers, and behind those that are shorter.
struct Code {
    /// How many codes have so many bits.
    counts: [u16; LONGEST + 1],
    /// What they stand for, the shortest code first.
    symbols: Vec<u16>,
}

impl Code {
    /// The code with these lengths, in bits; 0 for what has none.
    fn new(lengths: &[u8]) -> io::Result<Self> {
        let mut counts = [0; LONGEST + 1];
        let mut symbols = Vec::new();
        let mut room = 1;
        for (length, count) in counts.iter_mut().enumerate().skip(1) {
            let of_this = lengths.iter().enumerate();
            let of_this = of_this.filter(|(_, of)| usize::from(**of) == length);
            let before = symbols.len();
            symbols.extend(of_this.map(|(symbol, _)| symbol as u16));
            *count = (symbols.len() - before) as u16;
            room = 2 * room - i32::from(*count);
            if room < 0 {
                return Err(invalid("more codes than there is room for"));
            }
        }
        Ok(Self { counts, symbols })
    }
}

/// The bits of bytes, the lowest one first. Never more of them are read than are taken.
struct Bits<'a, 'b> {
    from: &'a mut Walk<'b>,
    /// Bits of the last byte that were not taken.
    held: u32,
    count: u32,
}

impl Bits<'_, '_> {
    /// The next bits as a number; at most 16.
    fn take(&mut self, count: u32) -> io::Result<u32> {
        while self.count < count {
            self.held |= u32::from(self.from.byte()?) << self.count;
            self.count += 8;
        }
        let number = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= count;
        Ok(number)
    }

    /// What the next code stands for.
    fn symbol(&mut self, code: &Code) -> io::Result<u16> {
        // The first code of this length, and where its symbol is.
        let (mut first, mut at) = (0, 0);
        let mut bits = 0;
        for count in &code.counts[1..] {
            bits = 2 * bits + self.take(1)?;
            let count = u32::from(*count);
            if bits < first + count {
                return Ok(code.symbols[(at + bits - first) as usize]);
            }
            at += count;
            first = 2 * (first + count);
        }
        Err(invalid("bits that stand for nothing"))
    }

    /// A block without compression. It begins with a byte.
    fn stored(&mut self) -> io::Result<()> {
        (self.held, self.count) = (0, 0);
        let [a, b, not_a, not_b] = self.from.bytes()?;
        let length = u16::from_le_bytes([a, b]);
        if length != !u16::from_le_bytes([not_a, not_b]) {
            return Err(invalid("a length that is not confirmed"));
        }
        self.from.skip(length.into()).map(drop)
    }

    /// The rest of a block in these codes.
    fn coded(&mut self, symbols: &Code, distances: &Code) -> io::Result<()> {
        loop {
            let extra = match self.symbol(symbols)? {
                0..END_OF_BLOCK => continue,
                END_OF_BLOCK => return Ok(()),
                257..265 | 285 => 0,
                length @ 265..285 => (length - 261) / 4,
                _ => return Err(invalid("a length of an unknown kind")),
            };
            self.take(extra.into())?;
            let extra = match self.symbol(distances)? {
                0..4 => 0,
                distance @ 4..30 => distance / 2 - 1,
                _ => return Err(invalid("a distance of an unknown kind")),
            };
            self.take(extra.into())?;
        }
    }

    /// The codes that a block brings along: for its symbols, and for distances.
    fn codes(&mut self) -> io::Result<(Code, Code)> {
        let symbols = self.take(5)? as usize + 257;
        let all = symbols + self.take(5)? as usize + 1;
        let given = self.take(4)? as usize + 4;
        let mut lengths = [0; ORDER.len()];
        for at in &ORDER[..given] {
            lengths[*at] = self.take(3)? as u8;
        }
        let code = Code::new(&lengths)?;
        let mut lengths = Vec::new();
        while lengths.len() < all {
            let (length, times) = match self.symbol(&code)? {
                16 => {
                    let before = lengths.last().copied();
                    let before = before.ok_or_else(|| invalid("nothing to repeat"))?;
                    (before, 3 + self.take(2)?)
                }
                17 => (0, 3 + self.take(3)?),
                18 => (0, 11 + self.take(7)?),
                length => (length as u8, 1),
            };
            lengths.resize(lengths.len() + times as usize, length);
        }
        if lengths.len() > all {
            return Err(invalid("more lengths than codes"));
        }
        let (symbols, distances) = lengths.split_at(symbols);
        Ok((Code::new(symbols)?, Code::new(distances)?))
    }
}
