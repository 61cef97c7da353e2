//! The loop of the boot stage: what happens is told to the machine of
//! [`crate::opening`], and what it says is done. Whatever opens the vault first
//! wins; the key is released and the stage ends.

use std::time::{Duration, Instant};

use super::disk::Disk;
use super::figures::Figures;
use super::screen::Screen;
use super::stick_watch::StickWatch;
use super::uevent::{Subject, subject};
use super::wait::wait;
use crate::environment::{KeyServers, Neighbours, observe_machine};
use crate::opening::Machine;
use crate::opening::act::{End, Event};
use crate::opening::host::Host;
use crate::sys::clock;
use crate::sys::uevent::UeventSocket;
use crate::vault::VaultPlace;

/// The machine, and everything that it hears of and acts on.
pub struct Stage {
    pub(super) machine: Machine,
    pub(super) disk: Disk,
    pub(super) neighbours: Option<Neighbours>,
    pub(super) servers: KeyServers,
    uevents: Option<UeventSocket>,
    pub(super) screen: Screen,
    pub(super) sticks: StickWatch,
    pub(super) figures: Figures,
    pub(super) end: Option<End>,
}

impl Stage {
    /// `start` is when the program began.
    pub fn new(place: VaultPlace, start: Instant) -> Self {
        let mut stage = Self {
            figures: Figures::begin(start),
            machine: Machine::new(clock::boot_id()),
            disk: Disk::new(place),
            neighbours: None,
            servers: KeyServers::default(),
            // First of all: nothing that is announced from now on is missed.
            uevents: UeventSocket::open()
                .inspect_err(|errno| log::warn!("no device events: {errno}"))
                .ok(),
            screen: Screen::default(),
            sticks: StickWatch::default(),
            end: None,
        };
        let found = stage.figures.vault.time(|| stage.disk.read());
        // Asks around.
        stage.tell(Event::Vault(found.map(Box::new)));
        // What others answer takes time: the rest is done meanwhile, and they are
        // asked again in between.
        stage.hear_neighbours();
        stage.servers.work_ahead(Instant::now());
        stage.hear_neighbours();
        stage.look_at_parts();
        stage
    }

    /// Runs until the key is released, or the system is to start without it.
    pub fn run(mut self) -> End {
        loop {
            self.tell(Event::Tick);
            if let Some(end) = self.end {
                return end;
            }
            self.wait();
            self.hear_devices();
            self.hear_neighbours();
            self.hear_servers();
            for typed in self.screen.typed() {
                self.tell(Event::Typed(typed));
                if let Some(end) = self.end {
                    return end;
                }
            }
        }
    }

    /// Sleeps until something happens.
    fn wait(&mut self) {
        let now = Instant::now();
        let ask_due = self.neighbours.as_ref().and_then(Neighbours::next);
        // Who is to be asked does not wait for what is only computed ahead.
        let must_ask = ask_due.is_some_and(|due| due <= now);
        let until = if self.machine.has_next() || must_ask || self.servers.work_ahead(now) {
            Some(now)
        } else {
            let turn_due = self.machine.next(self.figures.since_start());
            let turn_due = turn_due.map(|after: Duration| self.figures.started() + after);
            let server_due = self.servers.next();
            // Without the vault no stick is judged, nor waited for.
            let stick_due = self.machine.vault().and_then(|_| self.sticks.next());
            [turn_due, ask_due, server_due, stick_due]
                .into_iter()
                .flatten()
                .min()
        };
        wait(
            self.uevents.as_ref(),
            self.neighbours.as_ref(),
            &self.servers,
            &self.screen.consoles,
            until,
        );
        self.screen.consoles.send();
    }

    /// Asks for the neighbours and the key servers that the slots name.
    pub(super) fn ask_around(&mut self) {
        // First: it puts interfaces down that the next one needs up.
        self.neighbours = None;
        // It may look like a stick and is none.
        if let Some(disk) = self.disk.name() {
            self.sticks.leave_out(disk);
        }
        let slots = self.machine.vault().map(|found| found.slots());
        let Some(Ok(slots)) = slots else {
            return;
        };
        let now = Instant::now();
        self.figures.begin_to_ask(now);
        let places = slots.environments.iter().map(|slot| &**slot);
        self.neighbours = Some(Neighbours::of_places(places, now));
        self.servers = KeyServers::of(&slots.environments, now);
    }

    /// Network cards go back to how they were found.
    pub(super) fn stop_asking(&mut self) {
        self.neighbours = None;
        self.servers = KeyServers::default();
    }

    /// Whoever has answered meanwhile; nobody is asked anew.
    pub(super) fn hear_answers(&mut self) {
        if let Some(neighbours) = &self.neighbours {
            self.tell(Event::Answers(&neighbours.answers()));
        }
        let said = self.servers.drive(Instant::now());
        self.tell(Event::Answers(&said));
    }

    fn hear_neighbours(&mut self) {
        let Some(neighbours) = &mut self.neighbours else {
            return;
        };
        let answers = neighbours.answers();
        let now = Instant::now();
        if neighbours.ask(now) {
            self.servers.ask_soon(now);
        }
        self.tell(Event::Answers(&answers));
    }

    fn hear_servers(&mut self) {
        let said = self.servers.drive(Instant::now());
        if !said.is_empty() {
            self.figures.server_answered();
            self.tell(Event::Answers(&said));
        }
    }

    fn look_at_parts(&mut self) {
        let observed = self.figures.machine.time(observe_machine);
        self.tell(Event::Parts(Box::new(observed)));
    }

    fn hear_devices(&mut self) {
        let Some(uevents) = &self.uevents else {
            return;
        };
        let mut buffer = [0; 4096];
        let (mut block, mut network, mut terminal) = (false, false, false);
        loop {
            match uevents.receive(&mut buffer).map(|event| event.map(subject)) {
                Ok(Some(Subject::Block)) => block = true,
                Ok(Some(Subject::Network)) => network = true,
                Ok(Some(Subject::Terminal)) => terminal = true,
                Ok(Some(Subject::Other)) => {}
                Ok(None) => break,
                // Events were lost: look at everything.
                Err(_) => {
                    (block, network, terminal) = (true, true, true);
                    break;
                }
            }
        }
        if block {
            self.tell(Event::DisksChanged);
        }
        if block || network {
            self.look_at_parts();
        }
        if network && let Some(neighbours) = &mut self.neighbours {
            neighbours.ask_soon(Instant::now());
        }
        if terminal {
            self.tell(Event::ConsolesChanged);
        }
    }
}
