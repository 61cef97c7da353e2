//! A vault of this format and its sticks, with known secrets, as they stand in
//! `tests/vectors`: what is on a server's disk today must open tomorrow, and
//! open for whoever has nothing but docs/format.md.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::environment::{
    Arrangements, ChosenFactor, HOME, Observed, SECOND, enrol, slots_for_next_key,
};
use crate::keys::{
    Keyring, MasterKey, RecoveryCode, ScryptParams, Secret32, UnsealedWayKey, WayKey,
};
use crate::opening::places::Places;
use crate::stick::StickFile;
use crate::theft::{Alarm, OnAlarm, OnStrikes, ResetCause, TheftPolicy, TheftState, WatchPolicy};
use crate::vault::*;

const MASTER_KEY: [u8; 32] = *b"a master key that everybody has.";
/// The one before it.
const EARLIER_KEY: [u8; 32] = *b"a key that was lost with a stick";
const PIN: &str = "2580";
const WORDS: [(&str, Passphrase, &str); 2] = [
    ("halima", Passphrase::Opens, "otter lamp frozen cello"),
    ("night", Passphrase::Duress, "maize under the bridge"),
];

/// Where the ways back are kept.
const OFFICE_STICK: &str = "bank safe";
const CODE: &str = "drawer";

fn folder() -> PathBuf {
    let vectors = format!("tests/vectors/format-{FORMAT_VERSION}");
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(vectors)
}

fn read(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn key() -> MasterKey {
    MasterKey::from_secret(Secret32::new(MASTER_KEY))
}

fn vault() -> Vault<MemoryDevice> {
    Vault::open(MemoryDevice::holding(&read("vault.img"))).unwrap()
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
fn places() -> [(&'static str, Vec<ChosenFactor>, Thresholds); 2] {
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

fn policy() -> Policy {
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
fn kinds() -> Vec<EventKind> {
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

#[test]
fn the_fixed_image_opens_with_its_secrets() {
    let (vault, key) = (vault(), key());
    let header = vault.header();
    assert_eq!(header.server_name, "clinic ñ");
    assert_eq!(vault.unfinished(), None);
    assert_eq!(vault.degraded_records(), [""; 0]);
    let boot_id = [9; 16];
    let suspect = TheftState::Suspect {
        strikes: 2,
        boot_id,
    };
    let proven = vault.prove(&key).unwrap();
    assert_eq!(proven.state, suspect);
    assert_eq!(*proven.policy, policy());
    let labels = proven.sticks.sticks.iter().map(|stick| &*stick.label);
    assert!(labels.eq(["office", "bare"]));
    let code = proven.sticks.code.as_ref().unwrap();
    for (kept, place) in [
        (&proven.sticks.sticks[0].kept, Some(OFFICE_STICK)),
        (&proven.sticks.sticks[1].kept, None),
        (&code.kept, Some(CODE)),
    ] {
        let opened = kept.as_ref().and_then(|kept| kept.open(header, &key));
        assert_eq!(opened.as_deref(), place);
    }

    assert_eq!(header.generation, 2);
    let earlier = proven.keys.of_generation(1).unwrap();
    assert_eq!(earlier.expose(), &EARLIER_KEY);

    let code = RecoveryCode::parse(&read("code.txt"), &header.server_id.0).unwrap();
    let ways = vault.ways(&key).unwrap();
    assert!(ways.key_of_code(header, &code).is_ok());
    let copy = WaysCopy::parse(&read("ways"), &header.server_id).unwrap();
    let (keys, number) = copy.open_by_code(&code).unwrap();
    assert_eq!((keys.generation(), number), (2, 1));
    assert_eq!(keys.current().expose(), &MASTER_KEY);
    let mariadb = proven.policy.mariadb.as_ref().unwrap();
    assert_eq!(
        mariadb.key_file(&proven.keys).as_bytes(),
        read("mariadb.keys")
    );
}

#[test]
fn every_place_of_the_fixed_image_opens() {
    let (vault, key) = (vault(), key());
    let header = vault.header();
    let slots = vault.proven_slots(&key).unwrap();
    for (at, (name, chosen, need)) in places().into_iter().enumerate() {
        let slot = &slots.environments[at];
        assert_eq!((&*slot.name, slot.need), (name, need));
        let values = slot.enrolled_values(header, &key).unwrap();
        assert!(values.iter().eq(chosen.iter().map(|factor| &factor.value)));
        for witness in &slot.witnesses {
            let members = chosen.iter().enumerate();
            let members = members.filter(|(number, _)| has_member(witness.members, *number));
            let values = members.map(|(_, factor)| (&factor.label, &factor.value));
            let values: Vec<_> = values.collect();
            assert!(witness.agrees(header, slot.id, &values), "{name}");
        }
        // Each row by itself, with the answers of its members alone.
        for row in &slot.rows {
            let mut observed = Observed::default();
            for (number, factor) in chosen.iter().enumerate() {
                if row.members >> number & 1 == 1 {
                    observed.note(&factor.label, &factor.value);
                }
            }
            let all = Arrangements::All;
            let opened = Places::of(&slots).try_all(header, &slots, &observed, all);
            assert!(opened.is_some_and(|opened| opened.at == at), "{name}");
        }
    }
}

#[test]
fn people_and_sticks_open_the_fixed_image() {
    let (vault, key) = (vault(), key());
    let header = vault.header();
    let people = &vault.proven_slots(&key).unwrap().passphrases;
    for (slot, (name, kind, words)) in people.slots().iter().zip(WORDS) {
        assert_eq!(slot.name, name);
        assert_eq!(slot.kind(header, &key), Some(kind));
        let entered = people.enter(header, words.as_bytes());
        let is_right = match kind {
            Passphrase::Opens => matches!(entered, PassphraseOutcome::Opened { .. }),
            Passphrase::Duress => matches!(entered, PassphraseOutcome::Duress),
        };
        assert!(is_right, "{name}: {entered:?}");
    }
    let ways = vault.ways(&key).unwrap();
    for (name, pin, generation) in [("office", PIN, 2), ("bare", "", 1)] {
        let file = StickFile::parse(&read(&format!("{name}.key")), header).unwrap();
        assert_eq!(file.generation, generation);
        let opened = file.open_in(header, &ways, pin.as_bytes()).unwrap();
        assert!(header.accepts(&opened), "{name}");
        let alone = file.open(header, pin.as_bytes()).is_ok();
        assert_eq!(alone, generation == 2, "{name}");
    }
}

#[test]
fn the_log_of_the_fixed_image_proves() {
    let vault = vault();
    let events = vault.events().unwrap();
    let found: Vec<EventKind> = events.into_iter().map(|event| event.kind).collect();
    let mut logged = kinds();
    logged.insert(1, EventKind::KeyReplaced { generation: 2 });
    assert_eq!(found, logged);
    let spans = vault.prove_events(&key()).unwrap();
    let standings = spans.iter().map(|span| span.status);
    assert!(
        // One of the events says that what is before it did not prove.
        standings.eq([
            ProofStatus::Unlinked,
            ProofStatus::Whole,
            ProofStatus::NotSealed
        ]),
        "{spans:?}"
    );
}

/// Where there is no Python the image is still read above.
#[test]
fn whoever_has_the_format_alone_reads_the_same() {
    let decoder = folder().with_file_name("decode.py");
    let mut python = Command::new("python3");
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    let Ok(decoded) = python.arg(decoder).arg(folder()).output() else {
        return;
    };
    let complaint = String::from_utf8_lossy(&decoded.stderr);
    assert!(decoded.status.success(), "{complaint}");
    let said = String::from_utf8(decoded.stdout).unwrap();
    let expected = String::from_utf8(read("decoded.txt")).unwrap();
    assert!(said == expected, "what the decoder says now:\n{said}");
}

/// The strings of four letters or more that somebody reads who has the disk.
/// The pepper is on it, so the slot table is not secret either.
fn strings(vault: &Vault<MemoryDevice>) -> BTreeSet<String> {
    let mut bytes = vault.device().bytes.clone();
    for block in bytes.chunks_exact_mut(BLOCK_SIZE) {
        // Here is a record's digest.
        block[32..64].fill(0);
    }
    let mut table = vec![0; 1 << 20];
    bytes.push(0);
    bytes.extend(&*postcard::to_slice(&vault.slots().unwrap(), &mut table).unwrap());
    let runs = bytes.split(|byte| !(b' '..=b'~').contains(byte));
    let strings = runs.filter(|run| run.len() >= 4);
    strings
        .map(|run| String::from_utf8(run.to_vec()).unwrap())
        .collect()
}

#[test]
fn a_thief_reads_in_the_vault_what_threats_md_lists() {
    let of = |days: u64| {
        made(
            Keyring::of_one(1, MasterKey::generate()),
            BEGUN + days * 86_400,
        )
    };
    let (first, second, third) = (of(0).vault, of(1).vault, of(2).vault);
    // What is random, made from the key or a digest of the log is not the same
    // three times; of two vaults one in twenty pairs has four letters in common.
    let clear = &(&strings(&first) & &strings(&second)) & &strings(&third);
    let listed = [
        ("SPUT", "where a vault begins"),
        ("a server's id ", "the server's id and name"),
        ("clinic ", "the server's id and name"),
        ("office", "labels of sticks"),
        ("bare", "labels of sticks"),
        ("home", "names of the places"),
        ("second", "names of the places"),
        ("halima", "names of people with a passphrase"),
        ("night", "names of people with a passphrase"),
        ("board", "which parts of the machine are enrolled"),
        ("disk 1", "which parts of the machine are enrolled"),
        ("disk 2", "which parts of the machine are enrolled"),
        ("arp 192.168.1.1", "addresses of the neighbours"),
        ("arp 192.168.1.2", "addresses of the neighbours"),
        ("nd fe80::1", "addresses of the neighbours"),
        (
            "tang 192.168.1.5:7500 second",
            "addresses and public keys of the key servers",
        ),
        (
            "tang [fe80::5]:80 second",
            "addresses and public keys of the key servers",
        ),
    ];
    let expected = listed.map(|(string, _)| string.to_owned());
    assert_eq!(clear, BTreeSet::from(expected));
    let threats = include_str!("../../docs/threats.md").split_whitespace();
    let threats = threats.collect::<Vec<_>>().join(" ");
    for (string, words) in listed {
        assert!(threats.contains(words), "{string}: {words}");
    }
}

const SERVER: ServerId = ServerId(*b"\x80a server's id \x80");

/// When the log begins, in seconds since 1970 (UTC).
const BEGUN: u64 = 1_700_000_000;

/// A vault with something of everything, its sticks and its code.
struct Made {
    vault: Vault<MemoryDevice>,
    sticks: [(&'static str, StickFile, UnsealedWayKey); 2],
    code: RecoveryCode,
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
fn made(keys: Keyring, begun: u64) -> Made {
    made_with(keys, MasterKey::generate(), begun)
}

fn made_with(keys: Keyring, next_key: MasterKey, begun: u64) -> Made {
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

/// After a change of the format: the version goes up, this is run with
/// `--ignored`, and what the decoder then says goes to `decoded.txt`, read by
/// a person.
#[test]
#[ignore = "makes the fixed image anew"]
fn make_the_fixed_image() {
    let before = MasterKey::from_secret(Secret32::new(EARLIER_KEY));
    let Made {
        vault,
        sticks,
        code,
    } = made_with(Keyring::of_one(1, before), key(), BEGUN);
    fs::create_dir_all(folder()).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder().join(name), bytes).unwrap();
    for (name, file, _) in sticks {
        write(&format!("{name}.key"), &file.encode());
    }
    let ways = vault.ways(&key()).unwrap();
    write("ways", &WaysCopy::of(vault.header(), &ways).encode());
    let code = code.letters(&SERVER.0);
    let code = str::from_utf8(&code[..]).unwrap();
    write("code.txt", code.as_bytes());
    let keys = vault.prove(&key()).unwrap().keys;
    let mariadb = policy().mariadb.unwrap().key_file(&keys);
    write("mariadb.keys", mariadb.as_bytes());
    let hex =
        |bytes: [u8; 32]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let mut secrets = format!(
        "master_key {}\nearlier_key {}\npin_office {PIN}\ncode {code}\n",
        hex(MASTER_KEY),
        hex(EARLIER_KEY)
    );
    for (name, _, words) in WORDS {
        secrets += &format!("passphrase_{name} {words}\n");
    }
    write("secrets.txt", secrets.as_bytes());
    write("vault.img", &vault.into_device().bytes);
}
