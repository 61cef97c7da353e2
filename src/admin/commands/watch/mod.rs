//! `stayput watch`: checks periodically that the neighbours of the running
//! server are still there, or its key servers where the place needs no neighbour.
//!
//! A check costs one ARP packet for each enrolled neighbour on each wired
//! interface that is up, one request for each key server, and their answers; the
//! process sleeps in between.

mod alarm_response;
mod baseline;

use std::thread::sleep;
use std::time::Duration;

use crate::admin::problem::{Problem, Result};
use crate::admin::watch_service::{Report, ReportFile, Unfinished, who_in_words};
use crate::sys::{clock, kmsg};
use crate::theft::{AlarmChange, OnAlarm, Sample, TimedSample, Watch};
use alarm_response::{Response, Server};
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
        log::info!("the watch is off, or no place has neighbours or key servers to watch");
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
        "watching {} {} {which}; {} of them must stay",
        watched.count(),
        who_in_words(watched.who),
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
        who: watched.who,
        alarm: None,
        unfinished: Unfinished::default(),
    };
    let mut alarms = 0;
    let mut response: Option<Response<Server>> = None;
    loop {
        let begun = clock::awake();
        let sample = watched.sample();
        let change = machine.add(now(sample));
        report = report.of(&sample);
        if let Some(response) = &mut response {
            response.stands_at_home(sample.is_home());
        }
        match change {
            AlarmChange::Nothing => {}
            AlarmChange::Raise(alarm) => report.alarm = Some((alarm, clock::now())),
            AlarmChange::AllClear => report.alarm = None,
        }
        // First, because stopping MariaDB takes longer.
        write(file, &report);
        let note = alarms < alarm_response::NOTED;
        match change {
            AlarmChange::Nothing => {}
            AlarmChange::Raise(alarm) => {
                response = Some(alarm_response::respond(alarm, policy.on_alarm, note));
                alarms += 1;
            }
            AlarmChange::AllClear => {
                response = None;
                alarm_response::all_clear(note, policy.on_alarm);
            }
        }
        let until = (begun + policy.every()).max(clock::awake() + LEAST);
        loop {
            let left = response.as_ref().map(Response::left);
            let left = left.unwrap_or_default();
            if left != report.unfinished {
                report.unfinished = left;
                write(file, &report);
            }
            let due = response.as_ref().and_then(Response::due);
            let wake = due.map_or(until, |due| due.min(until));
            sleep(wake.saturating_sub(clock::awake()));
            if wake == until {
                break;
            }
            if let Some(response) = &mut response {
                response.go_on(clock::awake());
            }
        }
    }
}

fn write(file: &mut ReportFile, report: &Report) {
    if let Err(error) = file.write(report) {
        log::warn!("status is not told: {error}");
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

#[cfg(test)]
mod tests {
    use crate::admin::release_service::UNIT as LATE_RELEASE;
    use crate::admin::watch_service::UNIT;

    /// Both ask the same place. A key server may have an IPv6 address.
    #[test]
    fn the_watch_may_ask_whomever_the_late_release_asks() {
        let families = |text: &'static str| {
            let mut lines = text.lines();
            lines.find(|line| line.starts_with("RestrictAddressFamilies="))
        };
        let watch = families(UNIT.text).unwrap();
        assert!(watch.contains("AF_INET6"), "{watch}");
        assert_eq!(Some(watch), families(LATE_RELEASE.text));
    }
}
