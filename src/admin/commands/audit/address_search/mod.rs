//! Searches bytes for hardware addresses in every usual spelling. Pure.

mod spelling;
#[cfg(test)]
mod tests;

use std::io::{ErrorKind, Read};

use spelling::Spelling;

/// A hardware address.
pub type Mac = [u8; 6];

/// Bytes that are searched at a time.
const CHUNK: usize = 64 * 1024;
/// Bytes of a chunk that are searched again with the next one. No spelling is
/// longer.
const OVERLAP: usize = 128;

/// One spelling of one address.
struct Needle {
    /// Index of the address.
    address: usize,
    spelling: Spelling,
}

/// The spellings of all addresses that are looked for.
pub struct Needles {
    needles: Vec<Needle>,
    addresses: usize,
    /// For each two bytes that some needle begins with, text in lower case, one more
    /// than the index into `lists`.
    begins: Vec<u16>,
    /// Indices of the needles that begin with the same two bytes.
    lists: Vec<Vec<usize>>,
}

fn beginning(bytes: [u8; 2]) -> usize {
    let [first, second] = bytes.map(|byte| usize::from(byte.to_ascii_lowercase()));
    first << 8 | second
}

impl Needles {
    /// Prepares every spelling of these addresses.
    pub fn new(addresses: &[Mac]) -> Self {
        let mut all = Self {
            needles: Vec::new(),
            addresses: addresses.len(),
            begins: vec![0; 1 << 16],
            lists: Vec::new(),
        };
        for (address, mac) in addresses.iter().enumerate() {
            for spelling in Spelling::all(mac) {
                all.add(Needle { address, spelling });
            }
        }
        all
    }

    fn add(&mut self, needle: Needle) {
        let at = self.needles.len();
        for pair in needle.spelling.beginnings() {
            let begin = &mut self.begins[beginning(pair)];
            if *begin == 0 {
                self.lists.push(Vec::new());
                *begin = self.lists.len() as u16;
            }
            let list = &mut self.lists[usize::from(*begin) - 1];
            if list.last() != Some(&at) {
                list.push(at);
            }
        }
        self.needles.push(needle);
    }

    /// Marks the addresses that begin at `from` or later. `is_last` tells whether
    /// nothing follows `bytes`.
    fn mark(&self, bytes: &[u8], from: usize, is_last: bool, found: &mut [bool]) {
        for at in from..bytes.len().saturating_sub(1) {
            let begin = self.begins[beginning([bytes[at], bytes[at + 1]])];
            let Some(list) = usize::from(begin).checked_sub(1) else {
                continue;
            };
            for needle in self.lists[list].iter().map(|at| &self.needles[*at]) {
                found[needle.address] =
                    found[needle.address] || needle.spelling.is_at(bytes, at, is_last);
            }
        }
    }

    /// For each address whether it stands in these few bytes.
    pub fn within(&self, bytes: &[u8]) -> Vec<bool> {
        let mut found = vec![false; self.addresses];
        self.mark(bytes, 0, true, &mut found);
        found
    }

    /// Reads to the end and marks in `found` each address that was found, also when
    /// reading fails later on. `progress` gets the size of each chunk in bytes.
    ///
    /// # Errors
    /// What the reader says.
    pub fn search(
        &self,
        reader: &mut dyn Read,
        found: &mut Vec<bool>,
        progress: &mut dyn FnMut(usize),
    ) -> std::io::Result<()> {
        found.resize(self.addresses, false);
        let mut buffer = vec![0; OVERLAP + CHUNK];
        let mut kept = 0;
        // The first byte that is kept was searched before: what stands in front of it
        // is not known any more.
        let mut from = 0;
        loop {
            let read = match reader.read(&mut buffer[kept..]) {
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            progress(read);
            let filled = kept + read;
            self.mark(&buffer[..filled], from, read == 0, found);
            if read == 0 {
                return Ok(());
            }
            kept = filled.min(OVERLAP);
            from = usize::from(filled > OVERLAP || from > 0);
            buffer.copy_within(filled - kept..filled, 0);
        }
    }
}
