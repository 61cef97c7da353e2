//! The part of `stayput policy` that is about the watch.

use core::ops::RangeInclusive;

use crate::admin::problem::{Problem, Result};
use crate::environment::Watched;
use crate::theft::{OnAlarm, WatchPolicy};
use crate::vault::SlotTable;

#[derive(clap::Args, Clone, Debug)]
pub struct WatchOptions {
    /// What follows when the running server seems to be carried away
    #[arg(long, value_name = "WHAT")]
    watch: Option<OnAlarm>,
    /// Seconds from one look of the watch to the next
    #[arg(long, value_name = "S", value_parser = seconds(WatchPolicy::EVERY))]
    watch_every: Option<u16>,
    /// Seconds for which the watch must see a foreign place, or nobody, before
    /// it acts
    #[arg(long, value_name = "S", value_parser = seconds(WatchPolicy::PERSIST))]
    watch_persist: Option<u16>,
    /// Seconds after a start in which the watch counts nothing
    #[arg(long, value_name = "S", value_parser = seconds(WatchPolicy::SETTLE))]
    watch_settle: Option<u16>,
}

fn seconds(bounds: RangeInclusive<u16>) -> clap::builder::RangedI64ValueParser<u16> {
    let bounds = i64::from(*bounds.start())..=i64::from(*bounds.end());
    clap::value_parser!(u16).range(bounds)
}

impl WatchOptions {
    /// What would lock the server or destroy its key must have somebody to watch.
    ///
    /// # Errors
    /// Where no enrolled place needs neighbours or key servers.
    pub fn must_watch_somebody(&self, slots: Option<&SlotTable>) -> Result<()> {
        let needs = matches!(self.watch, Some(OnAlarm::Lock | OnAlarm::Reset));
        let mut places = slots.into_iter().flat_map(|slots| &slots.environments);
        if !needs || places.any(|slot| Watched::at(slot).is_some()) {
            return Ok(());
        }
        Err(Problem::refused(
            "Nobody would be watched: no enrolled place needs neighbours or key servers. Nothing \
             was changed.",
            "Enrol this place with what stands around it: stayput enroll --neighbour IP",
        ))
    }

    /// The policy with what was asked for in place of what was there.
    pub fn apply(&self, before: WatchPolicy) -> WatchPolicy {
        WatchPolicy {
            on_alarm: self.watch.unwrap_or(before.on_alarm),
            every: self.watch_every.unwrap_or(before.every),
            persist: self.watch_persist.unwrap_or(before.persist),
            settle: self.watch_settle.unwrap_or(before.settle),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::problem::Exit;
    use crate::environment::{table_with_place, test_slot};
    use crate::keys::{CheapFactors, MasterKey};
    use crate::vault::{Group, Header, Passphrases, Thresholds, Value};

    #[test]
    fn a_watch_over_nobody_locks_nothing() {
        let _cheap = CheapFactors::begin();
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let value = |text: &str| Value::from_slice(text.as_bytes()).unwrap();
        let board = (Group::Machine, "board", value("1"));
        let router = (Group::Neighbours, "arp 10.0.0.1", value("router"));
        let place = |factors: &[(Group, &'static str, Value)], neighbours| {
            let need = Thresholds {
                machine: 1,
                neighbours,
                ..Thresholds::default()
            };
            let slot = test_slot(&header, &key, (0, "home"), factors.iter().cloned(), need);
            table_with_place(slot, Passphrases::default())
        };
        let asked = |on_alarm| WatchOptions {
            watch: Some(on_alarm),
            watch_every: None,
            watch_persist: None,
            watch_settle: None,
        };
        let (nothing, alone) = (
            SlotTable::default(),
            place(core::slice::from_ref(&board), 0),
        );
        let home = place(&[board, router], 1);
        for on_alarm in [OnAlarm::Lock, OnAlarm::Reset] {
            let lock = asked(on_alarm);
            for unwatched in [None, Some(&nothing), Some(&alone)] {
                let refused = lock.must_watch_somebody(unwatched).unwrap_err();
                assert_eq!(refused.exit, Exit::Refused);
            }
            assert!(lock.must_watch_somebody(Some(&home)).is_ok());
        }
        let alert = asked(OnAlarm::Alert);
        assert!(alert.must_watch_somebody(Some(&alone)).is_ok());
    }
}
