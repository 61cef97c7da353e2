//! Why the server is not open, and when and how that is said.

use super::{Found, Stage};
use crate::boot::judging::{Progress, Show};
use crate::boot::words::{Banner, Hint, Reason};
use crate::environment::{answered, enough_answered};
use crate::vault::locate::LocateError;
use crate::vault::{Answered, EventKind, LockedBecause, VaultError};

impl Stage {
    /// Why the server is not open, as far as is known.
    pub(super) fn reason(&self) -> Reason {
        let found = match &self.found {
            Ok(found) => found,
            Err(error) => return Reason::NoVault(*error),
        };
        let slots = match &found.slots {
            Ok(slots) => slots,
            Err(error) => return Reason::Fault(*error),
        };
        let enough = |slot| enough_answered(slot, &self.observed);
        match slots.environments.first() {
            Some(home) if !slots.environments.iter().any(|slot| enough(slot)) => Reason::Silent {
                answered: answered(home, &self.observed),
                need: home.need,
            },
            _ => Reason::NotRecognised,
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
            answers.machine == answers.machine_of && answers.place == answers.place_of
        };
        Progress {
            since_start: self.figures.since_start(),
            hopeless: slots.is_some() && places.is_empty(),
            to_try: self.has_next(),
            all_answered: !places.is_empty() && places.iter().all(|slot| all(slot)),
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
        if progress.is_certain() {
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
            Reason::NotRecognised => LockedBecause::NotRecognised,
            Reason::Fault(VaultError::PepperDamaged) => LockedBecause::PepperDamaged,
            Reason::Fault(VaultError::WasReset) => LockedBecause::Reset,
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
    Banner {
        server: server.map(|found| found.header.server_name.as_str()),
        reason,
    }
}
