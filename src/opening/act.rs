//! The events that the machine hears of, and the acts that it orders.

use std::borrow::Cow;
use std::path::PathBuf;

use super::dialogue::{Question, Typed, TypedLine};
use super::messages::{LoginNotice, Message, NotChanged, NotRemembered, Reason};
use super::places::PlaceOpened;
use super::snapshot::Snapshot;
use crate::environment::Observed;
use crate::keys::{Keyring, MasterKey};
use crate::release::ReleaseError;
use crate::stick::{Stick, StickError, StickFile, StickInfo};
use crate::theft::{ResetCause, TheftPolicy, TheftState, WayBack};
use crate::vault::{
    Destroyed, EventKind, Label, LocateError, PassphraseOutcome, PersonName, Policy, Proven,
    ProvenRecords, Unproven, Value, VaultError,
};

/// Something that happened. The events of the second half answer an act; each
/// is told as soon as that act was done, before anything else.
pub enum Event<'a> {
    /// One turn of the loop: time has passed, or another event was told before.
    Tick,
    /// A disk appeared, changed or went.
    DisksChanged,
    /// Consoles may have appeared.
    ConsolesChanged,
    /// Answers of neighbours and key servers.
    Answers(&'a [(Label, Value)]),
    /// Somebody typed at a console.
    Typed(Typed),
    /// A stick that was to be read ([`Act::ReadStick`]) has answered.
    StickRead(Stick, Result<Box<StickFile>, StickError>),
    /// A stick was plugged in, and the kernel makes no disk of it for want of
    /// this module.
    StickWithoutDriver(&'static str),

    /// Answers [`Act::FindVault`].
    Vault(Result<Box<Snapshot>, LocateError>),
    /// Answers [`Act::ObserveMachine`]; also told when a part has appeared or
    /// gone.
    Parts(Box<Observed>),
    /// Answers [`Act::LookForSticks`].
    Sticks {
        /// Sticks that were pulled out.
        gone: Vec<Stick>,
        /// Sticks that were plugged in.
        news: Vec<Stick>,
    },
    /// Answers [`Act::CountEntries`]: wrong entries since the server last
    /// opened.
    Entries(u32),
    /// Answers [`Act::Try`].
    Tried(AttemptOutcome),
    /// Answers [`Act::ReadTheft`].
    Theft(Result<TheftRecords, LocateError>),
    /// Answers [`Act::Strike`].
    Struck(Result<(), LocateError>),
    /// Answers [`Act::FindPluggedKeys`]: the ids of the sticks.
    PluggedKeys(Vec<[u8; 8]>),
    /// Answers [`Act::Destroy`].
    Destroyed {
        destroyed: Result<Destroyed, LocateError>,
        /// Devices that were to be wiped and were not.
        unwiped: Vec<PathBuf>,
    },
    /// Answers [`Act::Prove`].
    Proved(Result<Box<ProvenRecords>, LocateError>),
    /// Answers [`Act::Release`]: milliseconds from the stage's start until the
    /// key was in memory.
    Released(Result<u32, ReleaseError>),
    /// Answers [`Act::Enrol`]: whether a verified stick, plugged in or not, or the code
    /// opens the server after another reset.
    Enrolled(Result<WayBack, NotRemembered>),
    /// Answers [`Act::ChangePassphrase`].
    Changed(Result<(), ChangeError>),
    /// Answers [`Act::Mend`].
    Mended(Result<(), LocateError>),
}

/// The records that the theft state machine decides by, read from the disk now.
pub struct TheftRecords {
    /// The theft state.
    pub state: Result<TheftState, VaultError>,
    /// The policy about theft; the default where it cannot be read.
    pub policy: Unproven<TheftPolicy>,
    /// Ids of this server's sticks that are plugged in.
    pub plugged: Vec<[u8; 8]>,
}

/// Why a passphrase was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// The old passphrase is in force.
    Nothing(NotChanged),
    /// The disk failed during the write: either may be in force.
    Perhaps(VaultError),
}

/// An attempt to open the vault, which costs one scrypt at most. The host calls
/// [`super::Machine::attempt`] for it.
pub enum Attempt {
    /// The next combination of an enrolled place.
    Place,
    /// A passphrase.
    Passphrase(TypedLine),
    /// The PIN of the waiting stick; empty where it has none.
    Pin(TypedLine),
}

/// The outcome of an [`Attempt`].
pub enum AttemptOutcome {
    /// Of a combination; `None` where it did not open the vault.
    Place(Option<PlaceOpened>),
    /// Of a passphrase.
    Passphrase(PassphraseOutcome),
    /// Of a stick with its PIN.
    Stick(Result<MasterKey, StickError>),
}

/// The way in that was used to mend the settings: the new list of ways in keeps
/// it.
#[derive(Clone)]
pub enum UsedWayIn {
    /// A passphrase, which no list names.
    Passphrase,
    /// A stick.
    Stick(Box<StickFile>),
    /// The recovery code.
    Code {
        /// The generation of the master key that it spells.
        generation: u32,
    },
}

/// How often an event may be in the vault's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// As often as it happens.
    Always,
    /// Once for each kind and boot, however often the stage starts in it.
    OncePerBoot,
    /// Once with the same content.
    OnceEver,
}

/// How the stage ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageEnd {
    /// The keys are in memory.
    Released,
    /// The owner wants the system to start without them.
    WithoutKeys,
}

/// What is done with the machine's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerAction {
    /// It starts again.
    Restart,
    /// It is switched off.
    Off,
}

/// Something to be done. Acts are done in the order of the list: what must be
/// on the disk before it is on the screen comes first. The acts of the first
/// half are answered by an event, which is told before the next act is done.
pub enum Act {
    /// Looks for the vault and reads it. Answered by [`Event::Vault`].
    FindVault,
    /// Observes the parts of the machine. Answered by [`Event::Parts`].
    ObserveMachine,
    /// Looks which sticks were plugged in or pulled out. Answered by
    /// [`Event::Sticks`].
    LookForSticks,
    /// Counts the wrong entries in the vault's log. Answered by
    /// [`Event::Entries`].
    CountEntries,
    /// Makes an attempt. Answered by [`Event::Tried`].
    Try(Attempt),
    /// Reads the records about theft. Answered by [`Event::Theft`].
    ReadTheft {
        /// Whether the ids of the plugged sticks are wanted too.
        plugged: bool,
    },
    /// Writes the state *suspect* and a line in the log. Answered by
    /// [`Event::Struck`].
    Strike {
        /// Strikes, this one included.
        strikes: u8,
        /// The kernel's random id of this boot.
        boot_id: [u8; 16],
        /// The policy's limit, for the log.
        of: u8,
    },
    /// Looks for this server's keys on plugged sticks. Answered by
    /// [`Event::PluggedKeys`].
    FindPluggedKeys,
    /// Destroys the pepper, the slots and the released keys. Answered by
    /// [`Event::Destroyed`].
    Destroy {
        /// Why, for the theft state and the log.
        cause: ResetCause,
        /// Whether this server's keys on plugged sticks are destroyed too.
        wipe: bool,
    },
    /// Checks the records that decide about a release. Answered by
    /// [`Event::Proved`].
    Prove(MasterKey),
    /// Puts the keys into memory. Answered by [`Event::Released`].
    Release(Keyring, Box<Proven<Policy>>),
    /// Enrols this place. Answered by [`Event::Enrolled`].
    Enrol {
        /// The master key.
        key: MasterKey,
        /// Says whom to ask.
        policy: Box<Proven<Policy>>,
        /// The stick that gave the key, if it was one: after a reset it counts as verified.
        used: Option<StickInfo>,
    },
    /// Changes a person's passphrase. Answered by [`Event::Changed`].
    ChangePassphrase {
        /// The master key.
        key: MasterKey,
        /// Whose passphrase it is.
        name: PersonName,
        /// The new passphrase.
        new: TypedLine,
    },
    /// Writes safe settings in place of those that were altered. Answered by
    /// [`Event::Mended`].
    Mend {
        /// The master key.
        key: MasterKey,
        /// The way in that gave it.
        used: UsedWayIn,
    },

    /// Reads this server's file from a stick. [`Event::StickRead`] follows when
    /// the stick answers, which may take long, or for ever.
    ReadStick(Stick),
    /// Appends an event to the vault's log.
    Note {
        /// What happened.
        kind: EventKind,
        /// How often the log may hold it.
        repeat: Repeat,
    },
    /// Appends an event to the vault's log and seals the log up to it.
    NoteSealed {
        /// The master key.
        key: MasterKey,
        /// What happened.
        kind: EventKind,
    },
    /// Writes the theft state *armed*.
    Arm {
        /// The master key.
        key: MasterKey,
        /// Whether the state before was proven; otherwise the log says so.
        was_proven: bool,
    },
    /// Begins to ask the neighbours and key servers that the slots name.
    AskPlace,
    /// Stops asking, and restores the network cards as they were found.
    StopAsking,
    /// Treats all plugged sticks as new.
    ForgetSticks,
    /// Shows one line before the prompt opens.
    Hint,
    /// Opens the prompt with this banner. From then on kernel messages stay off
    /// the consoles.
    OpenPrompt(String),
    /// Shows this banner on consoles that have appeared.
    ShowOnNewConsoles(String),
    /// Prints a message and asks the open question again.
    Say(Message),
    /// Prints a message.
    Print(Message),
    /// Opens a question and asks it.
    Ask(Question),
    /// Opens a question; the next message asks it.
    Expect(Question),
    /// Prints what this server observes.
    ShowStatus(Reason),
    /// Prints a last message and closes the prompt.
    Close(Message),
    /// Leaves a notice for whoever logs in after this boot.
    LeaveNotice(LoginNotice),
    /// Writes to the kernel's log.
    Log(log::Level, Cow<'static, str>),
    /// Restarts the machine or switches it off.
    Power(PowerAction),
    /// Ends the stage.
    End(StageEnd),
}
