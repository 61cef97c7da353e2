//! The boot stage: one loop over everything that can happen. Whatever opens
//! the vault first wins; the key is released and the stage ends.

use std::time::{Duration, Instant};

use super::figures::Figures;
use super::line::{Line, Typed};
use super::prompt::{Command, pause_after};
use super::screen::Screen;
use super::stick_watch::StickWatch;
use super::uevent::{Subject, subject};
use super::wait::wait;
use super::words::{Banner, Help, Printable, Reason};
use crate::environment::{
    Matcher, Neighbours, Observed, answered, compare, enough_answered, observe_machine,
};
use crate::keys::MasterKey;
use crate::release::release;
use crate::stick::{self, Stick, StickError, StickFile};
use crate::sys::uevent::UeventSocket;
use crate::sys::{clock, power};
use crate::vault::locate::{self, LocateError, VaultDisk};
use crate::vault::{
    Answered, EventKind, LockedBecause, OpenedBy, SlotTable, Vault, VaultError, VaultPlace,
};

/// A server at home is through before that: no prompt flashes by.
const PROMPT_AFTER: Duration = Duration::from_millis(800);

/// A vault that was found, and the places that open it.
struct Found {
    vault: Vault<VaultDisk>,
    slots: Result<Box<SlotTable>, VaultError>,
    matchers: Vec<Matcher>,
}

/// A stick that waits for its PIN.
struct Waiting {
    stick: Stick,
    file: StickFile,
}

pub struct Stage {
    place: VaultPlace,
    found: Result<Found, LocateError>,
    observed: Observed,
    neighbours: Option<Neighbours>,
    uevents: Option<UeventSocket>,
    screen: Screen,
    /// What the prompt last said about why it is there.
    said: Option<Reason>,
    sticks: StickWatch,
    waiting: Option<Waiting>,
    wrong_pins: u32,
    pins_again: Instant,
    figures: Figures,
}

impl Stage {
    pub fn new(place: VaultPlace) -> Self {
        let now = Instant::now();
        let mut figures = Figures::begin(now);
        // First of all: nothing that is announced from now on is missed.
        let uevents = UeventSocket::open()
            .inspect_err(|errno| log::warn!("no device events: {errno}"))
            .ok();
        let found = figures.vault.time(|| find(&place));
        let observed = figures.machine.time(observe_machine);
        let mut stage = Self {
            place,
            found,
            observed,
            neighbours: None,
            uevents,
            screen: Screen::default(),
            said: None,
            sticks: StickWatch::default(),
            waiting: None,
            wrong_pins: 0,
            pins_again: now,
            figures,
        };
        stage.begin_to_ask();
        stage
    }

    /// Runs until the key is released.
    pub fn run(mut self) {
        loop {
            if let Some((key, by)) = self.try_place()
                && self.open(&key, by)
            {
                return;
            }
            self.show_reason();
            if self.screen.is_open() {
                self.judge_sticks();
                if self.try_stick_without_pin() {
                    return;
                }
            }
            self.wait();
            for typed in self.screen.typed() {
                if self.answer(typed) {
                    return;
                }
            }
        }
    }

    /// Asks for the neighbours that the slots name.
    fn begin_to_ask(&mut self) {
        self.sticks.leave_out(locate::disk_of(&self.place));
        let Ok(Found {
            slots: Ok(slots), ..
        }) = &self.found
        else {
            return;
        };
        let labels = slots
            .environments
            .iter()
            .flat_map(|slot| slot.factors.iter().map(|factor| &factor.label));
        self.neighbours = Some(Neighbours::new(labels, Instant::now()));
    }

    /// One combination, if there is one to try: the loop stays quick.
    fn try_place(&mut self) -> Option<(MasterKey, OpenedBy)> {
        let found = self.found.as_mut().ok()?;
        let slots = found.slots.as_ref().ok()?;
        let header = found.vault.header();
        for (slot, matcher) in slots.environments.iter().zip(&mut found.matchers) {
            if !matcher.has_next(slot, &self.observed) {
                continue;
            }
            self.figures.neighbours_answered();
            let observed = &self.observed;
            let key = self
                .figures
                .unwrap
                .time(|| matcher.try_next(header, slot, observed))?;
            // Only now may the values be compared one by one.
            let same = compare(header, slot, &key, observed)
                .map_or_else(|_| Answered::default(), |comparison| comparison.same);
            let place = slot.name.clone();
            return Some((key, OpenedBy::Environment { place, same }));
        }
        None
    }

    /// Releases the key, if the vault proves to be unchanged.
    fn open(&mut self, key: &MasterKey, by: OpenedBy) -> bool {
        let Ok(found) = &mut self.found else {
            return false;
        };
        let proven = match found.vault.prove(key) {
            Ok(proven) => proven,
            Err(error) => {
                log::error!("not released: {error}");
                // No place opens a vault that was tampered with.
                found.slots = Err(error);
                return false;
            }
        };
        if let Err(error) = self.figures.tmpfs.time(|| release(key, &proven.policy)) {
            log::error!("not released: {error}");
            self.screen.say(&error);
            return false;
        }
        // The interfaces go back to how they were found.
        self.neighbours = None;
        let milliseconds = self.figures.elapsed();
        note(&mut found.vault, EventKind::Released { by, milliseconds });
        self.screen
            .close(&"The key is accepted. The server goes on.");
        log::info!("{}", self.figures);
        true
    }

    /// Why the server is not open, as far as is known.
    fn reason(&self) -> Reason {
        let found = match &self.found {
            Ok(found) => found,
            Err(error) => return Reason::NoVault(*error),
        };
        let slots = match &found.slots {
            Ok(slots) => slots,
            Err(error) => return Reason::Fault(*error),
        };
        let enough = |slot| enough_answered(slot, &self.observed);
        match slots.environments.first() {
            Some(home) if !slots.environments.iter().any(|slot| enough(slot)) => Reason::Silent {
                answered: answered(home, &self.observed),
                need: home.need,
            },
            _ => Reason::NotRecognised,
        }
    }

    /// Whether there is nothing left to try and nobody left to hear from.
    fn is_judged(&self) -> bool {
        let Ok(Found {
            slots: Ok(slots),
            matchers,
            ..
        }) = &self.found
        else {
            return false;
        };
        slots
            .environments
            .iter()
            .zip(matchers)
            .all(|(slot, matcher)| {
                let answers = answered(slot, &self.observed);
                answers.machine == answers.machine_of
                    && answers.place == answers.place_of
                    && !matcher.has_next(slot, &self.observed)
            })
    }

    /// Opens the prompt when it is due, and says so when the reason changes.
    fn show_reason(&mut self) {
        let due = self.is_judged() || self.figures.since_start() >= PROMPT_AFTER;
        if !self.screen.is_open() && !due {
            return;
        }
        let reason = self.reason();
        if self.said.as_ref() == Some(&reason) {
            return;
        }
        log::warn!("locked: {reason}");
        self.note_locked(&reason);
        if self.screen.is_open() {
            self.screen.say(&reason);
        } else {
            self.screen.open(&banner(&self.found, &reason));
        }
        self.said = Some(reason);
    }

    /// Once a boot, and not for every neighbour that comes or goes.
    fn note_locked(&mut self, reason: &Reason) {
        let because = match reason {
            Reason::Silent { .. } => LockedBecause::PlaceSilent,
            Reason::NotRecognised => LockedBecause::NotRecognised,
            Reason::Fault(VaultError::PepperDamaged) => LockedBecause::PepperDamaged,
            Reason::Fault(_) | Reason::NoVault(_) => return,
        };
        let first = !matches!(
            self.said,
            Some(Reason::Silent { .. } | Reason::NotRecognised | Reason::Fault(_))
        );
        if let (Ok(found), true) = (&mut self.found, first) {
            let answered = found.slots.as_ref().ok().and_then(|slots| {
                let home = slots.environments.first()?;
                Some(answered(home, &self.observed))
            });
            let answered = answered.unwrap_or_default();
            note(&mut found.vault, EventKind::Locked { because, answered });
        }
    }

    /// Looks at sticks that were plugged in; asks for a PIN or says what is
    /// wrong with one.
    fn judge_sticks(&mut self) {
        let news = self.sticks.news();
        if let Some(waiting) = &self.waiting
            && !self.sticks.is_in(&waiting.stick)
        {
            self.waiting = None;
            self.screen.ask_for_command();
            self.screen.say(&"The stick was pulled out.");
        }
        let Ok(found) = &self.found else {
            return;
        };
        for stick in news {
            match stick::read_any(&stick, found.vault.header()) {
                Ok(file) => {
                    log::info!("a stick of this server was plugged in");
                    if file.info.has_pin() {
                        self.screen.ask_for_pin(&file.info.label);
                    }
                    self.waiting = Some(Waiting { stick, file });
                }
                Err(error) => {
                    log::warn!("stick {}: {error}", stick.disk);
                    self.screen.say(&error);
                }
            }
        }
    }

    fn try_stick_without_pin(&mut self) -> bool {
        match &self.waiting {
            Some(waiting) if !waiting.file.info.has_pin() => self.try_stick(b""),
            _ => false,
        }
    }

    fn try_stick(&mut self, pin: &[u8]) -> bool {
        let (Some(waiting), Ok(found)) = (&self.waiting, &mut self.found) else {
            return false;
        };
        let label = waiting.file.info.label.clone();
        let file = &waiting.file;
        let header = found.vault.header();
        let result = self.figures.unwrap.time(|| file.open(header, pin));
        match result {
            Ok(key) => {
                if self.open(&key, OpenedBy::Stick { label }) {
                    return true;
                }
                self.waiting = None;
                self.screen.ask_for_command();
            }
            Err(StickError::WrongPin) if file.info.has_pin() => {
                self.wrong_pins = self.wrong_pins.saturating_add(1);
                let pause = pause_after(self.wrong_pins);
                self.pins_again = Instant::now() + pause;
                log::warn!("wrong PIN for a stick");
                let seconds = pause.as_secs();
                let words = format!("The PIN is wrong. Try again in {seconds} s.");
                note(&mut found.vault, EventKind::WrongPin { stick: label });
                self.screen.say(&words);
            }
            Err(error) => {
                self.waiting = None;
                self.screen.ask_for_command();
                self.screen.say(&error);
            }
        }
        false
    }

    /// What somebody has typed; true when it opened the server.
    fn answer(&mut self, typed: Typed) -> bool {
        match typed {
            Typed::Line(line) if self.waiting.is_some() && !line.is_empty() => {
                return self.pin(&line);
            }
            Typed::Line(_) | Typed::Cancel if self.waiting.is_some() => {
                self.waiting = None;
                self.screen.ask_for_command();
                self.screen
                    .say(&"No PIN. Type retry to use the stick after all.");
            }
            Typed::Line(line) => self.command(&line),
            Typed::Cancel => self.screen.say(&""),
        }
        false
    }

    fn pin(&mut self, pin: &Line) -> bool {
        let left = self.pins_again.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            let seconds = left.as_secs() + 1;
            self.screen
                .say(&format!("Wait {seconds} s, then type the PIN again."));
            return false;
        }
        self.screen.consoles.print("Checking ...\n");
        self.try_stick(pin)
    }

    fn command(&mut self, line: &Line) {
        match Command::parse(line) {
            Some(Command::Status) => {
                let reason = self.reason();
                self.screen.say(&reason);
            }
            Some(Command::Retry) => self.retry(),
            Some(Command::Reboot) => power::restart(),
            Some(Command::PowerOff) => power::switch_off(),
            Some(Command::Help) => self.screen.say(&Help),
            None if line.is_empty() => self.screen.say(&""),
            None => self
                .screen
                .say(&"Type one of the words of the menu, or its digit."),
        }
    }

    /// Everything anew: the disk, the machine, the place, the sticks.
    fn retry(&mut self) {
        self.neighbours = None;
        self.observed = observe_machine();
        self.find_vault();
        self.sticks.forget();
        self.said = None;
        self.screen.say(&"Looking again ...");
    }

    fn find_vault(&mut self) {
        self.found = find(&self.place);
        self.begin_to_ask();
    }

    /// Sleeps until something happens, then takes in what did.
    fn wait(&mut self) {
        let busy = self.found.as_ref().is_ok_and(|found| {
            found.slots.as_ref().is_ok_and(|slots| {
                let mut places = slots.environments.iter().zip(&found.matchers);
                places.any(|(slot, matcher)| matcher.has_next(slot, &self.observed))
            })
        });
        let now = Instant::now();
        let prompt_due = (!self.screen.is_open()).then(|| self.figures.started() + PROMPT_AFTER);
        let ask_due = self.neighbours.as_ref().and_then(Neighbours::next);
        let until = if busy {
            Some(now)
        } else {
            prompt_due.into_iter().chain(ask_due).min()
        };
        wait(
            self.uevents.as_ref(),
            self.neighbours.as_ref(),
            &self.screen.consoles,
            until,
        );
        self.screen.consoles.send();
        self.hear_devices();
        self.hear_neighbours();
    }

    fn hear_neighbours(&mut self) {
        let Some(neighbours) = &mut self.neighbours else {
            return;
        };
        for (label, value) in neighbours.answers() {
            self.observed.note(&label, &value);
        }
        let now = Instant::now();
        if neighbours.next().is_some_and(|due| due <= now) {
            neighbours.ask(now);
        }
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
        if block && self.found.is_err() {
            self.find_vault();
        }
        if block || network {
            self.observed.note_all(&observe_machine());
        }
        if terminal && let Some(reason) = &self.said {
            self.screen.open_new_consoles(&banner(&self.found, reason));
        }
    }
}

fn banner<'a>(found: &'a Result<Found, LocateError>, reason: &'a Reason) -> Banner<'a> {
    let server = found.as_ref().ok();
    Banner {
        server: server.map(|found| found.vault.header().server_name.as_str()),
        reason,
    }
}

fn find(place: &VaultPlace) -> Result<Found, LocateError> {
    let vault = locate::open(place)?;
    // Read first: a state that is not known releases nothing.
    let slots = vault.state().and_then(|_| vault.slots());
    let matchers = slots.iter().flat_map(|slots| &slots.environments);
    let matchers = matchers.map(|slot| Matcher::new(slot)).collect();
    let name = Printable(&vault.header().server_name).to_string();
    log::info!("found the vault of \"{name}\"");
    Ok(Found {
        vault,
        slots,
        matchers,
    })
}

/// A log that cannot be written keeps nobody out.
fn note(vault: &mut Vault<VaultDisk>, kind: EventKind) {
    if let Err(error) = vault.append(clock::now(), clock::boot_id(), kind) {
        log::warn!("the vault's log was not written: {error}");
    }
}
