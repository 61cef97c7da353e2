//! What the consoles show while the server is locked, and the end of that: the system that
//! starts without the keys.

use super::Machine;
use super::STILL_THERE;
use crate::environment::answered;
use crate::opening::act::{Act, Repeat, StageEnd};
use crate::opening::assessment::PromptStage;
use crate::opening::messages::{Banner, Message, Reason};
use crate::opening::snapshot::Snapshot;
use crate::vault::{EventKind, FactorCounts, LockedBecause, VaultError};
use log::Level;

impl Machine {
    /// Opens the prompt when it is due, tells the reason when it has changed,
    /// and looks for sticks once the prompt is open.
    pub(super) fn show(&mut self) {
        let progress = self.progress();
        match progress.stage() {
            _ if self.prompt.is_open => {}
            PromptStage::Prompt => {}
            PromptStage::Nothing => return self.go_on_locked(),
            PromptStage::Hint => {
                if !std::mem::replace(&mut self.prompt.hinted, true) {
                    self.act(Act::Hint);
                }
                return self.go_on_locked();
            }
        }
        if progress.assessment().is_some() {
            self.note_locked();
        }
        // While a combination waits, the reason that was shown stays.
        if !progress.to_try || self.prompt.said.is_none() {
            self.open_prompt();
        }
        self.act(Act::LookForSticks);
    }

    /// Opens the prompt, or tells the reason where it has changed.
    pub(super) fn open_prompt(&mut self) {
        let reason = if self.has_next(self.turn.now) {
            Reason::Looking
        } else {
            self.reason()
        };
        if self.prompt.said.as_ref() == Some(&reason) {
            return;
        }
        self.log(Level::Warn, format!("locked: {reason}"));
        if self.prompt.is_open {
            self.say(Message::Reason(reason.clone()));
        } else {
            self.prompt.is_open = true;
            let banner = self.banner(&reason);
            self.act(Act::OpenPrompt(banner));
        }
        self.prompt.said = Some(reason);
    }

    pub(super) fn banner(&self, reason: &Reason) -> String {
        let found = self.vault();
        let banner = Banner {
            server: found.map(|found| found.header.server_name.as_str()),
            reason,
            ways_in: found.map(Snapshot::ways_in).unwrap_or_default(),
        };
        banner.to_string()
    }

    /// Starts the system without the keys, where the policy says so, the wait
    /// is over, and nobody is at the prompt.
    pub(super) fn go_on_locked(&mut self) {
        let now = self.turn.now;
        let is_due = self.conclusions.goes_on && now >= self.goes_on_at();
        if !is_due || self.dialogue.is_somebody_there(now, STILL_THERE) {
            return;
        }
        self.act(Act::StopAsking);
        self.note_locked();
        self.note(EventKind::WentOnLocked, Repeat::OncePerBoot);
        self.start_without_keys();
    }

    pub(super) fn start_without_keys(&mut self) {
        self.log(Level::Warn, "the system starts without the keys");
        self.act(Act::Close(Message::WithoutDatabase));
        self.act(Act::End(StageEnd::WithoutKeys));
    }

    /// Notes in the vault's log that the server stayed locked, once a boot.
    pub(super) fn note_locked(&mut self) {
        let because = match self.reason() {
            Reason::Silent { .. } => LockedBecause::PlaceSilent,
            Reason::NotRecognised | Reason::NotYetRecognised => LockedBecause::NotRecognised,
            Reason::WasReset(_) => LockedBecause::Reset,
            Reason::ChangedMachine => LockedBecause::ChangedMachine,
            Reason::KeyServerLost => LockedBecause::KeyServerLost,
            Reason::Fault(VaultError::PepperDamaged) => LockedBecause::PepperDamaged,
            Reason::Fault(VaultError::Altered) => LockedBecause::Altered,
            Reason::Fault(_) | Reason::NoVault(_) | Reason::Looking => return,
        };
        if std::mem::replace(&mut self.conclusions.noted_locked, true) {
            return;
        }
        let observed = &self.observations.observed;
        let answered = self
            .home()
            .map_or_else(FactorCounts::default, |home| answered(home, observed));
        let locked = EventKind::Locked { because, answered };
        self.note(locked, Repeat::OncePerBoot);
    }
}
