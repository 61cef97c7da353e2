//! `stayput watch`: looks again and again whether the neighbours of the
//! running server are still there.
//!
//! A look costs one ARP packet for each enrolled neighbour on each wired
//! interface that is up, and their answers; the process sleeps in between.

mod alarm_response;
mod baseline;

use std::thread::sleep;
use std::time::Duration;

use crate::admin::problem::{Problem, Result};
use crate::admin::watch_service::{Report, ReportFile};
use crate::sys::{clock, kmsg, memory};
use crate::theft::{Look, OnAlarm, Seen, Verdict, Watch};
use baseline::{Learnt, learn};

/// Ends only when there is nothing to watch, or any more.
///
/// # Errors
/// When it cannot keep its memory to itself, or the vault cannot be read.
pub fn run() -> Result<()> {
    kmsg::use_for_logging();
    memory::keep_private().map_err(|errno| {
        Problem::failed(
            format!("Memory cannot be locked: {errno}"),
            "Run the command as root.",
        )
    })?;
    let mut file = ReportFile::begin().map_err(|error| {
        Problem::failed(
            format!("The watch cannot begin: {error}"),
            "Another one may run: `systemctl status stayput-watch`",
        )
    })?;
    let Some(learnt) = learn_in_time()? else {
        log::info!("the watch is off, or there are no neighbours to watch");
        return Ok(());
    };
    tell_whom(&learnt);
    watch(&learnt, &mut file);
    Ok(())
}

/// Learns the place; while nothing counts yet it tries again, because the
/// network may start more slowly than this. `None`: there is nothing to do.
fn learn_in_time() -> Result<Option<Learnt>> {
    loop {
        let learnt = learn()?;
        if learnt.policy.on_alarm == OnAlarm::Off {
            return Ok(None);
        }
        if learnt.enrolled {
            return Ok((learnt.watched.need() > 0).then_some(learnt));
        }
        let settled = clock::since_boot() >= learnt.policy.settle();
        if settled && learnt.watched.count() > 0 {
            return Ok(Some(learnt));
        }
        sleep(learnt.policy.every());
    }
}

fn tell_whom(learnt: &Learnt) {
    let Learnt {
        watched, enrolled, ..
    } = learnt;
    let which = match enrolled {
        true => "as enrolled",
        false => "as found here: this place does not open the vault",
    };
    log::info!(
        "watching {} neighbours {which}; {} of them must stay",
        watched.count(),
        watched.need()
    );
}

fn watch(learnt: &Learnt, file: &mut ReportFile) {
    let Learnt {
        policy,
        watched,
        enrolled,
    } = learnt;
    let mut machine = Watch::new(*policy);
    let mut report = Report {
        on_alarm: policy.on_alarm,
        enrolled: *enrolled,
        same: 0,
        different: 0,
        silent: 0,
        alarm: None,
    };
    let mut alarms = 0;
    loop {
        let begun = clock::awake();
        let seen = watched.look();
        let verdict = machine.look(now(seen));
        report = report.of(&seen);
        match verdict {
            Verdict::Nothing => {}
            Verdict::Raise(alarm) => report.alarm = Some((alarm, clock::now())),
            Verdict::AllClear => report.alarm = None,
        }
        // First: to stop MariaDB takes longer.
        if let Err(error) = file.write(&report) {
            log::warn!("status is not told: {error}");
        }
        let note = alarms < alarm_response::NOTED;
        match verdict {
            Verdict::Nothing => {}
            Verdict::Raise(alarm) => {
                alarm_response::act(alarm, policy.on_alarm, note);
                alarms += 1;
            }
            Verdict::AllClear => alarm_response::all_clear(note),
        }
        let looked = clock::awake().saturating_sub(begun);
        sleep(policy.every().saturating_sub(looked).max(LEAST));
    }
}

/// Between two looks, also when one took long.
const LEAST: Duration = Duration::from_secs(1);

fn now(seen: Seen) -> Look {
    // In this order: a suspend between the two looks like one.
    let awake = clock::awake();
    let since_boot = clock::since_boot();
    Look {
        awake,
        since_boot,
        seen,
    }
}
