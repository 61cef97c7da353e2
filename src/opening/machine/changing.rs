//! Changes a passphrase at the prompt: asks for the present one, then for the
//! new one twice. This does not open the server.

use core::time::Duration;

use log::Level;
use subtle::ConstantTimeEq;

use super::Machine;
use super::answers::{AfterLocating, Pending};
use crate::keys::MasterKey;
use crate::opening::act::{Act, ChangeError};
use crate::opening::dialogue::{PassphraseChange, Question, TypedLine};
use crate::opening::messages::Message;
use crate::vault::{EventKind, PersonName, check_passphrase};

/// How long a change may take after the present passphrase was typed; then the
/// key is forgotten.
const GIVES_UP_AFTER: Duration = Duration::from_secs(5 * 60);

impl Machine {
    pub(super) fn ask_to_change(&mut self) {
        if self.takes_passphrases() {
            self.ask_for(Question::PresentPassphrase);
        }
    }

    /// Begins the change after the present passphrase was right.
    pub(super) fn begin_change(&mut self, key: MasterKey, name: PersonName) {
        self.dialogue.change = Some(PassphraseChange {
            key,
            name,
            new: TypedLine::default(),
            until: self.turn.now + GIVES_UP_AFTER,
        });
        self.ask_for(Question::NewPassphrase);
    }

    /// Gives a change up that takes too long: the key must not wait in memory.
    pub(super) fn give_up_change(&mut self) {
        let change = self.dialogue.change.as_ref();
        if change.is_some_and(|change| self.turn.now >= change.until) {
            self.dialogue.forget_entry();
            self.expect_command();
            self.say(Message::NothingChanged);
        }
    }

    pub(super) fn new_passphrase(&mut self, typed: TypedLine) {
        let Some(change) = &mut self.dialogue.change else {
            return self.cannot_enter();
        };
        if let Err(error) = check_passphrase(&typed) {
            return self.say(Message::Unusable(error));
        }
        change.new = typed;
        self.ask_for(Question::NewPassphraseAgain);
    }

    pub(super) fn new_passphrase_again(&mut self, typed: &TypedLine) {
        let Some(PassphraseChange { key, name, new, .. }) = self.dialogue.change.take() else {
            return self.cannot_enter();
        };
        self.expect_command();
        if !bool::from(new.ct_eq(typed)) {
            return self.say(Message::NotTheSame);
        }
        self.act(Act::Print(Message::Changing));
        // In the log, that the server is locked comes before the change.
        self.note_locked();
        let pending = Pending::Change {
            key: key.clone(),
            name: name.clone(),
        };
        self.ask(Act::ChangePassphrase { key, name, new }, pending);
    }

    /// Tells the outcome. The slots are read again, because they are sealed
    /// under a new pepper.
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
        let then = AfterLocating::Changed { message, note };
        self.ask(Act::FindVault, Pending::Vault(then));
    }
}
