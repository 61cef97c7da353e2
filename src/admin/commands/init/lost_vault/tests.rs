//! A vault is lost and made anew, in memory.

use super::*;
use crate::keys::{Keyring, MasterKey, ScryptParams};
use crate::release::mariadb::MariadbRelease;
use crate::vault::{
    CodeRefused, FirstRecords, Header, Identity, MemoryDevice, NextGeneration, SlotTable, Vault,
    Ways,
};

const PIN: &[u8] = b"2580";

/// A server whose vault will be lost, the stick that was made for it, and its code.
struct Lost {
    vault: Vault<MemoryDevice>,
    keys: Keyring,
    stick: StickFile,
    ways: Ways,
    code: RecoveryCode,
}

fn lost() -> Lost {
    let keys = Keyring::of_one(1, MasterKey::generate());
    let identity = Identity {
        server_id: ServerId::random(),
        server_name: "clinic".try_into().unwrap(),
        generation: 1,
        earlier: keys.seal_earlier(&[0; 16]),
    };
    let vault = new_vault(identity, &keys);
    let header = vault.header();
    let (cheap, label) = (ScryptParams::CHEAPEST, "office".try_into().unwrap());
    let (stick, way_key) = StickFile::make_with(cheap, header, &keys, label, 7, PIN);
    let mut ways = Ways::default();
    let id = stick.info.stick_id;
    assert!(ways.note_stick(header, keys.current(), id, &way_key, 1));
    let code = ways.make_code(header, keys.current());
    Lost {
        vault,
        keys,
        stick,
        ways,
        code,
    }
}

impl Lost {
    fn header(&self) -> &Header {
        self.vault.header()
    }

    fn copy(&self) -> WaysCopy {
        let bytes = WaysCopy::of(self.header(), &self.ways).encode();
        WaysCopy::parse(&bytes, &self.header().server_id).unwrap()
    }

    fn way_key(&self) -> WayKey {
        self.stick.way_key(PIN).unwrap()
    }

    /// The same server after its master key was replaced; the stick was not plugged in.
    fn with_next_key(self) -> Self {
        let next = NextGeneration::of(self.header(), &self.keys).unwrap();
        let ways = next.ways(&self.ways, (self.header(), self.keys.current()));
        let identity = Identity {
            server_id: self.header().server_id,
            server_name: self.header().server_name.clone(),
            generation: 2,
            earlier: next.header.earlier.clone(),
        };
        Self {
            vault: new_vault(identity, &next.keys),
            keys: next.keys,
            ways,
            ..self
        }
    }
}

fn new_vault(identity: Identity, keys: &Keyring) -> Vault<MemoryDevice> {
    let disk = MemoryDevice::default();
    let first = |_: &Header| FirstRecords::default();
    Vault::create_as(disk, identity, keys.current(), &SlotTable::default(), first).unwrap()
}

/// The vault that is made of what was recovered.
fn made(recovered: Recovered) -> Vault<MemoryDevice> {
    let Recovered {
        identity,
        keys,
        way_in,
        ways,
        ..
    } = recovered;
    let mut vault = new_vault(identity, &keys);
    let (list, ways) = way_in.noted(vault.header(), keys.current(), ways);
    vault.set_ways(keys.current(), &ways).unwrap();
    vault.set_sticks(keys.current(), list).unwrap();
    vault
}

/// What MariaDB gets of a vault whose database is of the first key.
fn key_file(vault: &Vault<MemoryDevice>, key: &MasterKey) -> Vec<u8> {
    let keys = vault.prove(key).unwrap().keys;
    let file = MariadbRelease::new(104, 111, 1).key_file(&keys);
    file.as_bytes().to_vec()
}

#[test]
fn a_stick_makes_the_lost_vault_anew_with_the_same_keys() {
    let lost = lost();
    let (header, key) = (lost.header(), lost.keys.current());
    let on_the_stick = StickFile::parse_any(&lost.stick.encode()).unwrap();
    let recovered = from_stick(&on_the_stick, lost.way_key(), &[], None, 9).unwrap();
    let vault = made(recovered);
    let again = vault.header();
    assert_eq!(again.server_id, header.server_id);
    assert_eq!(again.server_name, header.server_name);
    assert_eq!((again.generation, again.check), (1, header.check));
    assert_eq!(key_file(&vault, key), key_file(&lost.vault, key));
    // The stick opens it at the prompt, and is its way back; and it gets the next key.
    assert!(vault.accepts(&lost.stick.open(again, PIN).unwrap()));
    let list = vault.prove(key).unwrap().sticks.draft();
    assert_eq!(list.sticks[0].label, "office");
    assert!(list.sticks[0].opens_without(1, &[]));
    let ways = vault.ways(key).unwrap();
    let id = lost.stick.info.stick_id;
    assert_eq!(ways.way_keys_of_stick(again, key, id).len(), 1);
    // Nothing is left of places and people.
    let slots = vault.slots().unwrap();
    assert!(slots.environments.is_empty() && slots.passphrases.is_empty());
}

#[test]
fn the_code_makes_the_lost_vault_anew_and_sticks_still_open() {
    let lost = lost().with_next_key();
    let (header, key) = (lost.header(), lost.keys.current());
    let recovered = from_code(&lost.code, &[lost.copy()], None, 9).unwrap();
    let vault = made(recovered);
    assert_eq!(key_file(&vault, key), key_file(&lost.vault, key));
    let again = vault.header();
    assert_eq!((again.generation, again.check), (2, header.check));
    let ways = vault.unproven_ways().unwrap();
    let ways = ways.as_claimed();
    let opened = lost.stick.open_in(again, ways, PIN).unwrap();
    assert!(vault.accepts(&opened));
    assert!(ways.key_of_code(again, &lost.code).is_ok());
    let list = vault.prove(key).unwrap().sticks.draft();
    assert!(list.code_of(2).is_some());
}

#[test]
fn the_code_without_anything_beside_it_says_what_it_needs() {
    let lost = lost();
    let refused = from_code(&lost.code, &[], None, 9).err();
    assert_eq!(refused, Some(CodeRefused::Lost));
    let said = copies::none_for_the_code().to_string();
    for needed in ["backup stick", "/etc/stayput/ways", "--ways"] {
        assert!(said.contains(needed), "{said}");
    }
}

#[test]
fn the_code_takes_the_newest_copy_that_it_opens() {
    let before = lost();
    let old = before.copy();
    let after = before.with_next_key();
    let copies = [after.copy(), old];
    let recovered = from_code(&after.code, &copies, None, 9).unwrap();
    assert_eq!(recovered.identity.generation, 2);
    let recovered = from_code(&after.code, &copies[1..], None, 9).unwrap();
    assert_eq!(recovered.identity.generation, 1);
    let other = RecoveryCode::new(&WayKey::random(), 1);
    let refused = from_code(&other, &copies, None, 9).err();
    assert_eq!(refused, Some(CodeRefused::Wrong));
}

#[test]
fn an_old_stick_and_a_newer_copy_make_the_newest_vault() {
    let lost = lost().with_next_key();
    let key = lost.keys.current();
    let copies = [lost.copy()];
    let recovered = from_stick(&lost.stick, lost.way_key(), &copies, None, 9).unwrap();
    let vault = made(recovered);
    assert_eq!(vault.header().generation, 2);
    assert_eq!(key_file(&vault, key), key_file(&lost.vault, key));
}

#[test]
fn a_wrong_pin_gives_no_key() {
    let Lost { stick, .. } = lost();
    assert_eq!(stick.way_key(b"2581").err(), Some(StickError::WrongPin));
    assert_eq!(stick.way_key(b"").err(), Some(StickError::WrongPin));
}

#[test]
fn a_stick_of_several_servers_wants_one_of_them_named() {
    let files = || vec![lost().stick, lost().stick];
    let two = files();
    let second = two[1].info.server_id;
    assert_eq!(choose(two.clone(), None), Err(two.clone()));
    let chosen = choose(two.clone(), Some(second)).unwrap();
    assert_eq!(chosen.info.server_id, second);
    assert!(choose(two, Some(ServerId([0; 16]))).is_err());
    // Also of this server, but this one alone.
    let one = vec![lost().stick];
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
        assert!(!kept.is_lost(), "{kept}");
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
        LocateError::Vault(VaultError::NotAVault),
        LocateError::Vault(VaultError::Damaged),
        LocateError::Vault(VaultError::Older),
        LocateError::Vault(VaultError::Device(libc::EIO)),
    ]);
    for lost in lost {
        assert!(lost.is_lost(), "{lost}");
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

#[test]
fn what_was_left_out_since_does_not_bring_its_key_back_unasked() {
    let before = lost();
    let (stick, old) = (before.stick.clone(), before.copy());
    let mut after = before.with_next_key();
    after.ways.forget_stick(stick.info.stick_id);
    after.ways.code = None;
    let copies = [after.copy(), old];
    let way_key = stick.way_key(PIN).unwrap();
    let by_stick = from_stick(&stick, way_key, &copies, None, 9).unwrap();
    let by_code = from_code(&after.code, &copies, None, 9).unwrap();
    for recovered in [by_stick, by_code] {
        assert_eq!(recovered.keys.generation(), 1);
        let later = of_unknown_key(&copies, &recovered.keys).unwrap();
        assert_eq!(later.generation, 2);
    }
    let said = is_an_earlier_key(1, 2).to_string();
    assert!(
        said.contains("number 2") && said.contains("--earlier-key"),
        "{said}"
    );
    // Who has the newest key is not asked.
    assert!(of_unknown_key(&copies, &after.keys).is_none());
}

#[test]
fn a_copy_of_before_the_sticks_own_key_gives_it_no_ways() {
    let before = lost();
    let old = before.copy();
    let way_key = before.stick.way_key(PIN).unwrap();
    let after = before.with_next_key();
    // It was pulled out between its new key file and its copy of the ways in.
    let stick = after.stick.renewed(&way_key, &after.keys);
    let of = |copy: WaysCopy| {
        let way_key = stick.way_key(PIN).unwrap();
        from_stick(&stick, way_key, &[copy], None, 9).unwrap()
    };
    let recovered = of(old);
    assert_eq!(recovered.keys.generation(), 2);
    assert!(recovered.ways.code.is_none() && recovered.ways.sticks.is_empty());
    assert!(of(after.copy()).ways.code.is_some());
}

#[test]
fn a_copy_of_another_key_of_the_same_number_is_told_of() {
    let (one, other) = (lost(), lost());
    let foreign = WaysCopy::of(
        &Header {
            check: other.header().check,
            ..one.header().clone()
        },
        &one.ways,
    );
    let copies = [foreign, one.copy()];
    assert_eq!(of_unknown_key(&copies, &one.keys).unwrap().generation, 1);
    assert!(of_unknown_key(&copies[1..], &one.keys).is_none());
}
