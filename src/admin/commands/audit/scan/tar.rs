//! Reads tar archives (POSIX.1-1988 "ustar", GNU, and older ones) from a stream.

use std::io::{self, ErrorKind, Read};

use crate::admin::filled::fill;

const BLOCK: usize = 512;

/// Calls `each` with the header and with the content of every member. What `each`
/// leaves unread is skipped.
///
/// # Errors
/// `InvalidData` where a header is damaged, `UnexpectedEof` where a member is cut off,
/// and what the reader says.
pub fn each_member(
    mut archive: &mut dyn Read,
    each: &mut dyn FnMut(&[u8; BLOCK], &mut dyn Read),
) -> io::Result<()> {
    let mut header = [0; BLOCK];
    loop {
        match fill(archive, &mut header)? {
            // Some archives lack the blocks of zeroes at their end.
            0 => return Ok(()),
            BLOCK => {}
            _ => return Err(ErrorKind::UnexpectedEof.into()),
        }
        if header == [0; BLOCK] {
            continue;
        }
        let length = length(&header).ok_or(ErrorKind::InvalidData)?;
        let mut content = archive.take(length);
        each(&header, &mut content);
        io::copy(&mut content, &mut io::sink())?;
        if content.limit() > 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        archive = content.into_inner();
        let padding = length.next_multiple_of(BLOCK as u64) - length;
        io::copy(&mut (&mut archive).take(padding), &mut io::sink())?;
    }
}

/// Whether this is a member's header, by its checksum.
pub fn is_header(block: &[u8; BLOCK]) -> bool {
    length(block).is_some()
}

/// The length of a member's content in bytes; `None` for what is no header.
fn length(header: &[u8; BLOCK]) -> Option<u64> {
    let sum = header.iter().enumerate().map(|(at, byte)| match at {
        // The checksum itself counts as blanks.
        148..156 => u64::from(b' '),
        _ => u64::from(*byte),
    });
    if octal(&header[148..156])? != sum.sum::<u64>() {
        return None;
    }
    // Links, devices and folders have no content.
    if let b'1'..=b'6' = header[156] {
        return Some(0);
    }
    match &header[124..136] {
        // GNU: larger than the digits can say.
        [0x80, rest @ ..] => {
            let bytes = rest.last_chunk::<8>()?;
            Some(u64::from_be_bytes(*bytes)).filter(|length| *length < 1 << 56)
        }
        digits => octal(digits),
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = str::from_utf8(field).ok()?;
    let digits = text.trim_matches([' ', '\0']);
    match digits.is_empty() {
        true => Some(0),
        false => u64::from_str_radix(digits, 8).ok(),
    }
}
