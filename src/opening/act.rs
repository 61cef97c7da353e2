//! What happens to a boot, and what it does about it.

use std::borrow::Cow;

use super::dialogue::{Line, Question, Typed};
use super::messages::{LoginWords, Message, NotChanged, NotRemembered, Reason};
use super::places::PlaceOpened;
use super::snapshot::Snapshot;
use crate::environment::Observed;
use crate::keys::MasterKey;
use crate::release::ReleaseError;
use crate::stick::{Stick, StickError, StickFile, StickInfo};
use crate::theft::{ResetCause, TheftPolicy, TheftState};
use crate::vault::{
    Destroyed, Entered, EventKind, Label, LocateError, PersonName, Policy, Proven, ProvenRecords,
    Unproven, Value, VaultError,
};

/// What happened. The second half are answers: each is told as soon as the act
/// that asks for it was done, before anything else.
pub enum Event<'a> {
    /// One turn of the loop: time has passed, or something else was told before.
    Tick,
    /// A disk came, changed or went.
    DisksChanged,
    /// There may be a console more.
    ConsolesChanged,
    /// What neighbours and key servers say.
    Answers(&'a [(Label, Value)]),
    /// Somebody typed, on whichever console.
    Typed(Typed),

    /// [`Act::FindVault`].
    Vault(Result<Box<Snapshot>, LocateError>),
    /// [`Act::LookAtParts`], or a part has come or gone.
    Parts(Box<Observed>),
    /// [`Act::LookForSticks`]: which were pulled out and which came.
    Sticks { gone: Vec<Stick>, news: Vec<Stick> },
    /// [`Act::ReadStick`].
    StickRead(Stick, Result<Box<StickFile>, StickError>),
    /// [`Act::CountEntries`]: the wrong ones since the server last opened.
    Entries(u32),
    /// [`Act::Try`].
    Tried(Tried),
    /// [`Act::ReadTheft`].
    Theft(Result<TheftRecords, LocateError>),
    /// [`Act::Strike`].
    Struck(Result<(), LocateError>),
    /// [`Act::FindPluggedKeys`]: the ids of the sticks.
    PluggedKeys(Vec<[u8; 8]>),
    /// [`Act::Destroy`].
    Destroyed(Result<Destroyed, LocateError>),
    /// [`Act::Prove`].
    Proved(Result<Box<ProvenRecords>, LocateError>),
    /// [`Act::Release`]: milliseconds from the start until the key was in memory.
    Released(Result<u32, ReleaseError>),
    /// [`Act::Enrol`].
    Enrolled(Result<(), NotRemembered>),
    /// [`Act::ChangePassphrase`].
    Changed(Result<(), ChangeError>),
    /// [`Act::Mend`].
    Mended(Result<(), LocateError>),
}

/// What the theft state machine decides by, as it stands on the disk now.
pub struct TheftRecords {
    pub state: Result<TheftState, VaultError>,
    pub policy: Unproven<TheftPolicy>,
    /// Ids of this server's sticks that are plugged in.
    pub plugged: Vec<[u8; 8]>,
}

/// Why a passphrase was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// The old one is in force.
    Nothing(NotChanged),
    /// The disk failed while it was written.
    Perhaps(VaultError),
}

/// What costs up to one scrypt. The machine does it itself, when it is told to:
/// see [`super::Machine::attempt`].
pub enum Attempt {
    /// The next combination of an enrolled place.
    Place,
    Passphrase(Line),
    /// On the stick that waits; empty where it has none.
    Pin(Line),
}

/// What came of an [`Attempt`].
pub enum Tried {
    Place(Option<PlaceOpened>),
    Passphrase(Entered),
    Stick(Result<MasterKey, StickError>),
}

/// What a list of ways in says of the one that was used to mend it.
#[derive(Clone)]
pub enum Known {
    Passphrase,
    Stick(StickInfo),
    Code { generation: u32 },
}

/// What an event is not written beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unless {
    Never,
    /// This boot has noted one of its kind, in an earlier run of the stage too.
    KindThisBoot,
    /// The log has the same.
    Same,
}

/// How the stage ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The keys are in memory.
    Released,
    /// The owner wants the system to start without them.
    WithoutKeys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    Restart,
    Off,
}

/// What is to be done, in this order: what stands on the disk before it is on
/// the screen comes before it in the list. The first half asks; the answer is
/// told before the next act is done.
pub enum Act {
    /// [`Event::Vault`].
    FindVault,
    /// [`Event::Parts`].
    LookAtParts,
    /// [`Event::Sticks`].
    LookForSticks,
    /// [`Event::StickRead`].
    ReadStick(Stick),
    /// [`Event::Entries`].
    CountEntries,
    /// [`Event::Tried`].
    Try(Attempt),
    /// [`Event::Theft`]; with the sticks that are plugged in where `plugged`.
    ReadTheft {
        plugged: bool,
    },
    /// [`Event::Struck`]: this state, and a line in the log, `of` so many.
    Strike {
        strikes: u8,
        boot_id: [u8; 16],
        of: u8,
    },
    /// [`Event::PluggedKeys`].
    FindPluggedKeys,
    /// [`Event::Destroyed`]: the pepper, the slots, what was released, and, where
    /// `wipe`, this server's keys on the sticks that are plugged in.
    Destroy {
        cause: ResetCause,
        wipe: bool,
    },
    /// [`Event::Proved`].
    Prove(MasterKey),
    /// [`Event::Released`].
    Release(MasterKey, Box<Proven<Policy>>),
    /// [`Event::Enrolled`]: this place, as one of the server's.
    Enrol(MasterKey, Box<Proven<Policy>>),
    /// [`Event::Changed`].
    ChangePassphrase {
        key: MasterKey,
        name: PersonName,
        new: Line,
    },
    /// [`Event::Mended`]: safe settings in place of what does not prove.
    Mend {
        key: MasterKey,
        known: Known,
    },

    /// Into the vault's log.
    Note {
        kind: EventKind,
        unless: Unless,
    },
    /// Into the vault's log, which is sealed up to there.
    NoteSealed {
        key: MasterKey,
        kind: EventKind,
    },
    /// The theft state is armed again; where it was not proven the log says so.
    Arm {
        key: MasterKey,
        was_proven: bool,
    },
    /// Asks the neighbours and key servers that the slots name, from the start.
    AskAround,
    /// Network cards go back to how they were found.
    StopAsking,
    /// All sticks are looked at again.
    ForgetSticks,
    /// One line, before there is a prompt.
    Hint,
    /// The banner; from here on consoles are heard and kernel messages are not
    /// shown.
    OpenPrompt(String),
    /// The banner, on consoles that have turned up.
    ShowOnNewConsoles(String),
    /// Says it and asks the open question again.
    Say(Message),
    /// Says it and asks nothing.
    Print(Message),
    /// What the next line will be; asks for it.
    Ask(Question),
    /// What the next line will be. Whoever comes next asks.
    Expect(Question),
    /// What this server sees around it.
    ShowStatus(Reason),
    /// The last words of the prompt.
    Close(Message),
    /// For whoever logs in after this boot.
    LeaveNotice(LoginWords),
    /// Into the kernel's log.
    Log(log::Level, Cow<'static, str>),
    Power(Power),
    End(End),
}
