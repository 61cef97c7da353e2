//! The vault on its disk: the only file of the stage that opens it. It is open
//! for moments only; every function here opens it and closes it again.

use crate::environment::{
    Chosen, HOME, Observed, SECOND, count, enrol, opens_again, put_beside_home, table_of,
    usual_thresholds,
};
use crate::keys::MasterKey;
use crate::opening::act::{ChangeError, Known, TheftRecords, Unless};
use crate::opening::dialogue::Line;
use crate::opening::messages::{NotChanged, NotRemembered, Printable};
use crate::opening::snapshot::Snapshot;
use crate::reset::Reset;
use crate::stick::PluggedKeys;
use crate::sys::{clock, sysfs};
use crate::theft::ResetCause;
use crate::vault::locate::{self, LocateError, VaultDisk};
use crate::vault::partitions::FoundPartition;
use crate::vault::{
    Answered, Destroyed, Event, EventKind, Group, Header, KnownCode, Passphrases, ProvenRecords,
    StickList, Unproven, Vault, VaultError, VaultPlace, wrong_entries,
};

/// Where the vault is, and where it was found last.
pub struct Disk {
    place: VaultPlace,
    found: Option<FoundPartition>,
}

impl Disk {
    pub fn new(place: VaultPlace) -> Self {
        Self { place, found: None }
    }

    /// The kernel's name of the disk that it was found on.
    pub fn name(&self) -> Option<&sysfs::Name> {
        self.found.as_ref().map(|found| &found.disk)
    }

    /// Finds the vault, and finishes what a power cut has interrupted.
    pub fn read(&mut self) -> Result<Snapshot, LocateError> {
        self.found = None;
        let vault = locate::look_at_finished(&self.place)?;
        let name = Printable(&vault.header().server_name).to_string();
        log::info!("found the vault of \"{name}\"");
        self.found = Some(vault.partition().clone());
        Ok(Snapshot::of(&vault))
    }

    /// What the theft state machine decides by.
    pub fn theft(&self) -> Result<TheftRecords, LocateError> {
        let vault = locate::open(&self.place)?;
        let policy = vault.unproven_policy().unwrap_or_default();
        Ok(TheftRecords {
            state: vault.state(),
            policy: Unproven::new(policy.as_claimed().theft),
            plugged: Vec::new(),
        })
    }

    /// Writes a strike. It counts, noted in the log or not.
    pub fn strike(&self, strikes: u8, boot_id: [u8; 16], of: u8) -> Result<(), LocateError> {
        let mut vault = locate::open(&self.place)?;
        vault.strike(strikes, boot_id)?;
        log::warn!("a foreign place: strike {strikes} of {of}");
        let strike = EventKind::Strike { strikes, of };
        tell_unwritten(vault.append(clock::now(), boot_id, strike));
        Ok(())
    }

    /// This server's keys on the sticks that are plugged in.
    pub fn plugged_keys(&self, header: &Header) -> PluggedKeys {
        let own = self.name().map(|name| name.as_str());
        PluggedKeys::find(header, own)
    }

    /// See [`Reset::destroy`].
    pub fn destroy(
        &self,
        cause: ResetCause,
        plugged: &PluggedKeys,
        wipe: bool,
    ) -> Result<Destroyed, LocateError> {
        let reset = Reset {
            cause,
            plugged,
            wipe,
        };
        let mut vault = locate::open(&self.place);
        // Nothing runs yet that would read the released files.
        let done = reset.destroy(vault.as_mut().map_err(|error| *error), || ());
        tell_unwritten(done.noted);
        done.destroyed
    }

    /// Checks the records that decide about a release.
    pub fn prove(&self, key: &MasterKey) -> Result<ProvenRecords, LocateError> {
        let vault = match &self.found {
            Some(found) => locate::look_again(&self.place, found),
            None => locate::look(&self.place),
        };
        Ok(vault?.prove(key)?)
    }

    /// Strikes do not count any more; where the state was not proven the log
    /// says so.
    pub fn arm(&self, key: &MasterKey, was_proven: bool) {
        let armed = locate::open(&self.place).and_then(|mut vault| {
            vault.arm(key)?;
            if !was_proven {
                log::warn!("the theft state was not written by this server; it is mended");
                vault.append(clock::now(), clock::boot_id(), EventKind::StateMended)?;
            }
            Ok(())
        });
        if let Err(error) = armed {
            log::warn!("the theft state was not written: {error}");
        }
    }

    /// Wrong entries since the server last opened, as the log has them.
    pub fn wrong_entries(&self) -> u32 {
        let events = locate::look(&self.place).and_then(|vault| Ok(vault.events()?));
        events.map_or(0, |events| wrong_entries(&events))
    }

    /// Writes to the vault's log; one that cannot be written keeps nobody out.
    pub fn note(&self, kind: EventKind, unless: Unless) {
        let boot_id = clock::boot_id();
        let is_known = |event: &Event| match unless {
            Unless::Never => false,
            Unless::KindThisBoot => {
                let same_kind =
                    std::mem::discriminant(&event.kind) == std::mem::discriminant(&kind);
                event.boot_id == boot_id && same_kind
            }
            Unless::Same => event.kind == kind,
        };
        self.write_log(&mut |vault| {
            if unless != Unless::Never && vault.events()?.iter().any(is_known) {
                return Ok(());
            }
            vault.append(clock::now(), boot_id, kind.clone())
        });
    }

    /// Appends an event and seals the log up to it.
    pub fn note_sealed(&self, key: &MasterKey, kind: EventKind) {
        let mut kind = Some(kind);
        self.write_log(&mut |vault| match kind.take() {
            Some(kind) => vault.append_sealed(key, clock::now(), clock::boot_id(), kind),
            None => Ok(()),
        });
    }

    fn write_log(&self, write: &mut dyn FnMut(&mut Vault<VaultDisk>) -> Result<(), VaultError>) {
        let written = locate::open_as_is(&self.place).and_then(|mut vault| Ok(write(&mut vault)?));
        tell_unwritten(written);
    }

    /// What `stayput passphrase change` does.
    pub fn change_passphrase(
        &self,
        key: &MasterKey,
        name: &str,
        new: &Line,
    ) -> Result<(), ChangeError> {
        let nothing = |error| ChangeError::Nothing(NotChanged::Vault(error));
        let nothing_of = |error: VaultError| nothing(error.into());
        let mut vault = locate::open(&self.place).map_err(nothing)?;
        vault.prove(key).map_err(nothing_of)?;
        let mut slots = vault.slots().map_err(nothing_of)?;
        slots
            .passphrases
            .change(vault.header(), key, name, new, clock::now())
            .map_err(|error| ChangeError::Nothing(NotChanged::Passphrase(error)))?;
        vault
            .replace_slots(key, &slots)
            .map_err(ChangeError::Perhaps)
    }

    /// Safe settings in place of what does not prove.
    pub fn mend(&self, key: &MasterKey, known: &Known) -> Result<(), LocateError> {
        let now = clock::now();
        let mut list = StickList::default();
        match known {
            Known::Stick(info) => list.sticks.extend([info.known(now)]),
            Known::Code { generation } => {
                list.code = Some(KnownCode {
                    generation: *generation,
                    verified: now,
                    kept: heapless::String::new(),
                });
            }
            Known::Passphrase => {}
        }
        Ok(locate::open(&self.place)?.mend(key, &list)?)
    }

    /// Enrols what was `observed` and `chosen` with the usual thresholds: beside
    /// the home, or as the home where no slots are left.
    pub fn enrol(
        &self,
        key: &MasterKey,
        chosen: &[Chosen],
        observed: &Observed,
    ) -> Result<(), NotRemembered> {
        let need = usual_thresholds(chosen);
        let factors = Answered {
            machine: need.machine,
            machine_of: count(chosen, Group::Machine),
            place: need.place,
            place_of: count(chosen, Group::Place),
            ..Answered::default()
        };
        // Without one of them it would open anywhere.
        if factors.place_of < need.place {
            return Err(NotRemembered::NobodyAnswers);
        }
        let failed = NotRemembered::Failed;
        let mut vault = locate::open(&self.place).map_err(tell(failed))?;
        let before = vault.slots().ok();
        let (name, id) = match &before {
            Some(table) => (SECOND, table.next_id),
            None => (HOME, 0),
        };
        let name: heapless::String<32> = name.try_into().expect("a short name fits");
        let header = vault.header();
        let slot = enrol(header, key, id, name.clone(), chosen, need, |_, _| ())
            .ok()
            .filter(|slot| opens_again(header, slot, observed))
            .ok_or(failed)?;
        let rearmed = before.is_none().then_some(EventKind::Rearmed);
        let table = match before {
            Some(mut table) => {
                put_beside_home(&mut table, slot).map_err(tell(NotRemembered::Weaker))?;
                table
            }
            None => table_of(slot, Passphrases::default()).into(),
        };
        vault.replace_slots(key, &table).map_err(tell(failed))?;
        let enrolled = EventKind::Enrolled {
            place: name,
            factors,
        };
        for kind in rearmed.into_iter().chain([enrolled]) {
            let noted = vault.append(clock::now(), clock::boot_id(), kind);
            // It opens here, noted or not.
            let _ = noted.map_err(tell(failed));
        }
        Ok(())
    }
}

/// Logs an error in full; on the screen stands what it means.
fn tell<E: core::fmt::Display>(why: NotRemembered) -> impl Fn(E) -> NotRemembered {
    move |error| {
        log::error!("the place was not remembered: {error}");
        why
    }
}

fn tell_unwritten<E: core::fmt::Display>(written: Result<(), E>) {
    if let Err(error) = written {
        log::warn!("the vault's log was not written: {error}");
    }
}
