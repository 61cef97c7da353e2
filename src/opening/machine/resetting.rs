//! What the machine does when the server may have been stolen: what `theft`
//! decides, on the disk first and on the screen afterwards.

use log::Level;

use super::Machine;
use super::answers::{AfterFinding, Pending, Why};
use crate::opening::act::{Act, TheftRecords, Unless};
use crate::opening::dialogue::Question;
use crate::opening::messages::Message;
use crate::theft::{
    Decision, Finding, ResetCause, TheftState, Then, UnderDuress, WayBack, decide, under_duress,
};
use crate::vault::{Destroyed, EventKind, LocateError};

impl Machine {
    /// Asks the state machine, by what stands on the disk now. What it says is
    /// written before anything else.
    pub(super) fn decide(&mut self, finding: Finding, records: Result<TheftRecords, LocateError>) {
        let records = match records {
            Ok(records) => records,
            Err(error) => return self.conclude(finding, Err(error)),
        };
        // Nothing follows from a state that cannot be read.
        let Ok(state) = records.state else {
            return self.conclude(finding, Ok(Then::Ask));
        };
        let theft = *records.policy.as_claimed();
        let way_back = match finding {
            Finding::Foreign => self.way_back(&records.plugged),
            _ => WayBack::None,
        };
        let boot_id = self.boot_id;
        let Decision { write, then } = decide(&state, &theft, finding, boot_id, way_back);
        match write {
            Some(TheftState::Suspect { strikes, boot_id }) => {
                let of = theft.strikes;
                let strike = Act::Strike {
                    strikes,
                    boot_id,
                    of,
                };
                self.ask(strike, Pending::Strike { finding, then });
            }
            _ => self.conclude(finding, Ok(then)),
        }
    }

    /// What was to be written is on the disk, or could not be.
    pub(super) fn conclude(&mut self, finding: Finding, then: Result<Then, LocateError>) {
        // Only now: the screen says what is on the disk.
        self.concluded.finding = Some(finding);
        self.concluded.goes_on = matches!(then, Ok(Then::AskThenGoOn));
        match then {
            Ok(Then::Reset(cause)) => return self.reset(cause),
            Ok(Then::Withhold(cause)) => self.withhold(cause),
            Ok(Then::Open | Then::Ask | Then::AskThenGoOn) => {}
            Err(error) => self.log(
                Level::Error,
                format!("the finding was not written: {error}"),
            ),
        }
        self.show();
    }

    /// Whether a stick that is not plugged in, or a recovery code, opens this
    /// server.
    fn way_back(&self, plugged: &[[u8; 8]]) -> WayBack {
        self.vault()
            .map_or(WayBack::None, |found| found.way_back(plugged))
    }

    pub(super) fn ask_way_back(&mut self, why: Why) {
        self.ask(Act::FindPluggedKeys, Pending::WayBack(why));
    }

    pub(super) fn way_back_known(&mut self, why: Why, plugged: &[[u8; 8]]) {
        let way_back = self.way_back(plugged);
        match (why, way_back) {
            (Why::Reset(cause), _) => {
                let wipe = way_back == WayBack::Listed;
                self.ask(Act::Destroy { cause, wipe }, Pending::Reset(cause));
            }
            (Why::Offer, _) => {
                let way_back = way_back == WayBack::Listed;
                self.act(Act::Print(Message::ResetOffered { way_back }));
                self.ask_for(Question::ServerName);
            }
            // The limit of wrong entries is on the screen then.
            (Why::UsedUp { .. }, WayBack::Listed) => self.reset(ResetCause::WrongEntries),
            (Why::UsedUp { duress }, WayBack::None) => {
                self.withhold(ResetCause::WrongEntries);
                if duress {
                    self.under_duress();
                }
            }
            (Why::Duress, elsewhere) => self.destroy_unseen(elsewhere),
        }
    }

    fn withhold(&mut self, cause: ResetCause) {
        self.log(
            Level::Error,
            "not reset: no code, and no stick but those plugged in, is listed as verified",
        );
        self.note(EventKind::ResetWithheld { cause }, Unless::KindThisBoot);
    }

    /// Destroys what this server has, and says so. The keys on plugged sticks go
    /// only where there is another way back.
    pub(super) fn reset(&mut self, cause: ResetCause) {
        self.ask_way_back(Why::Reset(cause));
    }

    pub(super) fn was_reset(
        &mut self,
        cause: ResetCause,
        destroyed: Result<Destroyed, LocateError>,
    ) {
        match destroyed {
            Ok(Destroyed { failed: 0, .. }) => self.log(Level::Warn, format!("reset, {cause}")),
            Ok(destroyed) => self.log(
                Level::Error,
                format!("reset, but {} blocks failed", destroyed.failed),
            ),
            Err(error) => self.log(Level::Error, format!("the reset failed: {error}")),
        }
        self.dialogue.stick = None;
        self.dialogue.forget_entry();
        self.concluded.feigned = false;
        self.recovery.forget();
        // One that was left opens the server all the same, and is asked again.
        self.act(Act::ForgetSticks);
        self.find_vault(AfterFinding::Reset);
    }

    /// The vault was read again.
    pub(super) fn tell_reset(&mut self) {
        self.expect_command();
        let reason = self.reason();
        self.say(Message::ReasonAndAdvice(reason.clone()));
        // A prompt that was not open yet shows all of it.
        self.prompt.said = self.prompt.is_open.then_some(reason);
        self.show();
    }

    /// A passphrase for duress was entered: the same destruction, of which
    /// neither the screen nor the kernel's log says anything before the next
    /// boot.
    pub(super) fn under_duress(&mut self) {
        // Where the slots are gone already there is nothing to destroy.
        if self.vault().is_some_and(|found| found.slots.is_ok()) {
            self.ask_way_back(Why::Duress);
        }
    }

    /// What is kept in memory goes on looking as it did, and opens nothing.
    fn destroy_unseen(&mut self, elsewhere: WayBack) {
        let cause = ResetCause::Duress;
        let anywhere = self.way_back(&[]);
        match under_duress(elsewhere, anywhere) {
            UnderDuress::Withhold => {
                let withheld = EventKind::ResetWithheld { cause };
                self.note(withheld, Unless::KindThisBoot);
            }
            UnderDuress::Destroy { plugged_sticks } => {
                if let Ok(found) = &mut self.vault
                    && let Ok(slots) = &mut found.slots
                {
                    slots.make_useless();
                }
                self.concluded.feigned = true;
                let wipe = plugged_sticks;
                // A disk that does not take it is told of by the next boot.
                self.ask(Act::Destroy { cause, wipe }, Pending::ResetUnseen);
            }
        }
    }
}
