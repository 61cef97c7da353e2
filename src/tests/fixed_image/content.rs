//! What is in the fixed image: something of everything.

use crate::environment::{ChosenFactor, HOME, SECOND, enrol};
use crate::keys::{MasterKey, ScryptParams, Secret32};
use crate::stick::StickFile;
use crate::theft::{Alarm, OnAlarm, OnStrikes, ResetCause, TheftPolicy, WatchPolicy};
use crate::vault::*;

pub const MASTER_KEY: [u8; 32] = *b"a master key that everybody has.";
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
    let mut mariadb = MariadbRelease::new(104, 111);
    mariadb.key_ids.push(300).unwrap();
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

fn stick_files(header: &Header, key: &MasterKey) -> [(&'static str, StickFile); 2] {
    let make = |label, made, pin: &str| {
        let (params, pin) = (ScryptParams::CHEAPEST, pin.as_bytes());
        StickFile::make_with(params, header, key, text(label), made, pin)
    };
    [
        ("office", make("office", 3000, PIN)),
        ("bare", make("bare", 3001, "")),
    ]
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
    ]
}

pub const SERVER: ServerId = ServerId(*b"\x80a server's id \x80");

/// When the log begins, in seconds since 1970 (UTC).
pub const BEGUN: u64 = 1_700_000_000;

/// A vault with something of everything, and its sticks.
pub fn made(key: &MasterKey, begun: u64) -> (Vault<MemoryDevice>, [(&'static str, StickFile); 2]) {
    let disk = MemoryDevice::default();
    let nobody = SlotTable::default();
    let mut vault = Vault::create(disk, SERVER, text("clinic ñ"), key, &nobody).unwrap();
    let header = vault.header().clone();
    let mut slots = SlotTable {
        next_id: 2,
        passphrases: Passphrases::quick(),
        ..SlotTable::default()
    };
    for (id, (name, chosen, need)) in (0..).zip(places()) {
        let slot = enrol(&header, key, id, text(name), &chosen, need, |_, _| ()).unwrap();
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
            .add_passphrase(&header, key, text(name), kind, words.as_bytes(), 1000)
            .unwrap();
    }
    vault.replace_slots(key, &slots).unwrap();
    vault.set_policy(key, policy()).unwrap();
    let sticks = stick_files(&header, key);
    let mut list = StickList::default();
    for (_, file) in &sticks {
        list.sticks.push(file.info.known(4000)).unwrap();
    }
    let kept = |place| Some(SealedPlace::seal(&header, key, &text(place)));
    list.sticks[0].kept = kept(OFFICE_STICK);
    list.code = Some(KnownCode {
        generation: 1,
        verified: 5000,
        kept: kept(CODE),
    });
    vault.set_sticks(key, list).unwrap();
    vault.strike(2, [9; 16]).unwrap();
    let kinds = kinds();
    for (at, kind) in (0..).zip(kinds.iter().cloned()) {
        let (time, boot_id) = (begun + at, [at as u8 | 0x80; 16]);
        match at {
            30 => vault.append_sealed(key, time, boot_id, kind),
            _ => vault.append(time, boot_id, kind),
        }
        .unwrap();
    }
    (vault, sticks)
}
