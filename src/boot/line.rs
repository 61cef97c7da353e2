//! Edits the line that is typed at a console, key by key. Pure.

use zeroize::Zeroize;

use crate::opening::dialogue::{Typed, TypedLine};

/// What a console shows after a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// Nothing.
    Nothing,
    /// The typed byte.
    Byte(u8),
    /// One character less.
    Rub,
    /// A new line.
    NewLine,
}

/// The line that is being typed, on one console.
#[derive(Default)]
pub struct Editor {
    line: TypedLine,
    /// Whether an escape sequence is being read, as arrow keys send them.
    escape: Escape,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    No,
    Begun,
    Inside,
}

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;
const ESCAPE: u8 = 0x1b;
const KILL_LINE: u8 = 0x15;

impl Editor {
    /// Handles one byte; returns the line or the cancellation that it
    /// completes.
    pub fn key(&mut self, byte: u8) -> (Option<Typed>, Echo) {
        match (self.escape, byte) {
            (Escape::Begun, b'[' | b'O') => {
                self.escape = Escape::Inside;
                (None, Echo::Nothing)
            }
            (Escape::Inside, 0x40..=0x7e) => {
                self.escape = Escape::No;
                (None, Echo::Nothing)
            }
            (Escape::Inside, _) => (None, Echo::Nothing),
            (_, ESCAPE) => {
                self.escape = Escape::Begun;
                (None, Echo::Nothing)
            }
            _ => {
                self.escape = Escape::No;
                self.plain(byte)
            }
        }
    }

    /// Handles the end of the bytes for now: a single escape was the Escape
    /// key.
    pub fn pause(&mut self) -> Option<Typed> {
        if self.escape != Escape::Begun {
            return None;
        }
        self.escape = Escape::No;
        self.clear();
        Some(Typed::Cancel)
    }

    /// The line so far.
    pub fn so_far(&self) -> &[u8] {
        &self.line
    }

    /// Erases the line.
    pub fn clear(&mut self) {
        self.line.zeroize();
    }

    fn plain(&mut self, byte: u8) -> (Option<Typed>, Echo) {
        match byte {
            b'\r' | b'\n' => {
                let line = core::mem::take(&mut self.line);
                (Some(Typed::Line(line)), Echo::NewLine)
            }
            BACKSPACE | DELETE => {
                let echo = match self.line.last() {
                    Some(_) => Echo::Rub,
                    None => Echo::Nothing,
                };
                // All bytes of the last character.
                while self.line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
                (None, echo)
            }
            KILL_LINE => {
                self.clear();
                (None, Echo::NewLine)
            }
            0x20.. => match self.line.push(byte) {
                Ok(()) => (None, Echo::Byte(byte)),
                Err(_) => (None, Echo::Nothing),
            },
            _ => (None, Echo::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stick::PIN_MAX;
    use proptest::prelude::*;

    fn typed(keys: &[u8]) -> Option<std::vec::Vec<u8>> {
        let mut editor = Editor::default();
        keys.iter().find_map(|key| match editor.key(*key).0 {
            Some(Typed::Line(line)) => Some(line.to_vec()),
            _ => None,
        })
    }

    #[test]
    fn a_mistyped_digit_is_taken_back() {
        assert_eq!(typed(b"12\x7f3\r").as_deref(), Some(&b"13"[..]));
        assert_eq!(typed(b"\x7f\x087\n").as_deref(), Some(&b"7"[..]));
        assert_eq!(typed("aé\x7fb\r".as_bytes()).as_deref(), Some(&b"ab"[..]));
        assert_eq!(typed(b"wrong\x15right\r").as_deref(), Some(&b"right"[..]));
    }

    #[test]
    fn an_arrow_key_types_nothing_and_escape_cancels() {
        assert_eq!(typed(b"1\x1b[A\x1bOB2\r").as_deref(), Some(&b"12"[..]));
        let mut editor = Editor::default();
        editor.key(b'1');
        editor.key(ESCAPE);
        assert!(matches!(editor.pause(), Some(Typed::Cancel)));
        assert!(editor.pause().is_none());
        let (line, _) = editor.key(b'\r');
        assert!(matches!(line, Some(Typed::Line(line)) if line.is_empty()));
    }

    proptest! {
        #[test]
        fn a_cat_on_the_keyboard_does_no_harm(keys in proptest::collection::vec(any::<u8>(), 0..500)) {
            let mut editor = Editor::default();
            for key in keys {
                editor.key(key);
                prop_assert!(editor.line.len() <= PIN_MAX);
            }
        }
    }
}
