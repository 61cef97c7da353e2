//! The compressed parts of an initramfs: how each kind begins, what decompresses it, and
//! where it ends. The programs that decompress do not say how much of a file they have used,
//! and some go on with what the kernel does not take for the same part, so its structure is
//! followed. Whether it can be decompressed is left to the program: what it is given ends
//! where the part does.

use std::io::{self, Read};

use super::inflate;
use super::walk::{Walk, invalid};

/// One kind, by the kernel's lib/decompress.c.
pub struct Compression {
    mark: &'static [u8],
    pub program: &'static str,
    pub words: &'static [&'static str],
    end: Option<End>,
}

/// Walks over a part, and returns how many bytes it has.
type End = fn(&mut Walk) -> io::Result<u64>;

const KNOWN: [Compression; 7] = [
    of(b"\x1f\x8b", "gzip", &["-dc"], Some(gzip)),
    of(b"\x28\xb5\x2f\xfd", "zstd", &["-dcq"], Some(zstd)),
    of(b"\xfd7zXZ\0", "xz", &["-dc"], Some(xz)),
    of(&LZ4, "lz4", &["-dc"], Some(lz4)),
    // It has no structure, and its program accepts nothing behind it.
    of(b"\x5d\0", "xz", &["-dc", "--format=lzma"], None),
    of(b"BZh", "bzip2", &["-dc"], Some(bzip2)),
    of(b"\x89LZO", "lzop", &["-dc"], Some(lzop)),
];

const fn of(
    mark: &'static [u8],
    program: &'static str,
    words: &'static [&'static str],
    end: Option<End>,
) -> Compression {
    Compression {
        mark,
        program,
        words,
        end,
    }
}

impl Compression {
    /// The kind that begins so.
    pub fn that_begins(start: &[u8]) -> Option<&'static Self> {
        KNOWN.iter().find(|known| start.starts_with(known.mark))
    }

    /// How many bytes of `from` are the part that it begins with; `None` where that cannot be
    /// told without decompressing it.
    ///
    /// # Errors
    /// `InvalidData` where it is no such part, or the kernel reads none like it; what reading
    /// says.
    pub fn length(&self, from: &mut dyn Read) -> io::Result<Option<u64>> {
        self.end.map(|end| end(&mut Walk::new(from))).transpose()
    }
}

/// One member, by RFC 1952. Of what may stand in front of the data the kernel knows the
/// file's name only.
fn gzip(from: &mut Walk) -> io::Result<u64> {
    const TEXT: u8 = 1;
    const NAME: u8 = 8;
    let [_, _, _, flags, ..] = from.bytes::<10>()?;
    if flags & !(TEXT | NAME) != 0 {
        return Err(invalid("gzip with something that the kernel does not know"));
    }
    if flags & NAME != 0 {
        while from.byte()? != 0 {}
    }
    inflate::walk(from)?;
    // A checksum and a length.
    from.skip(8)
}

/// One frame, by RFC 8878.
fn zstd(from: &mut Walk) -> io::Result<u64> {
    let [_, _, _, _, about] = from.bytes()?;
    let is_one_segment = about & 0x20 != 0;
    let window = u64::from(!is_one_segment);
    let dictionary = [0, 1, 2, 4][usize::from(about & 3)];
    let size = [u64::from(is_one_segment), 2, 4, 8][usize::from(about >> 6)];
    from.skip(window + dictionary + size)?;
    loop {
        let [a, b, c] = from.bytes()?;
        let block = u32::from_le_bytes([a, b, c, 0]);
        from.skip(match block >> 1 & 3 {
            // One byte, so many times.
            1 => 1,
            3 => return Err(invalid("a block of zstd of an unknown kind")),
            _ => u64::from(block >> 3),
        })?;
        if block & 1 == 1 {
            let checksum = if about & 4 != 0 { 4 } else { 0 };
            return from.skip(checksum);
        }
    }
}

/// One stream, by "The .xz File Format" 1.2.1.
fn xz(from: &mut Walk) -> io::Result<u64> {
    const CHECKS: [u64; 16] = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
    let [_, _, _, _, _, _, _, check, ..] = from.bytes::<12>()?;
    let check = CHECKS[usize::from(check & 0xf)];
    loop {
        match from.byte()? {
            0 => break,
            // In steps of 4 bytes, without the one that was read.
            header => from.skip(u64::from(header) * 4 + 3)?,
        };
        lzma2(from)?;
        from.align()?;
        from.skip(check)?;
    }
    // The index: two numbers of each block.
    let blocks = xz_number(from)?;
    for _ in 0..blocks {
        xz_number(from)?;
        xz_number(from)?;
    }
    from.align()?;
    // A checksum, and the stream's footer.
    from.skip(4 + 12)
}

/// A block's data: pieces whose lengths stand in front of them.
fn lzma2(from: &mut Walk) -> io::Result<()> {
    loop {
        let kind = from.byte()?;
        let properties = match kind {
            0 => return Ok(()),
            1 | 2 => 0,
            3..0x80 => return Err(invalid("a piece of xz of an unknown kind")),
            0x80.. => {
                from.skip(2)?;
                u64::from(kind >= 0xc0)
            }
        };
        let length = u64::from(u16::from_be_bytes(from.bytes()?)) + 1;
        from.skip(properties + length)?;
    }
}

/// Seven bits in each byte, the lowest ones first.
fn xz_number(from: &mut Walk) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let byte = from.byte()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(invalid("a number of xz that is too long"))
}

const LZ4: [u8; 4] = *b"\x02\x21\x4c\x18";

/// The format of `lz4 -l`. Nothing says where it ends but the end of the file, or zeroes where
/// the next length would stand: those are not its own.
fn lz4(from: &mut Walk) -> io::Result<u64> {
    let mut end = from.skip(4)?;
    loop {
        match from.bytes_or_end()? {
            None | Some([0, 0, 0, 0]) => return Ok(end),
            Some(LZ4) => end = from.skip(0)?,
            Some(length) => end = from.skip(u32::from_le_bytes(length).into())?,
        }
    }
}

/// The end has no place of its own in a byte: it is where its mark comes first. One that only
/// looks so is found out by the program, which then lacks the rest.
fn bzip2(from: &mut Walk) -> io::Result<u64> {
    const END: u64 = 0x1772_4538_5090;
    let mut last = 0_u64;
    loop {
        last = last << 8 | u64::from(from.byte()?);
        for after in 0..8 {
            if last >> after & 0xffff_ffff_ffff == END {
                // With the rest of a checksum of 32 bits, which begins in this byte or behind.
                return from.skip(4);
            }
        }
    }
}

/// As lzop(1) writes it and the kernel's lib/decompress_unlzo.c reads it.
fn lzop(from: &mut Walk) -> io::Result<u64> {
    const FILTER: u32 = 0x800;
    // The mark, then who wrote it.
    from.skip(9)?;
    let is_new = u16::from_be_bytes(from.bytes()?) >= 0x0940;
    // Versions of a library and of what is needed, the method and its level.
    from.skip(if is_new { 6 } else { 5 })?;
    let flags = u32::from_be_bytes(from.bytes()?);
    let filter = if flags & FILTER != 0 { 4 } else { 0 };
    let dates = if is_new { 12 } else { 8 };
    from.skip(filter + dates)?;
    let name = from.byte()?;
    from.skip(u64::from(name) + 4)?;
    while from.bytes()? != [0; 4] {
        let length = u32::from_be_bytes(from.bytes()?);
        // The kernel takes one checksum for granted.
        from.skip(4 + u64::from(length))?;
    }
    from.skip(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::initramfs::archive::tests::compressed;
    use crate::admin::program;
    use proptest::prelude::*;

    const PROGRAMS: [(&str, &[&str]); 14] = [
        ("gzip", &["-1"]),
        ("gzip", &["-9"]),
        ("zstd", &["-q"]),
        ("zstd", &["-q", "-19", "--no-check"]),
        ("xz", &["-0"]),
        ("xz", &["--check=crc32", "--x86", "--lzma2"]),
        ("xz", &["-T2", "--block-size=20000", "--check=sha256"]),
        ("xz", &["--check=none"]),
        ("bzip2", &["-1"]),
        ("bzip2", &["-9"]),
        ("lzop", &["-1"]),
        ("lzop", &["-9"]),
        ("lz4", &["-l"]),
        ("lz4", &["-l", "-9"]),
    ];

    /// Nothing, little, the same again and again, no order at all, and both.
    fn contents() -> Vec<Vec<u8>> {
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let noise: Vec<u8> = (0..150_000).map(|_| noise()).collect();
        let text = b"usr/lib/modules/6.12/kernel/drivers/net/virtio_net.ko\n".repeat(2000);
        let both = [&text[..], &noise, &text].concat();
        let letters = noise.iter().map(|byte| b'a' + byte % 17).collect();
        vec![Vec::new(), b"little".to_vec(), text, noise, both, letters]
    }

    #[test]
    fn a_part_ends_where_its_program_has_ended_it() {
        for (program, words) in PROGRAMS {
            if program::find(program).is_none() {
                continue;
            }
            for content in contents() {
                let part = compressed(program, words, &content);
                let kind = Compression::that_begins(&part).unwrap();
                assert_eq!(kind.program, program);
                for behind in [&[0; 9][..], b"", b"070701", b"\x1f\x8b\x08 more"] {
                    if program == "lz4" && behind.first().is_some_and(|byte| *byte != 0) {
                        // Taken for more of the same, as by the kernel.
                        continue;
                    }
                    let image = [&part[..], behind].concat();
                    let length = kind.length(&mut &image[..]).unwrap();
                    let size = content.len();
                    assert_eq!(
                        length,
                        Some(part.len() as u64),
                        "{program} {words:?} {size}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_part_that_was_cut_is_noticed() {
        let content = contents().swap_remove(4);
        for (program, words) in PROGRAMS {
            if program::find(program).is_none() {
                continue;
            }
            let part = compressed(program, words, &content);
            let kind = Compression::that_begins(&part).unwrap();
            for end in (4..part.len()).step_by(9973).chain([part.len() - 1]) {
                let length = kind.length(&mut &part[..end]).ok().flatten();
                // Without a single piece that one is whole, too.
                let is_whole = program == "lz4" && end < 8;
                assert!(length.is_none() || is_whole, "{program} {end}");
            }
        }
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(
            kind in 0..KNOWN.len(),
            bytes in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let kind = &KNOWN[kind];
            let bytes = [kind.mark, &bytes].concat();
            let length = kind.length(&mut &bytes[..]).ok().flatten();
            prop_assert!(length.is_none_or(|length| length <= bytes.len() as u64));
        }
    }
}
