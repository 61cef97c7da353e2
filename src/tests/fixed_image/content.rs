//! What is in the fixed image: something of everything.

use crate::environment::{ChosenFactor, HOME, SECOND, enrol, slots_for_next_key};
use crate::keys::{
    Keyring, MasterKey, RecoveryCode, ScryptParams, Secret32, UnsealedWayKey, WayKey,
};
use crate::stick::StickFile;
use crate::theft::{Alarm, OnAlarm, OnStrikes, ResetCause, TheftPolicy, WatchPolicy};
use crate::vault::*;

pub const MASTER_KEY: [u8; 32] = *b"a master key that everybody has.";
/// The one before it.
pub const EARLIER_KEY: [u8; 32] = *b"a key that was lost with a stick";
pub const PIN: &str = "2580";
pub const WORDS: [(&str, Passphrase, &str); 2] = [
    ("halima", Passphrase::Opens, "otter lamp frozen cello"),
    ("night", Passphrase::Duress, "maize under the bridge"),
];

/// Where the ways back are kept.
pub const OFFICE_STICK: &str = "bank safe";
pub const CODE: &str = "drawer";

pub fn key() -> MasterKey {
    MasterKey::from_secret(Secret32::new(MASTER_KEY))
}

fn text<const N: usize>(text: &str) -> heapless::String<N> {
    text.try_into().unwrap()
}

fn chosen(group: Group, label: &str, value: &[u8]) -> ChosenFactor {
    ChosenFactor {
        group,
        label: text(label),
        value: Value::from_slice(value).unwrap(),
    }
}

/// Each with what it asks for: two of three neighbours, and one of two servers.
pub fn places() -> [(&'static str, Vec<ChosenFactor>, Thresholds); 2] {
    let board = || chosen(Group::Machine, "board", b"ABC123");
    let neighbour = |at: u8| {
        let label = format!("arp 192.168.1.{at}");
        chosen(Group::Neighbours, &label, &[0, 0x1b, 0x21, 0, 0, at])
    };
    let server = |label, byte| chosen(Group::Servers, label, &[byte; 32]);
    let home = vec![
        board(),
        chosen(Group::Machine, "disk 1", b"WD-1"),
        chosen(Group::Machine, "disk 2", b"WD-2"),
        neighbour(1),
        neighbour(2),
        chosen(Group::Neighbours, "nd fe80::1", &[0, 0x1b, 0x21, 0, 0, 3]),
    ];
    let second = vec![
        board(),
        server("tang 192.168.1.5:7500 second", 0x55),
        server("tang [fe80::5]:80 second", 0x66),
    ];
    let need = |neighbours, servers| Thresholds {
        machine: 1,
        neighbours,
        servers,
    };
    [(HOME, home, need(2, 0)), (SECOND, second, need(0, 1))]
}

pub fn policy() -> Policy {
    let mut mariadb = MariadbRelease::new(104, 111, 1);
    let (id, generation) = (300, 2);
    mariadb.key_ids.push(KeyId { id, generation }).unwrap();
    Policy {
        mariadb: Some(mariadb),
        theft: TheftPolicy {
            attempts: Some(20),
            on_strikes: OnStrikes::Reset,
            watch: WatchPolicy {
                on_alarm: OnAlarm::Lock,
                ..WatchPolicy::default()
            },
            ..TheftPolicy::default()
        },
        neighbours: ["192.168.1.1", "fe80::1"]
            .map(|address| address.parse().unwrap())
            .into_iter()
            .collect(),
        wants_reset: true,
        keep: Keep::UntilStarted,
        has_servers: true,
    }
}

/// What stands on the sticks: one was renewed since the key was replaced, one was not.
fn stick_files(header: &Header, keys: &Keyring) -> [(&'static str, StickFile, UnsealedWayKey); 2] {
    let make = |label, made, pin: &str| {
        let (params, pin) = (ScryptParams::CHEAPEST, pin.as_bytes());
        StickFile::make_with(params, header, keys, text(label), made, pin)
    };
    let (office, bare) = (make("office", 3000, PIN), make("bare", 3001, ""));
    [("office", office.0, office.1), ("bare", bare.0, bare.1)]
}

/// One of every kind, in the order of their numbers, with each variant of what
/// they hold.
pub fn kinds() -> Vec<EventKind> {
    let count = |count, of| Count { count, of };
    let counts = FactorCounts {
        machine: count(1, 2),
        neighbours: count(3, 4),
        servers: count(5, 6),
    };
    let need = Thresholds {
        machine: 7,
        neighbours: 8,
        servers: 200,
    };
    let cause = ResetCause::Watch;
    let (name, stick, place) = (text("halima"), text("office"), text("home"));
    let released = |by| EventKind::Released {
        by,
        milliseconds: 1234,
    };
    vec![
        EventKind::VaultMade,
        EventKind::Enrolled {
            place: text("home"),
            factors: counts,
        },
        released(OpenedBy::Environment {
            place: text("home"),
            same: counts,
            need,
        }),
        released(OpenedBy::Stick {
            label: text("office"),
        }),
        released(OpenedBy::Passphrase {
            name: text("halima"),
        }),
        released(OpenedBy::Code),
        EventKind::Locked {
            because: LockedBecause::Reset,
            answered: counts,
        },
        EventKind::WrongPin { stick },
        EventKind::StickMade {
            stick: text("office"),
        },
        EventKind::StickVerified {
            stick: text("office"),
        },
        EventKind::MariadbEnabled,
        EventKind::Strike { strikes: 1, of: 3 },
        EventKind::Reset {
            cause,
            begun: 70_000,
        },
        EventKind::ResetWithheld { cause },
        EventKind::SticksWiped { wiped: 1, left: 2 },
        EventKind::StateMended,
        EventKind::SettingsMended,
        EventKind::PolicyChanged,
        EventKind::Rearmed,
        EventKind::WentOnLocked,
        EventKind::PassphraseAdded { name },
        EventKind::PassphraseChanged {
            name: text("halima"),
        },
        EventKind::PassphraseRemoved {
            name: text("halima"),
        },
        EventKind::WrongPassphrase,
        EventKind::WrongCode,
        EventKind::CodeShown,
        EventKind::CodeVerified,
        EventKind::StickRemoved {
            stick: text("office"),
        },
        EventKind::LogNotProven,
        EventKind::Refreshed { place, changed: 9 },
        EventKind::ReleasedByHand,
        EventKind::WatchAlarm {
            alarm: Alarm::Gone,
            wanted: OnAlarm::Reset,
        },
        EventKind::WatchAllClear,
        EventKind::OpenStickRemoved {
            stick: text("bare"),
            id: [7; 8],
            destroyed: true,
        },
        EventKind::MariadbDisabled,
    ]
}

pub const SERVER: ServerId = ServerId(*b"\x80a server's id \x80");

/// When the log begins, in seconds since 1970 (UTC).
pub const BEGUN: u64 = 1_700_000_000;

/// A vault with something of everything, its sticks and its code.
pub struct Made {
    pub vault: Vault<MemoryDevice>,
    pub sticks: [(&'static str, StickFile, UnsealedWayKey); 2],
    pub code: RecoveryCode,
}

fn slots(header: &Header, key: &MasterKey) -> SlotTable {
    let mut slots = SlotTable {
        next_id: 2,
        passphrases: Passphrases::quick(),
        ..SlotTable::default()
    };
    for (id, (name, chosen, need)) in (0..).zip(places()) {
        let slot = enrol(header, key, id, text(name), &chosen, need, |_, _| ()).unwrap();
        slots.environments.push(Box::new(slot)).unwrap();
    }
    let second = &mut slots.environments[1];
    second.servers.push(KeyServer::largest()).unwrap();
    let own = OwnAddress {
        card: [2, 0, 0, 0, 0, 1],
        address: "192.168.1.9".parse().unwrap(),
        prefix: 24,
        router: Some("192.168.1.1".parse().unwrap()),
        set_at_boot: true,
    };
    second.addresses.push(own).unwrap();
    for (name, kind, words) in WORDS {
        slots
            .add_passphrase(header, key, text(name), kind, words.as_bytes(), 1000)
            .unwrap();
    }
    slots
}

/// Its master key was replaced once: `keys` are those of before.
pub fn made(keys: Keyring, begun: u64) -> Made {
    made_with(keys, MasterKey::generate(), begun)
}

pub fn made_with(keys: Keyring, next_key: MasterKey, begun: u64) -> Made {
    let disk = MemoryDevice::default();
    let (nobody, key) = (SlotTable::default(), keys.current());
    let mut vault = Vault::create(disk, SERVER, text("clinic ñ"), key, &nobody).unwrap();
    let header = vault.header().clone();
    let slots = slots(&header, key);
    vault.replace_slots(key, &slots).unwrap();
    vault.set_policy(key, policy()).unwrap();
    let sticks = stick_files(&header, &keys);
    let (mut list, mut ways) = (StickList::default(), Ways::default());
    for (_, file, way_key) in &sticks {
        list.sticks.push(file.info.known(1, 4000)).unwrap();
        // The second is being given another way key.
        let next = UnsealedWayKey {
            key: WayKey::random(),
            made_in: 1,
        };
        let next = (&*file.info.label == "bare").then_some(&next);
        let id = file.info.stick_id;
        assert!(ways.note(&header, key, id, (way_key, next), 1));
    }
    let kept = |place| Some(SealedPlace::seal(&header, key, &text(place)));
    list.sticks[0].kept = kept(OFFICE_STICK);
    list.code = Some(KnownCode {
        generation: 1,
        verified: 5000,
        kept: kept(CODE),
    });
    let code = ways.make_code(&header, key);
    vault.set_ways(key, &ways).unwrap();
    vault.set_sticks(key, list.clone()).unwrap();
    let kinds = kinds();
    let (first, rest) = kinds.split_first().unwrap();
    vault
        .append_sealed(key, begun, [0x80; 16], first.clone())
        .unwrap();

    let old = (&header, key);
    let next = NextGeneration::with(&header, &keys, next_key).unwrap();
    let of_next = (&next.header, next.key());
    let slots = slots_for_next_key(&slots, old, of_next, |_, _| ()).table;
    let ways = next.ways(&ways, old);
    let list = next.sticks(&list, &ways, old);
    let records = NextRecords {
        slots: &slots,
        ways: &ways,
        sticks: &list,
        policy: None,
        at: (begun + 1, [0x81; 16]),
    };
    vault.rekey(key, &next, &records).unwrap();
    let [office, bare] = sticks;
    let renewed = office.1.renewed(&office.2.key, &next.keys);
    let sticks = [("office", renewed, office.2), bare];

    vault.strike(2, [9; 16]).unwrap();
    for (at, kind) in (2..).zip(rest.iter().cloned()) {
        let (time, boot_id) = (begun + at, [at as u8 | 0x80; 16]);
        match at {
            31 => vault.append_sealed(next.key(), time, boot_id, kind),
            _ => vault.append(time, boot_id, kind),
        }
        .unwrap();
    }
    Made {
        vault,
        sticks,
        code,
    }
}
