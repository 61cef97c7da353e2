//! Bech32 (BIP 173), in which age writes its keys, without the limit of 90 letters.

use zeroize::Zeroizing;

const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u32; 5] = [
    0x3b6a_57b2,
    0x2650_8e6d,
    0x1ea1_19fa,
    0x3d42_33dd,
    0x2a14_62b3,
];
/// Letters of the checksum.
const CHECKSUM: usize = 6;

/// `prefix`, a 1, and the bytes in lower-case letters, five bits each, with a checksum.
pub fn encode(prefix: &str, bytes: &[u8]) -> Zeroizing<String> {
    let digits = five_bits(bytes);
    let mut sum = Checksum(1);
    prefix.bytes().for_each(|byte| sum.add(byte >> 5));
    sum.add(0);
    prefix.bytes().for_each(|byte| sum.add(byte & 31));
    digits.iter().for_each(|digit| sum.add(*digit));
    (0..CHECKSUM).for_each(|_| sum.add(0));
    // Room for all of it at once: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(
        prefix.len() + 1 + digits.len() + CHECKSUM,
    ));
    text.push_str(prefix);
    text.push('1');
    for digit in digits.iter() {
        text.push(char::from(LETTERS[usize::from(*digit)]));
    }
    let sum = sum.0 ^ 1;
    for at in 0..CHECKSUM {
        let digit = sum >> (5 * (CHECKSUM - 1 - at)) & 31;
        text.push(char::from(LETTERS[digit as usize]));
    }
    text
}

/// The bits of the bytes in groups of five, the last one filled up with zeros.
fn five_bits(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut digits = Zeroizing::new(Vec::with_capacity((bytes.len() * 8).div_ceil(5)));
    let (mut held, mut count) = (0u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            digits.push((held >> count & 31) as u8);
        }
    }
    if count > 0 {
        digits.push((held << (5 - count) & 31) as u8);
    }
    digits
}

struct Checksum(u32);

impl Checksum {
    fn add(&mut self, digit: u8) {
        let top = self.0 >> 25;
        self.0 = (self.0 & 0x01ff_ffff) << 5 ^ u32::from(digit);
        for (bit, generator) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                self.0 ^= generator;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_texts_come_out() {
        // BIP 173, test vectors: 0 to 31 in five bits each, and no data.
        let bytes = [
            0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf, 0x84, 0x65, 0x3a, 0x56,
            0xd7, 0xc6, 0x75, 0xbe, 0x77, 0xdf,
        ];
        let text = encode("abcdef", &bytes);
        assert_eq!(*text, "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw");
        assert_eq!(*encode("a", &[]), "a12uel5l");
    }
}
