//! A clinic's server in memory: its vault and its stick.

use super::boot::Boot;
use crate::environment::{HOME, SECOND, test_slot};
use crate::keys::{CheapFactors, MasterKey, RecoveryCode};
use crate::stick::StickFile;
use crate::theft::TheftPolicy;
use crate::vault::{
    Group, KnownCode, Label, LocateError, MemoryDevice, Passphrase, Passphrases, Policy, ServerId,
    SlotTable, StickList, Thresholds, Value, Vault, Ways,
};

pub const PIN: &str = "2580";
pub const WORDS: &str = "otter lamp frozen cello";
pub const DURESS: &str = "maize under the bridge";
pub const NEW_WORDS: &str = "basket seven river comb";

/// Two of three parts, two of three neighbours and the key server are needed.
/// With a key server in every combination none of them costs a scrypt.
pub const FACTORS: [(Group, &str); 7] = [
    (Group::Machine, "board"),
    (Group::Machine, "disk 0000:00:04.0"),
    (Group::Machine, "nic 0000:00:03.0"),
    (Group::Neighbours, "arp 10.0.0.1"),
    (Group::Neighbours, "arp 10.0.0.2"),
    (Group::Neighbours, "arp 10.0.0.3"),
    (Group::Servers, "tang 10.0.0.9:80"),
];
const NEED: Thresholds = Thresholds {
    machine: 2,
    neighbours: 2,
    servers: 1,
};

/// Group, label and value.
pub type EnrolledFactor<'a> = (Group, &'a str, Value);

/// What stays from one boot to the next.
pub struct Clinic {
    pub vault: Vault<MemoryDevice>,
    pub key: MasterKey,
    pub stick: StickFile,
    /// The code, where there is one.
    pub code: Option<RecoveryCode>,
    /// What the machine is made of.
    pub machine: Vec<(Label, Value)>,
    /// Whether the disk fails.
    pub is_broken: bool,
    /// Whether the disk gives all of the vault but its slots.
    pub are_slots_unread: bool,
    /// Why the disk gives no vault, though it was read.
    pub no_vault: Option<LocateError>,
    pub boots: u8,
    _cheap: CheapFactors,
}

impl Clinic {
    pub fn new() -> Self {
        Self::with(TheftPolicy::default())
    }

    pub fn with(theft: TheftPolicy) -> Self {
        let factors = FACTORS.map(|(group, label)| (group, label, value(label, "home")));
        Self::of(theft, &[(&factors, NEED)])
    }

    /// Enrolled at these places, the first of them its home.
    pub fn of(theft: TheftPolicy, places: &[(&[EnrolledFactor<'_>], Thresholds)]) -> Self {
        let cheap = CheapFactors::begin();
        let key = MasterKey::generate();
        let (id, name) = (ServerId::random(), "clinic".try_into().unwrap());
        let slots = SlotTable::default();
        let disk = MemoryDevice::default();
        let mut vault = Vault::create(disk, id, name, &key, &slots).unwrap();
        let header = vault.header().clone();
        let mut slots = SlotTable {
            next_id: 3,
            passphrases: Passphrases::quick(),
            ..SlotTable::default()
        };
        for ((factors, need), name) in places.iter().zip([(1, HOME), (2, SECOND)]) {
            let slot = test_slot(&header, &key, name, factors.iter().cloned(), *need);
            slots.environments.push(Box::new(slot)).unwrap();
        }
        let home = places[0].0.iter();
        let parts = home.filter(|(group, ..)| *group == Group::Machine);
        let machine = parts.map(|(_, label, value)| ((*label).try_into().unwrap(), value.clone()));
        for (who, kind, words) in [
            ("halima", Passphrase::Opens, WORDS),
            ("night", Passphrase::Duress, DURESS),
        ] {
            let name = who.try_into().unwrap();
            slots
                .add_passphrase(&header, &key, name, kind, words.as_bytes(), 1)
                .unwrap();
        }
        vault.replace_slots(&key, &slots).unwrap();
        let policy = Policy {
            theft,
            ..Policy::default()
        };
        vault.set_policy(&key, policy).unwrap();
        let stick = StickFile::for_test(&header, &key, "office", PIN.as_bytes());
        Self {
            vault,
            key,
            stick,
            code: None,
            machine: machine.collect(),
            is_broken: false,
            are_slots_unread: false,
            no_vault: None,
            boots: 0,
            _cheap: cheap,
        }
    }

    /// One more stick of this server, which the list has forgotten.
    pub fn another_stick(&self) -> StickFile {
        StickFile::for_test(self.vault.header(), &self.key, "bank", PIN.as_bytes())
    }

    /// Lists the stick as verified.
    pub fn with_listed_stick(mut self) -> Self {
        let sticks = StickList {
            sticks: [self.stick.info.known(1, 1)].into_iter().collect(),
            code: None,
        };
        self.vault.set_sticks(&self.key, sticks).unwrap();
        self
    }

    /// Makes a recovery code, which no list names.
    pub fn with_unlisted_code(mut self) -> Self {
        let mut ways = Ways::default();
        self.code = Some(ways.make_code(self.vault.header(), &self.key));
        self.vault.set_ways(&self.key, &ways).unwrap();
        self
    }

    /// Makes a recovery code, and lists it.
    pub fn with_code(self) -> Self {
        let mut clinic = self.with_unlisted_code();
        let sticks = StickList {
            code: Some(code_of(1)),
            ..StickList::default()
        };
        clinic.vault.set_sticks(&clinic.key, sticks).unwrap();
        clinic
    }

    /// Alters the policy without the master key.
    pub fn tampered(mut self) -> Self {
        self.vault.claim_policy(&Policy::default());
        self
    }

    pub fn starts(&mut self) -> Boot<'_> {
        self.boots += 1;
        Boot::of(self)
    }
}

/// A verified code of this generation.
pub fn code_of(generation: u32) -> KnownCode {
    KnownCode {
        generation,
        verified: 1,
        kept: None,
    }
}

pub fn value(label: &str, place: &str) -> Value {
    let text = format!("{place} {label}");
    Value::from_slice(text.as_bytes()).unwrap()
}
