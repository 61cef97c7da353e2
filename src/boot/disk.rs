//! The vault on its disk. Only this file of the stage opens it, and each
//! function here closes it again.

use std::path::PathBuf;

use crate::environment::{
    ChosenFactor, HOME, Observed, SECOND, add_second_place, count_by_group, enrol, opens_again,
    table_with_place, usual_thresholds,
};
use crate::keys::MasterKey;
use crate::opening::act::{ChangeError, Repeat, TheftRecords, UsedWayIn};
use crate::opening::dialogue::TypedLine;
use crate::opening::messages::{NotChanged, NotRemembered};
use crate::opening::snapshot::Snapshot;
use crate::printable::Printable;
use crate::reset::Reset;
use crate::stick::{PluggedKeys, StickInfo};
use crate::sys::{clock, sysfs};
use crate::theft::{ResetCause, WayBack};
use crate::vault::locate::{self, BOOT_WAITS, LocateError, VaultDisk};
use crate::vault::partitions::FoundPartition;
use crate::vault::{
    Count, Destroyed, EventKind, FactorCounts, KnownCode, LoggedEvent, ProvenRecords, StickList,
    Unproven, Vault, VaultConf, VaultError, Written, wrong_entries,
};

/// Finds and opens the vault.
pub struct Disk {
    conf: VaultConf,
    /// The partition on which the vault was found last.
    found: Option<FoundPartition>,
}

impl Disk {
    /// For the vault that vault.conf names; nothing is opened yet.
    pub fn new(conf: VaultConf) -> Self {
        Self { conf, found: None }
    }

    /// The kernel's name of the disk on which the vault was found last.
    pub fn name(&self) -> Option<&sysfs::Name> {
        self.found.as_ref().map(|found| &found.disk)
    }

    /// Finds the vault, finishes what a power cut has interrupted, and reads
    /// it.
    pub fn read(&mut self) -> Result<Snapshot, LocateError> {
        self.found = None;
        let vault = locate::repair_and_open_read_only(&self.conf, BOOT_WAITS)?;
        let name = Printable(&vault.header().server_name).to_string();
        log::info!("found the vault of \"{name}\"");
        self.found = Some(vault.partition().clone());
        Ok(Snapshot::of(&vault))
    }

    /// Reads the records that the theft state machine decides by.
    pub fn theft(&self) -> Result<TheftRecords, LocateError> {
        let vault = locate::open(&self.conf, BOOT_WAITS)?;
        let policy = vault.unproven_policy().unwrap_or_default();
        Ok(TheftRecords {
            state: vault.state(),
            policy: Unproven::new(policy.as_claimed().theft),
            plugged: Vec::new(),
        })
    }

    /// Writes a strike, and a line in the vault's log. A log that cannot be
    /// written is no error: the strike counts.
    pub fn strike(&self, strikes: u8, boot_id: [u8; 16], of: u8) -> Result<(), LocateError> {
        let mut vault = locate::open(&self.conf, BOOT_WAITS)?;
        tell_once("the theft state", vault.strike(strikes, boot_id)?);
        log::warn!("a foreign place: strike {strikes} of {of}");
        let strike = EventKind::Strike { strikes, of };
        tell_unwritten(vault.append(clock::now(), boot_id, strike));
        Ok(())
    }

    /// Destroys the pepper, the slots and the released keys, and with `wipe`
    /// the `plugged` keys: see [`Reset::destroy`]. Also returns the devices that
    /// were to be wiped and were not.
    pub fn destroy(
        &self,
        cause: ResetCause,
        plugged: &PluggedKeys,
        wipe: bool,
    ) -> (Result<Destroyed, LocateError>, Vec<PathBuf>) {
        let reset = Reset {
            cause,
            plugged,
            wipe,
        };
        let target = locate::reset_target(&self.conf);
        // Nothing runs yet that would read the released files.
        let done = reset.destroy(target, || ());
        tell_unwritten(done.noted);
        if let Err(error) = done.doubted {
            log::error!("a stick that was wiped may still count as verified: {error}");
        }
        (done.destroyed, done.wiped.unwiped)
    }

    /// Checks the records that decide about a release.
    pub fn prove(&self, key: &MasterKey) -> Result<ProvenRecords, LocateError> {
        let vault = match &self.found {
            Some(found) => locate::reopen_read_only(&self.conf, found),
            None => locate::open_read_only(&self.conf),
        };
        Ok(vault?.prove(key)?)
    }

    /// Writes the state *armed*; where the state was not proven, the log says
    /// so.
    pub fn arm(&self, key: &MasterKey, was_proven: bool) {
        let armed = locate::open(&self.conf, BOOT_WAITS).and_then(|mut vault| {
            tell_once("the theft state", vault.arm(key)?);
            if !was_proven {
                log::warn!("the theft state was not written by this server; it is mended");
                let mended = EventKind::StateMended;
                let written = vault.append(clock::now(), clock::boot_id(), mended)?;
                tell_once("the log", written);
            }
            Ok(())
        });
        if let Err(error) = armed {
            log::warn!("the theft state was not written: {error}");
        }
    }

    /// Wrong entries since the server last opened, from the vault's log; 0
    /// where it cannot be read.
    pub fn wrong_entries(&self) -> u32 {
        let events = locate::open_read_only(&self.conf).and_then(|vault| Ok(vault.events()?));
        events.map_or(0, |events| wrong_entries(&events))
    }

    /// Appends an event to the vault's log. A log that cannot be written keeps
    /// nobody out.
    pub fn note(&self, kind: EventKind, repeat: Repeat) {
        let boot_id = clock::boot_id();
        let is_known = |event: &LoggedEvent| match repeat {
            Repeat::Always => false,
            Repeat::OncePerBoot => {
                let same_kind =
                    std::mem::discriminant(&event.kind) == std::mem::discriminant(&kind);
                event.boot_id == boot_id && same_kind
            }
            Repeat::OnceEver => event.kind == kind,
        };
        self.write_log(&mut |vault| {
            if repeat != Repeat::Always && vault.events()?.iter().any(is_known) {
                return Ok(Written::Twice);
            }
            vault.append(clock::now(), boot_id, kind.clone())
        });
    }

    /// Appends an event and seals the log up to it.
    pub fn note_sealed(&self, key: &MasterKey, kind: EventKind) {
        let mut kind = Some(kind);
        self.write_log(&mut |vault| match kind.take() {
            Some(kind) => vault.append_sealed(key, clock::now(), clock::boot_id(), kind),
            None => Ok(Written::Twice),
        });
    }

    fn write_log(
        &self,
        write: &mut dyn FnMut(&mut Vault<VaultDisk>) -> Result<Written, VaultError>,
    ) {
        let written = locate::open_unrepaired(&self.conf, BOOT_WAITS)
            .and_then(|mut vault| Ok(write(&mut vault)?));
        tell_unwritten(written);
    }

    /// Changes a person's passphrase, as `stayput passphrase change` does.
    pub fn change_passphrase(
        &self,
        key: &MasterKey,
        name: &str,
        new: &TypedLine,
    ) -> Result<(), ChangeError> {
        let nothing = |error| ChangeError::Nothing(NotChanged::Vault(error));
        let nothing_of = |error: VaultError| nothing(error.into());
        let mut vault = locate::open(&self.conf, BOOT_WAITS).map_err(nothing)?;
        vault.prove(key).map_err(nothing_of)?;
        let mut slots = vault.proven_slots(key).map_err(nothing_of)?.draft();
        slots
            .passphrases
            .change(vault.header(), key, name, new, clock::now())
            .map_err(|error| ChangeError::Nothing(NotChanged::Passphrase(error)))?;
        let written = vault
            .replace_slots(key, &slots)
            .map_err(ChangeError::Perhaps)?;
        tell_once("the slots", written);
        Ok(())
    }

    /// Writes safe settings and a list with the way in that was used.
    pub fn mend(&self, key: &MasterKey, used: &UsedWayIn) -> Result<(), LocateError> {
        let now = clock::now();
        let mut list = StickList::default();
        let mut vault = locate::open(&self.conf, BOOT_WAITS)?;
        let generation = vault.header().generation;
        match used {
            UsedWayIn::Stick(file) => {
                list.sticks.extend([file.info.known(generation, now)]);
                let restored = vault.restore_earlier(key, file.earlier())?;
                tell_once("the header", restored);
            }
            UsedWayIn::Code { generation } => {
                list.code = Some(KnownCode {
                    generation: *generation,
                    verified: now,
                    kept: None,
                });
            }
            UsedWayIn::Passphrase => {}
        }
        let written = vault.mend(key, &list)?;
        tell_once("the settings", written);
        Ok(())
    }

    /// Enrols the `chosen` factors with the usual thresholds: as the second
    /// place, or as the home where no slots are left. The slot must open with
    /// what was `observed`. After a reset the stick that was `used` to open the
    /// server counts as verified: nobody has wiped it.
    pub fn enrol(
        &self,
        key: &MasterKey,
        chosen: &[ChosenFactor],
        observed: &Observed,
        used: Option<&StickInfo>,
    ) -> Result<WayBack, NotRemembered> {
        let need = usual_thresholds(chosen);
        let of = count_by_group(chosen);
        let factors = FactorCounts::from_fn(|group| Count {
            count: need.of(group),
            of: of.of(group),
        });
        // Without neighbours the server would open anywhere.
        if of.neighbours < need.neighbours {
            return Err(NotRemembered::NobodyAnswers);
        }
        let failed = NotRemembered::Failed;
        let mut vault = locate::open(&self.conf, BOOT_WAITS).map_err(tell(failed))?;
        let before = vault.slots_if_any(key).map_err(tell(failed))?;
        let rearms = before.is_none();
        let before = before.unwrap_or_default();
        let id = before.next_id;
        let name = match before.environments.is_empty() {
            true => HOME,
            false => SECOND,
        };
        let name: heapless::String<32> = name.try_into().expect("a short name fits");
        let header = vault.header();
        let slot = enrol(header, key, id, name.clone(), chosen, need, |_, _| ())
            .ok()
            .filter(|slot| opens_again(header, slot, observed))
            .ok_or(failed)?;
        let mut table = before;
        if table.environments.is_empty() {
            table = table_with_place(slot, table.passphrases).into();
        } else {
            add_second_place(&mut table, slot).map_err(tell(NotRemembered::Weaker))?;
        }
        let written = vault.replace_slots(key, &table).map_err(tell(failed))?;
        tell_once("the slots", written);
        if let Some(used) = used.filter(|_| rearms) {
            let seen = used.known(vault.header().generation, clock::now());
            let noted = vault.note_verified(key, seen);
            // The place is enrolled even where this fails.
            let _ = noted.map_err(tell(failed));
        }
        let rearmed = rearms.then_some(EventKind::Rearmed);
        let enrolled = EventKind::Enrolled {
            place: name,
            factors,
        };
        for kind in rearmed.into_iter().chain([enrolled]) {
            let noted = vault.append(clock::now(), clock::boot_id(), kind);
            let _ = noted.map_err(tell(failed));
        }
        Ok(vault.way_back(key))
    }
}

/// Logs an error in full; the screen shows only what it means.
fn tell<E: core::fmt::Display>(why: NotRemembered) -> impl Fn(E) -> NotRemembered {
    move |error| {
        log::error!("the place was not remembered: {error}");
        why
    }
}

fn tell_unwritten<E: core::fmt::Display>(written: Result<Written, E>) {
    match written {
        Ok(written) => tell_once("the log", written),
        Err(error) => log::warn!("the vault's log was not written: {error}"),
    }
}

/// The disk refused a copy.
fn tell_once(record: &str, written: Written) {
    if written == Written::Once {
        log::warn!("the disk begins to fail: it took one copy of two of {record}");
    }
}
