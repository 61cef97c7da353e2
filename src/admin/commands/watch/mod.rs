//! `stayput watch`: checks periodically that the neighbours of the running
//! server are still there.
//!
//! A check costs one ARP packet for each enrolled neighbour on each wired
//! interface that is up, and their answers; the process sleeps in between.

mod alarm_response;
mod baseline;

use std::thread::sleep;
use std::time::Duration;

use crate::admin::problem::{Problem, Result};
use crate::admin::watch_service::{Report, ReportFile};
use crate::sys::{clock, kmsg};
use crate::theft::{AlarmChange, OnAlarm, Sample, TimedSample, Watch};
use baseline::Baseline;

/// Runs `stayput watch`. Returns when there is nothing to watch.
///
/// # Errors
/// When another watch runs, or the vault cannot be read.
pub fn run() -> Result<()> {
    kmsg::use_for_logging();
    let mut file = ReportFile::begin().map_err(|error| {
        Problem::failed(
            format!("The watch cannot begin: {error}"),
            "Another one may run: `systemctl status stayput-watch`",
        )
    })?;
    let Some(baseline) = baseline_in_time()? else {
        log::info!("the watch is off, or there are no neighbours to watch");
        return Ok(());
    };
    log_baseline(&baseline);
    watch(&baseline, &mut file);
    Ok(())
}

/// Takes the baseline. Until the settling time is over it tries again, because
/// the network may start more slowly. `None` where there is nothing to watch.
fn baseline_in_time() -> Result<Option<Baseline>> {
    let mut told = false;
    loop {
        let baseline = Baseline::take()?;
        if baseline.policy.on_alarm == OnAlarm::Off {
            return Ok(None);
        }
        if baseline.enrolled {
            return Ok((baseline.watched.need() > 0).then_some(baseline));
        }
        let settled = clock::since_boot() >= baseline.policy.settle();
        if settled && baseline.may_adopt && baseline.watched.count() > 0 {
            return Ok(Some(baseline));
        }
        if settled && !baseline.may_adopt && !std::mem::replace(&mut told, true) {
            log::warn!(
                "the place has opened this server at its start and does not open it now: nobody \
                 is watched until it does"
            );
        }
        sleep(baseline.policy.every());
    }
}

fn log_baseline(baseline: &Baseline) {
    let Baseline {
        watched, enrolled, ..
    } = baseline;
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

fn watch(baseline: &Baseline, file: &mut ReportFile) {
    let Baseline {
        policy,
        watched,
        enrolled,
        ..
    } = baseline;
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
        let sample = watched.sample();
        let change = machine.add(now(sample));
        report = report.of(&sample);
        match change {
            AlarmChange::Nothing => {}
            AlarmChange::Raise(alarm) => report.alarm = Some((alarm, clock::now())),
            AlarmChange::AllClear => report.alarm = None,
        }
        // First, because stopping MariaDB takes longer.
        if let Err(error) = file.write(&report) {
            log::warn!("status is not told: {error}");
        }
        let note = alarms < alarm_response::NOTED;
        match change {
            AlarmChange::Nothing => {}
            AlarmChange::Raise(alarm) => {
                alarm_response::respond(alarm, policy.on_alarm, note);
                alarms += 1;
            }
            AlarmChange::AllClear => alarm_response::all_clear(note),
        }
        let looked = clock::awake().saturating_sub(begun);
        sleep(policy.every().saturating_sub(looked).max(LEAST));
    }
}

/// Shortest pause between two checks.
const LEAST: Duration = Duration::from_secs(1);

fn now(sample: Sample) -> TimedSample {
    // In this order, a suspend between the two reads is seen as a suspend.
    let awake = clock::awake();
    let since_boot = clock::since_boot();
    TimedSample {
        awake,
        since_boot,
        sample,
    }
}
