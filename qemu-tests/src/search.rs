//! Looks for bytes on a raw disk, as a thief would.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::Result;

/// How much is read at a time, in bytes.
const CHUNK: usize = 4 * 1024 * 1024;

/// Which of `needles` stand somewhere in the image, by their index.
///
/// Each must be between 4 bytes and 1 MiB long.
pub fn found_in(image: &Path, needles: &[Vec<u8>]) -> Result<Vec<usize>> {
    let longest = needles.iter().map(Vec::len).max().unwrap_or(1);
    let mut file = File::open(image)?;
    let mut buffer = vec![0; CHUNK + longest];
    let mut kept = 0;
    let mut found = vec![false; needles.len()];
    loop {
        let mut filled = kept;
        while filled < buffer.len() {
            match file.read(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        if filled == kept {
            break;
        }
        let hay = &buffer[..filled];
        // Most of a disk image is empty.
        if hay.iter().any(|byte| *byte != 0) {
            for (seen, needle) in found.iter_mut().zip(needles) {
                *seen = *seen || contains(hay, needle);
            }
        }
        // What begins at the end of this piece is found in the next one.
        kept = filled.min(longest - 1);
        buffer.copy_within(filled - kept..filled, 0);
    }
    Ok((0..needles.len()).filter(|i| found[*i]).collect())
}

/// A secret in the forms in which it could have been written: as bytes, and
/// as hex digits of either case.
pub fn forms_of(secret: &[u8]) -> Vec<Vec<u8>> {
    let lower: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        secret.to_vec(),
        lower.to_uppercase().into_bytes(),
        lower.into_bytes(),
    ]
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    let first = needle[0];
    let last = hay.len().saturating_sub(needle.len() - 1);
    let mut at = 0;
    while let Some(step) = hay[at..last].iter().position(|byte| *byte == first) {
        at += step;
        if hay[at..].starts_with(needle) {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_across_two_pieces_is_found() {
        let scratch = crate::Scratch::new().unwrap();
        let image = scratch.join("disk");
        let mut bytes = vec![0; 2 * CHUNK];
        bytes[CHUNK + 3..CHUNK + 10].copy_from_slice(b"Halima1");
        std::fs::write(&image, bytes).unwrap();
        let needles = [b"Halima1".to_vec(), b"Halima2".to_vec()];
        assert_eq!(found_in(&image, &needles).unwrap(), [0]);
    }

    #[test]
    fn a_name_at_the_very_end_is_found() {
        let scratch = crate::Scratch::new().unwrap();
        let image = scratch.join("disk");
        std::fs::write(&image, b"....Halima").unwrap();
        assert_eq!(found_in(&image, &[b"Halima".to_vec()]).unwrap(), [0]);
    }
}
