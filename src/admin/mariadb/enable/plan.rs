//! The steps of a run, their order, and what must hold before each one: as data,
//! so that the order can be tested without a server.

use std::fmt;

use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::run_records::journal::{OriginalEnds, Stage};

/// One step of a run on the stopped server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    HoldUnits,
    StopServer,
    CoverOriginal,
    Copy,
    CarryOver,
    Sync,
    PutGateInFront,
    Note(Stage),
    MoveOriginal,
    PlaceCopy,
    Guard,
    WriteSettings,
    RemoveSettings,
    TakeGateAway,
    SeeGate,
    SeeClear,
    KeepOtherFiles,
    LetUnitsGo,
    StartServer,
    ProveServing,
    ProveUnused,
    ProveCounts,
    Destroy,
    End,
}

/// A fact that holds after a step, until another step ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Nothing starts MariaDB: its units are masked.
    UnitsHeld,
    ServerStopped,
    /// Nobody finds the original by its path.
    OriginalCovered,
    /// The copy holds what the original holds, row by row.
    CopyCompared,
    /// The copy and the files carried over are on the disk.
    OnDisk,
    /// No start gets past the gate.
    GateInFront,
    /// The journal says so, on the disk.
    Noted(Stage),
    /// The original lies, marked, where only root gets.
    OriginalClosed,
    /// The copy has its place; nothing deletes it any more.
    CopyPlaced,
    /// Where MariaDB looks nobody can write.
    Guarded,
    SettingsWritten,
    /// Nothing has MariaDB encrypt any more.
    SettingsGone,
    /// A start of MariaDB finds the clear copy, and needs nothing from here.
    GateGone,
    /// The copy is what the run was to make: the gate was seen to open and to close, or
    /// MariaDB to have nothing that needs a key.
    FormSeen,
    /// What is not the database's is out of the original.
    OtherFilesKept,
    /// The unit's process works in the copy.
    Serving,
    /// Nobody works in the original.
    OriginalUnused,
    /// Tables that nobody has written since have their rows.
    CountsAgree,
}

/// What was seen before the original is only waited for.
const PROOFS: [Fact; 6] = [
    Fact::FormSeen,
    Fact::OnDisk,
    Fact::Serving,
    Fact::OriginalUnused,
    Fact::CountsAgree,
    Fact::OtherFilesKept,
];

/// What was seen before it is destroyed.
const PROOFS_AND_NOTED: [Fact; 7] = {
    let mut all = [Fact::Noted(Stage::Waiting); 7];
    let mut at = 0;
    while at < PROOFS.len() {
        all[at] = PROOFS[at];
        at += 1;
    }
    all
};

impl Step {
    /// The facts that must hold before the step. A step that cannot be undone is
    /// taken only after all of them were seen.
    pub const fn needs(self, conversion: Conversion) -> &'static [Fact] {
        use Conversion::{Decrypt, Encrypt};
        use Fact::*;
        match self {
            Self::HoldUnits => &[],
            Self::StopServer => &[UnitsHeld],
            Self::CoverOriginal => &[UnitsHeld, ServerStopped],
            Self::Copy => &[
                Noted(Stage::Building),
                UnitsHeld,
                ServerStopped,
                OriginalCovered,
            ],
            Self::CarryOver | Self::Sync => &[CopyCompared],
            Self::PutGateInFront => &[CopyCompared, OnDisk],
            Self::Note(Stage::Switching) => &[CopyCompared, OnDisk, GateInFront],
            Self::MoveOriginal => &[UnitsHeld, ServerStopped, Noted(Stage::Switching)],
            Self::PlaceCopy => &[OriginalClosed, OnDisk],
            Self::Guard => &[OriginalClosed, CopyPlaced],
            // What they let start takes writes: then nothing is undone as if
            // there were none.
            Self::WriteSettings => &[OriginalClosed, CopyPlaced, Noted(Stage::Starting)],
            Self::Note(Stage::Starting) => &[OnDisk, CopyPlaced, GateInFront],
            // Until the gate is gone it lets nothing start: these are what it looks for.
            Self::RemoveSettings => &[OriginalClosed, CopyPlaced, Noted(Stage::Starting)],
            Self::TakeGateAway => &[SettingsGone, CopyPlaced, OnDisk, Noted(Stage::Starting)],
            // Whatever starts MariaDB from here on passes the gate, or needs none.
            Self::LetUnitsGo | Self::SeeGate => match conversion {
                Encrypt => &[
                    Noted(Stage::Starting),
                    GateInFront,
                    Guarded,
                    SettingsWritten,
                ],
                Decrypt => &[Noted(Stage::Starting), CopyPlaced, SettingsGone, GateGone],
            },
            Self::StartServer => match conversion {
                Encrypt => &[Noted(Stage::Starting), GateInFront, FormSeen],
                Decrypt => &[Noted(Stage::Starting), SettingsGone, GateGone],
            },
            Self::ProveServing | Self::ProveUnused | Self::ProveCounts => &[OriginalClosed],
            Self::SeeClear => &[Serving],
            // Files that were moved away would be missing were the run undone.
            Self::KeepOtherFiles => &[OriginalClosed, Serving, OriginalUnused, CountsAgree],
            Self::Note(Stage::Waiting) => &PROOFS,
            Self::Note(Stage::Destroying) | Self::Destroy => &PROOFS_AND_NOTED,
            Self::Note(Stage::Rehearsing | Stage::Building | Stage::TakingBack) | Self::End => &[],
        }
    }

    /// The facts that hold after it.
    const fn gives(self) -> Option<Fact> {
        Some(match self {
            Self::HoldUnits => Fact::UnitsHeld,
            Self::StopServer => Fact::ServerStopped,
            Self::CoverOriginal => Fact::OriginalCovered,
            Self::Copy => Fact::CopyCompared,
            Self::Sync => Fact::OnDisk,
            Self::PutGateInFront => Fact::GateInFront,
            Self::Note(stage) => Fact::Noted(stage),
            Self::MoveOriginal => Fact::OriginalClosed,
            Self::PlaceCopy => Fact::CopyPlaced,
            Self::Guard => Fact::Guarded,
            Self::WriteSettings => Fact::SettingsWritten,
            Self::RemoveSettings => Fact::SettingsGone,
            Self::TakeGateAway => Fact::GateGone,
            Self::SeeGate | Self::SeeClear => Fact::FormSeen,
            Self::KeepOtherFiles => Fact::OtherFilesKept,
            Self::ProveServing => Fact::Serving,
            Self::ProveUnused => Fact::OriginalUnused,
            Self::ProveCounts => Fact::CountsAgree,
            Self::CarryOver | Self::LetUnitsGo | Self::StartServer | Self::Destroy | Self::End => {
                return None;
            }
        })
    }

    /// The facts that no longer hold after it.
    const fn ends(self) -> &'static [Fact] {
        match self {
            // What is written is not on the disk until it is synced.
            Self::CarryOver => &[Fact::OnDisk],
            Self::MoveOriginal => &[Fact::OriginalCovered],
            Self::TakeGateAway => &[Fact::GateInFront],
            Self::LetUnitsGo => &[Fact::UnitsHeld],
            Self::StartServer => &[Fact::ServerStopped],
            _ => &[],
        }
    }
}

/// From the running server to the copy on the disk.
const BUILD: [Step; 9] = [
    Step::Note(Stage::Building),
    Step::HoldUnits,
    Step::StopServer,
    Step::CoverOriginal,
    Step::Copy,
    Step::CarryOver,
    Step::Sync,
    Step::PutGateInFront,
    Step::Note(Stage::Switching),
];

/// After a power cut in the middle of [`SWITCH`].
const TAKE_UP_SWITCH: [Step; 3] = [Step::HoldUnits, Step::StopServer, Step::PutGateInFront];

const SWITCH: [Step; 5] = [
    Step::MoveOriginal,
    Step::PlaceCopy,
    Step::Guard,
    Step::Note(Stage::Starting),
    // With these the gate lets MariaDB pass, also after a power cut.
    Step::WriteSettings,
];

/// The gate lets nothing pass until it is gone: its data directory holds nothing.
const SWITCH_TO_CLEAR: [Step; 5] = [
    Step::MoveOriginal,
    Step::PlaceCopy,
    Step::Note(Stage::Starting),
    Step::RemoveSettings,
    Step::TakeGateAway,
];

/// After a power cut in the middle of [`START`].
const TAKE_UP_START: [Step; 3] = [Step::Sync, Step::PutGateInFront, Step::WriteSettings];

const TAKE_UP_CLEAR_START: [Step; 3] = [Step::Sync, Step::RemoveSettings, Step::TakeGateAway];

const START: [Step; 8] = [
    Step::LetUnitsGo,
    Step::SeeGate,
    Step::StartServer,
    Step::ProveServing,
    Step::ProveUnused,
    Step::ProveCounts,
    Step::KeepOtherFiles,
    Step::Note(Stage::Waiting),
];

const START_CLEAR: [Step; 8] = [
    Step::LetUnitsGo,
    Step::StartServer,
    Step::ProveServing,
    Step::SeeClear,
    Step::ProveUnused,
    Step::ProveCounts,
    Step::KeepOtherFiles,
    Step::Note(Stage::Waiting),
];

const END: [Step; 3] = [Step::Note(Stage::Destroying), Step::Destroy, Step::End];

/// The steps of a run: of a new one, or of one that came to `from`.
///
/// A run that was interrupted while it built begins anew: its copy was not
/// compared. One that waits or destroys has nothing left to do here.
pub fn steps(conversion: Conversion, from: Stage, ends: OriginalEnds) -> Vec<Step> {
    let (switch, take_up_start, start) = match conversion {
        Conversion::Encrypt => (&SWITCH, &TAKE_UP_START[..], &START),
        Conversion::Decrypt => (&SWITCH_TO_CLEAR, &TAKE_UP_CLEAR_START[..], &START_CLEAR),
    };
    let mut steps = match from {
        Stage::Rehearsing | Stage::Building => [&BUILD[..], switch, start].concat(),
        Stage::Switching => [&TAKE_UP_SWITCH[..], switch, start].concat(),
        Stage::Starting => [take_up_start, start].concat(),
        Stage::TakingBack | Stage::Waiting | Stage::Destroying => Vec::new(),
    };
    if ends == OriginalEnds::Now && !steps.is_empty() {
        steps.extend(END);
    }
    steps
}

/// The facts that hold so far. A step is taken only when all that it needs hold.
#[derive(Clone, Debug)]
pub struct Holds {
    conversion: Conversion,
    facts: Vec<Fact>,
}

impl Holds {
    /// The facts that a journal at this stage proves.
    pub fn noted(conversion: Conversion, stage: Stage) -> Self {
        use Fact::*;
        let facts = match stage {
            Stage::Rehearsing
            | Stage::Building
            | Stage::TakingBack
            | Stage::Waiting
            | Stage::Destroying => Vec::new(),
            Stage::Switching => vec![Noted(stage), CopyCompared, OnDisk],
            Stage::Starting => {
                let mut facts = vec![Noted(stage), CopyCompared, OriginalClosed, CopyPlaced];
                if conversion == Conversion::Encrypt {
                    facts.push(Guarded);
                }
                facts
            }
        };
        Self { conversion, facts }
    }

    /// The first fact that `step` needs and that does not hold.
    pub fn lacks(&self, step: Step) -> Option<Fact> {
        let mut needs = step.needs(self.conversion).iter();
        needs.find(|fact| !self.facts.contains(fact)).copied()
    }

    /// Notes that `step` was taken and has succeeded.
    pub fn after(&mut self, step: Step) {
        self.facts.retain(|fact| !step.ends().contains(fact));
        self.facts.extend(step.gives());
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note(_) => "note on the disk how far it came",
            Self::HoldUnits => "let nothing start MariaDB",
            Self::StopServer => "stop MariaDB",
            Self::CoverOriginal => "let nobody else at its files",
            Self::Copy => "copy everything into a new data directory, and compare",
            Self::CarryOver => "carry over certificates and the package's marks",
            Self::Sync => "wait until the copy is on the disk",
            Self::PutGateInFront => "put the gate in front of every start",
            Self::MoveOriginal => "close the original",
            Self::PlaceCopy => "put the copy in its place",
            Self::Guard => "leave an empty, closed directory where MariaDB looks",
            Self::WriteSettings => "write MariaDB's settings and the check values of its keys",
            Self::RemoveSettings => "remove MariaDB's settings and the check values of its keys",
            Self::TakeGateAway => "take the gate away",
            Self::SeeClear => "see that MariaDB has nothing that needs a key",
            Self::KeepOtherFiles => {
                "move files that are not the database's to a place of their own"
            }
            Self::SeeGate => "see the gate open and close",
            Self::LetUnitsGo => "let MariaDB be started again",
            Self::StartServer => "start MariaDB",
            Self::ProveServing => "see that it works in the copy",
            Self::ProveUnused => "see that nobody works in the original",
            Self::ProveCounts => "count the rows once more",
            Self::Destroy => "destroy the original",
            Self::End => "end",
        })
    }
}

#[cfg(test)]
mod tests;
