//! What a file is packed as, by its first bytes: names lie (`syslog.gz.1`). Pure.

use std::process::Command;

use super::tar;

/// Bytes that are looked at: a tar archive says what it is at 257.
pub const HEAD: usize = 512;

/// What the first bytes of a file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// To be searched as it is.
    Plain,
    /// A program unpacks it. What comes out may be packed again.
    Packed(Unpacker),
    /// Files one after the other.
    Tar,
    /// Files that are packed one by one, with a list at the end.
    Zip,
    /// A journal of systemd: its fields may be packed.
    Journal,
    /// Nothing can read it without a key.
    Encrypted,
    /// Packed in a way that nothing here reads.
    Unknown(&'static str),
}

/// The command line of a program that unpacks its standard input to its standard
/// output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpacker(&'static [&'static str]);

/// For zip archives, whose members are packed as gzip packs.
pub const GZIP: Unpacker = Unpacker(&["gzip", "-dc"]);
/// All fields of a journal as text.
pub const JOURNAL: Unpacker = Unpacker(&[
    "journalctl",
    "--file=-",
    "--output=export",
    "--all",
    "--quiet",
    "--no-pager",
]);
/// Makes a tar archive of other archives.
const ARCHIVE: Unpacker = Unpacker(&["bsdtar", "-cf", "-", "--format=ustar", "@-"]);
// Each takes at most about 256 MiB of memory, whatever the file asks for.
const XZ: Unpacker = Unpacker(&["xz", "-dcq", "--memlimit-decompress=256MiB"]);
const LZMA: Unpacker = Unpacker(&[
    "xz",
    "--format=lzma",
    "-dcq",
    "--memlimit-decompress=256MiB",
]);
const ZSTD: Unpacker = Unpacker(&["zstd", "-dcq"]);
const BZIP2: Unpacker = Unpacker(&["bzip2", "-dcq"]);
const LZ4: Unpacker = Unpacker(&["lz4", "-dcq"]);
const LZIP: Unpacker = Unpacker(&["lzip", "-dcq"]);
const LZOP: Unpacker = Unpacker(&["lzop", "-dcq"]);

impl Unpacker {
    /// The program's name.
    pub fn name(self) -> &'static str {
        self.0[0]
    }

    /// The command to be run.
    pub fn command(self) -> Command {
        let mut command = Command::new(self.0[0]);
        command.args(&self.0[1..]);
        command
    }
}

/// The formats by their first bytes.
const BEGINNINGS: [(&[u8], FileFormat); 32] = {
    use FileFormat::{Encrypted, Journal, Packed, Unknown, Zip};
    [
        (b"\x1f\x8b", Packed(GZIP)),
        // compress and pack, which gzip reads too.
        (b"\x1f\x9d", Packed(GZIP)),
        (b"\x1f\x1e", Packed(GZIP)),
        (b"\xfd7zXZ\0", Packed(XZ)),
        // Of xz's predecessor.
        (b"\x5d\0\0", Packed(LZMA)),
        (b"\x28\xb5\x2f\xfd", Packed(ZSTD)),
        (b"BZh", Packed(BZIP2)),
        (b"\x04\x22\x4d\x18", Packed(LZ4)),
        (b"\x02\x21\x4c\x18", Packed(LZ4)),
        (b"LZIP", Packed(LZIP)),
        (b"\x89LZO", Packed(LZOP)),
        (b"070701", Packed(ARCHIVE)),
        (b"070702", Packed(ARCHIVE)),
        (b"070707", Packed(ARCHIVE)),
        (b"!<arch>\n", Packed(ARCHIVE)),
        (b"7z\xbc\xaf\x27\x1c", Packed(ARCHIVE)),
        (b"Rar!\x1a\x07", Packed(ARCHIVE)),
        (b"MSCF", Packed(ARCHIVE)),
        (b"PK\x03\x04", Zip),
        (b"LPKSHHRH", Journal),
        (b"age-encryption.org/", Encrypted),
        (b"-----BEGIN AGE ENCRYPTED FILE", Encrypted),
        (b"-----BEGIN PGP MESSAGE", Encrypted),
        (b"Salted__", Encrypted),
        (b"LUKS\xba\xbe", Encrypted),
        (b"LRZI", Unknown("lrzip")),
        (b"hsqs", Unknown("squashfs images")),
        (b"QFI\xfb", Unknown("qcow2 images")),
        (b"KDMV", Unknown("VMDK images")),
        (b"vhdxfile", Unknown("VHDX images")),
        (b"conectix", Unknown("VHD images")),
        (b"%PDF-", Unknown("PDF")),
    ]
};

impl FileFormat {
    /// The format of a file that begins so; [`HEAD`] bytes are enough.
    pub fn of(head: &[u8]) -> Self {
        // Archives older than POSIX have nothing but their checksum.
        let is_old_tar = || head.first_chunk().is_some_and(tar::is_header);
        if head.get(257..262) == Some(b"ustar") || is_old_tar() {
            return Self::Tar;
        }
        if is_openpgp_message(head) {
            return Self::Encrypted;
        }
        // Frames that zstd and lz4 skip stand before those that they unpack.
        if let [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] = head {
            return Self::Packed(ZSTD);
        }
        let found = BEGINNINGS.iter().find(|(begin, _)| head.starts_with(begin));
        found.map_or(Self::Plain, |(_, format)| *format)
    }
}

/// Whether it begins with a session key, for a public key or under a passphrase (RFC
/// 9580, sections 4.2, 5.1 and 5.3).
fn is_openpgp_message(head: &[u8]) -> bool {
    let packet = match head {
        // The old form of the packet's length: one byte or two.
        [0x84 | 0x8c, _, packet @ ..] | [0x85 | 0x8d, _, _, packet @ ..] => packet,
        // The new form.
        [0xc1 | 0xc3, 0..192, packet @ ..] | [0xc1 | 0xc3, 192..224, _, packet @ ..] => packet,
        _ => return false,
    };
    // Versions of these packets.
    matches!(packet, [3..=6, ..])
}

/// What a file is packed as by its name, where its first bytes need not say so.
pub fn packed_as(name: &[u8]) -> Option<&'static str> {
    const NAMES: [(&[u8], &str); 9] = [
        (b"7z", "this kind of 7z"),
        (b"ace", "ACE"),
        (b"arj", "ARJ"),
        (b"br", "Brotli"),
        (b"lha", "LHA"),
        (b"lrz", "lrzip"),
        (b"lzh", "LHA"),
        (b"rar", "this kind of RAR"),
        (b"sz", "Snappy"),
    ];
    let parts = name.split(|byte| *byte == b'.').skip(1);
    // Rotated logs have a number behind it.
    let is_number = |part: &&[u8]| part.iter().all(|byte| byte.is_ascii_digit());
    let last = parts.filter(|part| !is_number(part)).last()?;
    let found = NAMES.iter().find(|(end, _)| end.eq_ignore_ascii_case(last));
    found.map(|(_, format)| *format)
}
