//! Searches bytes for hardware addresses in every spelling. Pure.

use std::io::{ErrorKind, Read};

/// A hardware address.
pub type Mac = [u8; 6];

/// Bytes that are searched at a time.
const CHUNK: usize = 64 * 1024;
/// Bytes of a chunk that are searched again with the next one. No spelling is
/// longer.
const OVERLAP: usize = 32;

/// One spelling of one address.
struct Needle {
    /// Index of the address.
    address: usize,
    bytes: Vec<u8>,
    /// Compare without regard to case.
    text: bool,
}

/// The spellings of all addresses that are looked for.
pub struct Needles {
    needles: Vec<Needle>,
    addresses: usize,
    /// Whether some needle begins with these two bytes, text in lower case.
    begins: Vec<bool>,
}

fn spellings(mac: &Mac) -> Vec<String> {
    let hex = mac.map(|byte| format!("{byte:02x}"));
    // As it stands in an IPv6 address that was made from it (RFC 4291,
    // appendix A): the second bit turned over, ff:fe in the middle.
    let word = |high: u8, low: u8| format!("{:x}", u16::from_be_bytes([high, low]));
    vec![
        hex.join(":"),
        hex.join("-"),
        format!(
            "{}{}.{}{}.{}{}",
            hex[0], hex[1], hex[2], hex[3], hex[4], hex[5]
        ),
        hex.concat(),
        [
            word(mac[0] ^ 2, mac[1]),
            word(mac[2], 0xff),
            word(0xfe, mac[3]),
            word(mac[4], mac[5]),
        ]
        .join(":"),
    ]
}

fn beginning(bytes: &[u8]) -> usize {
    let [first, second] = [bytes[0], bytes[1]].map(|byte| usize::from(byte.to_ascii_lowercase()));
    first << 8 | second
}

impl Needles {
    /// Prepares every spelling of these addresses.
    pub fn new(addresses: &[Mac]) -> Self {
        let mut needles = Vec::new();
        for (address, mac) in addresses.iter().enumerate() {
            needles.push(Needle {
                address,
                bytes: mac.to_vec(),
                text: false,
            });
            needles.extend(spellings(mac).into_iter().map(|text| Needle {
                address,
                bytes: text.into_bytes(),
                text: true,
            }));
        }
        let mut begins = vec![false; 1 << 16];
        for needle in &needles {
            begins[beginning(&needle.bytes)] = true;
        }
        Self {
            needles,
            addresses: addresses.len(),
            begins,
        }
    }

    fn mark(&self, bytes: &[u8], found: &mut [bool]) {
        for at in 0..bytes.len().saturating_sub(1) {
            let rest = &bytes[at..];
            if !self.begins[beginning(rest)] {
                continue;
            }
            for needle in &self.needles {
                let Some(there) = rest.get(..needle.bytes.len()) else {
                    continue;
                };
                found[needle.address] |= match needle.text {
                    true => there.eq_ignore_ascii_case(&needle.bytes),
                    false => there == needle.bytes,
                };
            }
        }
    }

    /// Reads to the end and returns for each address whether it was found.
    /// `progress` gets the size of each chunk in bytes.
    ///
    /// # Errors
    /// What the reader says.
    pub fn search(
        &self,
        reader: &mut dyn Read,
        progress: &mut dyn FnMut(usize),
    ) -> std::io::Result<Vec<bool>> {
        let mut found = vec![false; self.addresses];
        let mut buffer = vec![0; OVERLAP + CHUNK];
        let mut kept = 0;
        loop {
            let read = match reader.read(&mut buffer[kept..]) {
                Ok(0) => return Ok(found),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            progress(read);
            let filled = kept + read;
            self.mark(&buffer[..filled], &mut found);
            kept = filled.min(OVERLAP);
            buffer.copy_within(filled - kept..filled, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROUTER: Mac = [0x00, 0x0d, 0xb9, 0x41, 0x7a, 0x01];
    const PRINTER: Mac = [0x3c, 0x2a, 0xf4, 0x05, 0x60, 0x03];

    fn found(bytes: &[u8]) -> Vec<bool> {
        let mut reader = bytes;
        let needles = Needles::new(&[ROUTER, PRINTER]);
        needles.search(&mut reader, &mut |_| ()).unwrap()
    }

    #[test]
    fn every_usual_spelling_of_an_address_is_found() {
        for text in [
            "lease 3c:2a:f4:05:60:03;",
            "DHCPACK to 3C:2A:F4:05:60:03 via eth0",
            "3c-2a-f4-05-60-03",
            "3C2A.F405.6003",
            "enx3c2af4056003",
            "fe80::3e2a:f4ff:fe05:6003 dev eth0",
            "3c:2A:f4:05:60:03",
        ] {
            assert_eq!(found(text.as_bytes()), [false, true], "{text}");
        }
        let mut raw = vec![0xff; 9];
        raw.extend(PRINTER);
        assert_eq!(found(&raw), [false, true]);
        // Words of an IPv6 address lose their leading zeroes.
        assert_eq!(found(b"fe80::20d:b9ff:fe41:7a01"), [true, false]);
    }

    #[test]
    fn other_addresses_are_not_taken_for_enrolled_ones() {
        for text in [
            "3c:2a:f4:05:60:04",
            "3c:2a:f4:05:60",
            "",
            "0",
            "3c2af405600",
        ] {
            assert_eq!(found(text.as_bytes()), [false, false], "{text}");
        }
    }

    /// Gives the bytes before an edge, then those behind it.
    struct Edge<'a>(&'a [u8], &'a [u8]);

    impl Read for Edge<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                std::mem::swap(&mut self.0, &mut self.1);
            }
            let length = into.len().min(self.0.len());
            let (now, later) = self.0.split_at(length);
            into[..length].copy_from_slice(now);
            self.0 = later;
            Ok(length)
        }
    }

    proptest! {
        #[test]
        fn an_address_across_the_edge_of_what_is_read_is_found(
            before in 0usize..200_000, after in 0usize..90_000, part in 0.0..1.0f64, which: bool,
        ) {
            // A usual spelling, and the longest.
            let text = if which { "3C:2A:f4:05:60:03" } else { "3e2a:f4ff:fe05:6003" };
            let mut bytes = vec![b'.'; before];
            bytes.extend(text.bytes());
            bytes.resize(bytes.len() + after, b'x');
            let cut = 1 + (part * (text.len() - 1) as f64) as usize;
            let (first, second) = bytes.split_at(before + cut);
            let needles = Needles::new(&[PRINTER]);
            let mut read = 0;
            let found = needles.search(&mut Edge(first, second), &mut |n| read += n).unwrap();
            prop_assert_eq!(found, [true]);
            prop_assert_eq!(read, bytes.len());
        }
    }
}
