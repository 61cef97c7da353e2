//! Every block of the vault fails, in every way, before every operation. The
//! vault is opened anew each time, as each boot and each command does.

use super::people::with_people;
use super::*;
use crate::theft::ResetCause;
use crate::vault::tests::{FailingDevice, Fails};

const DURESS: &str = "under duress";

/// What a block is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    LivePepper,
    SparePepper,
    SlotTable,
    Other,
}

fn use_of(block: u32) -> Use {
    let is_in = |start: u32, blocks| (start..start + blocks).contains(&block);
    let is_pepper = |area: Area| is_in(area.pepper(), layout::PEPPER_BLOCKS);
    let is_table = |area: Area| {
        let slots = area.slots();
        is_in(slots.start, slots.blocks) || is_in(slots.start + HALF, slots.blocks)
    };
    let areas = [Area::First, Area::Second];
    match block {
        // `with_people` has written the table a second time.
        _ if is_pepper(Area::Second) => Use::LivePepper,
        _ if is_pepper(Area::First) => Use::SparePepper,
        _ if areas.into_iter().any(is_table) => Use::SlotTable,
        _ => Use::Other,
    }
}

/// A vault of two people, one of whom has a passphrase for duress too.
struct Before {
    key: MasterKey,
    disk: MemoryDevice,
    pepper: OldPepper,
    slots: SlotTable,
}

fn before() -> Before {
    let (key, disk, mut slots) = with_people();
    let mut vault = Vault::open(disk).unwrap();
    let (name, kind) = ("night".try_into().unwrap(), Passphrase::Duress);
    slots
        .add_passphrase(vault.header(), &key, name, kind, DURESS.as_bytes(), 5)
        .unwrap();
    // Twice: the same area is in use as before.
    vault.replace_slots(&key, &slots).unwrap();
    vault.replace_slots(&key, &slots).unwrap();
    let disk = vault.device.fresh();
    assert!(vault.header.pepper.area() == Area::Second);
    Before {
        key,
        pepper: OldPepper::of(&disk),
        disk,
        slots,
    }
}

/// Calls `check` with every failing disk, and what fails.
fn each_failing(before: &Before, mut check: impl FnMut(FailingDevice, u32, Fails)) {
    for fails in Fails::ALL {
        for block in 0..layout::VAULT_BLOCKS {
            let device = FailingDevice {
                disk: before.disk.fresh(),
                bad: vec![block],
                fails,
            };
            check(device, block, fails);
        }
    }
}

/// Opens the vault anew.
fn open(device: FailingDevice) -> Vault<FailingDevice> {
    let (bad, fails) = (device.bad.clone(), device.fails);
    Vault::open(device).unwrap_or_else(|error| panic!("block {bad:?}, {fails:?}: {error}"))
}

/// Resets it, as at the prompt and as `stayput reset`, and looks what is left.
fn reset_and_look(device: FailingDevice, old: &OldPepper, block: u32, fails: Fails) {
    let mut target = ResetTarget::of(device).unwrap();
    let destroyed = target.reset(ResetCause::Duress, 5, &mut || ());
    let at = format!("block {block}, {fails:?}");
    let is_destroyed = use_of(block) != Use::Other;
    assert_eq!(destroyed.failed, u32::from(is_destroyed), "{at}");
    let refuses_state = fails != Fails::Reading && block % HALF == STATE.start;
    let expected = match refuses_state {
        true => Written::Once,
        false => Written::Twice,
    };
    assert_eq!(destroyed.state, Ok(expected), "{at}");
    let device = target.into_device();
    assert!(!old.is_there(&device.disk), "{at}: the pepper is there");
    let vault = open(device);
    assert!(vault.state().unwrap().is_reset(), "{at}");
    assert_eq!(vault.slots().err(), Some(VaultError::WasReset), "{at}");
}

#[test]
fn a_failing_block_never_stops_a_reset() {
    let before = before();
    each_failing(&before, |device, block, fails| {
        reset_and_look(device, &before.pepper, block, fails);
    });
}

#[test]
fn a_failing_block_never_stops_duress() {
    let before = before();
    each_failing(&before, |device, block, fails| {
        let vault = open(device);
        let slots = match vault.slots() {
            Ok(slots) => slots,
            // Nobody's passphrase opens it, this one included.
            Err(_) => {
                assert!(use_of(block) == Use::LivePepper && fails != Fails::Writing);
                return;
            }
        };
        // What a scrypt costs is not the point here.
        if block % 8 == 0 {
            let entered = slots.passphrases.enter(vault.header(), DURESS.as_bytes());
            assert!(
                matches!(entered, PassphraseOutcome::Duress),
                "block {block}"
            );
        }
        reset_and_look(vault.device, &before.pepper, block, fails);
    });
}

#[test]
fn a_failing_block_never_hides_a_strike() {
    let before = before();
    each_failing(&before, |mut device, block, fails| {
        for strikes in 1..=2 {
            let mut vault = open(device);
            vault.strike(strikes, [strikes; 16]).unwrap();
            let vault = open(vault.device);
            let found = vault.state().unwrap().strikes();
            assert_eq!(found, strikes, "block {block}, {fails:?}");
            device = vault.device;
        }
    });
}

#[test]
fn a_failing_block_keeps_nobody_out() {
    let before = before();
    each_failing(&before, |device, block, fails| {
        let at = format!("block {block}, {fails:?}");
        let mut vault = open(device);
        let lost = use_of(block) == Use::LivePepper && fails != Fails::Writing;
        assert_eq!(vault.slots().is_err(), lost, "{at}");
        vault.prove(&before.key).expect(&at);
        vault.arm(&before.key).expect(&at);
        let kind = EventKind::PolicyChanged;
        vault
            .append_sealed(&before.key, 7, [1; 16], kind.clone())
            .expect(&at);
        let vault = open(vault.device);
        assert_eq!(vault.state(), Ok(TheftState::Armed), "{at}");
        let last = vault.events().unwrap().pop();
        assert_eq!(last.map(|event| event.kind), Some(kind), "{at}");
    });
}

#[test]
fn slots_on_a_failing_disk_are_the_old_ones_or_the_new() {
    let before = before();
    let mut new = before.slots.clone();
    new.passphrases.remove("otieno").unwrap();
    each_failing(&before, |device, block, fails| {
        let at = format!("block {block}, {fails:?}");
        let mut vault = open(device);
        let replaced = vault.replace_slots(&before.key, &new);
        let vault = open(vault.device);
        let slots = vault.slots().expect(&at);
        match replaced {
            Ok(_) => {
                assert!(*slots == new, "{at}");
                assert!(!before.pepper.is_there(&vault.device.disk), "{at}");
            }
            Err(_) => {
                assert!(*slots == before.slots, "{at}");
                assert!(use_of(block) == Use::SparePepper, "{at}");
            }
        }
        vault.prove(&before.key).expect(&at);
    });
}

#[test]
fn a_write_that_reached_one_copy_is_told() {
    let before = before();
    each_failing(&before, |device, block, fails| {
        let mut vault = open(device);
        let refuses =
            |region: layout::Region| fails != Fails::Reading && block % HALF == region.start;
        let expected = |region| match refuses(region) {
            true => Ok(Written::Once),
            false => Ok(Written::Twice),
        };
        assert_eq!(vault.strike(1, [1; 16]), expected(STATE));
        let written = vault.set_policy(&before.key, Policy::default());
        assert_eq!(written.map(|(_, written)| written), expected(POLICY));
        let written = vault.set_sticks(&before.key, StickList::default());
        assert_eq!(written.map(|(_, written)| written), expected(STICKS));
        let written = vault.append(1, [1; 16], EventKind::PolicyChanged);
        assert_eq!(written, expected(layout::LOG_NEWEST));
    });
}

#[test]
fn what_the_disk_does_not_take_at_opening_is_told() {
    let before = before();
    let mut disk = before.disk;
    disk.damage(POLICY.start);
    let device = FailingDevice {
        disk,
        bad: vec![POLICY.start],
        fails: Fails::Writing,
    };
    let vault = open(device);
    assert_eq!(vault.unfinished(), Some(VaultError::Device(libc::EIO)));
    assert_eq!(vault.degraded_records(), ["policy"]);
}

#[test]
fn a_lost_header_does_not_stop_a_reset() {
    let before = before();
    for fails in Fails::ALL {
        let mut device = FailingDevice {
            disk: before.disk.fresh(),
            bad: vec![HEADER.start, HEADER.start + HALF],
            fails,
        };
        // One that only takes no writes is whole.
        if fails == Fails::Writing {
            device.disk.damage(HEADER.start);
            device.disk.damage(HEADER.start + HALF);
        }
        let mut target = ResetTarget::of(device).unwrap();
        assert_eq!(target.server_id(), None);
        let destroyed = target.reset(ResetCause::Owner, 5, &mut || ());
        assert_eq!(destroyed.failed, 0);
        assert!(!before.pepper.is_there(&target.into_device().disk));
    }
}

#[test]
fn a_pepper_that_the_disk_keeps_is_not_called_destroyed() {
    let (key, disk) = made();
    let old = OldPepper::of(&disk);
    let start = layout::Area::First.pepper();
    let device = FailingDevice {
        disk,
        bad: (start..start + layout::PEPPER_BLOCKS).collect(),
        fails: Fails::Writing,
    };
    let silent = VaultError::Device(libc::EIO);
    let mut vault = open(device);
    assert_eq!(vault.replace_slots(&key, &table(2)), Err(silent));
    let again = open(vault.into_device());
    assert_eq!(again.unfinished(), Some(silent));
    let device = again.into_device();
    assert!(old.is_there(&device.disk));
    let mended = Vault::open(device.disk).unwrap();
    assert_eq!(mended.unfinished(), None);
    assert!(!old.is_there(mended.device()));
}

#[test]
fn whose_vault_is_reset_is_read_from_its_header() {
    let disk = before().disk;
    let id = Vault::open_unrepaired(disk.fresh())
        .unwrap()
        .header
        .server_id;
    assert_eq!(ResetTarget::of(disk).unwrap().server_id(), Some(id));
}

#[cfg(feature = "admin")]
#[test]
fn what_may_have_been_a_vault_is_not_called_empty() {
    let may_be = |disk: &MemoryDevice, bad: &[u32]| {
        has_header_mark(&FailingDevice {
            disk: disk.fresh(),
            bad: bad.to_vec(),
            fails: Fails::Reading,
        })
    };
    let copies = [HEADER.start, HEADER.start + HALF];
    let (vault, blank) = (before().disk, MemoryDevice::default());
    assert!(may_be(&vault, &[]));
    assert!(!may_be(&blank, &[]));
    for copy in copies {
        assert!(may_be(&blank, &[copy]), "{copy} cannot be read");
        let mut once = vault.fresh();
        once.write_block(copy, &[0; BLOCK_SIZE]).unwrap();
        assert!(may_be(&once, &[]), "the other copy of {copy}");
    }
}

#[test]
fn a_disk_without_a_vault_is_not_reset() {
    let target = ResetTarget::of(MemoryDevice::default());
    assert_eq!(target.err(), Some(VaultError::NotAVault));
}
