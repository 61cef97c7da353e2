//! Why the server is not open, and when and how that is said.

use std::time::Instant;

use super::{Found, Stage};
use crate::environment::{Observed, answered};
use crate::locked::Situation;
use crate::locked::judging::{Progress, Show};
use crate::locked::words::{Banner, Hint, Reason, WaysIn};
use crate::vault::locate::LocateError;
use crate::vault::{Answered, EventKind, LockedBecause, VaultError};

impl Stage {
    /// Why the server is not open, as far as is known.
    pub(super) fn reason(&self) -> Reason {
        match &self.found {
            Ok(found) => found.situation(&self.observed).reason(self.acted_on),
            Err(error) => Reason::NoVault(*error),
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
        let since_start = self.figures.since_start();
        match &self.found {
            Ok(found) => found.situation(&self.observed).progress(
                since_start,
                found.policy.wait(),
                self.enough_since.map(|since| since.elapsed()),
                self.has_next(),
            ),
            Err(_) => Progress::without_vault(since_start),
        }
    }

    /// Notes from when on enough has answered. A person who looks again does
    /// not begin a new wait.
    pub(super) fn note_answers(&mut self) {
        let enough = |found: &Found| found.situation(&self.observed).could_be_foreign();
        if self.found.as_ref().is_ok_and(enough) {
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

impl Found {
    fn situation<'a>(&'a self, observed: &'a Observed) -> Situation<'a> {
        Situation {
            slots: self.slots.as_deref().map_err(|error| *error),
            state: self.state,
            observed,
        }
    }
}

pub(super) fn banner<'a>(found: &'a Result<Found, LocateError>, reason: &'a Reason) -> Banner<'a> {
    let server = found.as_ref().ok();
    let ways_in = server.map(|found| {
        WaysIn::of(
            found.slots.as_deref().ok(),
            &found.sticks,
            found.header.generation,
        )
    });
    Banner {
        server: server.map(|found| found.header.server_name.as_str()),
        reason,
        ways_in: ways_in.unwrap_or_default(),
    }
}
