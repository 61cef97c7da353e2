//! Why the server is not open, and when and how that is said.

use super::{Found, PROMPT_AFTER, Stage};
use crate::boot::words::{Banner, Reason};
use crate::environment::{answered, enough_answered};
use crate::vault::locate::LocateError;
use crate::vault::{EventKind, LockedBecause, VaultError};

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

    /// Whether there is nothing left to try and nobody left to hear from.
    fn is_judged(&self) -> bool {
        let Ok(Found {
            slots: Ok(slots),
            matchers,
            ..
        }) = &self.found
        else {
            return false;
        };
        slots
            .environments
            .iter()
            .zip(matchers)
            .all(|(slot, matcher)| {
                let answers = answered(slot, &self.observed);
                answers.machine == answers.machine_of
                    && answers.place == answers.place_of
                    && !matcher.has_next(slot, &self.observed)
            })
    }

    /// Opens the prompt when it is due, and says so when the reason changes.
    pub(super) fn show_reason(&mut self) {
        let due = self.is_judged() || self.figures.since_start() >= PROMPT_AFTER;
        if !self.screen.is_open() && !due {
            return;
        }
        let reason = self.reason();
        if self.said.as_ref() == Some(&reason) {
            return;
        }
        log::warn!("locked: {reason}");
        self.note_locked(&reason);
        if self.screen.is_open() {
            self.screen.say(&reason);
        } else {
            self.screen.open(&banner(&self.found, &reason));
        }
        self.said = Some(reason);
    }

    /// Once a boot, and not for every neighbour that comes or goes.
    fn note_locked(&mut self, reason: &Reason) {
        let because = match reason {
            Reason::Silent { .. } => LockedBecause::PlaceSilent,
            Reason::NotRecognised => LockedBecause::NotRecognised,
            Reason::Fault(VaultError::PepperDamaged) => LockedBecause::PepperDamaged,
            Reason::Fault(_) | Reason::NoVault(_) => return,
        };
        let first = !matches!(
            self.said,
            Some(Reason::Silent { .. } | Reason::NotRecognised | Reason::Fault(_))
        );
        if let (Ok(found), true) = (&mut self.found, first) {
            let answered = found.slots.as_ref().ok().and_then(|slots| {
                let home = slots.environments.first()?;
                Some(answered(home, &self.observed))
            });
            let answered = answered.unwrap_or_default();
            self.note(EventKind::Locked { because, answered });
        }
    }
}

pub(super) fn banner<'a>(found: &'a Result<Found, LocateError>, reason: &'a Reason) -> Banner<'a> {
    let server = found.as_ref().ok();
    Banner {
        server: server.map(|found| found.header.server_name.as_str()),
        reason,
    }
}
