//! What people read at the prompt and at log-in. The types say what is told,
//! and with which values; each language has a file of its own.

mod english;

use core::fmt::{self, Display, Formatter};

use crate::environment::Margin;
use crate::keys::CodeError;
use crate::release::ReleaseError;
use crate::stick::StickError;
use crate::theft::ResetCause;
use crate::vault::{
    Answered, Group, LocateError, PassphraseError, PersonName, Thresholds, Unusable, VaultError,
};

pub use super::dialogue::Question;

/// Why the server does not open by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The vault is not to be had.
    NoVault(LocateError),
    /// It is there, and the place cannot open it.
    Fault(VaultError),
    /// Too few factors have answered to try anything.
    Silent {
        answered: Answered,
        need: Thresholds,
    },
    /// The pepper was destroyed.
    WasReset(ResetCause),
    /// Enough have answered for the whole wait, and they are not the enrolled
    /// ones.
    NotRecognised,
    /// The same, and the wait is not over.
    NotYetRecognised,
    /// It is not known yet.
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
    /// Otherwise a heading has said it.
    says_of_what: bool,
}

impl Tally {
    pub fn of(group: Group, answered: Answered, need: Thresholds) -> Self {
        let (count, of) = answered.of(group);
        Self {
            group,
            count,
            of,
            need: need.of(group),
            says_of_what: true,
        }
    }

    /// What stands behind a heading that says of what.
    pub fn under_a_heading(self) -> Self {
        Self {
            says_of_what: false,
            ..self
        }
    }
}

/// The ways in that this server is known to have, besides sticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct WaysIn {
    pub passphrase: bool,
    pub code: bool,
}

/// What the person sees first.
pub struct Banner<'a> {
    /// `None` while the vault is not there to say it.
    pub server: Option<&'a str>,
    pub reason: &'a Reason,
    pub ways_in: WaysIn,
}

/// While nobody needs to do anything yet.
pub struct Hint;

pub struct Help;

/// For whoever logs in after this boot; empty where there is nothing to say.
/// Everybody who may log in reads it.
pub struct LoginWords {
    pub margin: Option<Margin>,
    /// Boots in foreign places before this one.
    pub strikes: u8,
}

/// Text that a disk or a stick says: control characters would let it write
/// over the screen.
pub struct Printable<'a>(pub &'a str);

impl Display for Printable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| write!(f, "{}", if c.is_control() { '?' } else { c }))
    }
}

/// What the prompt tells somebody, besides the banner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// No words: the question is asked again.
    Nothing,
    Reason(Reason),
    ReasonAndAdvice(Reason),
    Vault(LocateError),
    NotReleased(ReleaseError),
    Stick(StickError),
    StickPulled,
    /// The PIN was not typed.
    NoPin,
    NothingChanged,
    NothingEntered,
    Help,
    NoSuchCommand,
    LookingAgain,
    /// What was typed is stretched, which takes a moment.
    Checking,
    /// `pause`: seconds until the next entry is taken.
    WrongPin {
        pause: u64,
    },
    WrongPassphrase {
        pause: u64,
    },
    WrongCode {
        error: CodeError,
        pause: u64,
    },
    /// It is too early for the next entry.
    Wait {
        seconds: u64,
    },
    NoPassphrases,
    PassphrasesGone(VaultError),
    CodeBegins,
    GroupAgain(CodeError),
    CodeNewer(CodeError),
    /// Right in itself, and its key is not the one that is in use.
    CodeTooOld,
    Unusable(Unusable),
    NotTheSame,
    Changing,
    Changed(PersonName),
    NotChanged(NotChanged),
    /// The disk failed while it was written.
    PerhapsChanged(VaultError),
    ResetAlready,
    /// `way_back`: whether something is listed that opens it afterwards.
    ResetOffered {
        way_back: bool,
    },
    NotTheName,
    RemembersBeside,
    RemembersHome,
    LookingAround,
    Remembered,
    NotRemembered(NotRemembered),
    MendOffered,
    NothingToMend,
    Accepted,
    WithoutDatabase,
}

/// Why a passphrase was not changed; the old one is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotChanged {
    Vault(LocateError),
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

/// Why a place was not remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRemembered {
    NobodyAnswers,
    /// It would be easier to feign than the home.
    Weaker,
    Failed,
    /// Only the command can enrol key servers.
    HasServers,
}
