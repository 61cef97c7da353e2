//! The spellings of a hardware address that programs use.

use super::Mac;

/// Longest separator between two parts of an address, in bytes.
const SEPARATOR_MAX: usize = 6;
/// Signs that may stand between two parts of an address.
const SIGNS: &[u8] = b":-. \t_,;|/\\";
/// What stands for such a sign in addresses of web pages, settings and sources.
const CODED: [&[u8]; 7] = [b"%3a", b"%2d", b"%2e", b"%20", b"&#58;", b"\\x", b"0x"];

/// One way to write an address.
pub enum Spelling {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This text, in lower case.
    Text(Vec<u8>),
    /// Bytes in hex: two digits each, or one after a separator where the first is
    /// zero.
    Hex(Vec<u8>),
    /// Words of 16 bits in hex, as in an IPv6 address: their leading zeroes may be
    /// missing.
    Words(Vec<u16>),
    /// Bytes in decimal, as in an SNMP object identifier.
    Decimal(Vec<u8>),
}

impl Spelling {
    /// Every spelling of this address.
    pub fn all(mac: &Mac) -> Vec<Self> {
        let [a, b, c, d, e, f] = *mac;
        // As it stands in an IPv6 address that was made from it (RFC 4291,
        // appendix A): the second bit turned over, ff:fe in the middle. Other
        // programs leave the bit as it is (EUI-64).
        let interface = [a ^ 2, b, c, 0xff, 0xfe, d, e, f];
        let extended = [a, b, c, 0xff, 0xfe, d, e, f];
        let words = interface.as_chunks::<2>().0.iter();
        vec![
            Self::Bytes(mac.to_vec()),
            Self::Bytes(interface.to_vec()),
            Self::Bytes(octal_escapes(mac)),
            Self::Text(nibbles_backwards(&interface)),
            Self::Hex(mac.to_vec()),
            Self::Hex(interface.to_vec()),
            Self::Hex(extended.to_vec()),
            Self::Words(words.map(|word| u16::from_be_bytes(*word)).collect()),
            Self::Decimal(mac.to_vec()),
        ]
    }

    /// The first two bytes that this spelling can have; text in lower case.
    pub fn beginnings(&self) -> Vec<[u8; 2]> {
        let separated = |sign: u8| {
            let coded = CODED.iter().map(|code| code[0]);
            let signs = SIGNS.iter().copied().chain(coded);
            signs.map(move |separator| [sign, separator])
        };
        let written = |text: String| -> Vec<[u8; 2]> {
            match text.as_bytes() {
                [one] => separated(*one).collect(),
                [first, second, ..] => vec![[*first, *second]],
                [] => Vec::new(),
            }
        };
        match self {
            Self::Bytes(bytes) | Self::Text(bytes) => vec![[bytes[0], bytes[1]]],
            Self::Hex(bytes) => [format!("{:02x}", bytes[0]), format!("{:x}", bytes[0])]
                .into_iter()
                .flat_map(written)
                .collect(),
            Self::Words(words) => [
                format!("{:04x}", words[0]),
                format!("{:03x}", words[0]),
                format!("{:02x}", words[0]),
                format!("{:x}", words[0]),
            ]
            .into_iter()
            .flat_map(written)
            .collect(),
            Self::Decimal(bytes) => [format!("{}", bytes[0]), format!("{:03}", bytes[0])]
                .into_iter()
                .flat_map(written)
                .collect(),
        }
    }

    /// Whether the address is spelled so at `at`. `is_last` tells whether nothing
    /// follows `bytes`; an address that could go on there is found with what follows.
    pub fn is_at(&self, bytes: &[u8], at: usize, is_last: bool) -> bool {
        let before = at.checked_sub(1).map(|before| bytes[before]);
        let here = Here {
            before,
            rest: &bytes[at..],
            is_last,
        };
        match self {
            Self::Bytes(needle) => here.rest.starts_with(needle),
            Self::Text(needle) => {
                let there = here.rest.get(..needle.len());
                there.is_some_and(|there| there.eq_ignore_ascii_case(needle))
            }
            Self::Hex(needle) => {
                let needle = needle.iter().map(|byte| u16::from(*byte));
                here.has_numbers(needle, &HEX_BYTES)
            }
            Self::Words(needle) => here.has_numbers(needle.iter().copied(), &HEX_WORDS),
            Self::Decimal(needle) => {
                let needle = needle.iter().map(|byte| u16::from(*byte));
                here.has_numbers(needle, &DECIMAL_BYTES)
            }
        }
    }
}

/// `\ooo` for what cannot be printed, as in the leases of ISC's dhcpd.
fn octal_escapes(mac: &Mac) -> Vec<u8> {
    let one = |byte: &u8| match byte {
        b'"' | b'\\' => vec![b'\\', *byte],
        b' '..=b'~' => vec![*byte],
        _ => format!("\\{byte:03o}").into_bytes(),
    };
    mac.iter().flat_map(one).collect()
}

/// Half bytes from the last to the first, as in names below `ip6.arpa` (RFC 3596).
fn nibbles_backwards(bytes: &[u8]) -> Vec<u8> {
    let nibbles = bytes.iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
    let digits: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
    digits.join(".").into_bytes()
}

/// How numbers are written.
struct Notation {
    radix: u32,
    /// Most digits of a number.
    digits: usize,
    /// Numbers with all their digits need nothing between them.
    is_joined: bool,
}

const HEX_BYTES: Notation = Notation {
    radix: 16,
    digits: 2,
    is_joined: true,
};
const HEX_WORDS: Notation = Notation {
    radix: 16,
    digits: 4,
    is_joined: true,
};
const DECIMAL_BYTES: Notation = Notation {
    radix: 10,
    digits: 3,
    is_joined: false,
};

/// A place in the searched bytes.
struct Here<'a> {
    before: Option<u8>,
    rest: &'a [u8],
    is_last: bool,
}

impl Here<'_> {
    /// Whether these numbers stand here, one after the other.
    fn has_numbers(mut self, numbers: impl Iterator<Item = u16>, notation: &Notation) -> bool {
        let is_digit = |byte: &u8| char::from(*byte).is_digit(notation.radix);
        let mut is_apart = !self.before.is_some_and(|before| is_digit(&before));
        for (at, number) in numbers.enumerate() {
            if at > 0 {
                let separator = separator(self.rest);
                is_apart = separator > 0;
                self.rest = &self.rest[separator..];
            }
            let most = self.rest.iter().take(notation.digits);
            let digits = most.take_while(|byte| is_digit(byte)).count();
            let is_whole = digits == notation.digits && notation.is_joined;
            if digits == 0 || !(is_whole || is_apart && self.ends_after(digits, is_digit)) {
                return false;
            }
            let value = self.rest[..digits].iter().fold(0, |value, byte| {
                let digit = char::from(*byte).to_digit(notation.radix);
                value * notation.radix + digit.unwrap_or(0)
            });
            if value != u32::from(number) {
                return false;
            }
            self.rest = &self.rest[digits..];
        }
        true
    }

    /// Whether a number of so many digits ends there.
    fn ends_after(&self, digits: usize, is_digit: impl Fn(&u8) -> bool) -> bool {
        match self.rest.get(digits) {
            Some(next) => !is_digit(next),
            None => self.is_last,
        }
    }
}

/// The length of the separator at the beginning of `bytes`; 0 where there is none.
fn separator(bytes: &[u8]) -> usize {
    let mut length = 0;
    while length < SEPARATOR_MAX {
        let rest = &bytes[length..];
        let is_here = |code: &&&[u8]| {
            let there = rest.get(..code.len());
            there.is_some_and(|there| there.eq_ignore_ascii_case(code))
        };
        match CODED.iter().find(is_here) {
            Some(code) => length += code.len(),
            None if rest.first().is_some_and(|sign| SIGNS.contains(sign)) => length += 1,
            None => break,
        }
    }
    length
}
