//! Strikes and resets: does what the theft state machine decides, on the disk
//! first and on the screen afterwards.

use core::time::Duration;
use std::path::PathBuf;

use log::Level;

use super::answers::{AfterLocating, Pending, WayBackPurpose};
use super::{Machine, READ_AGAIN};
use crate::opening::act::{Act, Repeat, TheftRecords};
use crate::opening::dialogue::Question;
use crate::opening::messages::Message;
use crate::theft::{
    Assessment, BootResponse, Decision, ResetCause, TheftState, UnderDuress, WayBack, decide,
    under_duress,
};
use crate::vault::{Destroyed, EventKind, LocateError};

impl Machine {
    /// Asks the theft state machine, with the records on the disk now. The
    /// state that it returns is written before anything else.
    pub(super) fn decide(
        &mut self,
        assessment: Assessment,
        records: Result<TheftRecords, LocateError>,
    ) {
        let records = match records {
            Ok(records) => records,
            Err(error) => return self.conclude(assessment, Err(error)),
        };
        // A state that cannot be read is not replaced.
        let Ok(state) = records.state else {
            return self.conclude(assessment, Ok(BootResponse::Ask));
        };
        let theft = *records.policy.as_claimed();
        let way_back = match assessment {
            Assessment::Foreign => self.way_back(&records.plugged),
            _ => WayBack::None,
        };
        let boot_id = self.boot_id;
        let Decision { write, then } = decide(&state, &theft, assessment, boot_id, way_back);
        match write {
            Some(TheftState::Suspect { strikes, boot_id }) => {
                let of = theft.strikes;
                let strike = Act::Strike {
                    strikes,
                    boot_id,
                    of,
                };
                self.ask(strike, Pending::Strike { assessment, then });
            }
            _ => self.conclude(assessment, Ok(then)),
        }
    }

    /// Does what was decided, after the state was written or could not be.
    pub(super) fn conclude(
        &mut self,
        assessment: Assessment,
        then: Result<BootResponse, LocateError>,
    ) {
        // Only now: the screen tells what is on the disk.
        self.conclusions.assessment = Some(assessment);
        self.conclusions.goes_on = matches!(then, Ok(BootResponse::AskThenGoOn));
        match then {
            Ok(BootResponse::Reset(cause)) => return self.reset(cause),
            Ok(BootResponse::Withhold(cause)) => self.withhold(cause),
            Ok(BootResponse::Open | BootResponse::Ask | BootResponse::AskThenGoOn) => {}
            Err(error) => self.log(
                Level::Error,
                format!("the assessment was not written: {error}"),
            ),
        }
        self.show();
    }

    /// Whether a stick that is not among the `plugged` ones, or a recovery
    /// code, opens this server.
    pub(super) fn way_back(&self, plugged: &[[u8; 8]]) -> WayBack {
        self.vault()
            .map_or(WayBack::None, |found| found.way_back(plugged))
    }

    pub(super) fn ask_way_back(&mut self, why: WayBackPurpose) {
        self.ask(Act::FindPluggedKeys, Pending::WayBack(why));
    }

    pub(super) fn way_back_known(&mut self, why: WayBackPurpose, plugged: &[[u8; 8]]) {
        let way_back = self.way_back(plugged);
        match (why, way_back) {
            (WayBackPurpose::Reset(cause), _) => {
                let wipe = way_back == WayBack::Listed;
                self.ask(Act::Destroy { cause, wipe }, Pending::Reset(cause));
            }
            (WayBackPurpose::Offer, _) => {
                let way_back = way_back == WayBack::Listed;
                self.act(Act::Print(Message::ResetOffered { way_back }));
                self.ask_for(Question::ServerName);
            }
            // This reset is told on the screen, even after a duress passphrase.
            (WayBackPurpose::UsedUp { .. }, WayBack::Listed) => {
                self.reset(ResetCause::WrongEntries)
            }
            (WayBackPurpose::UsedUp { duress }, WayBack::None) => {
                self.withhold(ResetCause::WrongEntries);
                if duress {
                    self.under_duress();
                }
            }
            (WayBackPurpose::Duress, elsewhere) => self.destroy_unseen(elsewhere),
        }
    }

    fn withhold(&mut self, cause: ResetCause) {
        self.log(
            Level::Error,
            "not reset: no code, and no stick but those plugged in, is listed as verified",
        );
        self.note(EventKind::ResetWithheld { cause }, Repeat::OncePerBoot);
    }

    /// Destroys the pepper, the slots and the released keys, and tells it. The
    /// keys on plugged sticks are destroyed too where there is another way
    /// back.
    pub(super) fn reset(&mut self, cause: ResetCause) {
        self.ask_way_back(WayBackPurpose::Reset(cause));
    }

    pub(super) fn was_reset(
        &mut self,
        cause: ResetCause,
        destroyed: Result<Destroyed, LocateError>,
        unwiped: Vec<PathBuf>,
    ) {
        match destroyed {
            Ok(Destroyed {
                state: Err(error), ..
            }) => self.log(
                Level::Error,
                format!("reset, but the vault does not say so: {error}"),
            ),
            Ok(Destroyed { failed: 0, .. }) => self.log(Level::Warn, format!("reset, {cause}")),
            Ok(Destroyed { failed: blocks, .. }) => {
                self.log(Level::Error, format!("reset, but {blocks} blocks failed"));
                if self.prompt.is_open {
                    self.act(Act::Print(Message::NotDestroyed { blocks }));
                }
            }
            Err(error) => self.log(Level::Error, format!("the reset failed: {error}")),
        }
        for device in &unwiped {
            self.log(Level::Error, format!("{} was not wiped", device.display()));
        }
        self.dialogue.stick = None;
        self.dialogue.forget_entry();
        self.conclusions.feigned = false;
        self.conclusions.destroy_again = None;
        self.recovery.forget();
        // A stick whose key was left still opens the server: its PIN is asked
        // again.
        self.act(Act::ForgetSticks);
        self.find_vault(AfterLocating::Reset { unwiped });
    }

    /// Tells that the server was reset, after the vault was read again, and which
    /// devices were not wiped.
    pub(super) fn tell_reset(&mut self, unwiped: Vec<PathBuf>) {
        self.expect_command();
        let reason = self.reason();
        self.say(Message::ReasonAndAdvice(reason.clone()));
        // A prompt that was not open yet shows it in its banner.
        self.prompt.said = self.prompt.is_open.then_some(reason);
        self.show();
        if !unwiped.is_empty() {
            self.say(Message::NotWiped(unwiped));
        }
    }

    /// Handles a duress passphrase: the destruction of a reset, which neither
    /// the screen nor the kernel's log shows before the next boot.
    pub(super) fn under_duress(&mut self) {
        // Where the slots are gone already there is nothing to destroy.
        if self.vault().is_some_and(|found| found.slots.is_ok()) {
            self.ask_way_back(WayBackPurpose::Duress);
        }
    }

    /// Destroys as a reset does without telling it. The slots in memory stay, but their
    /// wraps open nothing, whatever the disk takes. What the sticks count for is not
    /// touched before it is known what was destroyed.
    fn destroy_unseen(&mut self, elsewhere: WayBack) {
        let cause = ResetCause::Duress;
        let anywhere = self.way_back(&[]);
        match under_duress(elsewhere, anywhere) {
            UnderDuress::Withhold => {
                let withheld = EventKind::ResetWithheld { cause };
                self.note(withheld, Repeat::OncePerBoot);
            }
            UnderDuress::Destroy { plugged_sticks } => {
                if let Ok(found) = &mut self.vault
                    && let Ok(slots) = &mut found.slots
                {
                    slots.make_useless();
                }
                self.conclusions.feigned = true;
                let wipe = plugged_sticks;
                self.ask(Act::Destroy { cause, wipe }, Pending::ResetUnseen);
            }
        }
    }

    /// When it is tried again, where slots are known: where the disk has gone meanwhile, it
    /// waits until that answers again.
    pub(super) fn destroys_again(&self) -> Option<Duration> {
        let has_slots = self.vault().is_some_and(|found| found.slots.is_ok());
        self.conclusions.destroy_again.filter(|_| has_slots)
    }

    /// The disk that took nothing of a destruction under duress answers again, and was read:
    /// what it holds opens nothing, and is destroyed now.
    pub(super) fn destroy_what_was_left(&mut self) {
        if let Ok(found) = &mut self.vault
            && let Ok(slots) = &mut found.slots
        {
            slots.make_useless();
            self.conclusions.feigned = true;
            self.conclusions.destroy_again = Some(self.turn.now);
        }
    }

    /// After the destruction under duress, or what the disk took of it. One that shows may
    /// have wiped sticks. Else none was, and all is as it was: it is tried again, and the
    /// sticks count until then.
    pub(super) fn was_reset_unseen(&mut self, destroyed: Result<Destroyed, LocateError>) {
        if !destroyed.is_ok_and(|destroyed| destroyed.shows()) {
            self.conclusions.destroy_again = Some(self.turn.now + READ_AGAIN);
        } else if let Ok(found) = &mut self.vault {
            // Whoever plugs in another stick next does not lose that one too.
            found.forget_verified_sticks();
        }
    }
}
