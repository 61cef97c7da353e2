//! The loop of the boot stage: tells the machine of [`crate::opening`] what
//! happens, and does its acts, until the keys are released or the system starts
//! without them.

use std::time::{Duration, Instant};

use super::admission::Admission;
use super::disk::Disk;
use super::screen::Screen;
use super::sticks::Sticks;
use super::timings::Timings;
use super::uevent::{DeviceKind, device_kind};
use super::wait::wait;
use crate::environment::{KeyServers, Neighbours, observe_machine};
use crate::opening::Machine;
use crate::opening::act::{Event, StageEnd};
use crate::opening::host::Host;
use crate::sys::clock;
use crate::sys::uevent::UeventSocket;
use crate::vault::VaultConf;

/// The machine, the sources of its events, and what its acts change.
pub struct Stage {
    pub(super) machine: Machine,
    pub(super) disk: Disk,
    pub(super) neighbours: Option<Neighbours>,
    pub(super) servers: KeyServers,
    uevents: Option<UeventSocket>,
    pub(super) screen: Screen,
    pub(super) sticks: Sticks,
    /// Once there is a prompt.
    pub(super) admission: Option<Admission>,
    pub(super) timings: Timings,
    pub(super) end: Option<StageEnd>,
}

impl Stage {
    /// Finds the vault, begins to ask the place, and observes the machine.
    /// `start` is when the program began.
    pub fn new(conf: VaultConf, start: Instant) -> Self {
        let mut stage = Self {
            timings: Timings::begin(start),
            machine: Machine::new(clock::boot_id()),
            disk: Disk::new(conf),
            neighbours: None,
            servers: KeyServers::default(),
            // Before anything is looked for: no later event is missed.
            uevents: UeventSocket::open()
                .inspect_err(|errno| log::warn!("no device events: {errno}"))
                .ok(),
            screen: Screen::default(),
            sticks: Sticks::default(),
            admission: None,
            end: None,
        };
        let found = stage.timings.vault.time(|| stage.disk.read());
        // The machine begins to ask the place.
        stage.tell(Event::Vault(found.map(Box::new)));
        // Answers take time. Other work is done meanwhile, and neighbours are
        // asked again in between.
        stage.hear_neighbours();
        stage.servers.work_ahead(Instant::now());
        stage.hear_neighbours();
        stage.observe_parts();
        stage
    }

    /// Runs until the keys are released or the system is to start without them.
    pub fn run(mut self) -> StageEnd {
        loop {
            self.tell(Event::Tick);
            if let Some(end) = self.end {
                return end;
            }
            self.wait();
            self.hear_devices();
            self.hear_neighbours();
            self.hear_servers();
            self.hear_sticks();
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
        // Questions that are due come before work that is only done ahead.
        let must_ask = ask_due.is_some_and(|due| due <= now);
        let must_try = self.machine.has_next(self.timings.since_start());
        let until = if must_try || must_ask || self.servers.work_ahead(now) {
            Some(now)
        } else {
            let turn_due = self.machine.next(self.timings.since_start());
            let turn_due = turn_due.map(|after: Duration| self.timings.started() + after);
            let server_due = self.servers.next();
            let key_due = self.screen.consoles.next();
            let look_due = self.admission.as_ref().and_then(Admission::next);
            [turn_due, ask_due, server_due, key_due, look_due]
                .into_iter()
                .flatten()
                .min()
        };
        wait(
            self.uevents.as_ref(),
            self.neighbours.as_ref(),
            &self.servers,
            &self.sticks,
            &self.screen.consoles,
            until,
        );
        self.screen.consoles.send();
    }

    /// Begins to ask the neighbours and key servers that the slots name.
    pub(super) fn ask_place(&mut self) {
        // The vault's own disk may look like a stick.
        if let Some(disk) = self.disk.name() {
            self.sticks.leave_out(disk);
        }
        let slots = self.machine.vault().and_then(|found| found.slots().ok());
        let places = slots.into_iter().flat_map(|slots| &slots.environments);
        let places = places.map(|slot| &**slot);
        let now = Instant::now();
        match &mut self.neighbours {
            Some(neighbours) => neighbours.turn_to(places, now),
            None if slots.is_none() => return,
            None => self.neighbours = Some(Neighbours::of_places(places, now)),
        }
        self.timings.begin_to_ask(now);
        self.servers = slots.map_or_else(KeyServers::default, |slots| {
            KeyServers::of(&slots.environments, now)
        });
    }

    /// Stops asking, and restores the network cards as they were found.
    pub(super) fn stop_asking(&mut self) {
        self.neighbours = None;
        self.servers = KeyServers::default();
    }

    /// Tells the machine answers that have come; nobody is asked again.
    pub(super) fn hear_answers(&mut self) {
        if let Some(neighbours) = &mut self.neighbours {
            let answers = neighbours.answers();
            self.tell(Event::Answers(&answers));
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
            self.timings.server_answered();
            self.tell(Event::Answers(&said));
        }
    }

    fn hear_sticks(&mut self) {
        for answer in self.sticks.answers() {
            self.tell(answer);
        }
        // Only the prompt loads what is missing.
        if self.admission.is_some()
            && let Some(module) = self.sticks.missing_driver()
        {
            self.tell(Event::StickWithoutDriver(module));
        }
    }

    fn observe_parts(&mut self) {
        let observed = self.timings.machine.time(observe_machine);
        self.tell(Event::Parts(Box::new(observed)));
    }

    /// Admits USB devices at the prompt: `came` says that one may have come.
    fn admit_devices(&mut self, came: bool) {
        let now = Instant::now();
        if let Some(admission) = &mut self.admission
            && (came || admission.next().is_some_and(|due| due <= now))
        {
            admission.look(now);
        }
    }

    fn hear_devices(&mut self) {
        let Some(uevents) = &self.uevents else {
            return self.admit_devices(true);
        };
        let mut buffer = [0; 4096];
        let (mut block, mut network, mut terminal, mut usb) = (false, false, false, false);
        loop {
            match uevents
                .receive(&mut buffer)
                .map(|event| event.map(device_kind))
            {
                Ok(Some(DeviceKind::Block)) => block = true,
                Ok(Some(DeviceKind::Network)) => network = true,
                Ok(Some(DeviceKind::Terminal)) => terminal = true,
                Ok(Some(DeviceKind::Usb)) => usb = true,
                Ok(Some(DeviceKind::Other)) => {}
                Ok(None) => break,
                // Events were lost: treat all kinds as changed.
                Err(_) => {
                    (block, network, terminal, usb) = (true, true, true, true);
                    break;
                }
            }
        }
        self.admit_devices(usb);
        if block {
            self.tell(Event::DisksChanged);
        }
        if block || network {
            self.observe_parts();
        }
        if network && let Some(neighbours) = &mut self.neighbours {
            neighbours.ask_soon(Instant::now());
        }
        if terminal {
            self.tell(Event::ConsolesChanged);
        }
    }
}
