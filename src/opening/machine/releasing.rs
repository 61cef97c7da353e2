//! From a key, given by the place or a person, to the keys in memory. The
//! records that decide about it are proven first, every time.

use log::Level;

use super::Machine;
use super::answers::{Pending, Releasing};
use crate::environment::{Comparison, Margin, compare};
use crate::keys::MasterKey;
use crate::opening::act::{Act, StageEnd};
use crate::opening::dialogue::Question;
use crate::opening::messages::{LoginNotice, Message};
use crate::opening::places::PlaceOpened;
use crate::release::ReleaseError;
use crate::theft::{Assessment, Decision, WayBack, decide};
use crate::vault::{
    EventKind, FactorCounts, LocateError, OpenedBy, ProvenRecords, Thresholds, VaultError,
};

impl Machine {
    /// A place has opened the vault. Only now may the values be compared one by
    /// one. Answers that came during the last scrypt count too.
    pub(super) fn place_opened(&mut self, opened: &PlaceOpened) {
        let Some(found) = self.vault() else { return };
        let slots = found.slots().ok();
        let slot = slots.and_then(|slots| slots.environments.get(opened.at));
        let Some(slot) = slot else { return };
        let observed = &self.observations.observed;
        let compared = compare(&found.header, slot, &opened.key, observed);
        let (place, need) = (slot.name.clone(), slot.need);
        let same = compared.map_or_else(
            |_| FactorCounts::default(),
            |comparison| {
                self.tell_changes(&comparison, need);
                comparison.same
            },
        );
        let by = OpenedBy::Environment { place, same, need };
        self.open(opened.key.clone(), by);
    }

    /// Logs which factors have changed, never their values, and when one more
    /// change would ask for a stick.
    fn tell_changes(&mut self, comparison: &Comparison, need: Thresholds) {
        for label in &comparison.changed {
            self.log(Level::Warn, format!("not as it was enrolled: {label}"));
        }
        for label in &comparison.silent {
            self.log(Level::Info, format!("has not answered yet: {label}"));
        }
        self.observations.has_changed = !comparison.changed.is_empty();
        if self.observations.has_changed && Margin::of(&comparison.same, need).is_used_up {
            self.log(
                Level::Warn,
                "one more change, and this server asks for a stick: see stayput status",
            );
        }
    }

    /// Opens the server with `key`, if its records can be proven.
    pub(super) fn open(&mut self, key: MasterKey, by: OpenedBy) {
        self.ask(Act::Prove(key.clone()), Pending::Proof { key, by });
    }

    pub(super) fn proved(
        &mut self,
        key: MasterKey,
        by: OpenedBy,
        proven: Result<Box<ProvenRecords>, LocateError>,
    ) {
        let by_the_slots = matches!(
            by,
            OpenedBy::Environment { .. } | OpenedBy::Passphrase { .. }
        );
        match proven {
            Ok(proven) if by_the_slots && proven.state.is_reset() => {
                self.not_proven(&key, by, VaultError::WasReset.into());
            }
            Ok(proven) => {
                let releasing = Releasing { key, by, proven };
                let keys = releasing.proven.keys.clone();
                let policy = Box::new(releasing.policy().clone());
                let pending = Pending::Release(Box::new(releasing));
                self.ask(Act::Release(keys, policy), pending);
            }
            Err(error) => self.not_proven(&key, by, error),
        }
    }

    fn not_proven(&mut self, key: &MasterKey, by: OpenedBy, error: LocateError) {
        self.log(Level::Error, format!("not released: {error}"));
        self.say(Message::Vault(error));
        self.offer_mending(key, &by, error);
        match (&mut self.vault, error) {
            // The disk has gone: the vault is looked for when one appears.
            (vault, LocateError::Vault(VaultError::Device(_)) | LocateError::NoPartition) => {
                *vault = Err(error);
            }
            // No place opens an altered vault.
            (Ok(found), LocateError::Vault(error)) => found.slots = Err(error),
            _ => {}
        }
        self.not_opened(by);
    }

    /// The server did not open although the way in was right.
    fn not_opened(&mut self, by: OpenedBy) {
        match by {
            OpenedBy::Environment { .. } => self.judge(),
            OpenedBy::Stick { .. } => self.dialogue.stick = None,
            OpenedBy::Passphrase { .. } | OpenedBy::Code => {}
        }
    }

    /// The keys are in memory: the records are put right, and the stage ends.
    pub(super) fn released(&mut self, releasing: Releasing, released: Result<u32, ReleaseError>) {
        let milliseconds = match released {
            Ok(milliseconds) => milliseconds,
            Err(error) => {
                self.log(Level::Error, format!("not released: {error}"));
                self.say(Message::NotReleased(error));
                return self.not_opened(releasing.by);
            }
        };
        let Releasing { key, by, proven } = releasing;
        let accepted = self.accepted(&by);
        self.act(Act::StopAsking);
        if !matches!(by, OpenedBy::Environment { .. }) {
            self.note_locked();
            self.remember_place(&key, &proven.policy, &by);
        }
        self.settle(&key, &proven);
        self.act(Act::LeaveNotice(LoginNotice {
            // Factors that are silent so early may only be late: `stayput
            // status` looks again.
            margin: Margin::at_opening(&by).filter(|_| self.observations.has_changed),
            strikes: proven.state.strikes(),
        }));
        let kind = EventKind::Released { by, milliseconds };
        self.act(Act::NoteSealed { key, kind });
        self.act(Act::Close(accepted));
        self.act(Act::End(StageEnd::Released));
    }

    /// What is said last. Whoever is just typing a secret, and did not open the server by
    /// it, would go on before everybody's eyes.
    fn accepted(&self, by: &OpenedBy) -> Message {
        let question = &self.dialogue.question;
        let was_typed = match by {
            OpenedBy::Environment { .. } => false,
            OpenedBy::Stick { .. } => matches!(question, Question::Pin(_)),
            OpenedBy::Passphrase { .. } | OpenedBy::Code => true,
        };
        match was_typed || question.is_shown() {
            true => Message::Accepted,
            false => Message::AcceptedMeanwhile,
        }
    }

    /// Arms the theft state again: strikes do not count any more, and a state
    /// that was not written by this server is put right.
    fn settle(&mut self, key: &MasterKey, proven: &ProvenRecords) {
        let (home, theft) = (Assessment::AtHome, &proven.policy.theft);
        let decision = decide(&proven.state, theft, home, self.boot_id, WayBack::None);
        let Decision { write, .. } = decision;
        if write.is_some() || !proven.state_proven {
            self.act(Act::Arm {
                key: key.clone(),
                was_proven: proven.state_proven,
            });
        }
    }
}
