//! Why the server is not open, and when and how that is said.

use std::time::Instant;

use super::{Found, Stage};
use crate::boot::judging::{Progress, Show};
use crate::boot::words::{Banner, Hint, Reason, WaysIn};
use crate::environment::{answered, enough_answered};
use crate::theft::{Finding, TheftPolicy, TheftState};
use crate::vault::locate::LocateError;
use crate::vault::{Answered, EnvironmentSlot, EventKind, LockedBecause, VaultError};

impl Stage {
    /// Why the server is not open, as far as is known.
    pub(super) fn reason(&self) -> Reason {
        let found = match &self.found {
            Ok(found) => found,
            Err(error) => return Reason::NoVault(*error),
        };
        let slots = match &found.slots {
            Ok(slots) => slots,
            Err(VaultError::WasReset) => {
                return match found.state {
                    TheftState::Reset { cause, .. } => Reason::WasReset(cause),
                    _ => Reason::Fault(VaultError::WasReset),
                };
            }
            Err(error) => return Reason::Fault(*error),
        };
        let enough = |slot| enough_answered(slot, &self.observed);
        match slots.environments.first() {
            Some(home) if !slots.environments.iter().any(|slot| enough(slot)) => Reason::Silent {
                answered: answered(home, &self.observed),
                need: home.need,
            },
            None => Reason::NotRecognised,
            _ if self.acted_on == Some(Finding::Foreign) => Reason::NotRecognised,
            _ => Reason::NotYetRecognised,
        }
    }

    /// Whether a combination waits to be tried.
    pub(super) fn has_next(&self) -> bool {
        self.found.as_ref().is_ok_and(|found| {
            found.slots.as_ref().is_ok_and(|slots| {
                let mut places = slots.environments.iter().zip(&found.matchers);
                places.any(|(slot, matcher)| matcher.has_next(slot, &self.observed))
            })
        })
    }

    pub(super) fn progress(&self) -> Progress {
        let slots = self.found.as_ref().ok().map(|found| &found.slots);
        let places = match slots {
            Some(Ok(slots)) => &slots.environments[..],
            _ => &[],
        };
        let all = |slot| {
            let answers = answered(slot, &self.observed);
            answers.machine == answers.machine_of
                && answers.place == answers.place_of
                && answers.servers == answers.servers_of
        };
        let machine_missing = |slot: &EnvironmentSlot| {
            let answers = answered(slot, &self.observed);
            // Where nothing of the place is needed, nothing tells a foreign one.
            answers.place >= slot.need.place
                && answers.servers >= slot.need.servers
                && (answers.machine < slot.need.machine || !slot.need.binds_to_a_place())
        };
        let found = self.found.as_ref();
        let policy = found.map_or_else(|_| TheftPolicy::default(), |found| found.policy);
        Progress {
            since_start: self.figures.since_start(),
            wait: policy.wait(),
            enough_for: self
                .enough_since
                .filter(|_| places.iter().any(|slot| self.could_be_foreign(slot)))
                .map(|since| since.elapsed()),
            machine_missing: places.iter().any(|slot| machine_missing(slot)),
            hopeless: slots.is_some() && places.is_empty(),
            to_try: self.has_next(),
            all_answered: !places.is_empty() && places.iter().all(|slot| all(slot)),
        }
    }

    /// Whether enough has answered here to say that this is not the place.
    fn could_be_foreign(&self, slot: &EnvironmentSlot) -> bool {
        slot.need.binds_to_a_place() && enough_answered(slot, &self.observed)
    }

    /// Notes from when on enough has answered. A person who looks again does
    /// not begin a new wait.
    pub(super) fn note_answers(&mut self) {
        let Ok(Found {
            slots: Ok(slots), ..
        }) = &self.found
        else {
            return;
        };
        let mut places = slots.environments.iter();
        if places.any(|slot| self.could_be_foreign(slot)) {
            self.enough_since.get_or_insert_with(Instant::now);
        }
    }

    /// Opens the prompt when it is due, and says so when the reason changes.
    pub(super) fn show_reason(&mut self) {
        let progress = self.progress();
        match progress.show() {
            _ if self.screen.is_open() => {}
            Show::Nothing => return,
            Show::Hint => return self.screen.hint(&Hint),
            Show::Prompt => {}
        }
        if progress.finding().is_some() {
            self.note_locked();
        }
        // Something is about to be known: what was said holds until then.
        if progress.to_try && self.said.is_some() {
            return;
        }
        let reason = if progress.to_try {
            Reason::Looking
        } else {
            self.reason()
        };
        self.open_prompt(reason);
    }

    /// Somebody is there and does not want to wait.
    pub(super) fn open_prompt_now(&mut self) {
        let reason = if self.has_next() {
            Reason::Looking
        } else {
            self.reason()
        };
        self.open_prompt(reason);
    }

    fn open_prompt(&mut self, reason: Reason) {
        if self.said.as_ref() == Some(&reason) {
            return;
        }
        log::warn!("locked: {reason}");
        if self.screen.is_open() {
            self.screen.say(&reason);
        } else {
            self.screen.open(&banner(&self.found, &reason));
        }
        self.said = Some(reason);
    }

    /// Writes into the vault's log that the server stayed locked: once a boot,
    /// however often the stage is started in it.
    pub(super) fn note_locked(&mut self) {
        let because = match self.reason() {
            Reason::Silent { .. } => LockedBecause::PlaceSilent,
            Reason::NotRecognised | Reason::NotYetRecognised => LockedBecause::NotRecognised,
            Reason::WasReset(_) => LockedBecause::Reset,
            Reason::Fault(VaultError::PepperDamaged) => LockedBecause::PepperDamaged,
            Reason::Fault(VaultError::Altered) => LockedBecause::Altered,
            Reason::Fault(_) | Reason::NoVault(_) | Reason::Looking => return,
        };
        if std::mem::replace(&mut self.noted_locked, true) {
            return;
        }
        let Ok(found) = &self.found else { return };
        let home = found
            .slots
            .as_ref()
            .ok()
            .and_then(|slots| slots.environments.first());
        let answered = home.map_or_else(Answered::default, |home| answered(home, &self.observed));
        self.note_once_a_boot(EventKind::Locked { because, answered });
    }
}

pub(super) fn banner<'a>(found: &'a Result<Found, LocateError>, reason: &'a Reason) -> Banner<'a> {
    let server = found.as_ref().ok();
    let ways_in = server.map(|found| {
        let slots = found.slots.as_ref();
        WaysIn {
            passphrase: slots.is_ok_and(|slots| !slots.passphrases.is_empty()),
            code: found.sticks.code_of(found.header.generation).is_some(),
        }
    });
    Banner {
        server: server.map(|found| found.header.server_name.as_str()),
        reason,
        ways_in: ways_in.unwrap_or_default(),
    }
}
