//! Each operation but the reset: the old or the new is found, never neither.

use super::*;

#[test]
fn power_cut_while_changing_slots_leaves_old_or_new() {
    let (key, before) = made();
    let old = OldPepper::of(&before);
    let steps = record(&before, |vault| {
        vault.replace_slots(&key, &table(2)).unwrap();
    });
    crashes(&before, &steps, |disk, done| {
        assert!(!(done && old.is_there(&disk)), "it was left");
        let vault = Vault::open(disk).unwrap();
        let slots = vault.slots().expect("the key is never lost");
        assert!(slots.next_id == 2 || (!done && slots.next_id == 1));
        if slots.next_id == 2 {
            assert!(!old.is_there(&vault.device), "it came back");
        }
        assert!(vault.prove(&key).unwrap().state_proven);
    });
}

#[test]
fn power_cut_while_changing_the_policy_leaves_old_or_new() {
    let (key, before) = made();
    let new = Policy {
        mariadb: Some(MariadbRelease::new(100, 101, 1)),
        ..Policy::default()
    };
    let steps = record(&before, |vault| {
        vault.set_policy(&key, new.clone()).unwrap();
    });
    crashes(&before, &steps, |disk, done| {
        let proven = Vault::open(disk).unwrap().prove(&key).unwrap();
        assert!(*proven.policy == new || (!done && *proven.policy == Policy::default()));
    });
}

/// As many sticks as there can be: a record of several blocks.
fn all_sticks() -> StickList {
    let key = MasterKey::generate();
    let kept = SealedPlace::seal(
        &Header::of_a_new_server(&key),
        &key,
        &"y".repeat(48).as_str().try_into().unwrap(),
    );
    let stick = |id| KnownStick {
        id: [id; 8],
        label: "x".repeat(32).as_str().try_into().unwrap(),
        has_pin: true,
        generation: u32::MAX,
        made: u64::MAX,
        verified: Some(u64::MAX),
        kept: Some(kept.clone()),
    };
    StickList {
        sticks: (0..MAX_STICKS as u8).map(stick).collect(),
        code: Some(KnownCode {
            generation: u32::MAX,
            verified: u64::MAX,
            kept: Some(kept.clone()),
        }),
    }
}

#[test]
fn power_cut_while_changing_the_sticks_leaves_old_or_new() {
    let (key, before) = made();
    let sticks = all_sticks();
    let steps = record(&before, |vault| {
        vault.set_sticks(&key, sticks.clone()).unwrap();
    });
    crashes(&before, &steps, |disk, done| {
        let proven = Vault::open(disk).unwrap().prove(&key).unwrap();
        let old = *proven.sticks == StickList::default();
        assert!(*proven.sticks == sticks || (!done && old));
    });
}

/// The ways in of as many sticks as there can be, each of which is given a new way key.
fn all_ways(header: &Header, key: &MasterKey) -> Ways {
    let mut ways = Ways::default();
    for id in 0..MAX_STICKS as u8 {
        let way_key = || UnsealedWayKey {
            key: WayKey::random(),
            made_in: u32::MAX,
        };
        let of = (&way_key(), Some(&way_key()));
        assert!(ways.note(header, key, [id; 8], of, u32::MAX));
    }
    ways.make_code(header, key);
    ways
}

#[test]
fn power_cut_while_changing_the_ways_in_leaves_old_or_new() {
    let (key, before) = made();
    let header = Vault::open(before.fresh()).unwrap().header;
    let ways = all_ways(&header, &key);
    let steps = record(&before, |vault| {
        vault.set_ways(&key, &ways).unwrap();
    });
    crashes(&before, &steps, |disk, done| {
        let vault = Vault::open(disk).unwrap();
        let found = vault.ways(&key).unwrap();
        assert!(found == ways || (!done && found == Ways::default()));
        vault.prove(&key).unwrap();
    });
}

#[test]
fn fewer_ways_in_leave_nothing_of_those_before_on_the_disk() {
    let (key, before) = made();
    let mut vault = Vault::open(before).unwrap();
    let header = vault.header.clone();
    let all = all_ways(&header, &key);
    vault.set_ways(&key, &all).unwrap();
    let last = all.sticks.last().unwrap();
    let mut bytes = [0; 256];
    let last = &*postcard::to_slice(&last.kept.wrapped, &mut bytes).unwrap();
    let is_there = |vault: &Vault<MemoryDevice>| {
        let mut windows = vault.device.bytes.windows(last.len());
        windows.any(|part| part == last)
    };
    assert!(is_there(&vault));
    vault.set_ways(&key, &Ways::default()).unwrap();
    assert!(!is_there(&vault));
}

#[test]
fn power_cut_while_counting_a_strike_leaves_old_or_new() {
    let (key, before) = made();
    let steps = record(&before, |vault| {
        vault.strike(1, [9; 16]).unwrap();
    });
    let new = TheftState::Suspect {
        strikes: 1,
        boot_id: [9; 16],
    };
    crashes(&before, &steps, |disk, done| {
        let vault = Vault::open(disk).unwrap();
        let state = vault.state().unwrap();
        assert!(state == new || (!done && state == TheftState::Armed));
        // A strike never keeps the owner out.
        assert_eq!(vault.slots().unwrap().next_id, 1);
        assert!(vault.prove(&key).unwrap().state_proven);
    });
}

#[test]
fn power_cut_while_clearing_strikes_leaves_old_or_none() {
    let (key, mut before) = made();
    let mut vault = Vault::open(before.fresh()).unwrap();
    vault.strike(2, [9; 16]).unwrap();
    before.bytes = vault.device.bytes;
    let steps = record(&before, |vault| {
        vault.arm(&key).unwrap();
    });
    crashes(&before, &steps, |disk, done| {
        let vault = Vault::open(disk).unwrap();
        let strikes = vault.state().unwrap().strikes();
        assert!(strikes == 0 || (!done && strikes == 2));
        assert!(vault.prove(&key).unwrap().state_proven);
    });
}

#[test]
fn power_cut_while_logging_costs_at_most_that_event() {
    let (key, before) = made();
    let steps = record(&before, |vault| {
        vault.append(7, [1; 16], EventKind::VaultMade).unwrap();
    });
    crashes(&before, &steps, |disk, done| {
        let vault = Vault::open(disk).unwrap();
        let events = vault.events().unwrap();
        assert!(events.len() == 1 || (!done && events.is_empty()));
        vault.prove(&key).unwrap();
    });
}

#[test]
fn a_second_power_cut_while_logging_keeps_the_log() {
    let (_, mut before) = made();
    let log = |vault: &mut Vault<MemoryDevice>| {
        vault.append(7, [1; 16], EventKind::VaultMade).unwrap();
    };
    // A block of several sectors, so that it can be torn.
    let mut vault = Vault::open(before.fresh()).unwrap();
    (0..26).for_each(|_| log(&mut vault));
    before.bytes = vault.device.bytes;
    // One event more, in one copy only.
    let mut half = before.fresh();
    half.take(&record(&before, log)[0], BLOCK_SIZE);
    let count = |disk| Vault::open(disk).unwrap().events().unwrap().len();
    assert_eq!(count(half.fresh()), 27);
    let steps = record(&half, log);
    crashes(&half, &steps, |disk, done| {
        let events = count(disk);
        assert!(events == 28 || (!done && events == 27));
    });
}

/// Nothing in the log looks as if somebody had been at it.
pub fn assert_log_is_whole(vault: &Vault<MemoryDevice>, key: &MasterKey) {
    let spans = vault.prove_events(key).unwrap();
    let broken = spans.iter().find(|span| {
        use ProofStatus::*;
        matches!(span.status, Changed | Missing | Unlinked)
    });
    assert_eq!(broken, None, "{spans:?}");
}

#[test]
fn power_cut_while_logging_never_looks_like_tampering() {
    // Around the edge of a record: the third one opens the next.
    for logged in [0, 1, 26, 27, 28, 55, 56] {
        for seals in [true, false] {
            let (key, mut before) = made();
            let mut vault = Vault::open(before.fresh()).unwrap();
            let log = |vault: &mut Vault<MemoryDevice>, seals| match seals {
                true => vault.append_sealed(&key, 7, [1; 16], EventKind::PolicyChanged),
                false => vault.append(7, [1; 16], EventKind::VaultMade),
            };
            for at in 0..logged {
                log(&mut vault, at % 3 == 0).unwrap();
            }
            before.bytes = vault.device.bytes;
            let steps = record(&before, |vault| {
                log(vault, seals).unwrap();
            });
            crashes(&before, &steps, |disk, done| {
                let mut vault = Vault::open(disk).unwrap();
                assert_log_is_whole(&vault, &key);
                let events = vault.events().unwrap().len();
                assert!(events == logged + 1 || (!done && events == logged));
                // The next boot finds nothing to complain of either.
                log(&mut vault, true).unwrap();
                assert_log_is_whole(&vault, &key);
                assert_eq!(vault.events().unwrap().len(), events + 1);
            });
        }
    }
}

#[test]
fn power_cut_while_mending_settings_can_be_mended_again() {
    let (key, before) = made();
    let (_, foreign) = made();
    let mut altered = before.fresh();
    for region in [POLICY, STICKS] {
        tampering::copy_region(&mut altered, &foreign, region);
    }
    let steps = record(&altered, |vault| {
        vault.mend(&key, &StickList::default()).unwrap();
    });
    crashes(&altered, &steps, |disk, done| {
        let mut vault = Vault::open(disk).unwrap();
        assert!(!done || vault.prove(&key).is_ok());
        vault.mend(&key, &StickList::default()).unwrap();
        vault.prove(&key).unwrap();
        assert_eq!(vault.slots().unwrap().next_id, 1);
    });
}

#[test]
fn power_cut_while_making_the_vault_leaves_no_half_a_vault() {
    let key = MasterKey::generate();
    let before = MemoryDevice::default();
    let steps = make_on(before.fresh(), &key).steps;
    crashes(&before, &steps, |disk, done| match Vault::open(disk) {
        Err(error) => assert!(!done && error == VaultError::NotAVault),
        Ok(vault) => {
            assert_eq!(vault.slots().unwrap().next_id, 1);
            assert!(vault.prove(&key).unwrap().state_proven);
        }
    });
}

#[test]
fn power_cut_while_making_a_vault_leaves_old_none_or_new() {
    let (old, before) = made();
    let new = MasterKey::generate();
    let steps = make_on(before.fresh(), &new).steps;
    crashes(&before, &steps, |disk, done| match Vault::open(disk) {
        Err(error) => assert!(!done && error == VaultError::NotAVault),
        Ok(vault) => {
            let key = if vault.accepts(&new) { &new } else { &old };
            assert!(!done || vault.accepts(&new));
            assert_eq!(vault.slots().unwrap().next_id, 1);
            assert!(vault.prove(key).unwrap().state_proven);
        }
    });
}

#[test]
fn a_look_knows_whether_a_power_cut_left_something_to_finish() {
    let (key, before) = made();
    let replaced = record(&before, |vault| {
        vault.replace_slots(&key, &table(2)).unwrap();
    });
    let struck = record(&before, |vault| {
        vault.strike(1, [7; 16]).unwrap();
    });
    let reset = record(&before, super::reset::reset);
    let (mut left, mut nothing) = (0, 0);
    for steps in [replaced, struck, reset] {
        crashes(&before, &steps, |disk, _| {
            let looked = Vault::open_unrepaired(disk.fresh()).unwrap();
            let interrupted = looked.is_interrupted();
            let finished = Vault::open(disk.fresh()).unwrap();
            assert_eq!(interrupted, !finished.device.steps.is_empty());
            assert!(!finished.is_interrupted());
            *if interrupted { &mut left } else { &mut nothing } += 1;
        });
    }
    assert!(left > 0 && nothing > 0);
}
