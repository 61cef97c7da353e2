//! Reading a buffer full.

use std::io::{self, ErrorKind, Read};

/// Reads until the buffer is full or nothing more comes, and returns how much came.
///
/// # Errors
/// What the reader says.
pub fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
