//! Two commands at once, one of which waits for a person while the other one
//! runs; or one runs between any two writes of the other. Then a power cut.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::sequences::cut;
use super::*;
use crate::theft::ResetCause;

type Meanwhile = Box<dyn FnOnce()>;

/// A disk that several commands have open; one of them has the lock.
struct Shared {
    disk: Rc<RefCell<MemoryDevice>>,
    is_locked: Rc<Cell<bool>>,
    has_lock: bool,
    /// What another command does after so many writes of this one.
    meanwhile: Option<(usize, Meanwhile)>,
}

impl Shared {
    fn of(disk: MemoryDevice) -> Self {
        Self {
            disk: Rc::new(RefCell::new(disk)),
            is_locked: Rc::default(),
            has_lock: false,
            meanwhile: None,
        }
    }

    /// A second handle of this disk, for another command, without the lock.
    fn again(&self) -> Self {
        Self {
            disk: self.disk.clone(),
            is_locked: self.is_locked.clone(),
            has_lock: false,
            meanwhile: None,
        }
    }

    fn steps(&self) -> Vec<Step> {
        self.disk.borrow().steps.clone()
    }

    fn left(&self) -> MemoryDevice {
        self.disk.borrow().fresh()
    }
}

impl BlockDevice for Shared {
    fn read_block(&self, block: u32, into: &mut [u8]) -> Result<(), VaultError> {
        self.disk.borrow().read_block(block, into)
    }

    fn write_block(&mut self, block: u32, bytes: &[u8]) -> Result<(), VaultError> {
        match self.meanwhile.take() {
            Some((0, run)) => run(),
            Some((left, run)) => self.meanwhile = Some((left - 1, run)),
            None => {}
        }
        self.disk.borrow_mut().write_block(block, bytes)
    }

    fn flush(&mut self) -> Result<(), VaultError> {
        self.disk.borrow_mut().flush()
    }

    fn discard(&mut self, start: u32, blocks: u32) -> Discarded {
        self.disk.borrow_mut().discard(start, blocks)
    }

    fn lock(&mut self) -> Result<(), VaultError> {
        if self.is_locked.replace(true) {
            return Err(VaultError::Busy(None));
        }
        self.has_lock = true;
        Ok(())
    }

    fn unlock(&mut self) {
        if std::mem::take(&mut self.has_lock) {
            self.is_locked.set(false);
        }
    }
}

/// What a command does after its question was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Replace,
    Policy,
    Log,
    Arm,
    Reset,
}

const COMMANDS: [Command; 5] = [
    Command::Replace,
    Command::Policy,
    Command::Log,
    Command::Arm,
    Command::Reset,
];

/// `mark`: what it writes is known by this.
fn run(
    command: Command,
    mark: u32,
    vault: &mut Vault<Shared>,
    key: &MasterKey,
) -> Result<(), VaultError> {
    match command {
        Command::Replace => vault.replace_slots(key, &table(mark)).map(drop),
        Command::Policy => vault.set_policy(key, policy(mark)).map(drop),
        Command::Log => {
            let kind = EventKind::PolicyChanged;
            vault.append_sealed(key, 1, [0; 16], kind).map(drop)
        }
        Command::Arm => vault.arm(key).map(drop),
        Command::Reset => {
            vault.reset(ResetCause::Watch, 5, &mut || ());
            Ok(())
        }
    }
}

fn policy(uid: u32) -> Policy {
    Policy {
        mariadb: Some(MariadbRelease::new(uid, 0, 1)),
        ..Policy::default()
    }
}

/// What the second command says where the first one had no such write.
const NOT_RUN: VaultError = VaultError::NotAVault;

const FIRST: u32 = 10;
const SECOND: u32 = 20;

/// What both have done, in the order in which it reached the disk.
struct Both {
    key: MasterKey,
    before: MemoryDevice,
    steps: Vec<Step>,
    /// Of the first command, which was interrupted.
    first: Result<(), VaultError>,
    second: Result<(), VaultError>,
    left: MemoryDevice,
}

/// The first command has read everything when the second one runs: before the
/// first one writes (`None`), or after so many of its writes.
fn interleaved(first: Command, second: Command, at: Option<usize>) -> Both {
    let (key, before) = made();
    let mut waits = Vault::open(Shared::of(before.fresh())).unwrap();
    let disk = waits.device.again();
    let done = Rc::new(Cell::new(Err(NOT_RUN)));
    let other = disk.again();
    let (set, with) = (done.clone(), key.clone());
    let meanwhile: Meanwhile = Box::new(move || {
        let mut vault = Vault::open(other).unwrap();
        set.set(run(second, SECOND, &mut vault, &with));
    });
    match at {
        None => meanwhile(),
        Some(at) => waits.device.meanwhile = Some((at, meanwhile)),
    }
    let first = run(first, FIRST, &mut waits, &key);
    Both {
        key,
        before,
        steps: disk.steps(),
        first,
        second: done.get(),
        left: disk.left(),
    }
}

fn slots_of<D: BlockDevice>(vault: &Vault<D>) -> Result<u32, VaultError> {
    vault.slots().map(|slots| slots.next_id)
}

/// Whether somebody who has the disk gets at the pepper that it names.
fn has_pepper(vault: &Vault<MemoryDevice>) -> bool {
    let in_use = vault.header.pepper;
    pepper::read(&vault.device, in_use.area(), &in_use.digest).is_ok()
}

#[test]
fn what_another_command_wrote_is_never_overwritten_unseen() {
    for first in COMMANDS {
        for second in COMMANDS {
            let both = interleaved(first, second, None);
            assert_eq!(both.second, Ok(()), "{first:?} waits, {second:?}");
            let refused = match (first, second) {
                (Command::Replace, Command::Replace) | (Command::Policy, Command::Policy) => {
                    Some(VaultError::Changed)
                }
                (Command::Replace | Command::Arm, Command::Reset) => Some(VaultError::WasReset),
                _ => None,
            };
            assert_eq!(both.first.err(), refused, "{first:?} waits, {second:?}");
        }
    }
}

#[test]
fn a_second_writer_waits_for_the_first() {
    for at in [0, 1, 35, 60] {
        let both = interleaved(Command::Replace, Command::Policy, Some(at));
        assert_eq!(both.second, Err(VaultError::Busy(None)), "write {at}");
        assert_eq!(both.first, Ok(()));
    }
}

#[test]
fn a_reset_does_not_wait_and_stays() {
    let writes = |command| {
        let steps = interleaved(command, Command::Log, Some(usize::MAX)).steps;
        let writes = steps.iter().filter(|step| matches!(step, Step::Write(..)));
        writes.count()
    };
    let written = writes(Command::Replace);
    assert!(written > 60);
    for at in 0..written {
        let both = interleaved(Command::Replace, Command::Reset, Some(at));
        let at = format!("before write {at} of {written}");
        assert_eq!(both.second, Ok(()), "{at}");
        let vault = Vault::open(both.left).unwrap();
        assert!(vault.state().unwrap().is_reset(), "{at}");
        assert!(!has_pepper(&vault), "{at}: slots open for who has the disk");
        vault.prove(&both.key).expect("a stick opens");
    }
}

#[test]
fn a_server_that_was_reset_before_is_armed_again() {
    let (key, disk) = made();
    let mut vault = Vault::open(disk).unwrap();
    vault.reset(ResetCause::Owner, 5, &mut || ());
    let mut vault = Vault::open(vault.device).unwrap();
    vault.replace_slots(&key, &table(2)).unwrap();
    assert_eq!(vault.state(), Ok(TheftState::Armed));
    assert_eq!(slots_of(&vault), Ok(2));
}

#[test]
fn whoever_has_reset_a_server_may_arm_it_again() {
    let (key, disk) = made();
    let mut vault = Vault::open(disk).unwrap();
    vault.reset(ResetCause::Owner, 5, &mut || ());
    vault.replace_slots(&key, &table(2)).unwrap();
    assert_eq!(vault.state(), Ok(TheftState::Armed));
    assert_eq!(slots_of(&vault), Ok(2));
}

#[test]
fn a_strike_never_hides_a_reset() {
    let (_, disk) = made();
    let mut vault = Vault::open(disk).unwrap();
    vault.reset(ResetCause::Owner, 5, &mut || ());
    let reset = vault.state();
    assert_eq!(vault.strike(1, [7; 16]), Err(VaultError::WasReset));
    assert_eq!(vault.state(), reset);
}

#[test]
fn what_is_read_again_after_the_question_can_be_written() {
    let (key, disk) = made();
    let mut waits = Vault::open(Shared::of(disk)).unwrap();
    let mut other = Vault::open(waits.device.again()).unwrap();
    other.replace_slots(&key, &table(SECOND)).unwrap();
    waits.read_again().unwrap();
    let slots = waits.proven_slots(&key).unwrap().draft();
    assert_eq!(slots.next_id, SECOND);
    waits.replace_slots(&key, &slots).unwrap();
    // Not after a reset: that was not there when the command began.
    other.reset(ResetCause::Watch, 5, &mut || ());
    waits.read_again().unwrap();
    let armed = waits.replace_slots(&key, &slots);
    assert_eq!(armed, Err(VaultError::WasReset));
}

#[test]
fn a_vault_made_anew_meanwhile_is_not_written_to() {
    let (key, disk) = made();
    let mut waits = Vault::open(Shared::of(disk)).unwrap();
    let (name, server_id) = (waits.header.server_name.clone(), waits.header.server_id);
    let other = MasterKey::generate();
    let disk = waits.device.again();
    Vault::create(disk, server_id, name, &other, &table(SECOND)).unwrap();
    let log = waits.append(1, [0; 16], EventKind::PolicyChanged);
    assert_eq!(log, Err(VaultError::Changed));
    assert_eq!(waits.arm(&key), Err(VaultError::Changed));
    assert_eq!(waits.read_again(), Err(VaultError::Changed));
}

#[test]
fn a_write_that_failed_does_not_confuse_the_next() {
    use crate::vault::tests::{FailingDevice, Fails};
    let (key, disk) = made();
    let device = FailingDevice {
        disk,
        bad: vec![HEADER.start, HEADER.start + HALF],
        fails: Fails::Writing,
    };
    let mut vault = Vault::open(device).unwrap();
    for mark in [2, 3] {
        assert!(vault.replace_slots(&key, &table(mark)).is_err());
    }
    let vault = Vault::open(vault.device.disk).unwrap();
    assert_eq!(slots_of(&vault), Ok(1));
}

fn command() -> impl Strategy<Value = Command> {
    prop::sample::select(COMMANDS.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn two_commands_and_a_power_cut_lose_nothing(
        first in command(),
        second in command(),
        at in prop::option::of(0usize..76),
        cut in cut(),
        again in cut(),
    ) {
        let both = interleaved(first, second, at);
        let left = cut.apply(&both.before, &both.steps);
        let mending = Vault::open(left.fresh()).unwrap().device.steps;
        let left = again.apply(&left, &mending);
        let vault = Vault::open(left).unwrap();
        operations::assert_log_is_whole(&vault, &both.key);
        let proven = vault.prove(&both.key).unwrap();
        let uid = proven.policy.mariadb.as_ref().map_or(0, |mariadb| mariadb.uid);
        prop_assert!([0, FIRST, SECOND].contains(&uid));
        let second_ran = both.second != Err(NOT_RUN);
        let resets = first == Command::Reset || (second == Command::Reset && second_ran);
        match slots_of(&vault) {
            Ok(mark) => prop_assert!([1, FIRST, SECOND].contains(&mark)),
            Err(error) => prop_assert!(resets, "{error}"),
        }
        // Everything was done: what was said to be done is there.
        let vault = Vault::open(both.left).unwrap();
        if resets {
            prop_assert!(vault.state().unwrap().is_reset());
            prop_assert!(!has_pepper(&vault));
        } else if both.second == Ok(()) && second == Command::Replace {
            prop_assert_eq!(slots_of(&vault), Ok(SECOND));
        } else if both.first == Ok(()) && first == Command::Replace {
            prop_assert_eq!(slots_of(&vault), Ok(FIRST));
        }
    }
}
