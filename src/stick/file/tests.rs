//! A stick's file: its PIN, its generation, and what somebody may have put on it.

use super::*;
use proptest::prelude::*;

fn server() -> (Header, MasterKey) {
    let key = MasterKey::generate();
    (Header::of_a_new_server(&key), key)
}

fn stick(header: &Header, key: &MasterKey, pin: &[u8]) -> StickFile {
    StickFile::for_test(header, key, "office", pin)
}

#[test]
fn the_right_pin_opens_and_a_wrong_one_does_not() {
    let (header, key) = server();
    let bytes = stick(&header, &key, b"2580").encode();
    let file = StickFile::parse(&bytes, &header).unwrap();
    assert!(file.info.has_pin());
    assert_eq!(file.open(&header, b"2580").unwrap().expose(), key.expose());
    assert_eq!(
        file.open(&header, b"2581").err(),
        Some(StickError::WrongPin)
    );
    assert_eq!(file.open(&header, b"").err(), Some(StickError::WrongPin));
}

#[test]
fn a_stick_without_a_pin_opens_with_none() {
    let (header, key) = server();
    let file = stick(&header, &key, b"");
    assert!(!file.info.has_pin());
    assert_eq!(file.open(&header, b"").unwrap().expose(), key.expose());
}

#[test]
fn a_stick_of_another_server_says_so() {
    let (header, key) = server();
    let (other, _) = server();
    let bytes = stick(&header, &key, b"").encode();
    assert_eq!(
        StickFile::parse(&bytes, &other),
        Err(StickError::OtherServer)
    );
}

/// A server before and after its master key was replaced, and a stick of before
/// with its way key.
struct Replaced {
    before: Header,
    header: Header,
    keys: Keyring,
    file: StickFile,
    way_key: UnsealedWayKey,
}

fn replaced() -> Replaced {
    let (before, key) = server();
    let first = Keyring::of_one(1, key);
    let params = ScryptParams::CHEAPEST;
    let label = "office".try_into().unwrap();
    let (file, way_key) = StickFile::make_with(params, &before, &first, label, 7, b"2580");
    let keys = first.next(MasterKey::generate()).unwrap();
    let header = Header {
        generation: 2,
        check: Header::check_value(keys.current(), &before.server_id, 2),
        ..before.clone()
    };
    Replaced {
        before,
        header,
        keys,
        file,
        way_key,
    }
}

#[test]
fn a_stick_of_an_earlier_key_opens_by_what_the_vault_has() {
    let Replaced {
        header,
        keys,
        file,
        way_key,
        ..
    } = replaced();
    let file = StickFile::parse(&file.encode(), &header).unwrap();
    assert_eq!(file.open(&header, b"2580").err(), Some(StickError::Old));
    let mut ways = Ways::default();
    let id = file.info.stick_id;
    assert!(ways.note_stick(&header, keys.current(), id, &way_key, 1));
    let opened = file.open_in(&header, &ways, b"2580").unwrap();
    assert_eq!(opened.expose(), keys.current().expose());
    let wrong = file.open_in(&header, &ways, b"2581");
    assert_eq!(wrong.err(), Some(StickError::WrongPin));
    // Taken off the list, it does not.
    ways.forget_stick(file.info.stick_id);
    let lost = file.open_in(&header, &ways, b"2580");
    assert_eq!(lost.err(), Some(StickError::Old));
}

#[test]
fn a_stick_is_renewed_without_its_pin_and_opens_by_itself() {
    let Replaced {
        before,
        header,
        keys,
        file,
        way_key,
    } = replaced();
    let renewed = file.renewed(&way_key.key, &keys);
    let renewed = StickFile::parse(&renewed.encode(), &header).unwrap();
    assert_eq!((renewed.generation, &renewed.info), (2, &file.info));
    let opened = renewed.open(&header, b"2580").unwrap();
    assert_eq!(opened.expose(), keys.current().expose());
    assert_eq!(
        renewed.open(&header, b"1").err(),
        Some(StickError::WrongPin)
    );
    // On new hardware it has the earlier keys too, which the database needs.
    let all = renewed.keys(&renewed.way_key(b"2580").unwrap()).unwrap();
    let first = all.of_generation(1).unwrap();
    assert!(before.accepts(first));
}

#[test]
fn a_forged_stick_that_is_renewed_opens_nothing_for_its_maker() {
    let Replaced {
        header,
        keys,
        file,
        way_key,
        ..
    } = replaced();
    // Somebody knows the stick's id, and locks a way key of their own.
    let (mut forged, _) = file.with_new_way(b"2580", &keys).unwrap();
    forged.info = file.info.clone();
    let renewed = forged.renewed(&way_key.key, &keys);
    let opened = renewed.open(&header, b"2580");
    assert_eq!(opened.err(), Some(StickError::OtherKey));
}

#[test]
fn a_new_way_key_leaves_what_was_known_of_the_old_one_useless() {
    let Replaced {
        header,
        keys,
        file,
        way_key,
        ..
    } = replaced();
    let (renewed, new) = file.with_new_way(b"2580", &keys).unwrap();
    assert_eq!(new.made_in, 2);
    assert!(renewed.open(&header, b"2580").is_ok());
    assert!(renewed.own_key(&way_key.key).is_none());
    assert!(renewed.own_key(&new.key).is_some());
}

#[test]
fn a_file_that_lies_about_its_generation_does_not_open() {
    let (header, key) = server();
    let mut file = stick(&header, &key, b"");
    file.generation = 2;
    assert_eq!(file.open(&header, b"").err(), Some(StickError::Later));
}

#[test]
fn a_stick_of_the_format_before_is_refused_in_words() {
    let (header, key) = server();
    let old = Frame {
        version: 1,
        ..FRAME
    };
    let bytes = old.around(&stick(&header, &key, b"").payload());
    let refused = StickFile::parse(&bytes, &header).unwrap_err();
    assert_eq!(refused, StickError::Older);
    assert!(refused.to_string().contains("older version"));
}

#[test]
fn a_hostile_stick_cannot_ask_for_all_memory() {
    let (header, key) = server();
    let mut file = stick(&header, &key, b"1");
    file.info.stretch.as_mut().unwrap().params.log_n = 40;
    let file = StickFile::parse(&file.encode(), &header).unwrap();
    assert_eq!(file.open(&header, b"1").err(), Some(StickError::Damaged));
}

#[test]
fn a_changed_label_is_noticed() {
    let (header, key) = server();
    let mut file = stick(&header, &key, b"");
    file.info.label = "other".try_into().unwrap();
    assert_eq!(file.open(&header, b"").err(), Some(StickError::Damaged));
}

#[test]
fn a_label_that_would_write_over_the_screen_is_damage() {
    let (header, key) = server();
    let mut file = stick(&header, &key, b"");
    file.info.label = "a\u{1b}[2J".try_into().unwrap();
    assert_eq!(
        StickFile::parse(&file.encode(), &header),
        Err(StickError::Damaged)
    );
}

#[test]
fn a_stick_file_has_one_size_with_the_longest_texts_too() {
    let (mut header, key) = server();
    header.server_name = "n".repeat(64).as_str().try_into().unwrap();
    let label = "l".repeat(32).as_str().try_into().unwrap();
    let keys = (1..=32).fold(Keyring::of_one(1, key), |all, _| {
        all.next(MasterKey::generate()).unwrap()
    });
    let params = ScryptParams::CHEAPEST;
    let (file, _) = StickFile::make_with(params, &header, &keys, label, u64::MAX, b"1");
    let bytes = file.encode();
    assert_eq!(bytes.len(), 4096);
    assert_eq!(StickFile::parse(&bytes, &header), Ok(file));
}

proptest! {
    #[test]
    fn a_bent_byte_is_damage(at in 0usize..600, bit in 0u8..8) {
        let (header, key) = server();
        let file = stick(&header, &key, b"");
        let mut bytes = file.encode();
        bytes[at] ^= 1 << bit;
        match StickFile::parse(&bytes, &header) {
            Err(error) => prop_assert_eq!(error, StickError::Damaged),
            // Behind the payload nothing is read.
            Ok(same) => prop_assert_eq!(same, file),
        }
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 4096)) {
        let (header, _) = server();
        let _ = StickFile::parse(&bytes, &header);
        let _ = StickFile::parse(&FRAME.around(&bytes[..300]), &header);
    }
}
