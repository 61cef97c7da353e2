//! A vault is lost and made anew, in memory.

use super::*;
use crate::keys::ScryptParams;
use crate::release::mariadb::MariadbRelease;
use crate::vault::{Header, MemoryDevice, SlotTable, Vault};

const PIN: &[u8] = b"2580";

/// A server with a place, and a stick that was made for it.
struct Lost {
    header: Header,
    key: MasterKey,
    stick: StickFile,
}

fn lost(generation: u32) -> Lost {
    let key = MasterKey::generate();
    let identity = Identity {
        server_id: ServerId::random(),
        server_name: "clinic".try_into().unwrap(),
        generation,
    };
    let vault = new_vault(identity, &key);
    let header = vault.header().clone();
    let label = "office".try_into().unwrap();
    let cheap = ScryptParams::CHEAPEST;
    let stick = StickFile::make_with(cheap, &header, &key, label, 7, PIN);
    Lost { header, key, stick }
}

fn new_vault(identity: Identity, key: &MasterKey) -> Vault<MemoryDevice> {
    let disk = MemoryDevice::default();
    Vault::create_as(disk, identity, key, &SlotTable::default()).unwrap()
}

/// What MariaDB gets of a vault.
fn key_file(key: &MasterKey) -> Vec<u8> {
    let file = MariadbRelease::new(104, 111).key_file(key);
    file.as_bytes().to_vec()
}

#[test]
fn a_stick_makes_the_lost_vault_anew_with_the_same_keys() {
    let Lost { header, key, stick } = lost(3);
    let on_the_stick = StickFile::parse_any(&stick.encode()).unwrap();
    let given = on_the_stick.key(PIN).unwrap();
    let recovered = from_stick(&on_the_stick.info, given, None, 9);
    let mut vault = new_vault(recovered.identity, &recovered.key);
    vault.set_sticks(&recovered.key, recovered.ways_in).unwrap();

    let made = vault.header();
    assert_eq!(made.server_id, header.server_id);
    assert_eq!(made.server_name, header.server_name);
    assert_eq!((made.generation, made.check), (3, header.check));
    assert_eq!(key_file(&recovered.key), key_file(&key));
    // The stick opens it at the prompt, and is its way back.
    let opened = StickFile::parse(&stick.encode(), made).unwrap();
    assert!(vault.accepts(&opened.open(made, PIN).unwrap()));
    let proven = vault.prove(&key).unwrap();
    assert_eq!(proven.sticks.sticks[0].label, "office");
    assert!(proven.sticks.sticks[0].opens_without(3, &[]));
    // Nothing is left of places and people.
    let slots = vault.slots().unwrap();
    assert!(slots.environments.is_empty() && slots.passphrases.is_empty());
}

#[test]
fn the_code_makes_the_lost_vault_anew_and_sticks_still_open() {
    for generation in [1, 15, 16, 18] {
        let Lost { header, key, stick } = lost(generation);
        let letters = RecoveryCode::new(&key, generation).letters(&header.server_id.0);
        let code = RecoveryCode::parse(&letters[..], &header.server_id.0).unwrap();
        let name = "clinic".try_into().unwrap();
        let recovered = from_code(code, header.server_id, name, 9);
        let mut vault = new_vault(recovered.identity, &recovered.key);
        vault.set_sticks(&recovered.key, recovered.ways_in).unwrap();
        assert_eq!(key_file(&recovered.key), key_file(&key));
        let made = vault.header();
        let opened = StickFile::parse(&stick.encode(), made).unwrap();
        assert!(vault.accepts(&opened.open(made, PIN).unwrap()));
        let list = vault.prove(&key).unwrap().sticks.draft();
        assert!(list.code_of(made.generation).is_some(), "{generation}");
    }
}

#[test]
fn a_wrong_pin_gives_no_key() {
    let Lost { stick, .. } = lost(1);
    assert_eq!(stick.key(b"2581").err(), Some(StickError::WrongPin));
    assert_eq!(stick.key(b"").err(), Some(StickError::WrongPin));
}

#[test]
fn a_stick_of_several_servers_wants_one_of_them_named() {
    let files = || vec![lost(1).stick, lost(1).stick];
    let two = files();
    let second = two[1].info.server_id;
    assert_eq!(choose(two.clone(), None), Err(two.clone()));
    let chosen = choose(two.clone(), Some(second)).unwrap();
    assert_eq!(chosen.info.server_id, second);
    assert!(choose(two, Some(ServerId([0; 16]))).is_err());
    // Also of this server, but this one alone.
    let one = vec![lost(1).stick];
    assert_eq!(choose(one.clone(), None).unwrap(), one[0]);
    assert!(choose(one, Some(second)).is_err());
}

#[test]
fn only_what_is_known_to_be_lost_is_made_anew() {
    use crate::filesystem::{Driver, Filesystem};
    let driver = Driver {
        filesystem: Filesystem::Vfat,
        module: "vfat",
    };
    let errnos = [
        libc::EACCES,
        libc::EPERM,
        libc::EBUSY,
        libc::ENOMEM,
        libc::EMFILE,
        libc::ENFILE,
        libc::EROFS,
        libc::EINTR,
        0,
    ];
    let kept = errnos.map(LocateError::Open).into_iter().chain([
        LocateError::Vault(VaultError::Newer),
        LocateError::Vault(VaultError::Busy(None)),
        LocateError::NoDriver(driver),
    ]);
    for kept in kept {
        assert!(!kept.is_loss(), "{kept}");
        let said = Problem::from(kept).to_string();
        assert!(!said.contains("--from-stick"), "{said}");
    }
    let errnos = [
        libc::ENOENT,
        libc::EINVAL,
        libc::EUCLEAN,
        libc::EBADMSG,
        libc::EIO,
        libc::ENXIO,
        libc::ENODEV,
        libc::ENOMEDIUM,
        libc::ETIMEDOUT,
    ];
    let lost = errnos.map(LocateError::Open).into_iter().chain([
        LocateError::NoPartition,
        LocateError::OtherServer,
        LocateError::Vault(VaultError::NotAVault),
        LocateError::Vault(VaultError::Damaged),
        LocateError::Vault(VaultError::Older),
        LocateError::Vault(VaultError::Device(libc::EIO)),
    ]);
    for lost in lost {
        assert!(lost.is_loss(), "{lost}");
    }
}

#[test]
fn beside_a_newer_vault_none_is_made_anew() {
    let beside = |error| may_be_elsewhere(Path::new("/dev/sdb3"), LocateError::Vault(error));
    let refused = beside(VaultError::Newer).unwrap_err();
    assert_eq!(refused.exit, Exit::Refused);
    assert!(refused.what.contains("/dev/sdb3"), "{refused}");
    for other in [
        VaultError::NotAVault,
        VaultError::Older,
        VaultError::Damaged,
    ] {
        assert!(beside(other).is_ok(), "{other}");
    }
}

#[test]
fn a_whole_disk_with_partitions_is_no_stick_without_filesystem() {
    let said = no_key(
        Path::new("/dev/sdb"),
        StickError::Format(Format::Partitions),
    );
    assert!(said.next.contains("one of its partitions"), "{said}");
    let empty = no_key(Path::new("/dev/sdb"), StickError::Format(Format::Empty));
    assert_eq!(empty.exit, Exit::Locked);
}

#[test]
fn three_wrong_entries_end_it_and_one_from_a_script() {
    for (once, tries, paused) in [(true, 1, vec![]), (false, TRIES, vec![1, 2])] {
        let (mut asked, mut pauses) = (0, Vec::new());
        let pause = |pause: Duration| pauses.push(pause.as_secs());
        let ended: Result<()> = in_tries(once, pause, || {
            asked += 1;
            Ok(Entry::Wrong("wrong.".into()))
        });
        assert_eq!(ended.unwrap_err().exit, Exit::Locked);
        assert_eq!((asked, pauses), (tries, paused));
    }
}
