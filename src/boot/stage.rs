//! The boot stage: one loop over everything that can happen. Whatever opens
//! the vault first wins; the key is released and the stage ends.

mod changing;
mod conversation;
mod entering;
mod listening;
mod reasons;
mod recovery;
mod theft;

use std::time::Instant;

use super::figures::Figures;
use super::screen::Screen;
use super::stick_watch::StickWatch;
use crate::environment::{Comparison, KeyServers, Margin, Matcher, Neighbours, Observed, compare};
use crate::keys::{MasterKey, TypedCode};
use crate::locked::words::{LoginWords, Printable, Reason};
use crate::release::{notice, release};
use crate::stick::{Stick, StickFile};
use crate::sys::clock;
use crate::sys::uevent::UeventSocket;
use crate::theft::{Finding, TheftPolicy, TheftState};
use crate::vault::locate::{self, LocateError, VaultDisk};
use crate::vault::partitions::FoundPartition;
use crate::vault::{
    Answered, Event, EventKind, Header, OpenedBy, SlotTable, StickList, Thresholds, Vault,
    VaultError, VaultPlace,
};
use changing::Changing;
use recovery::Recovery;

/// What was read from the vault. The vault itself is open only for moments:
/// kept in a file, its filesystem would be mounted for as long as the prompt
/// waits, and found unclean after a power cut.
struct Found {
    /// Where it is.
    partition: FoundPartition,
    header: Header,
    slots: Result<Box<SlotTable>, VaultError>,
    matchers: Vec<Matcher>,
    /// As far as it can be read; the same of what follows.
    state: TheftState,
    /// Not proven until a key is there.
    policy: TheftPolicy,
    /// Not proven until a key is there.
    sticks: StickList,
}

/// How the stage ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The keys are in memory.
    Released,
    /// The owner wants the system to start without them.
    WithoutKeys,
}

/// A stick that waits for its PIN.
struct Waiting {
    stick: Stick,
    file: StickFile,
}

/// What is typed in several lines, as far as it was.
#[derive(Default)]
struct Entry {
    code: Option<TypedCode>,
    change: Option<Changing>,
}

pub struct Stage {
    place: VaultPlace,
    found: Result<Found, LocateError>,
    observed: Observed,
    neighbours: Option<Neighbours>,
    servers: KeyServers,
    uevents: Option<UeventSocket>,
    screen: Screen,
    /// What the prompt last said about why it is there.
    said: Option<Reason>,
    /// The vault's log has it that the server stayed locked.
    noted_locked: bool,
    sticks: StickWatch,
    waiting: Option<Waiting>,
    entry: Entry,
    /// Since the server last opened, in earlier boots too.
    wrong_entries: u32,
    /// When the next entry is taken.
    next_entry: Instant,
    /// The slots were destroyed, and nothing shows it: what was found before
    /// is not read again.
    feigned: bool,
    recovery: Recovery,
    /// The place opened the server, and a factor has another value.
    has_changed: bool,
    /// Since when enough neighbours and parts of the machine answer.
    enough_since: Option<Instant>,
    /// The finding that the stage has drawn its conclusions from.
    acted_on: Option<Finding>,
    /// The system may start without the keys when nobody is there.
    goes_on: bool,
    last_typed: Option<Instant>,
    figures: Figures,
}

impl Stage {
    /// `start` is when the program began.
    pub fn new(place: VaultPlace, start: Instant) -> Self {
        let mut figures = Figures::begin(start);
        // First of all: nothing that is announced from now on is missed.
        let uevents = UeventSocket::open()
            .inspect_err(|errno| log::warn!("no device events: {errno}"))
            .ok();
        let found = figures.vault.time(|| find(&place));
        let mut stage = Self {
            place,
            found,
            observed: Observed::default(),
            neighbours: None,
            servers: KeyServers::default(),
            uevents,
            screen: Screen::default(),
            said: None,
            noted_locked: false,
            sticks: StickWatch::default(),
            waiting: None,
            entry: Entry::default(),
            wrong_entries: 0,
            next_entry: start,
            feigned: false,
            recovery: Recovery::default(),
            has_changed: false,
            enough_since: None,
            acted_on: None,
            goes_on: false,
            last_typed: None,
            figures,
        };
        stage.begin_to_ask();
        // What others answer takes time: the rest is done meanwhile, and they are
        // asked again in between.
        stage.hear_neighbours();
        stage.servers.work_ahead(Instant::now());
        stage.hear_neighbours();
        stage.look_at_machine();
        stage.note_finished_reset();
        stage
    }

    /// Runs until the key is released, or the system is to start without it.
    pub fn run(mut self) -> End {
        loop {
            if let Some((key, by)) = self.try_place()
                && self.open(&key, by)
            {
                return End::Released;
            }
            self.judge();
            self.show_reason();
            if self.screen.is_open() {
                self.judge_sticks();
                if self.try_stick_without_pin() {
                    return End::Released;
                }
            }
            if self.starts_locked() {
                self.start_locked();
                return End::WithoutKeys;
            }
            self.wait();
            for typed in self.screen.typed() {
                self.somebody_is_there();
                if !self.screen.is_open() {
                    self.open_prompt_now();
                    continue;
                }
                if self.answer(typed) {
                    return End::Released;
                }
            }
        }
    }

    /// Asks for the neighbours and the key servers that the slots name.
    fn begin_to_ask(&mut self) {
        // First: it puts interfaces down that the next one needs up.
        self.neighbours = None;
        let Ok(Found {
            partition, slots, ..
        }) = &self.found
        else {
            return;
        };
        // It may look like a stick and is none.
        self.sticks.leave_out(&partition.disk);
        let Ok(slots) = slots else {
            return;
        };
        let now = Instant::now();
        self.figures.begin_to_ask(now);
        let places = slots.environments.iter().map(|slot| &**slot);
        self.neighbours = Some(Neighbours::of_places(places, now));
        self.servers = KeyServers::of(&slots.environments, now);
    }

    /// One combination, if there is one to try: the loop stays quick.
    fn try_place(&mut self) -> Option<(MasterKey, OpenedBy)> {
        let found = self.found.as_mut().ok()?;
        let slots = found.slots.as_ref().ok()?;
        let header = &found.header;
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
            // Who answered meanwhile counts as well.
            if let Some(neighbours) = &self.neighbours {
                self.observed.note_answers(&neighbours.answers());
            }
            let said = self.servers.drive(Instant::now());
            self.observed.note_answers(&said);
            // Only now may the values be compared one by one.
            let same = match compare(header, slot, &key, &self.observed) {
                Ok(comparison) => {
                    tell_changes(&comparison, slot.need);
                    self.has_changed = !comparison.changed.is_empty();
                    comparison.same
                }
                Err(_) => Answered::default(),
            };
            let (place, need) = (slot.name.clone(), slot.need);
            return Some((key, OpenedBy::Environment { place, same, need }));
        }
        None
    }

    /// Releases the key, if the vault proves to be unchanged.
    fn open(&mut self, key: &MasterKey, by: OpenedBy) -> bool {
        let vault = match &self.found {
            Ok(found) => locate::look_again(&self.place, &found.partition),
            Err(_) => locate::look(&self.place),
        };
        let proven = vault.and_then(|vault| {
            let proven = vault.prove(key)?;
            match by {
                OpenedBy::Environment { .. } | OpenedBy::Passphrase { .. }
                    if proven.state.is_reset() =>
                {
                    Err(VaultError::WasReset.into())
                }
                _ => Ok(proven),
            }
        });
        let proven = match proven {
            Ok(proven) => proven,
            Err(error) => {
                log::error!("not released: {error}");
                self.screen.say(&error);
                self.offer_mending(key, &by, error);
                match (&mut self.found, error) {
                    // The disk has gone: it is looked for anew when one comes.
                    (
                        found,
                        LocateError::Vault(VaultError::Device(_)) | LocateError::NoPartition,
                    ) => {
                        *found = Err(error);
                    }
                    // No place opens a vault that was tampered with.
                    (Ok(found), LocateError::Vault(error)) => found.slots = Err(error),
                    _ => {}
                }
                return false;
            }
        };
        if let Err(error) = self.figures.tmpfs.time(|| release(key, &proven.policy)) {
            log::error!("not released: {error}");
            self.screen.say(&error);
            return false;
        }
        let milliseconds = self.figures.released();
        // The interfaces go back to how they were found.
        self.neighbours = None;
        self.servers = KeyServers::default();
        if !matches!(by, OpenedBy::Environment { .. }) {
            self.note_locked();
            self.remember_place(key, &proven.policy);
        }
        self.settle(key, &proven);
        let words = LoginWords {
            // What is silent so early may only be late: status looks again.
            margin: Margin::at_opening(&by).filter(|_| self.has_changed),
            strikes: proven.state.strikes(),
        };
        if let Err(error) = notice::put(notice::Topic::Boot, &words.to_string()) {
            log::warn!("the words for the next log-in were not written: {error}");
        }
        self.note_opening(key, EventKind::Released { by, milliseconds });
        self.screen
            .close(&"The key is accepted. The server goes on.");
        log::info!("{}", self.figures);
        true
    }

    /// Writes to the vault's log; one that cannot be written keeps nobody out.
    fn note(&self, kind: EventKind) {
        self.note_unless(kind, |_| false);
    }

    /// The same with the key at hand, which seals the log up to here.
    fn note_opening(&self, key: &MasterKey, kind: EventKind) {
        self.write_log(|vault| vault.append_sealed(key, clock::now(), clock::boot_id(), kind));
    }

    /// The same as [`Stage::note`], unless this boot has noted its like.
    fn note_once_a_boot(&self, kind: EventKind) {
        let boot_id = clock::boot_id();
        let like = std::mem::discriminant(&kind);
        self.note_unless(kind, |event| {
            event.boot_id == boot_id && std::mem::discriminant(&event.kind) == like
        });
    }

    fn note_unless(&self, kind: EventKind, known: impl Fn(&Event) -> bool) {
        self.write_log(|vault| {
            if vault.events()?.iter().any(known) {
                return Ok(());
            }
            vault.append(clock::now(), clock::boot_id(), kind)
        });
    }

    fn write_log(&self, write: impl FnOnce(&mut Vault<VaultDisk>) -> Result<(), VaultError>) {
        let written = locate::open_as_is(&self.place).and_then(|mut vault| Ok(write(&mut vault)?));
        if let Err(error) = written {
            log::warn!("the vault's log was not written: {error}");
        }
    }

    fn find_vault(&mut self) {
        match &mut self.found {
            Ok(found) if self.feigned => found.begin_again(),
            found => *found = find(&self.place),
        }
        self.begin_to_ask();
        self.note_finished_reset();
    }
}

/// Names what is not as it was enrolled, never a value; and says when one
/// change more would ask for a stick.
fn tell_changes(comparison: &Comparison, need: Thresholds) {
    for label in &comparison.changed {
        log::warn!("not as it was enrolled: {label}");
    }
    for label in &comparison.silent {
        log::info!("has not answered yet: {label}");
    }
    let changed = !comparison.changed.is_empty();
    if changed && Margin::of(&comparison.same, need).is_used_up {
        log::warn!("one more change, and this server asks for a stick: see stayput status");
    }
}

impl Found {
    /// Forgets which combinations were tried.
    fn begin_again(&mut self) {
        let slots = self.slots.iter().flat_map(|slots| &slots.environments);
        self.matchers = slots.map(|slot| Matcher::new(slot)).collect();
    }
}

fn find(place: &VaultPlace) -> Result<Found, LocateError> {
    let vault = locate::look_at_finished(place)?;
    let name = Printable(&vault.header().server_name).to_string();
    log::info!("found the vault of \"{name}\"");
    let mut found = Found {
        partition: vault.partition().clone(),
        header: vault.header().clone(),
        slots: vault.slots(),
        matchers: Vec::new(),
        state: vault.state().unwrap_or(TheftState::Armed),
        policy: vault
            .unproven_policy()
            .unwrap_or_default()
            .as_claimed()
            .theft,
        sticks: vault
            .unproven_sticks()
            .unwrap_or_default()
            .as_claimed()
            .clone(),
    };
    found.begin_again();
    Ok(found)
}
