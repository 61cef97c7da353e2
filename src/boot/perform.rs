//! Does the acts of the machine.

use super::admission::Admission;
use super::run::Stage;
use super::status::Status;
use super::usb;
use crate::environment::{
    COLD_START_WAIT, Cards, KeyServers, Patience, neighbour_label, observe_machine, observe_place,
    select_factors,
};
use crate::keys::MasterKey;
use crate::opening::act::{
    Act, Attempt, AttemptOutcome, Event, PowerAction, StageEnd, TheftRecords,
};
use crate::opening::host::Host;
use crate::opening::messages::{Hint, LoginNotice, NotRemembered};
use crate::release::notice::{Topic, put as put_notice};
use crate::release::{release, without_keys};
use crate::stick::{PluggedKeys, StickInfo};
use crate::sys::power;
use crate::theft::WayBack;
use crate::vault::{Label, Policy, Proven};

impl Host for Stage {
    fn hear(&mut self, event: Event<'_>) -> Vec<Act> {
        self.machine.on(event, self.timings.since_start())
    }

    fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    fn perform(&mut self, act: Act) -> Option<Event<'static>> {
        match act {
            Act::FindVault => return Some(Event::Vault(self.disk.read().map(Box::new))),
            Act::ObserveMachine => return Some(Event::Parts(Box::new(observe_machine()))),
            Act::LookForSticks => {
                let (gone, news) = self.sticks.changes();
                return Some(Event::Sticks { gone, news });
            }
            Act::ReadStick(stick) => {
                let header = &self.machine.vault()?.header;
                self.sticks.read(stick, header);
            }
            Act::CountEntries => return Some(Event::Entries(self.disk.wrong_entries())),
            Act::Try(attempt) => return Some(Event::Tried(self.attempt(&attempt))),
            Act::ReadTheft { plugged } => {
                let plugged = match plugged {
                    true => self.plugged_keys().ids(),
                    false => Vec::new(),
                };
                let records = self.disk.theft();
                return Some(Event::Theft(
                    records.map(|records| TheftRecords { plugged, ..records }),
                ));
            }
            Act::Strike {
                strikes,
                boot_id,
                of,
            } => return Some(Event::Struck(self.disk.strike(strikes, boot_id, of))),
            Act::FindPluggedKeys => return Some(Event::PluggedKeys(self.plugged_keys().ids())),
            Act::Destroy { cause, wipe } => {
                // They were looked for when it was decided; the pepper comes first.
                let (destroyed, unwiped) = self.disk.destroy(cause, &self.sticks.keys(), wipe);
                return Some(Event::Destroyed { destroyed, unwiped });
            }
            Act::Prove(key) => return Some(Event::Proved(self.disk.prove(&key).map(Box::new))),
            Act::Release(keys, policy) => {
                let released = self.timings.tmpfs.time(|| release(&keys, &policy));
                let released = released.map(|()| self.timings.released());
                return Some(Event::Released(released));
            }
            Act::Enrol { key, policy, used } => {
                return Some(Event::Enrolled(self.enrol(&key, &policy, used.as_ref())));
            }
            Act::ChangePassphrase { key, name, new } => {
                let changed = self.disk.change_passphrase(&key, &name, &new);
                return Some(Event::Changed(changed));
            }
            Act::Mend { key, used } => {
                return Some(Event::Mended(self.disk.mend(&key, &used)));
            }
            Act::Note { kind, repeat } => self.disk.note(kind, repeat),
            Act::NoteSealed { key, kind } => self.disk.note_sealed(&key, kind),
            Act::Arm { key, was_proven } => self.disk.arm(&key, was_proven),
            Act::AskPlace => self.ask_place(),
            Act::StopAsking => self.stop_asking(),
            Act::ForgetSticks => self.sticks.forget(),
            Act::Hint => self.screen.hint(&Hint),
            Act::OpenPrompt(banner) => {
                self.screen.open(&banner);
                usb::load_modules();
                self.admission.get_or_insert_with(Admission::of_all_devices);
            }
            Act::ShowOnNewConsoles(banner) => self.screen.open_new_consoles(&banner),
            Act::Say(message) => self.screen.say(&message),
            Act::Print(message) => self.screen.consoles.print(&message.to_string()),
            Act::Ask(question) => self.screen.ask_for(question),
            Act::Expect(question) => self.screen.expect(question),
            Act::ShowStatus(reason) => {
                let home = self.machine.home();
                let status = Status::of(&reason, home, self.machine.observed());
                self.screen.say(&status);
            }
            Act::Close(message) => self.screen.close(&message),
            Act::LeaveNotice(notice) => leave_notice(&notice),
            Act::Log(level, text) => log::log!(level, "{text}"),
            Act::Power(PowerAction::Restart) => power::restart(),
            Act::Power(PowerAction::Off) => power::switch_off(),
            Act::End(end) => self.finish(end),
        }
        None
    }
}

impl Stage {
    fn finish(&mut self, end: StageEnd) {
        match end {
            StageEnd::Released => log::info!("{}", self.timings),
            StageEnd::WithoutKeys => {
                if let Err(error) = without_keys::leave() {
                    log::warn!("nobody will look for the place later: {error}");
                }
            }
        }
        self.end = Some(end);
    }

    fn attempt(&mut self, attempt: &Attempt) -> AttemptOutcome {
        if matches!(attempt, Attempt::Place) {
            self.timings.neighbours_answered();
        }
        let machine = &mut self.machine;
        let tried = self.timings.unwrap.time(|| machine.attempt(attempt));
        if matches!(tried, AttemptOutcome::Place(Some(_))) {
            // Answers that came meanwhile count too.
            self.hear_answers();
        }
        tried
    }

    /// Finds this server's keys on plugged sticks. Without the vault they
    /// cannot be told from others, and none is found.
    fn plugged_keys(&mut self) -> PluggedKeys {
        let Some(found) = self.machine.vault() else {
            return PluggedKeys::default();
        };
        self.sticks.plugged_keys(&found.header)
    }

    /// Observes this place and enrols it with the usual thresholds.
    fn enrol(
        &self,
        key: &MasterKey,
        policy: &Proven<Policy>,
        used: Option<&StickInfo>,
    ) -> Result<WayBack, NotRemembered> {
        if policy.has_servers {
            return Err(NotRemembered::HasServers);
        }
        let ips = policy.neighbours.iter();
        let labels: Vec<Label> = ips.map(|ip| neighbour_label(*ip)).collect();
        let observed = observe_place(
            labels.iter(),
            KeyServers::default(),
            Cards::PutUp,
            Patience::until_all_answer(COLD_START_WAIT).and_second_answers(),
            |_| false,
        );
        let chosen = select_factors(&observed, &labels).chosen;
        self.disk.enrol(key, &chosen, &observed, used)
    }
}

fn leave_notice(notice: &LoginNotice) {
    if let Err(error) = put_notice(Topic::Boot, &notice.to_string()) {
        log::warn!("the notice for the next log-in was not written: {error}");
    }
}
