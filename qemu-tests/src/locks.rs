//! The locks in the cache, and the one order in which a thread waits for them.
//!
//! Test processes, also those of another checkout with the same cache, wait for each other
//! with files that are locked. Two that hold what the other waits for wait for ever, so a
//! thread only waits for a lock that comes behind all that it holds. Whoever tries it the
//! other way round is told so at once, whether or not somebody has the lock now.

use std::cell::RefCell;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::{Failure, Result};

/// What is waited for, first to last: what is made with the help of something else stands
/// before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    /// A story that was told on a system.
    Told,
    /// A system with stayput on it.
    Installed,
    /// The sticks of the clinic's server.
    Sticks,
    /// The clinic's server.
    Clinic,
    /// The images that are compared.
    Bench,
    /// A package with the programs.
    Package,
    /// What a script of images/ makes or fetches. It takes the lock itself, and may wait
    /// for a turn.
    Image,
    /// The turn of a machine that runs. Whoever has one waits for nothing else: others
    /// hold one of the above while they wait for a turn.
    Turn,
}

thread_local! {
    /// What this thread has taken and nobody has given back.
    static HELD: RefCell<Vec<Weak<Lock>>> = const { RefCell::new(Vec::new()) };
}

/// A lock that is held until this is dropped, in whatever thread.
pub(crate) struct Held {
    _lock: Arc<Lock>,
    _file: Option<File>,
}

impl Lock {
    /// Waits until one of these files can be locked. They are made where they are missing.
    ///
    /// # Errors
    /// This thread holds what others may wait for meanwhile, or a file cannot be made.
    pub(crate) fn wait_for_one_of(self, files: &[PathBuf]) -> Result<Held> {
        let held = self.in_order()?;
        let files = files
            .iter()
            .map(File::create)
            .collect::<std::io::Result<Vec<_>>>()?;
        loop {
            for file in &files {
                if file.try_lock().is_ok() {
                    let _file = Some(file.try_clone()?);
                    return Ok(Held { _file, ..held });
                }
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Counts it as held from now on, as for a script that takes the lock itself.
    ///
    /// # Errors
    /// This thread holds what others may wait for meanwhile.
    pub(crate) fn in_order(self) -> Result<Held> {
        HELD.with_borrow_mut(|held| {
            held.retain(|lock| lock.strong_count() != 0);
            let last = held.iter().filter_map(Weak::upgrade).max();
            if let Some(last) = last.filter(|last| **last >= self) {
                return Err(Failure::new(format!(
                    "waiting for {self:?} while holding {last:?} may never end: others hold \
                     the one and wait for the other. Ask for it before: see {}",
                    file!()
                )));
            }
            let lock = Arc::new(self);
            held.push(Arc::downgrade(&lock));
            Ok(Held {
                _lock: lock,
                _file: None,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    const ALL: [Lock; 8] = [
        Lock::Told,
        Lock::Installed,
        Lock::Sticks,
        Lock::Clinic,
        Lock::Bench,
        Lock::Package,
        Lock::Image,
        Lock::Turn,
    ];

    /// Takes both; nobody else has either.
    fn one_behind_the_other(first: Lock, second: Lock) -> Result {
        let scratch = Scratch::new()?;
        let _first = first.wait_for_one_of(&[scratch.join("first")])?;
        second.wait_for_one_of(&[scratch.join("second")]).map(drop)
    }

    #[test]
    fn every_two_locks_are_waited_for_in_one_order_only() {
        for (i, first) in ALL.into_iter().enumerate() {
            for (j, second) in ALL.into_iter().enumerate() {
                let taken = one_behind_the_other(first, second);
                assert_eq!(taken.is_ok(), i < j, "{first:?}, then {second:?}");
            }
        }
    }

    #[test]
    fn who_has_a_turn_is_told_to_ask_for_the_sticks_before() {
        let said = one_behind_the_other(Lock::Turn, Lock::Sticks).unwrap_err();
        let said = said.to_string();
        assert!(
            said.contains("waiting for Sticks while holding Turn"),
            "{said}"
        );
    }

    #[test]
    fn what_was_given_back_is_in_nobodys_way() {
        let scratch = Scratch::new().unwrap();
        let take = |lock: Lock| lock.wait_for_one_of(&[scratch.join("a"), scratch.join("b")]);
        let turn = take(Lock::Turn).unwrap();
        // A machine may end in another thread than it was started in.
        std::thread::spawn(|| drop(turn)).join().unwrap();
        drop(take(Lock::Sticks).unwrap());
    }

    #[test]
    fn threads_are_in_each_others_order_only_through_the_files() {
        let scratch = Scratch::new().unwrap();
        let files = [scratch.join("a"), scratch.join("b")];
        let _turn = Lock::Turn.wait_for_one_of(&files).unwrap();
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let _sticks = Lock::Sticks.wait_for_one_of(&[scratch.join("sticks")])?;
                Lock::Turn.wait_for_one_of(&files).map(drop)
            });
            other.join().unwrap().unwrap();
        });
    }
}
