//! Changing a passphrase at the prompt: the present one, then the new one
//! twice. It opens nothing.

use core::time::Duration;

use log::Level;
use subtle::ConstantTimeEq;

use super::Machine;
use super::answers::{AfterFinding, Pending};
use crate::keys::MasterKey;
use crate::opening::act::{Act, ChangeError};
use crate::opening::dialogue::{Changing, Line, Question};
use crate::opening::messages::Message;
use crate::vault::{EventKind, PersonName, usable};

/// From the present passphrase until the new one was typed twice; then the key
/// is forgotten.
const GIVES_UP_AFTER: Duration = Duration::from_secs(5 * 60);

impl Machine {
    pub(super) fn ask_to_change(&mut self) {
        if self.takes_passphrases() {
            self.ask_for(Question::PresentPassphrase);
        }
    }

    /// The present passphrase was right.
    pub(super) fn begin_change(&mut self, key: MasterKey, name: PersonName) {
        self.dialogue.change = Some(Changing {
            key,
            name,
            new: Line::default(),
            until: self.turn.now + GIVES_UP_AFTER,
        });
        self.ask_for(Question::NewPassphrase);
    }

    /// Whoever began it has gone away: the key does not wait in memory.
    pub(super) fn give_up_change(&mut self) {
        let change = self.dialogue.change.as_ref();
        if change.is_some_and(|change| self.turn.now >= change.until) {
            self.dialogue.forget_entry();
            self.expect_command();
            self.say(Message::NothingChanged);
        }
    }

    pub(super) fn new_passphrase(&mut self, typed: Line) {
        let Some(change) = &mut self.dialogue.change else {
            return self.cannot_enter();
        };
        if let Err(error) = usable(&typed) {
            return self.say(Message::Unusable(error));
        }
        change.new = typed;
        self.ask_for(Question::NewPassphraseAgain);
    }

    pub(super) fn new_passphrase_again(&mut self, typed: &Line) {
        let Some(Changing { key, name, new, .. }) = self.dialogue.change.take() else {
            return self.cannot_enter();
        };
        self.expect_command();
        if !bool::from(new.ct_eq(typed)) {
            return self.say(Message::NotTheSame);
        }
        self.act(Act::Print(Message::Changing));
        // In the log the lock comes before what was done to it.
        self.note_locked();
        let pending = Pending::Change {
            key: key.clone(),
            name: name.clone(),
        };
        self.ask(Act::ChangePassphrase { key, name, new }, pending);
    }

    /// The slots are sealed under a new pepper then, and read anew.
    pub(super) fn changed(
        &mut self,
        key: MasterKey,
        name: PersonName,
        changed: Result<(), ChangeError>,
    ) {
        let (message, note) = match changed {
            Err(ChangeError::Nothing(why)) => return self.say(Message::NotChanged(why)),
            Err(ChangeError::Perhaps(error)) => {
                self.log(
                    Level::Error,
                    format!("the passphrase was not changed: {error}"),
                );
                (Message::PerhapsChanged(error), None)
            }
            Ok(()) => {
                let kind = EventKind::PassphraseChanged { name: name.clone() };
                (Message::Changed(name), Some((key, kind)))
            }
        };
        let then = AfterFinding::Changed { message, note };
        self.ask(Act::FindVault, Pending::Vault(then));
    }
}
