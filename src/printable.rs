//! Text from outside (disks, sticks, the network, firmware, other programs) made fit
//! for a terminal: it can neither write over the screen, nor run backwards, nor hide
//! a part of itself.

use core::fmt::{Display, Formatter, Result, Write};

/// A text on one line: everything that is not to be seen as it is, line breaks too,
/// is shown as JSON writes it (RFC 8259, section 7), `\u001b` for an escape.
pub struct Printable<'a>(pub &'a str);

/// A text of several lines: as [`Printable`], but line breaks and tabs stay.
pub struct PrintableLines<'a>(pub &'a str);

impl Display for Printable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.0.chars().try_for_each(|c| write_char(f, c))
    }
}

impl Display for PrintableLines<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.0.chars().try_for_each(|c| match c {
            '\n' | '\t' => f.write_char(c),
            c => write_char(f, c),
        })
    }
}

fn write_char(f: &mut Formatter<'_>, c: char) -> Result {
    if is_seen_as_it_is(c) {
        return f.write_char(c);
    }
    let mut units = [0; 2];
    let units = c.encode_utf16(&mut units);
    units.iter().try_for_each(|unit| write!(f, "\\u{unit:04x}"))
}

/// Whether a character stands for itself: it controls neither the terminal nor the
/// text around it, and is not without width.
pub fn is_seen_as_it_is(c: char) -> bool {
    !c.is_control() && !is_unseen(c)
}

/// Line separators, and format characters without a sign of their own (Unicode 16,
/// general categories Zl, Zp and Cf).
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_writes_over_the_screen_or_hides_a_part() {
        let shown = |text| Printable(text).to_string();
        let hostile = [
            ("a\u{1b}[2Jb", "a\\u001b[2Jb"),
            ("a\u{9b}31m", "a\\u009b31m"),
            ("a\rb\x08\x7f", "a\\u000db\\u0008\\u007f"),
            ("\u{202e}gnp.exe\u{2066}", "\\u202egnp.exe\\u2066"),
            ("clinic\u{200b}", "clinic\\u200b"),
            ("\u{e0041}", "\\udb40\\udc41"),
            ("two\nlines", "two\\u000alines"),
        ];
        for (text, expected) in hostile {
            assert_eq!(shown(text), expected);
        }
        for name in ["Otieno", "Žofie Nováková", "حليمة", "診療所", "50 % | \\ ✓"] {
            assert_eq!(shown(name), name);
        }
    }

    #[test]
    fn lines_stay_lines() {
        let text = PrintableLines("one\n\ttwo\x1b]0;x\x07\n").to_string();
        assert_eq!(text, "one\n\ttwo\\u001b]0;x\\u0007\n");
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let json = "{\"name\":\"a\u{202e}\u{e0041}\u{7f}\"}";
        let shown = PrintableLines(json).to_string();
        let meant = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(meant(&shown), meant(json));
        assert!(shown.is_ascii());
    }
}
