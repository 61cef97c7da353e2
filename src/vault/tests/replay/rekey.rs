//! Replacing the master key: all of the old one is in force, or all of the next.

use super::super::{FailingDevice, Fails};
use super::operations::assert_log_is_whole;
use super::*;
use crate::keys::{Keyring, RecoveryCode};
use crate::theft::ResetCause;

pub const OFFICE: [u8; 8] = [1; 8];
pub const LOST: [u8; 8] = [2; 8];
const WORDS: &str = "otter lamp frozen cello";
const DURESS: &str = "maize under the bridge";

/// A server with a place, people, two sticks and a code, and what is made for its next
/// key, which the lost stick does not get.
pub struct Clinic {
    pub before: MemoryDevice,
    pub keys: Keyring,
    pub next: NextGeneration,
    slots: SlotTable,
    list: StickList,
    pub ways: Ways,
    code: RecoveryCode,
    office: UnsealedWayKey,
    pub lost: UnsealedWayKey,
}

pub fn way_key() -> UnsealedWayKey {
    UnsealedWayKey {
        key: WayKey::random(),
        made_in: 1,
    }
}

/// A place that its key server opens.
fn place(header: &Header, key: &MasterKey) -> EnvironmentSlot {
    let label = Label::try_from("tang 10.0.0.9:80").unwrap();
    let value = Value::from_slice(&[5; 32]).unwrap();
    let values = [value.clone()].into_iter().collect();
    EnvironmentSlot {
        id: 0,
        name: "home".try_into().unwrap(),
        need: Thresholds {
            servers: 1,
            ..Thresholds::default()
        },
        rows: [Row::wrap(header, 0, 1, &[(&label, &value)], key)]
            .into_iter()
            .collect(),
        witnesses: heapless::Vec::new(),
        enrolled: SealedValues::seal(header, 0, key, &values),
        factors: [Factor {
            group: Group::Servers,
            label,
        }]
        .into_iter()
        .collect(),
        servers: heapless::Vec::new(),
        addresses: heapless::Vec::new(),
    }
}

/// The slots of one place, and of these people.
fn slots_of(header: &Header, key: &MasterKey, passphrases: Passphrases) -> SlotTable {
    let mut slots = SlotTable {
        next_id: 1,
        passphrases,
        ..SlotTable::default()
    };
    slots.environments.extend([Box::new(place(header, key))]);
    slots
}

pub fn clinic() -> Clinic {
    let (key, disk) = made();
    let keys = Keyring::of_one(1, key.clone());
    let mut vault = Vault::open(disk).unwrap();
    let header = vault.header().clone();
    let mut slots = slots_of(&header, &key, Passphrases::quick());
    for (who, kind, words) in [
        ("halima", Passphrase::Opens, WORDS),
        ("night", Passphrase::Duress, DURESS),
    ] {
        let name = who.try_into().unwrap();
        slots
            .add_passphrase(&header, &key, name, kind, words.as_bytes(), 5)
            .unwrap();
    }
    vault.replace_slots(&key, &slots).unwrap();
    let policy = Policy {
        mariadb: Some(MariadbRelease::new(104, 111, 1)),
        ..Policy::default()
    };
    vault.set_policy(&key, policy).unwrap();
    let (office, lost) = (way_key(), way_key());
    let (mut ways, mut list) = (Ways::default(), StickList::default());
    for (id, way_key) in [(OFFICE, &office), (LOST, &lost)] {
        assert!(ways.note_stick(&header, &key, id, way_key, 1));
        let known = KnownStick {
            id,
            label: "stick".try_into().unwrap(),
            has_pin: true,
            generation: 1,
            made: 0,
            verified: Some(7),
            kept: None,
        };
        list.sticks.push(known).unwrap();
    }
    let code = ways.make_code(&header, &key);
    list.code = Some(KnownCode {
        generation: 1,
        verified: 7,
        kept: None,
    });
    vault.set_ways(&key, &ways).unwrap();
    vault.set_sticks(&key, list.clone()).unwrap();
    let logged = EventKind::PolicyChanged;
    vault.append_sealed(&key, 7, [1; 16], logged).unwrap();

    let next = NextGeneration::of(&header, &keys).unwrap();
    let old = (&header, &key);
    let of_next = (&next.header, next.key());
    let people = slots.passphrases.under_next_key(old, of_next);
    let slots = slots_of(of_next.0, of_next.1, people);
    list.sticks.retain(|stick| stick.id != LOST);
    ways.forget_stick(LOST);
    let ways = next.ways(&ways, old);
    Clinic {
        before: vault.device.fresh(),
        list: next.sticks(&list, &ways, old),
        slots,
        keys,
        next,
        ways,
        code,
        office,
        lost,
    }
}

impl Clinic {
    pub fn rekey(&self, vault: &mut Vault<MemoryDevice>) -> Result<Written, VaultError> {
        let records = NextRecords {
            slots: &self.slots,
            ways: &self.ways,
            sticks: &self.list,
            policy: None,
            at: (9, [2; 16]),
        };
        vault.rekey(self.keys.current(), &self.next, &records)
    }

    pub fn after(&self) -> MemoryDevice {
        let mut vault = Vault::open(self.before.fresh()).unwrap();
        self.rekey(&mut vault).unwrap();
        vault.device.fresh()
    }

    /// Everything that the owner has opens this disk, by one key or the other; returns
    /// whether it is the next one.
    fn opens(&self, vault: &Vault<MemoryDevice>) -> bool {
        let header = vault.header();
        let is_next = vault.accepts(self.next.key());
        let key = match is_next {
            true => self.next.key(),
            false => self.keys.current(),
        };
        let proven = vault.prove(key).expect("the key opens it");
        assert!(proven.state_proven);
        assert!(proven.policy.mariadb.is_some());
        // MariaDB has its keys, whichever is the key of now.
        let first = proven.keys.of_generation(1).unwrap();
        assert_eq!(first.expose(), self.keys.current().expose());
        let slots = vault.proven_slots(key).unwrap();
        assert!(slots.environments[0].enrolled_values(header, key).is_ok());
        let people = slots.passphrases.slots();
        let kinds = people.iter().map(|slot| slot.kind(header, key));
        assert!(kinds.eq([Some(Passphrase::Opens), Some(Passphrase::Duress)]));
        let ways = vault.unproven_ways().unwrap();
        let ways = ways.as_claimed();
        assert!(ways.key_of_code(header, &self.code).is_ok());
        let by_stick = |id, way: &UnsealedWayKey| ways.key_of_stick(header, id, &way.key);
        assert!(by_stick(OFFICE, &self.office).is_some());
        assert_eq!(by_stick(LOST, &self.lost).is_none(), is_next);
        assert_eq!(vault.ways(key).unwrap(), *ways, "and it is proven");
        let generation = header.generation;
        assert!(proven.sticks.code_of(generation).is_some());
        let back = proven.sticks.sticks.iter();
        let back = back.filter(|stick| stick.opens_without(generation, &[]));
        assert_eq!(back.count(), if is_next { 1 } else { 2 });
        assert_log_is_whole(vault, key);
        let events = vault.events().unwrap();
        let replaced = EventKind::KeyReplaced { generation: 2 };
        let noted = events.iter().filter(|event| event.kind == replaced);
        assert_eq!(noted.count(), usize::from(is_next));
        is_next
    }
}

#[test]
fn power_cut_while_replacing_the_key_leaves_old_or_new() {
    let clinic = clinic();
    let old_pepper = OldPepper::of(&clinic.before);
    let seals = Seals::of(&clinic.before);
    let steps = record(&clinic.before, |vault| {
        clinic.rekey(vault).unwrap();
    });
    let mut seen = [0; 2];
    crashes(&clinic.before, &steps, |disk, done| {
        let vault = Vault::open(disk).unwrap();
        assert_eq!(vault.unfinished(), None);
        let is_next = clinic.opens(&vault);
        assert!(is_next || !done);
        seen[usize::from(is_next)] += 1;
        if is_next {
            assert!(!old_pepper.is_there(&vault.device), "a pepper came back");
            assert!(!seals.are_on(&vault.device), "a way key came back");
            assert!(!vault.is_interrupted());
        }
    });
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}

#[test]
fn a_second_power_cut_while_it_is_finished_changes_nothing() {
    let clinic = clinic();
    let steps = record(&clinic.before, |vault| {
        clinic.rekey(vault).unwrap();
    });
    // The first moment at which the header names the next key.
    let mut disk = clinic.before.fresh();
    let mut rest = steps.iter();
    let is_next = |disk: &MemoryDevice| {
        let vault = Vault::open_unrepaired(disk.fresh()).unwrap();
        vault.accepts(clinic.next.key())
    };
    while !is_next(&disk) {
        disk.take(rest.next().unwrap(), BLOCK_SIZE);
    }
    let finished = Vault::open(disk.fresh()).unwrap();
    crashes(&disk, &finished.device.steps, |disk, _| {
        let vault = Vault::open(disk).unwrap();
        assert_eq!(vault.unfinished(), None);
        assert!(clinic.opens(&vault));
    });
}

/// The disk takes no more writes from that moment on.
#[test]
fn the_next_key_opens_a_disk_that_never_takes_its_records() {
    let clinic = clinic();
    let steps = record(&clinic.before, |vault| {
        clinic.rekey(vault).unwrap();
    });
    let mut disk = clinic.before.fresh();
    let mut opened = 0;
    for step in &steps {
        disk.take(step, BLOCK_SIZE);
        let broken = FailingDevice {
            disk: disk.fresh(),
            bad: (0..VAULT_BLOCKS).collect(),
            fails: Fails::Writing,
        };
        let vault = Vault::open(broken).unwrap();
        if vault.header().journal_to_apply {
            let key = clinic.next.key();
            let proven = vault.prove(key).expect("the key opens it");
            assert!(proven.policy.mariadb.is_some());
            let ways = vault.unproven_ways().unwrap();
            let by_code = ways.as_claimed().key_of_code(vault.header(), &clinic.code);
            assert!(by_code.is_ok_and(|key| vault.accepts(&key)));
            assert_eq!(vault.ways(key).unwrap(), clinic.ways);
            opened += 1;
        }
    }
    assert!(opened > 0);
}

/// The way keys as the vault had them, sealed under the key of before: by their salts.
pub struct Seals(Vec<[u8; 32]>);

impl Seals {
    pub fn of(device: &MemoryDevice) -> Self {
        let vault = Vault::open_unrepaired(device.fresh()).unwrap();
        let ways = vault.unproven_ways().unwrap();
        let ways = ways.as_claimed();
        let sticks = ways.sticks.iter().flat_map(StickWay::all);
        let kept = sticks.chain(ways.code.iter().map(|code| &code.kept));
        let salt = |sealed: SealedWayKey| {
            let mut bytes = [0; 128];
            postcard::to_slice(&sealed, &mut bytes).unwrap();
            bytes[..32].try_into().unwrap()
        };
        Self(kept.filter_map(|kept| kept.sealed).map(salt).collect())
    }

    pub fn are_in(&self, bytes: &[u8]) -> bool {
        assert!(!self.0.is_empty());
        let mut windows = bytes.windows(32);
        windows.any(|part| self.0.iter().any(|salt| part == salt))
    }

    /// Whether one is where such records stand.
    pub fn are_on(&self, device: &MemoryDevice) -> bool {
        let regions = [WAYS, layout::JOURNAL].into_iter();
        let copies = regions.flat_map(|region| [0, HALF].map(|half| (region, half)));
        copies.into_iter().any(|(region, half)| {
            let start = (region.start + half) as usize * BLOCK_SIZE;
            self.are_in(&device.bytes[start..start + region.bytes()])
        })
    }
}

#[test]
fn after_a_new_key_everybody_opens_and_nobody_was_asked() {
    let clinic = clinic();
    let vault = Vault::open(clinic.after()).unwrap();
    assert!(clinic.opens(&vault));
    let slots = vault.slots().unwrap();
    let enter = |words: &str| slots.passphrases.enter(vault.header(), words.as_bytes());
    assert!(matches!(enter(WORDS), PassphraseOutcome::Opened { .. }));
    assert!(matches!(enter(DURESS), PassphraseOutcome::Duress));
    // And once more, and they still do.
    let (header, keys) = (
        vault.header().clone(),
        vault.prove(clinic.next.key()).unwrap().keys,
    );
    let next = NextGeneration::of(&header, &keys).unwrap();
    let old = (&header, keys.current());
    let of_next = (&next.header, next.key());
    let people = slots.passphrases.under_next_key(old, of_next);
    let table = slots_of(of_next.0, of_next.1, people);
    let ways = next.ways(&vault.ways(keys.current()).unwrap(), old);
    let list = vault.prove(keys.current()).unwrap().sticks.draft();
    let records = NextRecords {
        slots: &table,
        sticks: &next.sticks(&list, &ways, old),
        ways: &ways,
        policy: None,
        at: (10, [3; 16]),
    };
    let mut vault = Vault::open(vault.device.fresh()).unwrap();
    vault.rekey(keys.current(), &next, &records).unwrap();
    let proven = vault.prove(next.key()).unwrap();
    for generation in 1..=3 {
        assert!(proven.keys.of_generation(generation).is_some());
    }
    let ways = vault.unproven_ways().unwrap();
    let opened = ways.as_claimed().key_of_code(vault.header(), &clinic.code);
    assert!(opened.is_ok_and(|key| vault.accepts(&key)));
    assert_log_is_whole(&vault, next.key());
}

#[test]
fn a_server_that_was_reset_gets_no_new_key_and_keeps_its_ways() {
    let clinic = clinic();
    let mut vault = Vault::open(clinic.before.fresh()).unwrap();
    vault.reset(ResetCause::Owner, 5, &mut || ());
    assert_eq!(clinic.rekey(&mut vault).err(), Some(VaultError::WasReset));
    let ways = vault.unproven_ways().unwrap();
    let ways = ways.as_claimed();
    assert!(ways.key_of_code(vault.header(), &clinic.code).is_ok());
    let office = ways.key_of_stick(vault.header(), OFFICE, &clinic.office.key);
    assert!(office.is_some());
}

#[test]
fn a_reset_after_a_new_key_leaves_sticks_and_code_their_way() {
    let clinic = clinic();
    let mut vault = Vault::open(clinic.after()).unwrap();
    vault.reset(ResetCause::Owner, 5, &mut || ());
    let vault = Vault::open(vault.device).unwrap();
    let ways = vault.unproven_ways().unwrap();
    let ways = ways.as_claimed();
    let by_code = ways.key_of_code(vault.header(), &clinic.code).unwrap();
    assert!(vault.accepts(&by_code) && vault.prove(&by_code).is_ok());
    assert!(
        ways.key_of_stick(vault.header(), OFFICE, &clinic.office.key)
            .is_some()
    );
}

#[test]
fn a_key_made_of_what_was_changed_meanwhile_is_refused() {
    let clinic = clinic();
    let key = clinic.keys.current();
    let mut slow = Vault::open(clinic.before.fresh()).unwrap();
    let mut other = Vault::open(slow.device.fresh()).unwrap();
    let policy = other.prove(key).unwrap().policy.draft();
    let keep = Keep::UntilStarted;
    other.set_policy(key, Policy { keep, ..policy }).unwrap();
    slow.device = other.device;
    assert_eq!(clinic.rekey(&mut slow).err(), Some(VaultError::Changed));
    assert!(slow.accepts(key));
}

#[test]
fn ways_that_another_command_wrote_meanwhile_are_kept() {
    let clinic = clinic();
    let key = clinic.keys.current();
    let mut slow = Vault::open(clinic.before.fresh()).unwrap();
    let mut other = Vault::open(slow.device.fresh()).unwrap();
    let (code, _) = other
        .change_ways(key, |header, ways| ways.make_code(header, key))
        .unwrap();
    slow.device = other.device;
    // It reads what is there now, whatever it has read before.
    slow.read_again().unwrap();
    let forgets = |_: &Header, ways: &mut Ways| ways.forget_stick(LOST);
    slow.change_ways(key, forgets).unwrap();
    let ways = slow.ways(key).unwrap();
    assert!(ways.key_of_code(slow.header(), &code).is_ok());
    assert!(ways.stick(LOST).is_none() && ways.stick(OFFICE).is_some());
    // What changes nothing writes nothing.
    slow.device.steps.clear();
    slow.change_ways(key, forgets).unwrap();
    assert!(slow.device.steps.is_empty());
}

#[test]
fn a_disk_that_loses_a_block_has_the_old_key_or_the_next() {
    let clinic = clinic();
    for bad in 0..VAULT_BLOCKS {
        let disk = FailingDevice {
            disk: clinic.before.fresh(),
            bad: vec![bad],
            fails: Fails::Writing,
        };
        let mut vault = Vault::open(disk).unwrap();
        let records = NextRecords {
            slots: &clinic.slots,
            ways: &clinic.ways,
            sticks: &clinic.list,
            policy: None,
            at: (9, [2; 16]),
        };
        let done = vault.rekey(clinic.keys.current(), &clinic.next, &records);
        let vault = Vault::open(vault.device.disk).unwrap();
        let is_next = clinic.opens(&vault);
        assert!(is_next || done.is_err(), "block {bad}: {done:?}");
    }
}
