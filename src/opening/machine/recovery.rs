//! What a person's way in can do besides opening: mend altered settings, and
//! enrol this place, as the home of a server that was reset.

use log::Level;

use super::Machine;
use super::answers::{AfterLocating, Pending};
use crate::keys::MasterKey;
use crate::opening::act::{Act, Repeat, UsedWayIn};
use crate::opening::messages::{Message, NotRemembered};
use crate::stick::Stick;
use crate::theft::WayBack;
use crate::vault::{EventKind, LocateError, OpenedBy, Policy, Proven, VaultError};

/// What a person has asked for and what waits to be done.
#[derive(Default)]
pub(super) struct Recovery {
    /// Whether this place is enrolled when a person opens the server next.
    remember: bool,
    mend: Option<ToMend>,
}

/// The key to a vault with altered settings.
struct ToMend {
    key: MasterKey,
    by: OpenedBy,
    /// The stick that gave the key, if it was one.
    stick: Option<Stick>,
    /// The way in that gave the key, for the new list.
    used: UsedWayIn,
}

impl Recovery {
    /// Forgets everything, after a reset.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Forgets the key when its stick is pulled out.
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

    /// Enrols this place, where that was asked for, after a person has opened
    /// the server. The keys are released already, so a failure here does no
    /// harm.
    pub(super) fn remember_place(
        &mut self,
        key: &MasterKey,
        policy: &Proven<Policy>,
        by: &OpenedBy,
    ) {
        if std::mem::take(&mut self.recovery.remember) {
            self.act(Act::Print(Message::LookingAround));
            let waiting = self.dialogue.stick.as_ref();
            let used = waiting.filter(|_| matches!(by, OpenedBy::Stick { .. }));
            self.act(Act::Enrol {
                key: key.clone(),
                policy: Box::new(policy.clone()),
                used: used.map(|waiting| waiting.file.info.clone()),
            });
        }
    }

    pub(super) fn enrolled(&mut self, enrolled: Result<WayBack, NotRemembered>) {
        let message = match enrolled {
            Ok(_) => Message::Remembered,
            Err(why) => Message::NotRemembered(why),
        };
        self.log(Level::Warn, message.to_string().trim_end().to_owned());
        self.act(Act::Print(message));
        let withholds = self.vault().is_some_and(|found| {
            let is_rearmed = found.slots.is_err();
            is_rearmed && found.theft_policy().resets_by_itself()
        });
        if withholds && matches!(enrolled, Ok(WayBack::None)) {
            self.act(Act::Print(Message::NoStickCounts));
        }
    }

    /// Offers `mend` where the key is right but the settings were altered.
    pub(super) fn offer_mending(&mut self, key: &MasterKey, by: &OpenedBy, error: LocateError) {
        let LocateError::Vault(VaultError::Altered | VaultError::Damaged) = error else {
            return;
        };
        let waiting = self.dialogue.stick.as_ref();
        let (used, stick) = match (by, waiting, self.vault()) {
            (OpenedBy::Environment { .. }, ..) => return,
            (OpenedBy::Stick { .. }, Some(waiting), _) => (
                UsedWayIn::Stick(waiting.file.clone()),
                Some(waiting.stick.clone()),
            ),
            (OpenedBy::Code, _, Some(found)) => {
                let generation = found.header.generation;
                (UsedWayIn::Code { generation }, None)
            }
            _ => (UsedWayIn::Passphrase, None),
        };
        self.recovery.mend = Some(ToMend {
            key: key.clone(),
            by: by.clone(),
            stick,
            used,
        });
        self.say(Message::MendOffered);
    }

    /// Writes safe settings; then the same key opens the server.
    pub(super) fn mend(&mut self) {
        let Some(ToMend { key, by, used, .. }) = self.recovery.mend.take() else {
            return self.say(Message::NothingToMend);
        };
        let mend = Act::Mend {
            key: key.clone(),
            used,
        };
        self.ask(mend, Pending::Mend { key, by });
    }

    pub(super) fn mended(&mut self, key: MasterKey, by: OpenedBy, mended: Result<(), LocateError>) {
        if let Err(error) = mended {
            self.log(Level::Error, format!("not mended: {error}"));
            return self.say(Message::Vault(error));
        }
        self.log(Level::Warn, "safe settings were put back");
        self.note(EventKind::SettingsMended, Repeat::Always);
        self.find_vault(AfterLocating::Open { key, by });
    }
}
