//! A host for the machine: does its acts on a vault in memory, and records
//! them.

use core::time::Duration;
use std::path::PathBuf;

use super::clinic::{Clinic, FACTORS, code_of, value};
use crate::environment::Observed;
use crate::keys::MasterKey;
use crate::opening::Machine;
use crate::opening::act::{
    Act, ChangeError, Event, PowerAction, Repeat, StageEnd, TheftRecords, UsedWayIn,
};
use crate::opening::dialogue::{Question, Typed, TypedLine};
use crate::opening::host::Host;
use crate::opening::messages::{Message, NotChanged};
use crate::opening::snapshot::Snapshot;
use crate::stick::{Stick, StickError, StickFile};
use crate::theft::ResetCause;
use crate::vault::{
    EventKind, Group, LocateError, SlotTable, StickList, Unproven, VaultError, wrong_entries,
};

/// An act that was done.
#[derive(Clone, Debug, PartialEq)]
pub enum Done {
    /// An event in the vault's log.
    Noted(EventKind),
    /// A theft state written to the disk.
    Struck(u8),
    Armed,
    Destroyed {
        cause: ResetCause,
        wiped: bool,
    },
    /// A text on the screen, banners included.
    Said(String),
    Asked(Question),
    /// A line in the kernel's log.
    Logged(String),
    StatusShown,
    Checked(&'static str),
    Released,
    Remembered,
    AskedAround,
    /// A notice for whoever logs in next.
    ToldAtLogin(String),
    Power(PowerAction),
    Ended(StageEnd),
}

/// One boot of a clinic's server.
pub struct Boot<'a> {
    pub machine: Machine,
    pub clinic: &'a mut Clinic,
    pub now: Duration,
    pub done: Vec<Done>,
    /// The plugged sticks, with this server's key or without.
    pub plugged: Vec<(Stick, Option<StickFile>)>,
    /// Of these the ones that do not answer.
    pub hanging: Vec<Stick>,
    told: Vec<Stick>,
}

impl<'a> Boot<'a> {
    pub fn of(clinic: &'a mut Clinic) -> Self {
        let mut boot = Self {
            machine: Machine::new([clinic.boots; 16]),
            clinic,
            now: Duration::ZERO,
            done: Vec::new(),
            plugged: Vec::new(),
            hanging: Vec::new(),
            told: Vec::new(),
        };
        boot.tell(Event::Vault(boot.read()));
        boot.tell(Event::Parts(boot.parts()));
        boot
    }

    fn parts(&self) -> Box<Observed> {
        let mut observed = Observed::default();
        for (label, value) in &self.clinic.machine {
            observed.note(label, value);
        }
        Box::new(observed)
    }

    /// All neighbours and key servers answer with the values of `place`.
    pub fn hears(&mut self, place: &str) {
        let around = FACTORS.iter().filter(|(group, _)| *group != Group::Machine);
        let answers: Vec<_> = around
            .map(|(_, label)| ((*label).try_into().unwrap(), value(label, place)))
            .collect();
        self.tell(Event::Answers(&answers));
    }

    /// One turn of the loop.
    pub fn turn(&mut self) {
        self.tell(Event::Tick);
    }

    /// Runs the turns that the machine asks for, until this long after the
    /// start.
    pub fn runs_until(&mut self, seconds: u64) {
        let end = Duration::from_secs(seconds);
        for turns in 0.. {
            assert!(turns < 10_000, "it spins");
            self.turn();
            let next = self.machine.next(self.now).unwrap_or(end).min(end);
            if self.has_ended() || (next == end && self.now == end) {
                return;
            }
            self.now = next.max(self.now);
            if self.now == end {
                self.turn();
                return;
            }
        }
    }

    pub fn passes(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        self.runs_until(until.as_secs());
        self.now = until;
    }

    /// Types a line and Enter.
    pub fn types(&mut self, text: &str) {
        let line = heapless::Vec::from_slice(text.as_bytes()).unwrap();
        self.tell(Event::Typed(Typed::Line(TypedLine::new(line))));
    }

    pub fn presses_escape(&mut self) {
        self.tell(Event::Typed(Typed::Cancel));
    }

    /// An arrow, or a digit of the keypad without Num Lock.
    pub fn presses_dead_key(&mut self) {
        self.tell(Event::Typed(Typed::DeadKey));
    }

    /// Plugs this server's stick in.
    pub fn gets_stick(&mut self) {
        let file = self.clinic.stick.clone();
        self.gets(file);
    }

    pub fn gets(&mut self, file: impl Into<Option<StickFile>>) {
        let number = self.plugged.len() + self.told.len();
        let stick = Stick {
            disk: "sda".try_into().unwrap(),
            sequence: number.to_string().as_str().try_into().unwrap(),
            volumes: vec!["/dev/sda1".into()],
        };
        self.plugged.push((stick, file.into()));
    }

    pub fn loses_sticks(&mut self) {
        self.plugged.clear();
    }

    /// This server's stick is plugged in, and hangs.
    pub fn gets_hanging_stick(&mut self) {
        self.gets_stick();
        let stick = self.plugged.last().map(|(stick, _)| stick.clone());
        self.hanging.extend(stick);
    }

    /// A stick is plugged in, and no disk comes of it for want of this module.
    pub fn gets_stick_without_driver(&mut self, module: &'static str) {
        self.tell(Event::StickWithoutDriver(module));
    }

    /// Those that hung answer after all.
    pub fn hanging_sticks_answer(&mut self) {
        for stick in std::mem::take(&mut self.hanging) {
            let read = self.reading_of(&stick);
            self.tell(Event::StickRead(stick, read));
        }
    }

    fn reading_of(&self, stick: &Stick) -> Result<Box<StickFile>, StickError> {
        let file = self.plugged.iter().find(|(known, _)| known == stick);
        let file = file.and_then(|(_, file)| file.clone());
        file.map(Box::new).ok_or(StickError::NoKey)
    }

    pub fn ended(&self) -> Option<StageEnd> {
        self.done.iter().find_map(|done| match done {
            Done::Ended(end) => Some(*end),
            _ => None,
        })
    }

    pub fn has_done(&self, what: &Done) -> bool {
        self.done.contains(what)
    }

    /// How many recorded acts are like this.
    pub fn count(&self, like: impl Fn(&Done) -> bool) -> usize {
        self.done.iter().filter(|done| like(done)).count()
    }

    /// Whether a text with these words was on the screen.
    pub fn said(&self, words: &str) -> bool {
        self.position_of(words).is_some()
    }

    /// The position of that text among the recorded acts.
    pub fn position_of(&self, words: &str) -> Option<usize> {
        let says = |done: &Done| matches!(done, Done::Said(text) if text.contains(words));
        self.done.iter().position(says)
    }

    pub fn position(&self, like: impl Fn(&Done) -> bool) -> Option<usize> {
        self.done.iter().position(like)
    }

    pub fn released(&self) -> bool {
        self.has_done(&Done::Released)
    }

    fn unwiped(&self, wipe: bool) -> Vec<PathBuf> {
        let sticks = self.hanging.iter().filter(|_| wipe);
        sticks.flat_map(|stick| stick.volumes.clone()).collect()
    }

    fn fault(&self) -> Result<(), LocateError> {
        match (self.clinic.is_broken, self.clinic.no_vault) {
            (true, _) => Err(VaultError::Device(libc::EIO).into()),
            (false, Some(error)) => Err(error),
            (false, None) => Ok(()),
        }
    }

    fn read(&self) -> Result<Box<Snapshot>, LocateError> {
        self.fault()?;
        let mut snapshot = Snapshot::of(&self.clinic.vault);
        if self.clinic.are_slots_unread {
            snapshot.slots = Err(VaultError::Device(libc::EIO));
        }
        Ok(Box::new(snapshot))
    }

    pub fn plugged_ids(&self) -> Vec<[u8; 8]> {
        let answer = |stick| !self.hanging.contains(stick);
        let answering = self.plugged.iter().filter(|(stick, _)| answer(stick));
        let files = answering.filter_map(|(_, file)| file.as_ref());
        files.map(|file| file.info.stick_id).collect()
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
}

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
