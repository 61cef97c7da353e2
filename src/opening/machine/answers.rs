//! The answers to acts: what was asked for, why, and what its answer leads to.

use std::path::PathBuf;

use log::Level;

use super::{Machine, READ_AGAIN};
use crate::keys::MasterKey;
use crate::opening::act::{Act, AttemptOutcome, Event, Repeat};
use crate::opening::messages::Message;
use crate::opening::places::Places;
use crate::opening::snapshot::Snapshot;
use crate::theft::{Assessment, BootResponse, ResetCause, TheftState};
use crate::vault::{
    EventKind, LocateError, OpenedBy, PersonName, Policy, Proven, ProvenRecords, VaultError,
};

/// The act whose answer is expected, and its purpose.
pub(super) enum Pending {
    /// A combination is tried.
    Place,
    /// A passphrase is tried, to open the server or to be changed.
    Passphrase { for_change: bool },
    /// A stick is tried, with its PIN or without one.
    Stick,
    /// The records about theft are read, to act on this assessment.
    Theft(Assessment),
    /// A strike is written.
    Strike {
        assessment: Assessment,
        then: BootResponse,
    },
    /// The keys on plugged sticks are looked for, to know whether there is a
    /// way back.
    WayBack(WayBackPurpose),
    /// A reset is done, and told afterwards.
    Reset(ResetCause),
    /// A reset is done under duress, and not told.
    ResetUnseen,
    /// The vault is looked for again.
    Vault(AfterLocating),
    /// The records that decide about a release are checked.
    Proof { key: MasterKey, by: OpenedBy },
    /// The keys are put into memory.
    Release(Box<Releasing>),
    /// A new passphrase is written.
    Change { key: MasterKey, name: PersonName },
    /// Safe settings are written.
    Mend { key: MasterKey, by: OpenedBy },
}

/// A release in progress: the key, the way in that gave it, and the proven
/// records.
pub(super) struct Releasing {
    /// The master key.
    pub key: MasterKey,
    /// The way in that gave it.
    pub by: OpenedBy,
    /// The records that decide about the release.
    pub proven: Box<ProvenRecords>,
}

impl Releasing {
    /// The policy, which says what is released.
    pub fn policy(&self) -> &Proven<Policy> {
        &self.proven.policy
    }
}

/// What the machine wants to know for whether there is a way back.
#[derive(Clone, Copy)]
pub(super) enum WayBackPurpose {
    /// The limit of wrong entries is reached. `duress`: the last one was a
    /// duress passphrase.
    UsedUp { duress: bool },
    /// A duress passphrase was entered.
    Duress,
    /// A reset is offered at the prompt.
    Offer,
    /// A reset is to be done.
    Reset(ResetCause),
}

/// What follows after the vault was looked for again.
pub(super) enum AfterLocating {
    Nothing,
    /// A reset was done, and is told, with the devices that were not wiped.
    Reset {
        unwiped: Vec<PathBuf>,
    },
    /// Safe settings were written: the same key is tried again.
    Open {
        key: MasterKey,
        by: OpenedBy,
    },
    /// A passphrase was changed, or may have been.
    Changed {
        message: Message,
        note: Option<(MasterKey, EventKind)>,
    },
}

impl Machine {
    /// Handles the answer to an act. Answers that nobody expects are ignored.
    pub(super) fn answered(&mut self, answer: Event<'_>) {
        match (self.turn.pending.take(), answer) {
            (Some(Pending::Place), Event::Tried(AttemptOutcome::Place(None))) => self.judge(),
            (Some(Pending::Place), Event::Tried(AttemptOutcome::Place(Some(opened)))) => {
                self.place_opened(&opened);
            }
            (
                Some(Pending::Passphrase { for_change }),
                Event::Tried(AttemptOutcome::Passphrase(entered)),
            ) => {
                self.passphrase_tried(entered, for_change);
            }
            (Some(Pending::Stick), Event::Tried(AttemptOutcome::Stick(tried))) => {
                self.stick_tried(tried)
            }
            (Some(Pending::Theft(assessment)), Event::Theft(records)) => {
                self.decide(assessment, records);
            }
            (Some(Pending::Strike { assessment, then }), Event::Struck(struck)) => {
                self.conclude(assessment, struck.map(|()| then));
            }
            (Some(Pending::WayBack(why)), Event::PluggedKeys(plugged)) => {
                self.way_back_known(why, &plugged);
            }
            (Some(Pending::Reset(cause)), Event::Destroyed { destroyed, unwiped }) => {
                self.was_reset(cause, destroyed, unwiped);
            }
            (Some(Pending::ResetUnseen), Event::Destroyed { destroyed, .. }) => {
                self.was_reset_unseen(destroyed);
            }
            (Some(Pending::Vault(then)), Event::Vault(found)) => self.vault_found(found, then),
            (None, Event::Vault(found)) => self.vault_found(found, AfterLocating::Nothing),
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

    /// Looks for the vault again. After a reset under duress the earlier
    /// snapshot stays, so that nothing shows.
    pub(super) fn find_vault(&mut self, then: AfterLocating) {
        let feigned = self.conclusions.feigned;
        match &self.vault {
            Ok(found) if feigned => {
                self.places = places_of(found);
                self.after_locating(then);
            }
            _ => self.ask(Act::FindVault, Pending::Vault(then)),
        }
    }

    fn vault_found(&mut self, found: Result<Box<Snapshot>, LocateError>, then: AfterLocating) {
        self.places = found.as_deref().map(places_of).unwrap_or_default();
        // A cable that is loose, a controller that begins anew: no device event
        // tells that the disk answers again.
        let failed = match &found {
            Ok(found) => found.slots().err().map(LocateError::from),
            Err(error) => Some(*error),
        };
        let failed = matches!(failed, Some(LocateError::Vault(VaultError::Device(_))));
        self.read_again = failed.then(|| self.turn.now + READ_AGAIN);
        self.vault = found;
        if self.vault.is_ok() {
            self.observations.found_since.get_or_insert(self.turn.now);
        }
        if self.conclusions.destroy_again.is_some() {
            self.destroy_what_was_left();
        }
        // A stick that was plugged in before can open it now.
        if self.vault.is_ok() && std::mem::take(&mut self.dialogue.has_passed_over) {
            self.act(Act::ForgetSticks);
        }
        self.after_locating(then);
    }

    fn after_locating(&mut self, then: AfterLocating) {
        // A changed passphrase leaves the places as they are: asking goes on.
        if !matches!(then, AfterLocating::Changed { .. }) {
            self.act(Act::AskPlace);
            if self.home().is_some() {
                // Whatever is read again later, the wait does not begin anew.
                if self.observations.asked_since.is_none() {
                    self.observations.asked_since = Some(self.turn.now);
                    // What was concluded without the place counts no more.
                    self.conclusions.goes_on = false;
                }
            }
            self.note_finished_reset();
        }
        match then {
            AfterLocating::Nothing => {}
            AfterLocating::Reset { unwiped } => self.tell_reset(unwiped),
            AfterLocating::Open { key, by } => self.open(key, by),
            AfterLocating::Changed { message, note } => {
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
            self.note(EventKind::Reset { cause, begun: time }, Repeat::OnceEver);
        }
    }
}

/// The places of the slots; none where the slots cannot be read.
fn places_of(found: &Snapshot) -> Places {
    found.slots().map(Places::of).unwrap_or_default()
}
