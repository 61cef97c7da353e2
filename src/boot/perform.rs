//! What the machine says is done.

use super::run::Stage;
use super::status::Status;
use crate::environment::{
    FROM_NOTHING, KeyServers, choose, look_around, neighbour_label, observe_machine,
};
use crate::keys::MasterKey;
use crate::opening::act::{Act, Attempt, End, Event, Power, TheftRecords, Tried};
use crate::opening::host::Host;
use crate::opening::messages::{Hint, LoginWords, NotRemembered};
use crate::release::{notice, release};
use crate::stick::{self, PluggedKeys};
use crate::sys::power;
use crate::vault::{Label, Policy, Proven};

impl Host for Stage {
    fn hear(&mut self, event: Event<'_>) -> Vec<Act> {
        self.machine.on(event, self.figures.since_start())
    }

    fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    fn perform(&mut self, act: Act) -> Option<Event<'static>> {
        match act {
            Act::FindVault => return Some(Event::Vault(self.disk.read().map(Box::new))),
            Act::LookAtParts => return Some(Event::Parts(Box::new(observe_machine()))),
            Act::LookForSticks => {
                let (gone, news) = self.sticks.changes();
                return Some(Event::Sticks { gone, news });
            }
            Act::ReadStick(stick) => {
                let header = &self.machine.vault()?.header;
                let read = stick::read_any(&stick, header);
                return Some(Event::StickRead(stick, read.map(Box::new)));
            }
            Act::CountEntries => return Some(Event::Entries(self.disk.wrong_entries())),
            Act::Try(attempt) => return Some(Event::Tried(self.attempt(&attempt))),
            Act::ReadTheft { plugged } => {
                let records = self.disk.theft().map(|records| TheftRecords {
                    plugged: match plugged {
                        true => self.plugged_keys().ids(),
                        false => Vec::new(),
                    },
                    ..records
                });
                return Some(Event::Theft(records));
            }
            Act::Strike {
                strikes,
                boot_id,
                of,
            } => return Some(Event::Struck(self.disk.strike(strikes, boot_id, of))),
            Act::FindPluggedKeys => return Some(Event::PluggedKeys(self.plugged_keys().ids())),
            Act::Destroy { cause, wipe } => {
                let plugged = self.plugged_keys();
                let destroyed = self.disk.destroy(cause, &plugged, wipe);
                return Some(Event::Destroyed(destroyed));
            }
            Act::Prove(key) => return Some(Event::Proved(self.disk.prove(&key).map(Box::new))),
            Act::Release(key, policy) => {
                let released = self.figures.tmpfs.time(|| release(&key, &policy));
                let released = released.map(|()| self.figures.released());
                return Some(Event::Released(released));
            }
            Act::Enrol(key, policy) => {
                return Some(Event::Enrolled(self.enrol(&key, &policy)));
            }
            Act::ChangePassphrase { key, name, new } => {
                let changed = self.disk.change_passphrase(&key, &name, &new);
                return Some(Event::Changed(changed));
            }
            Act::Mend { key, known } => {
                return Some(Event::Mended(self.disk.mend(&key, &known)));
            }
            Act::Note { kind, unless } => self.disk.note(kind, unless),
            Act::NoteSealed { key, kind } => self.disk.note_sealed(&key, kind),
            Act::Arm { key, was_proven } => self.disk.arm(&key, was_proven),
            Act::AskAround => self.ask_around(),
            Act::StopAsking => self.stop_asking(),
            Act::ForgetSticks => self.sticks.forget(),
            Act::Hint => self.screen.hint(&Hint),
            Act::OpenPrompt(banner) => self.screen.open(&banner),
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
            Act::LeaveNotice(words) => leave_notice(&words),
            Act::Log(level, words) => log::log!(level, "{words}"),
            Act::Power(Power::Restart) => power::restart(),
            Act::Power(Power::Off) => power::switch_off(),
            Act::End(end) => self.finish(end),
        }
        None
    }
}

impl Stage {
    fn finish(&mut self, end: End) {
        if end == End::Released {
            log::info!("{}", self.figures);
        }
        self.end = Some(end);
    }

    fn attempt(&mut self, attempt: &Attempt) -> Tried {
        if matches!(attempt, Attempt::Place) {
            self.figures.neighbours_answered();
        }
        let machine = &mut self.machine;
        let tried = self.figures.unwrap.time(|| machine.attempt(attempt));
        if matches!(tried, Tried::Place(Some(_))) {
            // Who answered meanwhile counts as well.
            self.hear_answers();
        }
        tried
    }

    /// This server's keys on the sticks that are plugged in; none without the
    /// vault, which alone tells them from others.
    fn plugged_keys(&self) -> PluggedKeys {
        let found = self.machine.vault();
        found.map_or_else(PluggedKeys::default, |found| {
            self.disk.plugged_keys(&found.header)
        })
    }

    /// Looks around, and enrols who answers with the thresholds that `stayput
    /// enroll` takes by itself.
    fn enrol(&self, key: &MasterKey, policy: &Proven<Policy>) -> Result<(), NotRemembered> {
        if policy.has_servers {
            return Err(NotRemembered::HasServers);
        }
        let ips = policy.neighbours.iter();
        let labels: Vec<Label> = ips.map(|ip| neighbour_label(*ip)).collect();
        let observed = look_around(labels.iter(), KeyServers::default(), FROM_NOTHING, |_| {
            false
        });
        let chosen = choose(&observed, &labels).chosen;
        self.disk.enrol(key, &chosen, &observed)
    }
}

fn leave_notice(words: &LoginWords) {
    if let Err(error) = notice::put(notice::Topic::Boot, &words.to_string()) {
        log::warn!("the words for the next log-in were not written: {error}");
    }
}
