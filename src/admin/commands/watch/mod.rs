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

use crate::admin::key_sticks;
use crate::admin::problem::{Problem, Result};
use crate::admin::watch_service::{Report, ReportFile, who_in_words};
use crate::sys::{clock, kmsg, memory};
use crate::theft::{Alarm, AlarmChange, OnAlarm, Sample, TimedSample, Watch, WatchPolicy};
use alarm_response::{Response, Server};
use baseline::Baseline;

pub use alarm_response::WORK;

/// How long a watch that is off waits until the sticks are noted that open this server.
const NOTES_WITHIN: Duration = Duration::from_secs(20);

/// Runs `stayput watch`. Returns when there is nothing to watch.
///
/// # Errors
/// When another watch runs, or the vault cannot be read.
pub fn run() -> Result<()> {
    kmsg::use_for_logging();
    // An alarm needs nothing of this program from a disk that may hang by then.
    if let Err(errno) = memory::read_in() {
        log::warn!("the program is not kept in memory: {errno}");
    }
    let file = ReportFile::begin().map_err(|error| {
        Problem::failed(
            format!("The watch cannot begin: {error}"),
            "Another one may run: `systemctl status stayput-watch`",
        )
    })?;
    let mut standing = Standing {
        file,
        report: None,
        response: alarm_response::resume(),
    };
    standing.tell_first();
    let Some(baseline) = baseline_in_time(&mut standing)? else {
        log::info!("the watch is off, or no place has neighbours or key servers to watch");
        standing.finish();
        // Behind all that an alarm may have left to do.
        let _ = key_sticks::NOTE.within(NOTES_WITHIN, &[]);
        return Ok(());
    };
    log_baseline(&baseline);
    // It goes on without being waited for.
    if let Err(errno) = key_sticks::NOTE.start(&[]) {
        log::warn!("sticks that open this server are not noted: {errno}");
    }
    watch(&baseline, standing);
    Ok(())
}

/// Takes the baseline. Until the settling time is over it tries again, because
/// the network may start more slowly. `None` where there is nothing to watch. The response
/// to an alarm goes on meanwhile.
fn baseline_in_time(standing: &mut Standing) -> Result<Option<Baseline>> {
    let mut told = false;
    loop {
        // Whoever has opened the server elsewhere wants it watched there.
        if let Some(response) = &mut standing.response {
            response.end_if_answered();
        }
        let baseline = match (Baseline::take(), &mut standing.response) {
            (Ok(baseline), Some(response)) => {
                if baseline.enrolled {
                    response.follow(baseline.policy.on_alarm);
                }
                response.stands_at_home(baseline.enrolled);
                baseline
            }
            (Ok(baseline), None) => baseline,
            // There is more to be done than to watch.
            (Err(problem), Some(response)) if response.due().is_some() => {
                log::error!("{}", problem.what);
                standing.rest_until(clock::awake() + WatchPolicy::default().every());
                continue;
            }
            (Err(problem), _) => return Err(problem),
        };
        let Baseline {
            policy, enrolled, ..
        } = &baseline;
        if is_off(policy.on_alarm, *enrolled, standing.response.is_some()) {
            return Ok(None);
        }
        if baseline.enrolled {
            return Ok((baseline.watched.need() > 0).then_some(baseline));
        }
        let settled = clock::since_boot() >= baseline.policy.settle();
        // Where the alarm is not over, the server may stand anywhere.
        let may_adopt = baseline.may_adopt && standing.alarm().is_none();
        if settled && may_adopt && baseline.watched.count() > 0 {
            return Ok(Some(baseline));
        }
        if settled && !may_adopt && !std::mem::replace(&mut told, true) {
            log::warn!(
                "this server was at its place since its start, and the place does not open it \
                 now: nobody is watched until it does"
            );
        }
        standing.rest_until(clock::awake() + baseline.policy.every());
    }
}

/// Whether nobody is to be watched. An alarm that is not over ends by no policy that the
/// place has not proven: one that cannot be read is the same as one that says so.
fn is_off(on_alarm: OnAlarm, is_proven: bool, has_response: bool) -> bool {
    on_alarm == OnAlarm::Off && (is_proven || !has_response)
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

/// What the watch tells, and its response to an alarm.
struct Standing {
    file: ReportFile,
    /// `None` before the first look.
    report: Option<Report>,
    response: Option<Response<Server>>,
}

impl Standing {
    fn alarm(&self) -> Option<(Alarm, u64)> {
        self.response.as_ref().and_then(Response::alarm)
    }

    /// Goes on with the response, as often as it is due.
    fn rest_until(&mut self, until: Duration) {
        loop {
            if let Some(response) = self.response.take_if(|response| response.has_ended()) {
                response.forget();
            }
            self.tell();
            let due = self.response.as_ref().and_then(Response::due);
            let wake = due.map_or(until, |due| due.min(until));
            sleep(wake.saturating_sub(clock::awake()));
            if wake == until {
                break;
            }
            if let Some(response) = &mut self.response {
                response.go_on(clock::awake());
            }
        }
    }

    /// Takes the place of what a watch has told that runs no longer.
    fn tell_first(&mut self) {
        if let Some(response) = &self.response {
            let report = self.report.insert(response.first_report());
            write(&mut self.file, report);
        }
    }

    /// Nobody is watched any more: what an alarm has begun is brought to an end, and nothing
    /// is begun.
    fn finish(mut self) {
        if let Some(response) = &mut self.response {
            response.follow(OnAlarm::Off);
        }
        while let Some(due) = self.response.as_ref().and_then(Response::due) {
            self.rest_until(due + LEAST);
        }
        if let Some(response) = self.response {
            response.forget();
        }
    }

    /// Tells how far the response is.
    fn tell(&mut self) {
        let left = self.response.as_ref().map(Response::left);
        let (alarm, unfinished) = (self.alarm(), left.unwrap_or_default());
        if let Some(report) = &mut self.report
            && (report.alarm, report.unfinished) != (alarm, unfinished)
        {
            (report.alarm, report.unfinished) = (alarm, unfinished);
            write(&mut self.file, report);
        }
    }
}

fn watch(baseline: &Baseline, mut standing: Standing) {
    let Baseline {
        policy,
        watched,
        enrolled,
        ..
    } = baseline;
    let mut machine = match standing.alarm() {
        Some(_) => Watch::raised(*policy),
        None => Watch::new(*policy),
    };
    let mut alarms = 0;
    loop {
        let begun = clock::awake();
        let sample = watched.sample();
        let change = machine.add(now(sample));
        if let Some(response) = &mut standing.response {
            response.stands_at_home(sample.is_home());
        }
        let alarm = match change {
            AlarmChange::Nothing => standing.alarm(),
            AlarmChange::Raise(alarm) => Some((alarm, clock::now())),
            AlarmChange::AllClear => None,
        };
        let left = standing.response.as_ref().map(Response::left);
        let report = standing.report.insert(Report {
            on_alarm: policy.on_alarm,
            enrolled: *enrolled,
            same: sample.matched,
            different: sample.different,
            silent: sample.silent,
            who: watched.who,
            alarm,
            unfinished: left.unwrap_or_default(),
        });
        // First, because stopping MariaDB takes longer.
        write(&mut standing.file, report);
        match change {
            AlarmChange::Nothing => {}
            AlarmChange::Raise(alarm) => {
                let note = alarms < alarm_response::NOTED;
                let response = alarm_response::respond(alarm, policy.on_alarm, note);
                standing.response = Some(response);
                alarms += 1;
            }
            AlarmChange::AllClear => {
                if let Some(response) = &mut standing.response {
                    alarm_response::all_clear(response);
                }
            }
        }
        standing.rest_until((begun + policy.every()).max(clock::awake() + LEAST));
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
    use super::{OnAlarm, is_off};
    use crate::admin::release_service::UNIT as LATE_RELEASE;
    use crate::admin::watch_service::UNIT;

    #[test]
    fn an_alarm_is_not_ended_by_a_policy_that_nobody_proves() {
        assert!(is_off(OnAlarm::Off, false, false));
        assert!(is_off(OnAlarm::Off, true, true));
        assert!(!is_off(OnAlarm::Off, false, true));
        assert!(!is_off(OnAlarm::Lock, true, false));
    }

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
