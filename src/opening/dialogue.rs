//! The dialogue at the prompt: which question is open, and what a typed line
//! means.

use core::time::Duration;

use zeroize::Zeroizing;

use super::menu::Command;
use super::reading::SticksBeingRead;
use crate::keys::{MasterKey, TypedCode};
use crate::stick::{PIN_MAX, Stick, StickFile};
use crate::vault::PersonName;

/// A line that was typed; it may be a PIN.
pub type TypedLine = Zeroizing<heapless::Vec<u8, PIN_MAX>>;

/// What somebody typed.
#[derive(Debug)]
pub enum Typed {
    /// A line, ended with Enter.
    Line(TypedLine),
    /// The Escape key.
    Cancel,
    /// A key that stands for no character: an arrow, F1, a digit of the keypad
    /// without Num Lock.
    DeadKey,
}

/// What the next typed line will be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Question {
    /// A command of the menu.
    #[default]
    Command,
    /// The PIN of the stick with this label.
    Pin(heapless::String<32>),
    /// The server's name, to confirm a reset.
    ServerName,
    /// A passphrase, to open the server.
    Passphrase,
    /// The passphrase that is to be changed.
    PresentPassphrase,
    /// The passphrase that replaces it.
    NewPassphrase,
    /// The new passphrase a second time.
    NewPassphraseAgain,
    /// This group of the recovery code, from 1.
    CodeGroup(usize),
}

impl Question {
    /// Whether the typed line may be seen, on the screen or in the record of a
    /// serial line.
    pub fn is_shown(&self) -> bool {
        matches!(self, Self::Command | Self::ServerName)
    }

    /// Whether the answer may open the server: wrong ones are counted and slow
    /// the next one down.
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
pub enum TypedMeaning {
    /// A command of the menu.
    Command(Command),
    /// A word that is not in the menu.
    NoSuchCommand,
    /// Nothing was typed where a command is expected.
    Nothing,
    /// The answer to the open question.
    Answer(TypedLine),
    /// The question was cancelled.
    Cancelled,
    /// The key that was pressed types nothing.
    DeadKey,
}

/// A stick of this server that waits for its PIN, or is being tried.
#[derive(Clone)]
pub struct WaitingStick {
    /// The stick.
    pub stick: Stick,
    /// Its key file.
    pub file: Box<StickFile>,
}

/// A change of a passphrase, until the new one was typed twice.
pub struct PassphraseChange {
    /// The master key, which the present passphrase gave.
    pub key: MasterKey,
    /// Whose passphrase it is.
    pub name: PersonName,
    /// The new passphrase as it was typed first.
    pub new: TypedLine,
    /// When the change is given up, counted from the stage's start.
    pub until: Duration,
}

/// How far the dialogue has come.
#[derive(Default)]
pub struct Dialogue {
    /// The open question.
    pub question: Question,
    /// The stick that waits for its PIN.
    pub stick: Option<WaitingStick>,
    /// Sticks whose answer is still to come.
    pub being_read: SticksBeingRead,
    /// Whether a stick was plugged in while there was no vault to open with it.
    pub has_passed_over: bool,
    /// The groups of a recovery code that were typed so far.
    pub code: Option<TypedCode>,
    /// The passphrase change in progress.
    pub change: Option<PassphraseChange>,
    /// When somebody typed last, counted from the stage's start.
    pub last_typed: Option<Duration>,
}

impl Dialogue {
    /// What `typed` means as the answer to the open question.
    pub fn meaning(&self, typed: Typed) -> TypedMeaning {
        match (&self.question, typed) {
            (_, Typed::DeadKey) => TypedMeaning::DeadKey,
            (Question::Command, Typed::Line(line)) if line.is_empty() => TypedMeaning::Nothing,
            (Question::Command, Typed::Line(line)) => {
                Command::parse(&line).map_or(TypedMeaning::NoSuchCommand, TypedMeaning::Command)
            }
            (Question::Command, Typed::Cancel) => TypedMeaning::Nothing,
            (Question::ServerName, Typed::Line(line)) => TypedMeaning::Answer(line),
            (_, Typed::Line(line)) if !line.is_empty() => TypedMeaning::Answer(line),
            _ => TypedMeaning::Cancelled,
        }
    }

    /// Forgets a recovery code or passphrase change that was typed in part.
    pub fn forget_entry(&mut self) {
        self.code = None;
        self.change = None;
    }

    /// Whether a stick waits for its PIN or may still answer, or somebody has
    /// typed within `while_ago`.
    pub fn is_somebody_there(&self, now: Duration, while_ago: Duration) -> bool {
        let typed = self.last_typed.map(|at| now.saturating_sub(at));
        self.stick.is_some()
            || self.being_read.next().is_some()
            || typed.is_some_and(|since| since < while_ago)
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
            TypedMeaning::Command(Command::Reboot)
        ));
        assert!(matches!(means(line("open")), TypedMeaning::NoSuchCommand));
        assert!(matches!(means(line("")), TypedMeaning::Nothing));
        assert!(matches!(means(Typed::Cancel), TypedMeaning::Nothing));
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
            assert!(matches!(asked.meaning(line("3")), TypedMeaning::Answer(_)));
            assert!(matches!(asked.meaning(line("")), TypedMeaning::Cancelled));
            assert!(matches!(
                asked.meaning(Typed::Cancel),
                TypedMeaning::Cancelled
            ));
        }
    }

    #[test]
    fn only_what_may_open_the_server_counts_as_an_entry() {
        let counts = |question: Question| question.is_an_entry();
        assert!(counts(Question::Pin(heapless::String::new())));
        assert!(counts(Question::Passphrase));
        assert!(counts(Question::PresentPassphrase));
        assert!(counts(Question::CodeGroup(1)));
        assert!(!counts(Question::Command));
        assert!(!counts(Question::ServerName));
        assert!(!counts(Question::NewPassphrase));
        assert!(!counts(Question::NewPassphraseAgain));
    }

    #[test]
    fn an_empty_name_confirms_no_reset_and_is_no_escape() {
        let asked = asked(Question::ServerName);
        assert!(matches!(asked.meaning(line("")), TypedMeaning::Answer(_)));
        assert!(matches!(
            asked.meaning(Typed::Cancel),
            TypedMeaning::Cancelled
        ));
    }
}
