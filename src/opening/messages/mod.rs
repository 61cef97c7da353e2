//! The messages at the prompt and at log-in. The types say what is told and
//! with which values; the text of each language is in a file of its own.

mod english;

use core::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use crate::environment::Margin;
use crate::keys::CodeError;
use crate::release::ReleaseError;
use crate::stick::StickError;
use crate::theft::ResetCause;
use crate::vault::{
    CodeRefused, Count, FactorCounts, Group, LocateError, PassphraseError, PersonName, Thresholds,
    UnusablePassphrase, VaultError,
};

pub use super::dialogue::Question;

/// Why the server does not open by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The vault cannot be opened.
    NoVault(LocateError),
    /// The vault is there, and no place can open it.
    Fault(VaultError),
    /// Too few factors have answered to try a combination.
    Silent {
        /// The factors of the home that have answered.
        answered: FactorCounts,
        /// The factors of the home that are needed.
        need: Thresholds,
    },
    /// The server was reset.
    WasReset(ResetCause),
    /// The place is an enrolled one, and the machine is not.
    ChangedMachine,
    /// The neighbours are the enrolled ones, and too many key servers are not.
    KeyServerLost,
    /// For the whole wait enough factors have answered, and no combination
    /// opened.
    NotRecognised,
    /// Enough factors have answered and no combination opened, but the wait is
    /// not over.
    NotYetRecognised,
    /// Not known yet: a combination is being tried.
    Looking,
}

/// How many factors of a group are there or have answered, and how many are
/// needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    group: Group,
    count: u8,
    of: u8,
    need: u8,
    /// Whether the noun is written out.
    names_group: bool,
}

impl Tally {
    /// The tally of one group.
    pub fn of(group: Group, answered: FactorCounts, need: Thresholds) -> Self {
        let Count { count, of } = answered.of(group);
        Self {
            group,
            count,
            of,
            need: need.of(group),
            names_group: true,
        }
    }

    /// The tally without its noun, for behind a heading.
    pub fn under_a_heading(self) -> Self {
        Self {
            names_group: false,
            ..self
        }
    }
}

/// The ways in that this server has, besides sticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct WaysIn {
    /// Whether somebody has a passphrase.
    pub passphrase: bool,
    /// Whether a recovery code is listed.
    pub code: bool,
}

/// The first screen of the prompt.
pub struct Banner<'a> {
    /// Name of the server; `None` while the vault was not found.
    pub server: Option<&'a str>,
    /// Why the server is locked.
    pub reason: &'a Reason,
    /// The ways in, for the menu.
    pub ways_in: WaysIn,
}

/// The line that is shown before the prompt opens.
pub struct Hint;

/// The text of the command `help`.
pub struct Help;

/// The notice at the next log-in; empty where there is nothing to tell.
/// Everybody who may log in reads it.
pub struct LoginNotice {
    /// The margin when the place opened the server; `None` where it is not
    /// told.
    pub margin: Option<Margin>,
    /// Boots in foreign places before this one.
    pub strikes: u8,
}

/// A message of the prompt, besides the banner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// No text: the question is asked again.
    Nothing,
    /// Why the server is locked.
    Reason(Reason),
    /// Why the server is locked, and what to do.
    ReasonAndAdvice(Reason),
    /// The vault cannot be opened or read.
    Vault(LocateError),
    /// The keys could not be put into memory.
    NotReleased(ReleaseError),
    /// What is wrong with a stick.
    Stick(StickError),
    /// The waiting stick was pulled out.
    StickPulled,
    /// It takes too long to be read.
    StickSilent,
    /// A stick was plugged in, and there is no vault that it could open.
    StickWithoutVault,
    /// The kernel has no driver for it: the module that is missing.
    StickWithoutDriver(&'static str),
    /// These sticks were to be wiped in a reset.
    NotWiped(Vec<PathBuf>),
    /// The PIN was not typed.
    NoPin,
    /// A change was cancelled.
    NothingChanged,
    /// An entry was cancelled.
    NothingEntered,
    /// The help text.
    Help,
    /// The word is not in the menu.
    NoSuchCommand,
    /// A key was pressed that types nothing. `is_hidden`: what stood in the
    /// line cannot be seen, and is forgotten.
    DeadKey {
        is_hidden: bool,
    },
    /// The answer to `retry`.
    LookingAgain,
    /// An entry is being tried, which takes a moment.
    Checking,
    /// The PIN is wrong.
    WrongPin {
        /// Seconds until the next entry is accepted.
        pause: u64,
    },
    /// The passphrase is wrong.
    WrongPassphrase {
        /// Seconds until the next entry is accepted.
        pause: u64,
    },
    /// The recovery code is wrong.
    WrongCode {
        /// What is wrong with it.
        error: CodeError,
        /// Seconds until the next entry is accepted.
        pause: u64,
    },
    /// It is too early for the next entry.
    Wait {
        /// Seconds until it is accepted.
        seconds: u64,
    },
    /// Nobody has a passphrase.
    NoPassphrases,
    /// The slots cannot be read.
    PassphrasesGone(VaultError),
    /// How to type the recovery code.
    CodeBegins,
    /// A group of the code cannot be right.
    GroupAgain(CodeError),
    /// The code is of another version of stayput.
    CodeOfAnotherVersion(CodeError),
    /// The code is right in itself, but does not open this server now.
    CodeRefused(CodeRefused),
    /// A new passphrase is not accepted.
    Unusable(UnusablePassphrase),
    /// The two new passphrases differ.
    NotTheSame,
    /// A passphrase is being changed, which takes a moment.
    Changing,
    /// This person's passphrase was changed.
    Changed(PersonName),
    /// The passphrase was not changed.
    NotChanged(NotChanged),
    /// The disk failed during the write: either passphrase may be in force.
    PerhapsChanged(VaultError),
    /// The server was reset before.
    ResetAlready,
    /// What a reset does, and how to confirm it.
    ResetOffered {
        /// Whether a way in afterwards is listed.
        way_back: bool,
    },
    /// Blocks of 4096 bytes that the disk did not take in a reset.
    NotDestroyed {
        blocks: u32,
    },
    NotTheName,
    /// The answer to `remember` where there is a home.
    RemembersBeside,
    /// The answer to `remember` after a reset.
    RemembersHome,
    /// The place is being observed, which takes a moment.
    LookingAround,
    /// The place was enrolled.
    Remembered,
    /// After a reset no stick counts, and the policy wants a reset.
    NoStickCounts,
    /// The place was not enrolled.
    NotRemembered(NotRemembered),
    /// The settings were altered, and `mend` is possible.
    MendOffered,
    /// `mend` is not possible.
    NothingToMend,
    /// The server has opened.
    Accepted,
    /// The same, while a secret was being typed that did not open the server.
    AcceptedMeanwhile,
    /// The system starts without the keys.
    WithoutDatabase,
    /// It does not, because somebody asks for it.
    PolicyDecides,
}

/// Why a passphrase was not changed; the old one is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotChanged {
    /// The vault cannot be opened or read.
    Vault(LocateError),
    /// The slots do not take it.
    Passphrase(PassphraseError),
}

impl Display for NotChanged {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault(error) => error.fmt(f),
            Self::Passphrase(error) => error.fmt(f),
        }
    }
}

/// Why a place was not enrolled at the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRemembered {
    /// No enrolled neighbour answers.
    NobodyAnswers,
    /// It would be easier to feign than the home.
    Weaker,
    /// The disk failed, or the new slot does not open here.
    Failed,
    /// The home has key servers, which only `stayput enroll` can enrol.
    HasServers,
}
