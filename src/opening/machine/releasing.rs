//! From a key that somebody or the place has given to the key in memory. What
//! decides about it is proven first, every time.

use log::Level;

use super::Machine;
use super::answers::{Pending, Releasing};
use crate::environment::{Comparison, Margin, compare};
use crate::keys::MasterKey;
use crate::opening::act::{Act, End};
use crate::opening::messages::{LoginWords, Message};
use crate::opening::places::PlaceOpened;
use crate::release::ReleaseError;
use crate::theft::{Decision, Finding, WayBack, decide};
use crate::vault::{
    Answered, EventKind, LocateError, OpenedBy, ProvenRecords, Thresholds, VaultError,
};

impl Machine {
    /// A permitted combination fits. Only now may the values be compared one by
    /// one; whoever answered during the last scrypt counts as well.
    pub(super) fn place_opened(&mut self, opened: &PlaceOpened) {
        let Some(found) = self.vault() else { return };
        let slots = found.slots().ok();
        let slot = slots.and_then(|slots| slots.environments.get(opened.at));
        let Some(slot) = slot else { return };
        let observed = &self.around.observed;
        let compared = compare(&found.header, slot, &opened.key, observed);
        let (place, need) = (slot.name.clone(), slot.need);
        let same = compared.map_or_else(
            |_| Answered::default(),
            |comparison| {
                self.tell_changes(&comparison, need);
                comparison.same
            },
        );
        let by = OpenedBy::Environment { place, same, need };
        self.open(opened.key.clone(), by);
    }

    /// Names what is not as it was enrolled, never a value; and says when one
    /// change more would ask for a stick.
    fn tell_changes(&mut self, comparison: &Comparison, need: Thresholds) {
        for label in &comparison.changed {
            self.log(Level::Warn, format!("not as it was enrolled: {label}"));
        }
        for label in &comparison.silent {
            self.log(Level::Info, format!("has not answered yet: {label}"));
        }
        self.around.has_changed = !comparison.changed.is_empty();
        if self.around.has_changed && Margin::of(&comparison.same, need).is_used_up {
            self.log(
                Level::Warn,
                "one more change, and this server asks for a stick: see stayput status",
            );
        }
    }

    /// Releases the key, if the vault proves to be unchanged.
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
                let (key, policy) = (releasing.key.clone(), Box::new(releasing.policy().clone()));
                let pending = Pending::Release(Box::new(releasing));
                self.ask(Act::Release(key, policy), pending);
            }
            Err(error) => self.not_proven(&key, by, error),
        }
    }

    fn not_proven(&mut self, key: &MasterKey, by: OpenedBy, error: LocateError) {
        self.log(Level::Error, format!("not released: {error}"));
        self.say(Message::Vault(error));
        self.offer_mending(key, &by, error);
        match (&mut self.vault, error) {
            // The disk has gone: it is looked for anew when one comes.
            (vault, LocateError::Vault(VaultError::Device(_)) | LocateError::NoPartition) => {
                *vault = Err(error);
            }
            // No place opens a vault that was tampered with.
            (Ok(found), LocateError::Vault(error)) => found.slots = Err(error),
            _ => {}
        }
        self.not_opened(by);
    }

    /// A way in that did not open the server after all.
    fn not_opened(&mut self, by: OpenedBy) {
        match by {
            OpenedBy::Environment { .. } => self.judge(),
            OpenedBy::Stick { .. } => self.dialogue.stick = None,
            OpenedBy::Passphrase { .. } | OpenedBy::Code => {}
        }
    }

    /// The key is in memory: what is left is to be put right and written down.
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
        self.act(Act::StopAsking);
        if !matches!(by, OpenedBy::Environment { .. }) {
            self.note_locked();
            self.remember_place(&key, &proven.policy);
        }
        self.settle(&key, &proven);
        self.act(Act::LeaveNotice(LoginWords {
            // What is silent so early may only be late: status looks again.
            margin: Margin::at_opening(&by).filter(|_| self.around.has_changed),
            strikes: proven.state.strikes(),
        }));
        let kind = EventKind::Released { by, milliseconds };
        self.act(Act::NoteSealed { key, kind });
        self.act(Act::Close(Message::Accepted));
        self.act(Act::End(End::Released));
    }

    /// The server has opened: strikes do not count any more, and a state that
    /// somebody else wrote is put right.
    fn settle(&mut self, key: &MasterKey, proven: &ProvenRecords) {
        let (home, theft) = (Finding::AtHome, &proven.policy.theft);
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
