//! Reads zip archives (PKWARE's APPNOTE.TXT 6.3.10) by the list at their end.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

/// Bytes of the record at the end without its comment, which has 65,535 at most
/// (section 4.3.16).
const END: usize = 22;
/// Bytes of an entry of the list without its texts (section 4.3.12).
const ENTRY: usize = 46;
/// Bytes in front of a member without its texts (section 4.3.7).
const LOCAL: usize = 30;
/// Longest list that is read, in bytes.
const LIST_MAX: usize = 64 * 1024 * 1024;

/// One file in an archive.
pub struct Member {
    /// Where its packed bytes begin.
    pub offset: u64,
    /// Packed bytes.
    pub packed: u64,
    /// Unpacked bytes.
    pub unpacked: u32,
    /// CRC-32 of the unpacked bytes.
    pub crc: u32,
    /// How it is packed.
    pub method: Method,
}

/// How a member is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    Stored,
    /// As gzip does.
    Deflated,
    Encrypted,
    Other,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

/// The members of an archive of `length` bytes. `Unsupported` stands for one with the
/// larger numbers of "zip64".
///
/// # Errors
/// `InvalidData` where it is damaged, and what reading says.
pub fn members(archive: &File, length: u64) -> io::Result<Vec<Member>> {
    let damaged = || io::Error::from(ErrorKind::InvalidData);
    let tail = length.min((END + usize::from(u16::MAX)) as u64);
    let mut end = vec![0; tail as usize];
    archive.read_exact_at(&mut end, length - tail)?;
    let starts = end.windows(4).rposition(|four| four == b"PK\x05\x06");
    let end = &end[starts.ok_or_else(damaged)?..];
    let number = |at| u32_at(end, at).ok_or_else(damaged);
    let (count, size, offset) = (
        u16_at(end, 10).ok_or_else(damaged)?,
        number(12)?,
        number(16)?,
    );
    if count == u16::MAX || offset == u32::MAX {
        return Err(ErrorKind::Unsupported.into());
    }
    let size = usize::try_from(size).map_err(|_| damaged())?;
    if size > LIST_MAX {
        return Err(ErrorKind::FileTooLarge.into());
    }
    let mut list = vec![0; size];
    archive.read_exact_at(&mut list, offset.into())?;
    let mut rest = &list[..];
    let mut members = Vec::new();
    for _ in 0..count {
        let (member, length) = member(archive, rest).ok_or_else(damaged)??;
        members.push(member);
        rest = rest.get(length..).ok_or_else(damaged)?;
    }
    Ok(members)
}

/// The first member of the list, and the length of its entry; `None` where the list is
/// damaged.
fn member(archive: &File, entry: &[u8]) -> Option<io::Result<(Member, usize)>> {
    if !entry.starts_with(b"PK\x01\x02") {
        return None;
    }
    let texts = [28, 30, 32].map(|at| u16_at(entry, at).map(usize::from));
    let length = texts
        .iter()
        .try_fold(ENTRY, |sum, text| Some(sum + (*text)?))?;
    let (flags, method) = (u16_at(entry, 8)?, u16_at(entry, 10)?);
    let (packed, unpacked) = (u32_at(entry, 20)?, u32_at(entry, 24)?);
    let at = u32_at(entry, 42)?;
    if [packed, unpacked, at].contains(&u32::MAX) {
        return Some(Err(ErrorKind::Unsupported.into()));
    }
    let mut local = [0; LOCAL];
    if let Err(error) = archive.read_exact_at(&mut local, at.into()) {
        return Some(Err(error));
    }
    if !local.starts_with(b"PK\x03\x04") {
        return None;
    }
    let texts = u64::from(u16_at(&local, 26)?) + u64::from(u16_at(&local, 28)?);
    let member = Member {
        offset: u64::from(at) + LOCAL as u64 + texts,
        packed: packed.into(),
        unpacked,
        crc: u32_at(entry, 16)?,
        method: match (flags & 1, method) {
            (1, _) => Method::Encrypted,
            (_, 0) => Method::Stored,
            (_, 8) => Method::Deflated,
            _ => Method::Other,
        },
    };
    Some(Ok((member, length)))
}

/// What stands before a deflated member to make it a file of gzip (RFC 1952).
pub const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

impl Member {
    /// What stands behind a deflated member to make it a file of gzip (RFC 1952).
    pub fn gzip_tail(&self) -> [u8; 8] {
        let [crc, length] = [self.crc, self.unpacked].map(u32::to_le_bytes);
        std::array::from_fn(|at| if at < 4 { crc[at] } else { length[at - 4] })
    }
}
