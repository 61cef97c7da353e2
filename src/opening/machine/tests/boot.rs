//! A host for the machine: does its acts on a vault in memory, and records
//! them.

mod hosting;

use core::time::Duration;

use super::clinic::{Clinic, FACTORS, value};
use crate::environment::Observed;
use crate::opening::Machine;
use crate::opening::act::{Event, PowerAction, StageEnd};
use crate::opening::dialogue::{Question, Typed, TypedLine};
use crate::opening::host::Host;
use crate::opening::snapshot::Snapshot;
use crate::stick::{Stick, StickError, StickFile};
use crate::theft::ResetCause;
use crate::vault::{EventKind, Group, LocateError, VaultError};

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
}
