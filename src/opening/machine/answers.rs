//! What was asked for, why, and what its answer leads to.

use log::Level;

use super::Machine;
use crate::keys::MasterKey;
use crate::opening::act::{Act, Event, Tried, Unless};
use crate::opening::messages::Message;
use crate::opening::places::Places;
use crate::opening::snapshot::Snapshot;
use crate::theft::{Finding, ResetCause, TheftState, Then};
use crate::vault::{EventKind, LocateError, OpenedBy, PersonName, Policy, Proven, ProvenRecords};

/// An act whose answer is waited for, and what it is for.
pub(super) enum Pending {
    /// A combination that is tried.
    Place,
    /// A passphrase, to open the server or to be changed.
    Passphrase { for_change: bool },
    /// A stick, with its PIN or without one.
    Stick,
    /// What stands on the disk, to act on this finding.
    Theft(Finding),
    /// A strike that is written.
    Strike { finding: Finding, then: Then },
    /// The plugged keys, and with them whether there is a way back.
    WayBack(Why),
    /// A reset that is said when it was done.
    Reset(ResetCause),
    /// One that is not.
    ResetUnseen,
    /// The vault, looked for anew.
    Vault(AfterFinding),
    /// The records, which decide about a release.
    Proof { key: MasterKey, by: OpenedBy },
    /// The key, on its way into memory.
    Release(Box<Releasing>),
    /// A new passphrase that is written.
    Change { key: MasterKey, name: PersonName },
    /// Settings that are put back.
    Mend { key: MasterKey, by: OpenedBy },
}

/// What opens the server, and what the vault proved.
pub(super) struct Releasing {
    pub key: MasterKey,
    pub by: OpenedBy,
    pub proven: Box<ProvenRecords>,
}

impl Releasing {
    pub fn policy(&self) -> &Proven<Policy> {
        &self.proven.policy
    }
}

/// Why somebody wants to know whether there is a way back.
#[derive(Clone, Copy)]
pub(super) enum Why {
    /// The limit of wrong entries is reached; the last one was for `duress`.
    UsedUp { duress: bool },
    /// A passphrase for duress was entered.
    Duress,
    /// A reset is offered at the prompt.
    Offer,
    /// A reset is to be done.
    Reset(ResetCause),
}

/// What follows when the vault was looked for anew.
pub(super) enum AfterFinding {
    Nothing,
    /// A reset was done: it is said.
    Reset,
    /// Settings were put back: the same way in is tried again.
    Open {
        key: MasterKey,
        by: OpenedBy,
    },
    /// A passphrase was changed, or perhaps not.
    Changed {
        message: Message,
        note: Option<(MasterKey, EventKind)>,
    },
}

impl Machine {
    /// Takes an answer to what was asked for. Others are not listened to.
    pub(super) fn answered(&mut self, answer: Event<'_>) {
        match (self.turn.pending.take(), answer) {
            (Some(Pending::Place), Event::Tried(Tried::Place(None))) => self.judge(),
            (Some(Pending::Place), Event::Tried(Tried::Place(Some(opened)))) => {
                self.place_opened(&opened);
            }
            (
                Some(Pending::Passphrase { for_change }),
                Event::Tried(Tried::Passphrase(entered)),
            ) => {
                self.passphrase_tried(entered, for_change);
            }
            (Some(Pending::Stick), Event::Tried(Tried::Stick(tried))) => self.stick_tried(tried),
            (Some(Pending::Theft(finding)), Event::Theft(records)) => {
                self.decide(finding, records);
            }
            (Some(Pending::Strike { finding, then }), Event::Struck(struck)) => {
                self.conclude(finding, struck.map(|()| then));
            }
            (Some(Pending::WayBack(why)), Event::PluggedKeys(plugged)) => {
                self.way_back_known(why, &plugged);
            }
            (Some(Pending::Reset(cause)), Event::Destroyed(destroyed)) => {
                self.was_reset(cause, destroyed);
            }
            (Some(Pending::ResetUnseen), Event::Destroyed(_)) => {}
            (Some(Pending::Vault(then)), Event::Vault(found)) => self.vault_found(found, then),
            (None, Event::Vault(found)) => self.vault_found(found, AfterFinding::Nothing),
            (Some(Pending::Proof { key, by }), Event::Proved(proven)) => {
                self.proved(key, by, proven);
            }
            (Some(Pending::Release(releasing)), Event::Released(released)) => {
                self.released(*releasing, released);
            }
            (None, Event::Enrolled(enrolled)) => self.enrolled(enrolled),
            (Some(Pending::Change { key, name }), Event::Changed(changed)) => {
                self.changed(key, name, changed);
            }
            (Some(Pending::Mend { key, by }), Event::Mended(mended)) => {
                self.mended(key, by, mended);
            }
            (pending, _) => self.turn.pending = pending,
        }
    }

    /// Looks for the vault anew; not when what was found before shall go on
    /// looking as it did.
    pub(super) fn find_vault(&mut self, then: AfterFinding) {
        let feigned = self.concluded.feigned;
        match &self.vault {
            Ok(found) if feigned => {
                self.places = places_of(found);
                self.after_finding(then);
            }
            _ => self.ask(Act::FindVault, Pending::Vault(then)),
        }
    }

    fn vault_found(&mut self, found: Result<Box<Snapshot>, LocateError>, then: AfterFinding) {
        self.places = found.as_deref().map(places_of).unwrap_or_default();
        self.vault = found;
        self.after_finding(then);
    }

    fn after_finding(&mut self, then: AfterFinding) {
        // The places are the same when a passphrase was changed, and who was
        // asked goes on to answer.
        if !matches!(then, AfterFinding::Changed { .. }) {
            self.act(Act::AskAround);
            self.note_finished_reset();
        }
        match then {
            AfterFinding::Nothing => {}
            AfterFinding::Reset => self.tell_reset(),
            AfterFinding::Open { key, by } => self.open(key, by),
            AfterFinding::Changed { message, note } => {
                if let Some((key, kind)) = note {
                    self.log(Level::Warn, "a passphrase was changed at the prompt");
                    self.act(Act::NoteSealed { key, kind });
                }
                self.say(message);
            }
        }
    }

    /// Notes a reset that a power cut interrupted and that was finished when
    /// the vault was opened.
    fn note_finished_reset(&mut self) {
        let state = self.vault().map(Snapshot::state);
        if let Some(TheftState::Reset { cause, time }) = state {
            self.note(EventKind::Reset { cause, begun: time }, Unless::Same);
        }
    }
}

/// A vault whose slots cannot be read has none.
fn places_of(found: &Snapshot) -> Places {
    found.slots().map(Places::of).unwrap_or_default()
}
