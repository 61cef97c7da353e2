//! What a person's way in can do besides opening: mend settings that were
//! changed, and make this place the home of a server that was reset.

use log::Level;

use super::Machine;
use super::answers::{AfterFinding, Pending};
use crate::keys::MasterKey;
use crate::opening::act::{Act, Known, Unless};
use crate::opening::messages::{Message, NotRemembered};
use crate::stick::Stick;
use crate::vault::{EventKind, LocateError, OpenedBy, Policy, Proven, VaultError};

/// What a person asked for, until it can be done.
#[derive(Default)]
pub(super) struct Recovery {
    /// Whoever opens the server next has this place remembered.
    remember: bool,
    mend: Option<ToMend>,
}

/// What opened a vault whose settings do not prove.
struct ToMend {
    key: MasterKey,
    by: OpenedBy,
    /// The stick, if it was one.
    stick: Option<Stick>,
    /// What it was, for the new list.
    known: Known,
}

impl Recovery {
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The key does not outlive the stick in the server.
    pub fn forget_stick(&mut self, gone: &Stick) {
        let stick = self.mend.as_ref().and_then(|mend| mend.stick.as_ref());
        if stick == Some(gone) {
            self.mend = None;
        }
    }
}

impl Machine {
    pub(super) fn remember_later(&mut self) {
        let slots = self.vault().map(|found| found.slots().map(|_| ()));
        let message = match slots {
            Some(Ok(())) => Message::RemembersBeside,
            Some(Err(VaultError::WasReset | VaultError::PepperDamaged)) => Message::RemembersHome,
            _ => {
                let reason = self.reason();
                return self.say(Message::Reason(reason));
            }
        };
        self.recovery.remember = true;
        self.say(message);
    }

    /// After a person has opened it: this place from now on, if that was asked
    /// for. The key is released already; whatever fails here costs nothing.
    pub(super) fn remember_place(&mut self, key: &MasterKey, policy: &Proven<Policy>) {
        if std::mem::take(&mut self.recovery.remember) {
            self.act(Act::Print(Message::LookingAround));
            self.act(Act::Enrol(key.clone(), Box::new(policy.clone())));
        }
    }

    pub(super) fn enrolled(&mut self, enrolled: Result<(), NotRemembered>) {
        let message = match enrolled {
            Ok(()) => Message::Remembered,
            Err(why) => Message::NotRemembered(why),
        };
        self.log(Level::Warn, message.to_string().trim_end().to_owned());
        self.act(Act::Print(message));
    }

    /// The key is right, and what decides about a release does not prove.
    pub(super) fn offer_mending(&mut self, key: &MasterKey, by: &OpenedBy, error: LocateError) {
        let LocateError::Vault(VaultError::Altered | VaultError::Damaged) = error else {
            return;
        };
        let waiting = self.dialogue.stick.as_ref();
        let (known, stick) = match (by, waiting, self.vault()) {
            (OpenedBy::Environment { .. }, ..) => return,
            (OpenedBy::Stick { .. }, Some(waiting), _) => (
                Known::Stick(waiting.file.info.clone()),
                Some(waiting.stick.clone()),
            ),
            (OpenedBy::Code, _, Some(found)) => {
                let generation = found.header.generation;
                (Known::Code { generation }, None)
            }
            _ => (Known::Passphrase, None),
        };
        self.recovery.mend = Some(ToMend {
            key: key.clone(),
            by: by.clone(),
            stick,
            known,
        });
        self.say(Message::MendOffered);
    }

    /// Puts safe settings back; then the same way in opens the server.
    pub(super) fn mend(&mut self) {
        let Some(ToMend { key, by, known, .. }) = self.recovery.mend.take() else {
            return self.say(Message::NothingToMend);
        };
        let mend = Act::Mend {
            key: key.clone(),
            known,
        };
        self.ask(mend, Pending::Mend { key, by });
    }

    pub(super) fn mended(&mut self, key: MasterKey, by: OpenedBy, mended: Result<(), LocateError>) {
        if let Err(error) = mended {
            self.log(Level::Error, format!("not mended: {error}"));
            return self.say(Message::Vault(error));
        }
        self.log(Level::Warn, "safe settings were put back");
        self.note(EventKind::SettingsMended, Unless::Never);
        self.find_vault(AfterFinding::Open { key, by });
    }
}
