use super::super::layout::{self, HALF};
use super::super::tests::{MemoryDevice, made};
use super::super::{BlockDevice, Vault, VaultError};
use super::*;
use ProofStatus::*;

const BLOCK: u64 = EVENTS_PER_BLOCK as u64;

fn log_to(vault: &mut Vault<MemoryDevice>, key: Option<&MasterKey>, events: u64) {
    for _ in 0..events {
        let kind = EventKind::PolicyChanged;
        match key {
            Some(key) => vault.append_sealed(key, 7, [1; 16], kind),
            None => vault.append(7, [1; 16], kind),
        }
        .unwrap();
    }
}

fn spans(vault: &Vault<MemoryDevice>, key: &MasterKey) -> Vec<(u64, u64, ProofStatus)> {
    let spans = vault.prove_events(key).unwrap();
    let spans = spans.into_iter();
    spans
        .map(|span| (span.from, span.to, span.status))
        .collect()
}

/// A vault with this many events, of which the last ones are not sealed.
fn logged(sealed: u64, since: u64) -> (MasterKey, Vault<MemoryDevice>) {
    let (key, device) = made();
    let mut vault = Vault::open(device).unwrap();
    log_to(&mut vault, Some(&key), sealed);
    log_to(&mut vault, None, since);
    (key, vault)
}

/// Overwrites a record, as whoever has the disk can.
fn forge<T: serde::Serialize>(vault: &mut Vault<MemoryDevice>, region: layout::Region, value: &T) {
    super::super::event_log::write(&mut vault.device, region, value).unwrap();
}

fn newest(vault: &Vault<MemoryDevice>) -> Newest {
    EventLog::read(&vault.device).unwrap().newest.unwrap()
}

#[test]
fn events_before_the_last_unlock_are_whole_later_unsealed() {
    let (key, vault) = logged(3, 0);
    assert_eq!(spans(&vault, &key), [(1, 3, Whole)]);
    let (key, vault) = logged(3, 2);
    assert_eq!(spans(&vault, &key), [(1, 3, Whole), (4, 5, NotSealed)]);
    assert_eq!(vault.events_sealed(), Ok(3));
    // Over the edge of a record, and a new vault.
    for (sealed, since) in [(BLOCK, 1), (BLOCK - 1, 2), (1, 3 * BLOCK), (60, 70)] {
        let (key, vault) = logged(sealed, since);
        let all = sealed + since;
        let expected = [(1, sealed, Whole), (sealed + 1, all, NotSealed)];
        assert_eq!(spans(&vault, &key), expected);
    }
    let (key, vault) = logged(0, 2);
    assert_eq!(spans(&vault, &key), [(1, 2, NotSealed)]);
    let (key, vault) = logged(0, 0);
    assert_eq!(spans(&vault, &key), []);
}

#[test]
fn what_the_ring_has_dropped_is_older_and_not_missing() {
    let blocks = u64::from(LOG_BLOCKS);
    for extra in [0, 1, 5, BLOCK - 1, BLOCK, BLOCK + 1] {
        let all = (blocks + 1) * BLOCK + extra;
        let (key, vault) = logged(all, 0);
        let found = spans(&vault, &key);
        let kept = all - (all - 1) % BLOCK - blocks * BLOCK;
        let mut expected = vec![(kept, all, Whole)];
        if kept > 1 {
            expected.insert(0, (1, kept - 1, Older));
        }
        assert_eq!(found, expected, "{all} events");
    }
}

#[test]
fn dropped_events_that_are_put_back_stay_older() {
    let blocks = u64::from(LOG_BLOCKS);
    let (key, mut vault) = logged(2 * BLOCK, 0);
    let first = EventLog::read(&vault.device).unwrap().closed.remove(0);
    log_to(&mut vault, Some(&key), blocks * BLOCK);
    forge(&mut vault, layout::log(5), &first);
    assert_eq!(spans(&vault, &key)[0], (1, BLOCK, Older));
}

#[test]
fn an_oldest_record_cut_to_one_event_still_has_that_one() {
    let all = (u64::from(LOG_BLOCKS) + 2) * BLOCK;
    let (key, mut vault) = logged(all, 0);
    let mut oldest = EventLog::read(&vault.device).unwrap().closed.remove(0);
    oldest.events.truncate(1);
    forge(&mut vault, layout::log(1), &oldest);
    let expected = [
        (1, BLOCK, Older),
        (BLOCK + 1, BLOCK + 1, Unlinked),
        (BLOCK + 2, 2 * BLOCK, Missing),
        (2 * BLOCK + 1, all, Whole),
    ];
    assert_eq!(spans(&vault, &key), expected);
}

#[test]
fn an_edited_event_is_found_and_nothing_older_is_called_whole() {
    let (key, mut vault) = logged(3 * BLOCK + 5, 2);
    let mut forged = newest(&vault);
    forged.block.events[1].time += 1;
    forge(&mut vault, layout::LOG_NEWEST, &forged);
    let (edge, last) = (3 * BLOCK, 3 * BLOCK + 5);
    let changed = (edge + 1, last, Changed);
    let later = (last + 1, last + 2, NotSealed);
    assert_eq!(spans(&vault, &key), [(1, edge, Unlinked), changed, later]);

    let (key, mut vault) = logged(3 * BLOCK + 5, 0);
    let mut block = EventLog::read(&vault.device).unwrap().closed.remove(1);
    block.events[4].kind = EventKind::VaultMade;
    forge(&mut vault, layout::log(1), &block);
    let expected = [
        (1, BLOCK, Unlinked),
        (BLOCK + 1, 2 * BLOCK, Changed),
        (2 * BLOCK + 1, last, Whole),
    ];
    assert_eq!(spans(&vault, &key), expected);
}

#[test]
fn a_log_that_was_cut_back_to_an_earlier_unlock_is_not_whole() {
    let (key, mut vault) = logged(BLOCK + 9, 0);
    // The last four events removed, the seal kept.
    let mut forged = newest(&vault);
    forged.block.events.truncate(5);
    forge(&mut vault, layout::LOG_NEWEST, &forged);
    let cut = BLOCK + 5;
    let missing = (cut + 1, cut + 4, Missing);
    assert_eq!(spans(&vault, &key), [(1, cut, Unlinked), missing]);
    // The seal given an older number: its HMAC does not fit.
    forged.seal.number = cut;
    forge(&mut vault, layout::LOG_NEWEST, &forged);
    let expected = [(1, BLOCK, Unlinked), (BLOCK + 1, cut, Changed)];
    assert_eq!(spans(&vault, &key), expected);
    // The whole record removed.
    for copy in [0, HALF] {
        vault.device.damage(layout::LOG_NEWEST.start + copy);
    }
    let missing = (BLOCK + 1, BLOCK + 1, Missing);
    assert_eq!(spans(&vault, &key), [(1, BLOCK, Unlinked), missing]);
}

#[test]
fn a_record_that_is_gone_from_the_ring_is_a_gap() {
    let (key, mut vault) = logged(3 * BLOCK + 5, 0);
    for copy in [0, HALF] {
        vault.device.damage(layout::log(1).start + copy);
    }
    let expected = [
        (1, BLOCK, Unlinked),
        (BLOCK + 1, 2 * BLOCK, Missing),
        (2 * BLOCK + 1, 3 * BLOCK + 5, Whole),
    ];
    assert_eq!(spans(&vault, &key), expected);
}

#[test]
fn a_gap_in_a_full_ring_is_missing_and_not_older() {
    let all = (u64::from(LOG_BLOCKS) + 2) * BLOCK;
    let (key, mut vault) = logged(all, 0);
    for copy in [0, HALF] {
        vault.device.damage(layout::log(1).start + copy);
    }
    let expected = [
        (1, BLOCK, Older),
        (BLOCK + 1, 2 * BLOCK, Missing),
        (2 * BLOCK + 1, all, Whole),
    ];
    assert_eq!(spans(&vault, &key), expected);
}

#[test]
fn a_gap_behind_the_seal_takes_nothing_from_what_it_proves() {
    let (key, mut vault) = logged(3, 3 * BLOCK);
    for copy in [0, HALF] {
        vault.device.damage(layout::log(1).start + copy);
    }
    let expected = [
        (1, 3, Whole),
        (4, BLOCK, NotSealed),
        (BLOCK + 1, 2 * BLOCK, Missing),
        (2 * BLOCK + 1, 3 * BLOCK + 3, NotSealed),
    ];
    assert_eq!(spans(&vault, &key), expected);
}

#[test]
fn a_power_cut_at_a_full_ring_leaves_the_oldest_record_older() {
    let all = (u64::from(LOG_BLOCKS) + 1) * BLOCK;
    let (key, mut vault) = logged(all, 0);
    // The full record is in the ring, and the newest is not begun anew yet.
    let full = newest(&vault).block;
    forge(&mut vault, layout::log(0), &full);
    let expected = [(1, BLOCK, Older), (BLOCK + 1, all, Whole)];
    assert_eq!(spans(&vault, &key), expected);
}

#[test]
fn numbers_from_zero_on_are_no_log() {
    let (key, mut vault) = logged(3, 0);
    let mut forged = newest(&vault);
    for (number, event) in (0..).zip(&mut forged.block.events) {
        event.number = number;
    }
    forge(&mut vault, layout::LOG_NEWEST, &forged);
    assert_eq!(spans(&vault, &key), [(1, 3, Missing)]);
}

#[test]
fn the_next_unlock_does_not_hide_what_was_changed() {
    let (key, mut vault) = logged(9, 2);
    let mut forged = newest(&vault);
    forged.block.events[1].time += 1;
    forge(&mut vault, layout::LOG_NEWEST, &forged);
    log_to(&mut vault, Some(&key), 1);
    let events = vault.events().unwrap();
    assert_eq!(events[11].kind, EventKind::LogNotProven);
    let expected = [(1, 11, Unlinked), (12, 13, Whole)];
    assert_eq!(spans(&vault, &key), expected);
    // It is said once.
    log_to(&mut vault, Some(&key), 1);
    assert_eq!(spans(&vault, &key), [(1, 11, Unlinked), (12, 14, Whole)]);
    assert_eq!(vault.events().unwrap().len(), 14);
}

#[test]
fn behind_a_forged_number_the_log_is_proven_again() {
    // The other is the number of a later event.
    for number in [u64::MAX, 13] {
        let (key, mut vault) = logged(9, 2);
        let mut forged = newest(&vault);
        forged.block.events[10].number = number;
        forge(&mut vault, layout::LOG_NEWEST, &forged);
        log_to(&mut vault, Some(&key), 2 * BLOCK);
        let all = 11 + 2 * BLOCK;
        // It was not sealed yet, and nothing else was changed.
        assert_eq!(vault.events().unwrap().len() as u64, all);
        let newest = spans(&vault, &key).pop().unwrap();
        assert_eq!(newest, (BLOCK + 1, all, Whole), "{number}");
    }
}

#[test]
fn the_log_of_another_server_proves_nothing_here() {
    let (key, mut vault) = logged(9, 0);
    let (_, foreign) = logged(4, 0);
    for copy in [0, HALF] {
        let block = layout::LOG_NEWEST.start + copy;
        let mut bytes = [0; layout::BLOCK_SIZE];
        foreign.device.read_block(block, &mut bytes).unwrap();
        vault.device.write_block(block, &bytes).unwrap();
    }
    assert_eq!(spans(&vault, &key), [(1, 4, Changed)]);
}

#[test]
fn an_earlier_copy_of_the_newest_record_is_believed() {
    let (key, mut vault) = logged(9, 0);
    let earlier = newest(&vault);
    log_to(&mut vault, Some(&key), 3);
    forge(&mut vault, layout::LOG_NEWEST, &earlier);
    assert_eq!(spans(&vault, &key), [(1, 9, Whole)], "as threats.md says");
}

#[test]
fn sealing_needs_the_master_key() {
    let (_, mut vault) = logged(1, 0);
    let foreign = MasterKey::generate();
    let refused = vault.append_sealed(&foreign, 0, [0; 16], EventKind::VaultMade);
    assert_eq!(refused, Err(VaultError::WrongKey));
    assert_eq!(vault.prove_events(&foreign), Err(VaultError::WrongKey));
    assert_eq!(vault.events().unwrap().len(), 1);
}

proptest::proptest! {
    #[test]
    fn foreign_numbers_never_panic(
        numbers in proptest::collection::vec(proptest::prelude::any::<u64>(), 0..6),
        near in proptest::collection::vec(0u64..70, 0..6),
        sealed: u64,
        hit in 0u64..70,
    ) {
        let (key, mut vault) = logged(1, 0);
        let event = vault.events().unwrap().remove(0);
        let block = |numbers: &[u64]| {
            let mut block = Block::default();
            for number in numbers {
                let _ = block.events.push(super::super::LoggedEvent { number: *number, ..event.clone() });
            }
            block
        };
        for (index, numbers) in [&numbers, &near].into_iter().enumerate() {
            forge(&mut vault, layout::log(index as u32), &block(numbers));
        }
        for number in [sealed, hit] {
            let mut forged = newest(&vault);
            forged.block = block(if number == hit { &numbers } else { &near });
            forged.seal.number = number;
            forge(&mut vault, layout::LOG_NEWEST, &forged);
            let _ = vault.prove_events(&key).unwrap();
            vault.append_sealed(&key, 0, [0; 16], EventKind::VaultMade).unwrap();
            let _ = vault.prove_events(&key).unwrap();
        }
    }
}
