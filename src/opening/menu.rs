//! The words and digits that the prompt takes.

/// What a person can ask for. All but the last have a digit: digits are where
/// they are on every keyboard, with or without Shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Status,
    Retry,
    Reboot,
    PowerOff,
    Help,
    Reset,
    Remember,
    Mend,
    Passphrase,
    Code,
    Change,
}

/// The menu, in its order: the digits stand in the top row of the keyboard
/// from 1 to 0. The last five are shown where they can be used.
pub const MENU: [(Command, &str, &str); 11] = [
    (Command::Status, "status", "what this server sees around it"),
    (
        Command::Retry,
        "retry",
        "look again, at the place and at the stick",
    ),
    (Command::Reboot, "reboot", "start the server again"),
    (Command::PowerOff, "poweroff", "switch the server off"),
    (Command::Help, "help", "what to do"),
    (
        Command::Reset,
        "reset",
        "destroy the key on this disk; only sticks open it then",
    ),
    (
        Command::Remember,
        "remember",
        "let the next stick or code make this place a home",
    ),
    (
        Command::Mend,
        "mend",
        "put safe settings back, with what was used to open it",
    ),
    (
        Command::Passphrase,
        "passphrase",
        "open it with what a person remembers",
    ),
    (Command::Code, "code", "open it with the recovery code"),
    (
        Command::Change,
        "change",
        "put another passphrase in place of yours",
    ),
];

/// The digit of the menu's line `at`, counted from 0; there are ten.
pub const fn digit(at: usize) -> Option<usize> {
    if at < 10 { Some((at + 1) % 10) } else { None }
}

/// What the digit keys give with Shift on a US keyboard, which is what a
/// French keyboard without Shift gives in an initramfs and the other way
/// round. The digits behind them would be taken for one another.
const DIGITS_WITH_SHIFT: &[u8; 5] = b"!@#$%";
/// The top row of a French keyboard without Shift, in Latin-1 order of keys.
const FRENCH_DIGITS: [&str; 5] = ["&", "é", "\"", "'", "("];

impl Command {
    /// `None` for anything that is not in the menu.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line = core::str::from_utf8(line).ok()?.trim();
        let by_word = MENU
            .iter()
            .position(|(_, word, _)| line.eq_ignore_ascii_case(word));
        let by_digit = || {
            let typed = Some(line).filter(|line| line.len() == 1)?.parse().ok()?;
            (0..MENU.len()).position(|at| digit(at) == Some(typed))
        };
        let by_shifted = || {
            DIGITS_WITH_SHIFT
                .iter()
                .position(|symbol| line.as_bytes() == [*symbol])
        };
        let by_french = || FRENCH_DIGITS.iter().position(|symbol| line == *symbol);
        by_word
            .or_else(by_digit)
            .or_else(by_shifted)
            .or_else(by_french)
            .map(|at| MENU[at].0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_digits_are_understood_on_any_keyboard() {
        for text in ["reboot", " Reboot ", "REBOOT", "3", "#", "\""] {
            assert_eq!(
                Command::parse(text.as_bytes()),
                Some(Command::Reboot),
                "{text}"
            );
        }
        for (at, (command, word, _)) in MENU.into_iter().enumerate() {
            assert_eq!(Command::parse(word.as_bytes()), Some(command));
            if let Some(digit) = digit(at) {
                let digit = format!("{digit}");
                assert_eq!(Command::parse(digit.as_bytes()), Some(command));
            }
        }
        assert_eq!(Command::parse(b"1"), Some(Command::Status));
        assert_eq!(Command::parse(b"0"), Some(Command::Code));
        for text in ["", "10", "03", "rebot", "33", "\u{fffd}"] {
            assert_eq!(Command::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Command::parse(b"\xff"), None);
    }
}
