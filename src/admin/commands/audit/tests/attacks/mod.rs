//! The thief's playbook: somebody with the disk, the initramfs and all that is
//! public tries to get at the master key. What is found is held against what
//! the audit says of the same set-up: nothing where it says covered, and what
//! it does not call so is really found.

mod key_servers;
mod people;

use super::super::address_search::{Mac, Needles};
use super::super::data::tests::encrypted;
use super::super::facts::{Leaked, Medium, SetupFacts};
use super::super::judge::{Coverage, Threat, judge};
use crate::environment::{
    Arrangements, ChosenFactor, Observed, enrol, neighbour_label, table_with_place,
};
use crate::keys::{MasterKey, ScryptParams};
use crate::opening::places::Places;
use crate::stick::{StickError, StickFile};
use crate::theft::{OnStrikes, ResetCause, TheftPolicy, TheftState};
use crate::vault::{
    BLOCK_SIZE, BlockDevice, EventKind, Group, Label, MemoryDevice, Passphrase, PassphraseOutcome,
    Passphrases, Policy, ServerId, SlotTable, StickList, Thresholds, Value, Vault, VaultError,
};

const ROUTER: Mac = [0x00, 0x0d, 0xb9, 0x41, 0x7a, 0x13];
const PRINTER: Mac = [0x00, 0x11, 0x32, 0x8c, 0x20, 0x02];
const SWITCH: Mac = [0x3c, 0x2a, 0xf4, 0x05, 0x60, 0x03];
const HOME: [Mac; 3] = [ROUTER, PRINTER, SWITCH];

/// A server as its owner set it up, with the key that nobody else has.
struct Clinic {
    key: MasterKey,
    disk: MemoryDevice,
    /// What can be read off the machine itself.
    machine: Vec<(Label, Value)>,
}

fn value(bytes: &[u8]) -> Value {
    Value::from_slice(bytes).unwrap()
}

fn neighbour(at: usize) -> Label {
    neighbour_label([192, 168, 77, at as u8 + 1].into())
}

fn vault(disk: &MemoryDevice) -> Vault<MemoryDevice> {
    Vault::open(disk.clone()).unwrap()
}

impl Clinic {
    fn needing(place: u8) -> Self {
        let key = MasterKey::generate();
        let disk = MemoryDevice::default();
        let name = "clinic".try_into().unwrap();
        let vault = Vault::create(disk, ServerId::random(), name, &key, &SlotTable::default());
        let mut clinic = Self {
            key,
            disk: vault.unwrap().into_device(),
            machine: [("board", "C0FFEE"), ("disk 0000:00:04.0", "WD-1")]
                .map(|(label, text)| (label.try_into().unwrap(), value(text.as_bytes())))
                .into(),
        };
        clinic.change(|vault, _| {
            vault.append(0, [0; 16], EventKind::VaultMade).unwrap();
        });
        clinic.enrol(&HOME, place);
        clinic
    }

    /// Makes this its place, and the only one.
    fn enrol(&mut self, neighbours: &[Mac], place: u8) {
        let chosen = |group, label: &Label, value: &Value| ChosenFactor {
            group,
            label: label.clone(),
            value: value.clone(),
        };
        let machine = self.machine.iter();
        let mut all: Vec<ChosenFactor> = machine
            .map(|(label, value)| chosen(Group::Machine, label, value))
            .collect();
        for (at, mac) in neighbours.iter().enumerate() {
            all.push(chosen(Group::Neighbours, &neighbour(at), &value(mac)));
        }
        let need = Thresholds {
            machine: 2,
            neighbours: place,
            ..Thresholds::default()
        };
        self.change(|vault, key| {
            let id = vault.slots().unwrap().next_id;
            let name = "home".try_into().unwrap();
            let slot = enrol(vault.header(), key, id, name, &all, need, |_, _| ()).unwrap();
            vault
                .replace_slots(key, &table_with_place(slot, Passphrases::default()))
                .unwrap();
        });
    }

    fn change(&mut self, change: impl FnOnce(&mut Vault<MemoryDevice>, &MasterKey)) {
        let mut vault = vault(&self.disk);
        change(&mut vault, &self.key);
        self.disk = vault.into_device();
    }

    fn facts(&self) -> SetupFacts {
        let vault = vault(&self.disk);
        let proven = vault.prove(&self.key).unwrap();
        let slots = vault.slots();
        let slots = slots.as_deref().map_err(|error| *error);
        let events = vault.events().unwrap();
        let data = encrypted();
        SetupFacts {
            data,
            ..SetupFacts::of(slots, &proven.sticks, proven.policy.theft, Some(&events))
        }
    }

    /// Whether the key is this server's.
    fn is_had_by(&self, key: Option<&MasterKey>) -> bool {
        key.is_some_and(|key| vault(&self.disk).accepts(key))
    }

    /// What a thief sees who has the machine, and these neighbours.
    fn seen_with(&self, neighbours: &[(usize, Mac)]) -> Observed {
        let mut observed = Observed::default();
        for (label, value) in &self.machine {
            observed.note(label, value);
        }
        for (at, mac) in neighbours {
            observed.note(&neighbour(*at), &value(mac));
        }
        observed
    }
}

fn coverage(facts: &SetupFacts, threat: Threat) -> Coverage {
    let rows = judge(facts);
    rows.iter()
        .find(|row| row.threat == threat)
        .unwrap()
        .coverage
}

/// Tries every row of every slot that can be read with these values; which neighbour
/// has which address is no secret.
fn open_slots(disk: &MemoryDevice, observed: &Observed) -> Option<MasterKey> {
    let vault = Vault::open(disk.clone()).ok()?;
    let slots = vault.slots().ok()?;
    let enrolled = Arrangements::Enrolled;
    let opened = Places::of(&slots).try_all(vault.header(), &slots, observed, enrolled)?;
    Some(opened.key)
}

/// Both copies of a one-block record, from one disk to another.
fn copy_record(from: &MemoryDevice, to: &mut MemoryDevice, block: u32) {
    for block in [block, block + 120] {
        let mut bytes = [0; BLOCK_SIZE];
        from.read_block(block, &mut bytes).unwrap();
        to.write_block(block, &bytes).unwrap();
    }
}

const STATE: u32 = 1;
const POLICY: u32 = 2;

#[test]
fn stolen_server_opens_neither_alone_nor_beside_strangers() {
    let clinic = Clinic::needing(2);
    let strangers = [0x00, 0x26, 0xf2, 0x90, 0x00];
    let strangers = [1, 2, 3].map(|n| [&strangers[..], &[n]].concat().try_into().unwrap());
    let strangers: Vec<(usize, Mac)> = (0..).zip(strangers).collect();
    for neighbours in [&[][..], &strangers, &[(0, ROUTER)]] {
        let key = open_slots(&clinic.disk, &clinic.seen_with(neighbours));
        assert!(!clinic.is_had_by(key.as_ref()));
    }
    // That is all that partly means: the next scenarios get in.
    assert_eq!(coverage(&clinic.facts(), Threat::Server), Coverage::Partly);
}

#[test]
fn guessed_hardware_address_opens_what_the_audit_calls_soft() {
    let clinic = Clinic::needing(1);
    // The maker's half is in public lists; of the rest all but five bits are
    // given to this thief, who then needs 32 tries instead of 2^24.
    let guess = |low: u8| {
        let mut mac = ROUTER;
        mac[5] = mac[5] & !0x1f | low;
        open_slots(&clinic.disk, &clinic.seen_with(&[(0, mac)]))
    };
    let key = (0..0x20).find_map(guess);
    assert!(clinic.is_had_by(key.as_ref()), "found");
    let rows = judge(&clinic.facts());
    assert_eq!(rows[0].threat, Threat::Server);
    assert_eq!(rows[0].coverage, Coverage::Partly);
    assert!(rows[0].why.contains("soft"), "{:?}", rows[0]);
    assert!(rows[0].why.contains("24 bits"), "{:?}", rows[0]);
}

#[test]
fn the_disk_alone_tests_guesses_at_neighbours_and_opens_by_none() {
    let clinic = Clinic::needing(2);
    let vault = vault(&clinic.disk);
    let slots = vault.slots().unwrap();
    let guess = |neighbours: [(usize, Mac); 2]| {
        let mut observed = Observed::default();
        for (at, mac) in neighbours {
            observed.note(&neighbour(at), &value(&mac));
        }
        let (mut places, all) = (Places::of(&slots), Arrangements::All);
        let opened = places.try_all(vault.header(), &slots, &observed, all);
        (opened.is_some(), places.proof(0).neighbours)
    };
    assert_eq!(guess([(0, ROUTER), (1, PRINTER)]), (false, true));
    let mut strange = PRINTER;
    strange[5] ^= 1;
    assert_eq!(guess([(0, ROUTER), (1, strange)]), (false, false));
    let found = judge(&clinic.facts());
    let disk = found.iter().find(|row| row.threat == Threat::Disk).unwrap();
    assert_eq!(disk.coverage, Coverage::Partly);
    assert!(disk.why.contains("first the place, then the machine"));
}

#[test]
fn log_with_the_neighbours_opens_what_the_audit_calls_open() {
    let clinic = Clinic::needing(2);
    let log = "dhcpd: DHCPACK to 00:0D:B9:41:7A:13\narpwatch: 00-11-32-8c-20-02";
    // The thief takes whatever looks like an address.
    let addresses: Vec<Mac> = (0..log.len() - 16)
        .filter_map(|at| {
            let bytes = log[at..at + 17].split([':', '-']);
            let bytes: Option<Vec<u8>> = bytes
                .map(|byte| {
                    u8::from_str_radix(byte, 16)
                        .ok()
                        .filter(|_| byte.len() == 2)
                })
                .collect();
            bytes?.try_into().ok()
        })
        .collect();
    assert_eq!(addresses.len(), 2);
    let seen = clinic.seen_with(&[(0, addresses[0]), (1, addresses[1])]);
    assert!(clinic.is_had_by(open_slots(&clinic.disk, &seen).as_ref()));
    // The audit finds the same two in the same log.
    let found = Needles::new(&HOME).within(log.as_bytes());
    let found = found.iter().filter(|found| **found).count();
    let mut facts = clinic.facts();
    assert_eq!(coverage(&facts, Threat::Server), Coverage::Partly);
    facts.leaked = Some(Leaked {
        neighbours: found as u8,
        files: 1,
        incomplete: false,
    });
    assert_eq!(coverage(&facts, Threat::Server), Coverage::NotCovered);
    assert_eq!(coverage(&facts, Threat::Leaks), Coverage::NotCovered);
}

#[test]
fn whoever_takes_the_neighbours_along_is_at_home() {
    let clinic = Clinic::needing(2);
    let seen = clinic.seen_with(&[(0, ROUTER), (2, SWITCH)]);
    assert!(clinic.is_had_by(open_slots(&clinic.disk, &seen).as_ref()));
    let facts = clinic.facts();
    assert_eq!(
        coverage(&facts, Threat::ServerAndNeighbours),
        Coverage::NotCovered
    );
}

#[test]
fn server_without_a_place_opens_anywhere_but_its_disk_does_not() {
    let clinic = Clinic::needing(0);
    let key = open_slots(&clinic.disk, &clinic.seen_with(&[]));
    assert!(clinic.is_had_by(key.as_ref()));
    assert_eq!(
        coverage(&clinic.facts(), Threat::Server),
        Coverage::NotCovered
    );
    let pulled = open_slots(&clinic.disk, &Observed::default());
    assert!(!clinic.is_had_by(pulled.as_ref()));
    assert_eq!(coverage(&clinic.facts(), Threat::Disk), Coverage::Partly);
}

#[test]
fn settings_edited_by_a_thief_release_nothing_even_at_home() {
    let mut clinic = Clinic::needing(2);
    clinic.change(|vault, key| {
        let theft = TheftPolicy {
            on_strikes: OnStrikes::Reset,
            ..TheftPolicy::default()
        };
        let policy = Policy {
            theft,
            ..Policy::default()
        };
        vault.set_policy(key, policy).unwrap();
    });
    assert_eq!(
        coverage(&clinic.facts(), Threat::EditedVault),
        Coverage::Covered
    );
    // A policy that a vault of the thief's own has signed.
    let other = Clinic::needing(1);
    let mut edited = clinic.disk.clone();
    copy_record(&other.disk, &mut edited, POLICY);
    let seen = clinic.seen_with(&[(0, ROUTER), (1, PRINTER), (2, SWITCH)]);
    let key = open_slots(&edited, &seen).unwrap();
    let proven = vault(&edited).prove(&key);
    assert_eq!(proven.err(), Some(VaultError::Altered));
    // The header of it as well: then the place opens nothing.
    copy_record(&other.disk, &mut edited, 0);
    let key = open_slots(&edited, &seen);
    assert!(!clinic.is_had_by(key.as_ref()));
}

#[test]
fn strikes_wiped_off_the_disk_by_a_thief_open_nothing() {
    let mut clinic = Clinic::needing(2);
    let before = clinic.disk.clone();
    clinic.change(|vault, _| {
        vault.strike(3, [7; 16]).unwrap();
    });
    let mut edited = clinic.disk.clone();
    copy_record(&before, &mut edited, STATE);
    assert_eq!(vault(&edited).state(), Ok(TheftState::Armed));
    let key = open_slots(&edited, &clinic.seen_with(&[(0, ROUTER)]));
    assert!(!clinic.is_had_by(key.as_ref()));
    assert_eq!(
        coverage(&clinic.facts(), Threat::EditedVault),
        Coverage::Covered
    );
}

#[test]
fn an_earlier_copy_of_the_disk_opens_as_it_did_then() {
    let mut clinic = Clinic::needing(2);
    let copy = clinic.disk.clone();
    // The clinic moves; the thief knows the old rooms.
    let seen = clinic.seen_with(&[(0, ROUTER), (1, PRINTER)]);
    let moved = [ROUTER, PRINTER, SWITCH].map(|mac| [0x00, 0x26, 0xf2, mac[3], mac[4], mac[5]]);
    clinic.enrol(&moved, 2);
    assert!(
        open_slots(&clinic.disk, &seen).is_none(),
        "today's disk does not"
    );
    let key = open_slots(&copy, &seen);
    assert!(clinic.is_had_by(key.as_ref()), "it is still the same key");
    assert_eq!(
        coverage(&clinic.facts(), Threat::OldCopy),
        Coverage::NotCovered
    );
}

#[test]
fn replayed_older_settings_are_believed_and_open_nothing() {
    let mut clinic = Clinic::needing(2);
    let copy = clinic.disk.clone();
    clinic.change(|vault, key| {
        let mut policy = Policy::default();
        policy.theft.on_strikes = OnStrikes::Reset;
        vault.set_policy(key, policy).unwrap();
    });
    let mut rolled_back = clinic.disk.clone();
    copy_record(&copy, &mut rolled_back, POLICY);
    // The owner wrote them once: that they are old does not show.
    let proven = vault(&rolled_back).prove(&clinic.key).unwrap();
    assert_eq!(proven.policy.theft.on_strikes, OnStrikes::Halt);
    let key = open_slots(&rolled_back, &clinic.seen_with(&[(0, ROUTER)]));
    assert!(!clinic.is_had_by(key.as_ref()));
    assert_eq!(
        coverage(&clinic.facts(), Threat::OldCopy),
        Coverage::NotCovered
    );
}

#[test]
fn after_a_reset_nothing_opens_though_everything_else_is_known() {
    let mut clinic = Clinic::needing(2);
    let before = clinic.disk.clone();
    let seen = clinic.seen_with(&[(0, ROUTER), (1, PRINTER), (2, SWITCH)]);
    assert!(open_slots(&clinic.disk, &seen).is_some());
    clinic.change(|vault, _| {
        let destroyed = vault.reset(ResetCause::Strikes, 5, &mut || ());
        assert_eq!(destroyed.failed, 0);
    });
    assert!(open_slots(&clinic.disk, &seen).is_none());
    // Everything put back that is not destroyed but only says that it was:
    // theft state, header, policy, sticks.
    let mut edited = clinic.disk.clone();
    for block in 0..8 {
        copy_record(&before, &mut edited, block);
    }
    assert_eq!(vault(&edited).state(), Ok(TheftState::Armed));
    assert!(open_slots(&edited, &seen).is_none());
    let mut facts = clinic.facts();
    facts.medium = Medium::Magnetic;
    for threat in [Threat::Server, Threat::Disk, Threat::ServerAfterReset] {
        assert_eq!(coverage(&facts, threat), Coverage::Covered, "{threat:?}");
    }
    // A disk that kept a copy of it gives everything back, and so does one that
    // was copied before: neither is called covered.
    assert!(clinic.is_had_by(open_slots(&before, &seen).as_ref()));
    facts.medium = Medium::Flash;
    for threat in [Threat::Server, Threat::ServerAfterReset] {
        assert_eq!(coverage(&facts, threat), Coverage::Partly, "{threat:?}");
    }
    assert_eq!(coverage(&facts, Threat::OldCopy), Coverage::NotCovered);
}
