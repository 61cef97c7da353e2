//! The commands of the prompt: their words and digits.

/// A command of the menu. All but the last two have a digit too: digits have the
/// same keys on every keyboard, with or without Shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Shows what this server observes.
    Status,
    /// Looks for the vault, the place and sticks again.
    Retry,
    /// Restarts the machine.
    Reboot,
    /// Switches the machine off.
    PowerOff,
    /// Says what to do.
    Help,
    /// Destroys the pepper and the slots.
    Reset,
    /// Enrols this place when a person opens the server next.
    Remember,
    /// Writes safe settings in place of altered ones.
    Mend,
    /// Asks for a passphrase.
    Passphrase,
    /// Asks for the recovery code.
    Code,
    /// Changes a passphrase.
    Change,
    /// Starts the system without the keys, where the vault is lost.
    Continue,
}

/// The menu: command, word and explanation, in the order of the digits from 1
/// to 0. The last six are shown only where they can be used.
pub static MENU: [(Command, &str, &str); 12] = [
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
    (
        Command::Continue,
        "continue",
        "start the system without the database",
    ),
];

/// The digit of line `at` of the menu, counted from 0; `None` behind the tenth
/// line.
pub const fn digit(at: usize) -> Option<usize> {
    if at < 10 { Some((at + 1) % 10) } else { None }
}

/// What the key of each digit may type, in the menu's order: the digit itself;
/// the sign with Shift under a US key map, because on French keyboards digits
/// need Shift; and the sign without Shift under a French key map. Behind the
/// fifth digit the signs of the two key maps could be confused.
static DIGITS: [&[&[u8]]; 10] = [
    &[b"1", b"!", b"&"],
    &[b"2", b"@", "\u{e9}".as_bytes()],
    &[b"3", b"#", b"\""],
    &[b"4", b"$", b"'"],
    &[b"5", b"%", b"("],
    &[b"6"],
    &[b"7"],
    &[b"8"],
    &[b"9"],
    &[b"0"],
];

impl Command {
    /// The command with this word or digit; `None` for anything else.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line = line.trim_ascii();
        let is_word = |(_, word, _): &(_, &str, _)| line.eq_ignore_ascii_case(word.as_bytes());
        let at = MENU
            .iter()
            .position(is_word)
            .or_else(|| DIGITS.iter().position(|keys| keys.contains(&line)))?;
        Some(MENU[at].0)
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
        assert_eq!([0, 8, 9, 10].map(digit), [Some(1), Some(9), Some(0), None]);
        assert_eq!(Command::parse(b"1"), Some(Command::Status));
        assert_eq!(Command::parse(b"0"), Some(Command::Code));
        for text in ["", "10", "03", "rebot", "33", "\u{fffd}"] {
            assert_eq!(Command::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Command::parse(b"\xff"), None);
    }
}
