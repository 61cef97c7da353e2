//! What a person types, key by key, at the prompt of a boot and where a command asks
//! for a secret. Pure.

use std::time::{Duration, Instant};

use zeroize::Zeroize;

use super::dialogue::{Typed, TypedLine};

/// What the console shows in answer to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    Nothing,
    Byte(u8),
    /// Takes one character back.
    Rub,
    NewLine,
}

/// The line that is being typed, on one console.
#[derive(Default)]
pub struct Editor {
    line: TypedLine,
    sequence: Option<Sequence>,
}

/// An escape sequence (ECMA-48) that has begun: arrow keys, function keys and
/// a keypad without Num Lock send one.
#[derive(Clone, Copy)]
struct Sequence {
    part: Part,
    /// When its first byte came.
    since: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// `ESC`, which the Escape key sends as well.
    Escape,
    /// `ESC [`.
    Control,
    /// `ESC [` and more.
    Parameters,
    /// One byte is to come: after `ESC O`, and after `ESC [ [`, by which the
    /// kernel's own terminal says F1 to F5.
    Last,
}

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
const ESCAPE: u8 = 0x1b;
const KILL_LINE: u8 = 0x15;

/// The longest time between the bytes of one sequence: a slow serial line, or
/// one that is carried over a network, sends them apart.
pub const SEQUENCE_TAKES: Duration = Duration::from_millis(500);

impl Editor {
    /// Takes one byte. What it amounts to is added to `typed`: an Escape key
    /// shows only when the next key comes.
    pub fn key(&mut self, byte: u8, now: Instant, typed: &mut Vec<Typed>) -> Echo {
        typed.extend(self.pause(now));
        let Some(sequence) = self.sequence.take() else {
            return self.first(byte, now, typed);
        };
        let next = match (sequence.part, byte) {
            (Part::Escape, b'[') => Some(Part::Control),
            (Part::Escape, b'O') | (Part::Control, b'[') => Some(Part::Last),
            (Part::Escape, _) => {
                typed.push(self.escape_key());
                return self.first(byte, now, typed);
            }
            (Part::Control | Part::Parameters, 0x20..=0x3f) => Some(Part::Parameters),
            (_, 0x20..=0x7e) => None,
            // No sequence has such a byte.
            _ => return self.first(byte, now, typed),
        };
        match next {
            Some(part) => self.sequence = Some(Sequence { part, ..sequence }),
            None => typed.push(Typed::DeadKey),
        }
        Echo::Nothing
    }

    /// At `now` there are no more bytes: an escape that has stood alone for
    /// [`SEQUENCE_TAKES`] was the Escape key.
    pub fn pause(&mut self, now: Instant) -> Option<Typed> {
        if self.next()? > now {
            return None;
        }
        let sequence = self.sequence.take()?;
        (sequence.part == Part::Escape).then(|| self.escape_key())
    }

    /// When a sequence that has begun is over, whether its end has come or not.
    pub fn next(&self) -> Option<Instant> {
        Some(self.sequence?.since + SEQUENCE_TAKES)
    }

    fn escape_key(&mut self) -> Typed {
        self.clear();
        Typed::Cancel
    }

    /// What was typed of the line so far.
    pub fn so_far(&self) -> &[u8] {
        &self.line
    }

    pub fn clear(&mut self) {
        self.line.zeroize();
    }

    /// A byte that stands outside of sequences.
    fn first(&mut self, byte: u8, now: Instant, typed: &mut Vec<Typed>) -> Echo {
        match byte {
            ESCAPE => {
                self.sequence = Some(Sequence {
                    part: Part::Escape,
                    since: now,
                });
                Echo::Nothing
            }
            b'\r' | b'\n' => {
                typed.push(Typed::Line(core::mem::take(&mut self.line)));
                Echo::NewLine
            }
            BACKSPACE | DELETE => {
                let echo = match self.line.last() {
                    Some(_) => Echo::Rub,
                    None => Echo::Nothing,
                };
                // All bytes of the last character.
                while self.line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
                echo
            }
            KILL_LINE => {
                self.clear();
                Echo::NewLine
            }
            0x20.. => match self.line.push(byte) {
                Ok(()) => Echo::Byte(byte),
                Err(_) => Echo::Nothing,
            },
            _ => Echo::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stick::PIN_MAX;
    use crate::vault::can_be_typed;
    use proptest::prelude::*;

    /// What each group of keys amounts to, with `apart` between the groups and
    /// after the last.
    fn amounts_to(groups: &[&[u8]], apart: Duration) -> Vec<String> {
        let mut editor = Editor::default();
        let mut now = Instant::now();
        let mut typed = Vec::new();
        for group in groups {
            for key in *group {
                editor.key(*key, now, &mut typed);
            }
            now += apart;
            typed.extend(editor.pause(now));
        }
        let typed = typed.iter().map(|typed| match typed {
            Typed::Line(line) => String::from_utf8_lossy(line).into_owned(),
            Typed::Cancel => "Escape".into(),
            Typed::DeadKey => "dead key".into(),
        });
        typed.collect()
    }

    fn line(keys: &[u8]) -> Vec<String> {
        amounts_to(&[keys], Duration::ZERO)
    }

    #[test]
    fn a_mistyped_digit_is_taken_back() {
        assert_eq!(line(b"12\x7f3\r"), ["13"]);
        assert_eq!(line(b"\x7f\x087\n"), ["7"]);
        assert_eq!(line("aé\x7fb\r".as_bytes()), ["ab"]);
        assert_eq!(line(b"wrong\x15right\r"), ["right"]);
    }

    #[test]
    fn a_message_in_between_loses_nothing_of_the_line() {
        let mut editor = Editor::default();
        for key in b"retrx\x7fy" {
            editor.key(*key, Instant::now(), &mut Vec::new());
        }
        assert_eq!(editor.so_far(), b"retry");
        editor.clear();
        assert_eq!(editor.so_far(), b"");
    }

    #[test]
    fn keys_that_stand_for_no_character_type_nothing() {
        for key in [
            // Up; up in application mode; Delete; F5; Shift with F5; F1 to F5 of
            // the kernel's own terminal.
            &b"\x1b[A"[..],
            b"\x1bOA",
            b"\x1b[3~",
            b"\x1b[15~",
            b"\x1b[15;2~",
            b"\x1b[[A",
            b"\x1b[[E",
        ] {
            let keys = [b"1", key, b"2\r"].concat();
            assert_eq!(line(&keys), ["dead key", "12"], "{key:?}");
        }
    }

    #[test]
    fn an_arrow_key_on_a_slow_line_is_no_escape() {
        let slow = SEQUENCE_TAKES / 5;
        let arrow: [&[u8]; 5] = [b"1", b"\x1b", b"[", b"A", b"2\r"];
        assert_eq!(amounts_to(&arrow, slow), ["dead key", "12"]);
    }

    #[test]
    fn escape_cancels_when_nothing_follows_it_or_another_key() {
        let typed = amounts_to(&[b"1\x1b", b"2\r"], SEQUENCE_TAKES);
        assert_eq!(typed, ["Escape", "2"]);
        assert_eq!(line(b"1\x1b2\r"), ["Escape", "2"]);
        assert_eq!(line(b"1\x1b\x1b[A\r"), ["Escape", "dead key", ""]);
    }

    #[test]
    fn a_sequence_without_an_end_takes_no_later_key() {
        let typed = amounts_to(&[b"\x1b[", b"12\r"], SEQUENCE_TAKES);
        assert_eq!(typed, ["12"]);
        assert_eq!(line(b"12\x1b[\r"), ["12"]);
        assert_eq!(line(b"12\x1b[1\r"), ["12"]);
    }

    /// Otherwise a stick would be proven by a PIN that opens no server.
    #[test]
    fn what_is_taken_for_a_secret_can_be_typed_at_the_prompt() {
        for byte in 0..=u8::MAX {
            let secret = [b'a', byte, b'b'];
            if can_be_typed(&secret) {
                let typed = line(&[&secret[..], b"\r"].concat());
                assert_eq!(typed, [str::from_utf8(&secret).unwrap()]);
            }
        }
        let longest = "ä".repeat(PIN_MAX / 2);
        assert!(can_be_typed(longest.as_bytes()));
        assert_eq!(line(format!("{longest}\r").as_bytes()), [longest]);
    }

    proptest! {
        #[test]
        fn a_cat_on_the_keyboard_does_no_harm(keys in proptest::collection::vec(any::<u8>(), 0..500)) {
            let mut editor = Editor::default();
            for key in keys {
                editor.key(key, Instant::now(), &mut Vec::new());
                prop_assert!(editor.line.len() <= PIN_MAX);
            }
        }
    }
}
