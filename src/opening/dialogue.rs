//! The conversation at the prompt: which question is open, and what a typed
//! line means in answer to it.

use core::time::Duration;

use zeroize::Zeroizing;

use super::menu::Command;
use crate::keys::{MasterKey, TypedCode};
use crate::stick::{PIN_MAX, Stick, StickFile};
use crate::vault::PersonName;

/// A line that was typed; it may be a PIN.
pub type Line = Zeroizing<heapless::Vec<u8, PIN_MAX>>;

/// What the keys amount to.
#[derive(Debug)]
pub enum Typed {
    /// Enter.
    Line(Line),
    /// Escape.
    Cancel,
}

/// What the next line that is typed will be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Question {
    #[default]
    Command,
    /// The PIN of the stick with this label.
    Pin(heapless::String<32>),
    /// The server's name, to confirm a reset.
    ServerName,
    /// What a person remembers.
    Passphrase,
    /// The one that is to be changed.
    PresentPassphrase,
    NewPassphrase,
    NewPassphraseAgain,
    /// This group of the recovery code, from 1.
    CodeGroup(usize),
}

impl Question {
    /// Whether what is typed may be seen, on the screen or in the record of a
    /// serial line.
    pub fn is_shown(&self) -> bool {
        matches!(self, Self::Command | Self::ServerName)
    }

    /// Whether the answer is a guess at a way in: wrong ones are counted, and
    /// slow the next one down.
    pub fn is_an_entry(&self) -> bool {
        match self {
            Self::Pin(_) | Self::Passphrase | Self::PresentPassphrase | Self::CodeGroup(_) => true,
            Self::Command | Self::ServerName | Self::NewPassphrase | Self::NewPassphraseAgain => {
                false
            }
        }
    }
}

/// What a typed line means.
#[derive(Debug)]
pub enum Meaning {
    Command(Command),
    NoSuchCommand,
    /// Nothing was typed where a command is expected.
    Nothing,
    /// The answer to the open question.
    Answer(Line),
    /// Somebody does not want to answer it.
    Left,
}

/// A stick of this server that waits for its PIN, or is being tried.
#[derive(Clone)]
pub struct WaitingStick {
    pub stick: Stick,
    pub file: Box<StickFile>,
}

/// Whose passphrase is changed, until the new one was typed twice.
pub struct Changing {
    pub key: MasterKey,
    pub name: PersonName,
    /// What was typed the first time.
    pub new: Line,
    /// The key is forgotten then, since the stage's start.
    pub until: Duration,
}

/// How far the conversation has come.
#[derive(Default)]
pub struct Dialogue {
    pub question: Question,
    pub stick: Option<WaitingStick>,
    /// As much of a code as was typed.
    pub code: Option<TypedCode>,
    pub change: Option<Changing>,
    /// When somebody typed last, since the stage's start.
    pub last_typed: Option<Duration>,
}

impl Dialogue {
    /// What `typed` means, by the question that is open.
    pub fn meaning(&self, typed: Typed) -> Meaning {
        match (&self.question, typed) {
            (Question::Command, Typed::Line(line)) if line.is_empty() => Meaning::Nothing,
            (Question::Command, Typed::Line(line)) => {
                Command::parse(&line).map_or(Meaning::NoSuchCommand, Meaning::Command)
            }
            (Question::Command, Typed::Cancel) => Meaning::Nothing,
            (Question::ServerName, Typed::Line(line)) => Meaning::Answer(line),
            (_, Typed::Line(line)) if !line.is_empty() => Meaning::Answer(line),
            _ => Meaning::Left,
        }
    }

    /// Forgets what was typed in several lines, as far as it was.
    pub fn forget_entry(&mut self) {
        self.code = None;
        self.change = None;
    }

    /// Whether somebody types, or has typed within `while_ago`.
    pub fn is_somebody_there(&self, now: Duration, while_ago: Duration) -> bool {
        let typed = self.last_typed.map(|at| now.saturating_sub(at));
        self.stick.is_some() || typed.is_some_and(|since| since < while_ago)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Typed {
        Typed::Line(Zeroizing::new(
            heapless::Vec::from_slice(text.as_bytes()).unwrap(),
        ))
    }

    fn asked(question: Question) -> Dialogue {
        Dialogue {
            question,
            ..Dialogue::default()
        }
    }

    #[test]
    fn the_words_of_the_menu_are_commands_where_one_is_expected() {
        let prompt = asked(Question::Command);
        let means = |typed| prompt.meaning(typed);
        assert!(matches!(
            means(line("3")),
            Meaning::Command(Command::Reboot)
        ));
        assert!(matches!(means(line("open")), Meaning::NoSuchCommand));
        assert!(matches!(means(line("")), Meaning::Nothing));
        assert!(matches!(means(Typed::Cancel), Meaning::Nothing));
    }

    #[test]
    fn a_pin_that_is_a_digit_of_the_menu_is_a_pin() {
        let secrets = [
            Question::Pin(heapless::String::new()),
            Question::Passphrase,
            Question::PresentPassphrase,
            Question::NewPassphrase,
            Question::NewPassphraseAgain,
            Question::CodeGroup(3),
        ];
        for question in secrets {
            let asked = asked(question);
            assert!(!asked.question.is_shown());
            assert!(matches!(asked.meaning(line("3")), Meaning::Answer(_)));
            assert!(matches!(asked.meaning(line("")), Meaning::Left));
            assert!(matches!(asked.meaning(Typed::Cancel), Meaning::Left));
        }
    }

    #[test]
    fn an_empty_name_confirms_no_reset_and_is_no_escape() {
        let asked = asked(Question::ServerName);
        assert!(matches!(asked.meaning(line("")), Meaning::Answer(_)));
        assert!(matches!(asked.meaning(Typed::Cancel), Meaning::Left));
    }
}
