//! What the machine asks of its host, done on a vault in memory.

use std::path::PathBuf;

use super::{Boot, Done};
use crate::keys::MasterKey;
use crate::opening::act::{Act, ChangeError, Event, Repeat, TheftRecords, UsedWayIn};
use crate::opening::dialogue::TypedLine;
use crate::opening::host::Host;
use crate::opening::machine::tests::clinic::code_of;
use crate::opening::messages::{Message, NotChanged};
use crate::opening::snapshot::Snapshot;
use crate::stick::Stick;
use crate::vault::{EventKind, LocateError, SlotTable, StickList, Unproven, wrong_entries};

impl Host for Boot<'_> {
    fn hear(&mut self, event: Event<'_>) -> Vec<Act> {
        self.machine.on(event, self.now)
    }

    fn has_ended(&self) -> bool {
        self.ended().is_some()
    }

    fn perform(&mut self, act: Act) -> Option<Event<'static>> {
        let answer = match act {
            Act::FindVault => Event::Vault(self.read()),
            Act::ObserveMachine => Event::Parts(self.parts()),
            Act::LookForSticks => {
                let plugged: Vec<Stick> = self.plugged.iter().map(|(s, _)| s.clone()).collect();
                let told = std::mem::replace(&mut self.told, plugged.clone());
                let (gone, news) = (
                    told.iter().filter(|stick| !plugged.contains(stick)),
                    plugged.iter().filter(|stick| !told.contains(stick)),
                );
                Event::Sticks {
                    gone: gone.cloned().collect(),
                    news: news.cloned().collect(),
                }
            }
            Act::ReadStick(stick) if self.hanging.contains(&stick) => return None,
            Act::ReadStick(stick) => {
                let read = self.reading_of(&stick);
                Event::StickRead(stick, read)
            }
            Act::CountEntries => Event::Entries(
                self.fault()
                    .map_or(0, |()| wrong_entries(&self.clinic.vault.events().unwrap())),
            ),
            Act::Try(attempt) => Event::Tried(self.machine.attempt(&attempt)),
            Act::ReadTheft { plugged } => Event::Theft(self.fault().map(|()| TheftRecords {
                state: self.clinic.vault.state(),
                policy: Unproven::new(Snapshot::of(&self.clinic.vault).theft_policy()),
                plugged: match plugged {
                    true => self.plugged_ids(),
                    false => Vec::new(),
                },
            })),
            Act::Strike {
                strikes,
                boot_id,
                of,
            } => {
                let struck = self.fault();
                if struck.is_ok() {
                    self.clinic.vault.strike(strikes, boot_id).unwrap();
                    self.done.push(Done::Struck(strikes));
                    self.note(EventKind::Strike { strikes, of }, Repeat::Always);
                }
                Event::Struck(struck)
            }
            Act::FindPluggedKeys => Event::PluggedKeys(self.plugged_ids()),
            Act::Destroy { cause, wipe } => {
                let fault = self.fault();
                let wiped = wipe && fault.is_ok();
                self.done.push(Done::Destroyed { cause, wiped });
                let vault = &mut self.clinic.vault;
                Event::Destroyed {
                    destroyed: fault.map(|()| vault.reset(cause, 1, &mut || ())),
                    unwiped: self.unwiped(wipe),
                }
            }
            Act::Prove(key) => {
                let fault = self.fault();
                let proven = fault.and_then(|()| Ok(self.clinic.vault.prove(&key)?));
                self.done.push(Done::Checked(match proven {
                    Ok(_) => "proven",
                    Err(_) => "not proven",
                }));
                Event::Proved(proven.map(Box::new))
            }
            Act::Release(keys, policy) => {
                let key = keys.current();
                assert_eq!(key.expose(), self.clinic.key.expose());
                assert_eq!(
                    policy.draft(),
                    *self.clinic.vault.prove(key).unwrap().policy
                );
                self.done.push(Done::Released);
                Event::Released(Ok(90))
            }
            Act::Enrol { key, used, .. } => {
                self.done.push(Done::Remembered);
                let vault = &mut self.clinic.vault;
                if vault.slots().is_err() {
                    vault.replace_slots(&key, &SlotTable::default()).unwrap();
                    if let Some(used) = used {
                        vault.note_verified(&key, used.known(1, 1)).unwrap();
                    }
                }
                Event::Enrolled(Ok(vault.way_back(&key)))
            }
            Act::ChangePassphrase { key, name, new } => {
                Event::Changed(self.change(&key, &name, &new))
            }
            Act::Mend { key, used } => {
                let mut list = StickList::default();
                match used {
                    UsedWayIn::Stick(file) => list.sticks.push(file.info.known(1, 1)).unwrap(),
                    UsedWayIn::Code { generation } => list.code = Some(code_of(generation)),
                    UsedWayIn::Passphrase => {}
                }
                let vault = &mut self.clinic.vault;
                let mended = vault.mend(&key, &list).map(drop);
                Event::Mended(mended.map_err(LocateError::from))
            }
            act => {
                self.carry_out(act);
                return None;
            }
        };
        Some(answer)
    }
}

impl Boot<'_> {
    fn carry_out(&mut self, act: Act) {
        let done = match act {
            Act::Note { kind, repeat } => return self.note(kind, repeat),
            Act::NoteSealed { key, kind } => {
                let boot_id = [self.clinic.boots; 16];
                let vault = &mut self.clinic.vault;
                vault.append_sealed(&key, 1, boot_id, kind.clone()).unwrap();
                Done::Noted(kind)
            }
            Act::Arm { key, .. } => {
                self.clinic.vault.arm(&key).unwrap();
                Done::Armed
            }
            Act::AskPlace => Done::AskedAround,
            Act::ForgetSticks => {
                self.told.clear();
                return;
            }
            Act::Hint => Done::Said("Press Enter for the menu.".into()),
            Act::OpenPrompt(text) | Act::ShowOnNewConsoles(text) => Done::Said(text),
            Act::Say(Message::Nothing) => Done::Said(String::new()),
            Act::Say(message) | Act::Print(message) | Act::Close(message) => {
                Done::Said(message.to_string())
            }
            Act::Ask(question) => Done::Asked(question),
            Act::ShowStatus(_) => Done::StatusShown,
            Act::Log(_, text) => Done::Logged(text.into_owned()),
            Act::LeaveNotice(notice) => Done::ToldAtLogin(notice.to_string()),
            Act::Power(power) => Done::Power(power),
            Act::End(end) => Done::Ended(end),
            _ => return,
        };
        self.done.push(done);
    }

    fn note(&mut self, kind: EventKind, repeat: Repeat) {
        if self.clinic.is_broken {
            return;
        }
        let boot_id = [self.clinic.boots; 16];
        let events = self.clinic.vault.events().unwrap();
        let is_known = events.iter().any(|event| match repeat {
            Repeat::Always => false,
            Repeat::OncePerBoot => {
                let of = std::mem::discriminant::<EventKind>;
                event.boot_id == boot_id && of(&event.kind) == of(&kind)
            }
            Repeat::OnceEver => event.kind == kind,
        });
        if !is_known {
            let vault = &mut self.clinic.vault;
            vault.append(1, boot_id, kind.clone()).unwrap();
            self.done.push(Done::Noted(kind));
        }
    }

    fn change(&mut self, key: &MasterKey, name: &str, new: &TypedLine) -> Result<(), ChangeError> {
        let nothing = |error| ChangeError::Nothing(NotChanged::Vault(error));
        self.fault().map_err(nothing)?;
        let vault = &mut self.clinic.vault;
        let mut slots = vault.slots().unwrap();
        slots
            .passphrases
            .change(vault.header(), key, name, new, 2)
            .map_err(|error| ChangeError::Nothing(NotChanged::Passphrase(error)))?;
        vault
            .replace_slots(key, &slots)
            .map(drop)
            .map_err(ChangeError::Perhaps)
    }

    fn unwiped(&self, wipe: bool) -> Vec<PathBuf> {
        let sticks = self.hanging.iter().filter(|_| wipe);
        sticks.flat_map(|stick| stick.volumes.clone()).collect()
    }
}
