//! Whoever has found a stick and knows its PIN: what it opens after the key was replaced.

use super::rekey::{LOST, OFFICE, Seals, clinic, way_key};
use super::*;

#[test]
fn the_lost_stick_and_the_disk_of_after_open_nothing() {
    let clinic = clinic();
    let disk = clinic.after();
    let vault = Vault::open(disk.fresh()).unwrap();
    let header = vault.header();
    // With its PIN the stick gives its way key and the master key of before.
    let (way_key, known) = (&clinic.lost.key, clinic.keys.current());
    assert!(!vault.accepts(known));
    assert!(header.keyring(known).is_err());
    assert!(header.earlier.open(&header.server_id.0, 2, known).is_err());
    let ways = vault.unproven_ways().unwrap();
    let ways = ways.as_claimed();
    for id in [OFFICE, LOST] {
        assert!(ways.key_of_stick(header, id, way_key).is_none());
        let before = Header {
            generation: 1,
            ..header.clone()
        };
        for header in [header, &before] {
            assert!(ways.way_keys_of_stick(header, known, id).is_empty());
            assert!(ways.way_key_of_code(header, known).is_none());
        }
    }
    // Its wraps, under every kind and id that the way key may be taken for.
    for wrapped in ways.sticks.iter().map(|stick| &stick.kept.wrapped) {
        for id in [OFFICE, LOST] {
            let way = stick_way(&header.server_id, id);
            assert!(way.unwrap(way_key, 2, wrapped).is_err());
        }
    }
    // The pepper is on the disk, so the slots are open to them.
    let slots = vault.slots().unwrap();
    for slot in &slots.environments {
        assert!(slot.enrolled_values(header, known).is_err());
    }
    for slot in slots.passphrases.slots() {
        assert_eq!(slot.made_in(header, known), None);
    }
    let seals = Seals::of(&clinic.before);
    assert!(seals.are_on(&clinic.before) && !seals.are_in(&disk.bytes));
    assert!(!OldPepper::of(&clinic.before).is_there(&disk));
}

#[test]
fn lost_stick_and_disk_of_before_reach_who_was_not_renewed() {
    let clinic = clinic();
    let (before, after) = (clinic.before.fresh(), clinic.after());
    let known = clinic.keys.current();
    let before = Vault::open(before).unwrap();
    let old_ways = before.ways(known).unwrap();
    let after = Vault::open(after).unwrap();
    let header = after.header();
    let ways = after.unproven_ways().unwrap();
    let ways = ways.as_claimed();
    // As docs/threats.md says: the office stick's way key is in the old copy.
    let office = old_ways.way_keys_of_stick(before.header(), known, OFFICE);
    let office = office[0].key.clone();
    let key = ways.key_of_stick(header, OFFICE, &office).unwrap();
    assert!(after.accepts(&key));
    // Until its PIN is typed, which gives it another one.
    let mut renewed = ways.clone();
    assert!(renewed.note_stick(header, &key, OFFICE, &way_key(), 2));
    assert!(renewed.key_of_stick(header, OFFICE, &office).is_none());
}

#[test]
fn a_copy_of_before_a_renewal_reaches_the_key_until_the_next() {
    let clinic = clinic();
    let known = clinic.keys.current();
    let before = Vault::open(clinic.before.fresh()).unwrap();
    let old_ways = before.ways(known).unwrap();
    let office = old_ways.way_keys_of_stick(before.header(), known, OFFICE);
    let office = &office[0].key;
    let after = Vault::open(clinic.after()).unwrap();
    let (header, key) = (after.header(), clinic.next.key());
    let mut ways = after.ways(key).unwrap();
    // On a stick, beside a backup: nobody writes that one anew.
    let copy = WaysCopy::of(header, &ways);
    assert!(ways.note_stick(header, key, OFFICE, &way_key(), 2));
    let opened = copy.open_by_stick(OFFICE, office).unwrap();
    assert!(after.accepts(opened.current()));
    // As docs/threats.md says: until the key is replaced once more.
    let next = NextGeneration::of(header, &clinic.next.keys).unwrap();
    let ways = next.ways(&ways, (header, key));
    let copies = [copy, WaysCopy::of(&next.header, &ways)];
    for copy in copies {
        let opened = copy.open_by_stick(OFFICE, office);
        assert!(!opened.is_some_and(|keys| next.header.accepts(keys.current())));
    }
}
