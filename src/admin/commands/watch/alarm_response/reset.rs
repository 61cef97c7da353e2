//! The reset that an alarm asks for: the pepper, then the sticks.

use super::actions::{Actions, NotReset, WipedAgain};
use super::progress::Reset;
use super::{CAUSE, Response};
use crate::stick::StickId;
use crate::theft::{AlarmResponse, OnAlarm, WayBack, respond_to};
use crate::vault::{Destroyed, EventKind};

impl<A: Actions> Response<A> {
    /// Sticks may have been lost or plugged in since the last try. What it is to wipe is
    /// kept before: no stick that is wiped counts as a way back, whatever happens next.
    pub(super) fn begin_reset(&mut self) {
        let seen = self.actions.see_sticks();
        let unseen = "not reset: whether another way back is left cannot be seen";
        let Some(seen) = self.done(unseen, seen) else {
            return;
        };
        // Whoever opened it again has the stick plugged in that is left, and may have no other.
        if seen.was_reset {
            log::error!("not reset: the server was reset already, and no place is enrolled");
            return self.withhold();
        }
        let mut gone = self.progress.sticks_gone.clone();
        gone.extend(&seen.plugged);
        if respond_to(OnAlarm::Reset, seen.way_back(&gone)) != AlarmResponse::Reset {
            log::error!("not reset: no verified stick is listed but those that are plugged in");
            return self.withhold();
        }
        let before = std::mem::replace(&mut self.progress.sticks_gone, gone);
        self.progress.sticks_left = seen.plugged;
        self.progress.reset = Reset::AtWork { is_wanted: true };
        self.keep();
        match self.actions.destroy_pepper() {
            Ok((destroyed, unwiped)) => {
                self.progress.sticks_left = unwiped;
                self.judge_reset(destroyed);
            }
            // The released keys wait no longer.
            Err(NotReset::NotKnown(why)) => {
                self.done::<()>("the reset is still at work", Err(why));
            }
            Err(NotReset::AsItWas(why)) => {
                self.done::<()>("the reset failed", Err(why));
                self.progress.sticks_left.clear();
                self.progress.sticks_gone = before;
                self.progress.reset = Reset::Wanted;
            }
        }
    }

    fn withhold(&mut self) {
        self.progress.reset = Reset::Withheld;
        self.note(EventKind::ResetWithheld { cause: CAUSE });
    }

    /// A watch was killed while it was at work, or the disk has not answered. One that has
    /// not begun waits until this run has seen where the server is.
    pub(super) fn see_whether_it_began(&mut self, is_wanted: bool) {
        match self.was_armed() {
            None => {}
            Some(false) => self.destroy_rest(),
            Some(true) => {
                self.progress.sticks_left.clear();
                self.progress.reset = match is_wanted {
                    true => Reset::Wanted,
                    false => Reset::NotWanted,
                };
            }
        }
    }

    /// Not of a vault that its owner has armed since: its slots are new.
    pub(super) fn go_on_resetting(&mut self, vault_says_so: bool) {
        if vault_says_so {
            match self.was_armed() {
                None => return,
                Some(true) => {
                    self.progress.reset = Reset::Done;
                    return;
                }
                Some(false) => {}
            }
        }
        self.destroy_rest();
    }

    fn destroy_rest(&mut self) {
        let result = self.actions.destroy_rest();
        if let Some(destroyed) = self.done("the reset failed", result) {
            self.judge_reset(destroyed);
        }
    }

    fn was_armed(&mut self) -> Option<bool> {
        let is_armed = self.actions.is_armed();
        self.done("whether the vault was armed since cannot be seen", is_armed)
    }

    fn judge_reset(&mut self, destroyed: Destroyed) {
        self.progress.reset = Reset::Begun {
            vault_says_so: destroyed.state.is_ok(),
        };
        let whole = match destroyed {
            Destroyed {
                state: Err(error), ..
            } => Err(format!("the vault does not say that it was reset: {error}")),
            Destroyed { failed: 0, .. } => Ok(()),
            Destroyed { failed, .. } => Err(format!("{failed} blocks failed")),
        };
        if self.done("the reset is not complete", whole).is_some() {
            log::warn!("reset, {CAUSE}");
            self.progress.reset = Reset::Done;
        }
    }

    /// The sticks that the reset was to wipe too, when they come back. The owner of a vault
    /// that is armed again needs them.
    pub(super) fn wipe_sticks(&mut self) {
        if self.progress.sticks_left.is_empty() || self.progress.reset != Reset::Done {
            return;
        }
        match self.was_armed() {
            None => return,
            Some(true) => return self.progress.sticks_left.clear(),
            Some(false) => {}
        }
        let seen = self.actions.see_sticks();
        let Some(seen) = self.done("sticks are not wiped", seen) else {
            return;
        };
        let left = &mut self.progress.sticks_left;
        let back: Vec<StickId> = left
            .extract_if(.., |id| seen.plugged.contains(id))
            .collect();
        if back.is_empty() {
            return;
        }
        // Sticks may have been lost since.
        if seen.way_back(&self.progress.sticks_gone) == WayBack::None {
            left.extend(&back);
            let why = "no verified stick is listed but those that are plugged in or wiped";
            self.done::<()>("sticks are not wiped", Err(why.into()));
            return;
        }
        let WipedAgain { wiped, unwiped } = self.actions.wipe_sticks(&back);
        self.progress.sticks_left.extend(unwiped);
        if wiped > 0 {
            let left = self.progress.sticks_left.len();
            let left = left.try_into().unwrap_or(u8::MAX);
            self.note(EventKind::SticksWiped { wiped, left });
        }
    }
}
