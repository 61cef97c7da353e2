//! Any operations one after the other, with a power cut somewhere in the last
//! one: as a model has it before or after that one.

use super::*;
use crate::theft::ResetCause;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Replace,
    Strike,
    Arm,
    Reset,
    Policy,
    Log,
    /// Logs with the key at hand, which seals the log.
    Unlock,
    /// Closed and opened again, as the next boot does.
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop::sample::select(vec![
        Replace, Strike, Arm, Reset, Policy, Log, Unlock, Reopen,
    ])
}

/// What is known of the vault from outside.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    /// `None`: no slot opens.
    slots: Option<u32>,
    strikes: u8,
    is_reset: bool,
    uid: u32,
    events: usize,
}

fn known(vault: &Vault<MemoryDevice>, key: &MasterKey) -> Known {
    let state = vault.state().unwrap();
    Known {
        slots: vault.slots().ok().map(|slots| slots.next_id),
        strikes: state.strikes(),
        is_reset: state.is_reset(),
        uid: vault
            .prove(key)
            .expect("a stick always opens")
            .policy
            .mariadb
            .as_ref()
            .map_or(0, |mariadb| mariadb.uid),
        events: vault.events().unwrap().len(),
    }
}

fn run(operation: Operation, at: u32, vault: &mut Vault<MemoryDevice>, key: &MasterKey) {
    match operation {
        Operation::Replace => {
            vault.replace_slots(key, &table(at)).unwrap();
        }
        // As `decide` has it: a vault that was reset stays so.
        Operation::Strike | Operation::Arm if vault.state().unwrap().is_reset() => {}
        Operation::Strike => {
            vault.strike(at as u8, [at as u8; 16]).unwrap();
        }
        Operation::Arm => {
            vault.arm(key).unwrap();
        }
        Operation::Reset => {
            vault.reset(ResetCause::Owner, 1, &mut || ());
        }
        Operation::Policy => {
            let policy = super::Policy {
                mariadb: Some(MariadbRelease::new(at, 0, 1)),
                ..Default::default()
            };
            vault.set_policy(key, policy).unwrap();
        }
        Operation::Log => {
            vault.append(0, [0; 16], EventKind::VaultMade).unwrap();
        }
        Operation::Unlock => {
            let kind = EventKind::PolicyChanged;
            vault.append_sealed(key, 0, [0; 16], kind).unwrap();
        }
        Operation::Reopen => {}
    }
}

/// Where the power goes, and what the device then has.
#[derive(Clone, Debug)]
pub struct Cut {
    at: prop::sample::Index,
    /// Bit by bit: which of the unflushed writes it kept.
    keep: u64,
    /// Sectors that it kept of some of them.
    torn: usize,
}

pub fn cut() -> impl Strategy<Value = Cut> {
    let parts = (any::<prop::sample::Index>(), any::<u64>(), 0usize..8);
    parts.prop_map(|(at, keep, torn)| Cut { at, keep, torn })
}

impl Cut {
    /// Everything up to the last flush before the cut, then some of what
    /// follows, some of that torn.
    pub fn apply(&self, before: &MemoryDevice, steps: &[Step]) -> MemoryDevice {
        let mut left = before.fresh();
        let cut = self.at.index(steps.len() + 1);
        let flushed = steps[..cut].iter().rposition(|step| *step == Step::Flush);
        let (flushed, rest) = steps.split_at(flushed.map_or(0, |at| at + 1));
        for step in flushed {
            left.take(step, BLOCK_SIZE);
        }
        let rest = rest.iter().take_while(|step| **step != Step::Flush);
        for (at, step) in rest.enumerate() {
            match self.keep >> (at % 64) & 1 {
                0 => {}
                _ if at % 5 == 0 => left.take(step, self.torn * SECTOR),
                _ => left.take(step, BLOCK_SIZE),
            }
        }
        left
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_power_cut_after_any_operations_leaves_before_or_after(
        operations in proptest::collection::vec(operation(), 1..8),
        cut in cut(),
        again in cut(),
    ) {
        let (key, mut disk) = made();
        // Every pepper that must never come back.
        let mut gone: Vec<OldPepper> = Vec::new();
        let (last, earlier) = operations.split_last().unwrap();
        for (at, operation) in (2..).zip(earlier) {
            let pepper = OldPepper::of(&disk);
            let mut vault = Vault::open(disk.fresh()).unwrap();
            run(*operation, at, &mut vault, &key);
            if matches!(operation, Operation::Replace | Operation::Reset) {
                gone.push(pepper);
            }
            disk = vault.device.fresh();
        }
        let mut vault = Vault::open(disk.fresh()).unwrap();
        let before = known(&vault, &key);
        vault.device.steps.clear();
        run(*last, 99, &mut vault, &key);
        let after = known(&vault, &key);
        let steps = vault.device.steps;

        // The power goes during it, and again while the next boot mends that.
        let left = cut.apply(&disk, &steps);
        let mending = Vault::open(left.fresh()).unwrap().device.steps;
        let left = again.apply(&left, &mending);
        let vault = Vault::open(left).unwrap();
        operations::assert_log_is_whole(&vault, &key);
        let found = known(&vault, &key);
        // Arming again ends a re-arm: until then it still says reset.
        let nearly = Known { slots: None, is_reset: true, ..after.clone() };
        let rearming = matches!(last, Operation::Replace) && before.is_reset;
        // A new table counts before the strikes are cleared.
        let uncleared = Known { strikes: before.strikes, ..after.clone() };
        prop_assert!(
            found == before || found == after || found == uncleared
                || (rearming && found == nearly),
            "{operations:?}: {before:?} -> {after:?}, found {found:?}"
        );
        for pepper in gone {
            prop_assert!(!pepper.is_there(&vault.device));
        }
    }
}
