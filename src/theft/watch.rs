//! The watch over the running server: decides when its neighbours have changed
//! for so long that it must have been carried away. Pure; it never uses the
//! time of day, which somebody may set.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::decide::WayBack;
use super::watch_policy::{OnAlarm, WatchPolicy};

/// Samples in a row that must agree, however short `persist` is.
pub const MIN_SAMPLES: u32 = 3;

/// What one round of questions to the neighbours has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Neighbours that answer with the enrolled hardware address.
    pub matched: u8,
    /// Neighbours in whose place only others answer.
    pub different: u8,
    /// Neighbours that do not answer.
    pub silent: u8,
    /// How many must match for the place to be the right one. With 0 nothing
    /// follows from the sample.
    pub need: u8,
    /// Whether the network cables are connected.
    pub cables: Cables,
}

/// Whether the network cables lead anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cables {
    /// At least one card has a carrier.
    Up,
    /// No card has one.
    Lost,
    /// Root has put all network cards down: nothing can be told.
    Off,
}

/// A sample, and when it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedSample {
    /// Time since the kernel's start without suspends (CLOCK_MONOTONIC).
    pub awake: Duration,
    /// Time since the kernel's start with suspends (CLOCK_BOOTTIME).
    pub since_boot: Duration,
    /// What was found then.
    pub sample: Sample,
}

/// Why an alarm was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alarm {
    /// Others answer in place of the neighbours, or key servers.
    Foreign,
    /// All of them and all cables went at once.
    Gone,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "others answer in place of its neighbours or key servers",
            Self::Gone => "its network cables and everybody who had answered went at once",
        })
    }
}

/// What follows a now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmChange {
    /// Nothing: all is well, or it is not certain yet.
    Nothing,
    /// It is raised, for the first time since the server was known to be at
    /// home.
    Raise(Alarm),
    /// It is over: the server has been at home for long enough.
    AllClear,
}

/// What is done about an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmResponse {
    /// Everybody is told; nothing is stopped.
    Tell,
    /// The released keys are removed, then MariaDB is stopped.
    Lock,
    /// The pepper is destroyed, then as with [`AlarmResponse::Lock`].
    Reset,
    /// As [`AlarmResponse::Lock`], because a reset would destroy the last way
    /// in.
    LockOnly,
}

/// What is done about an alarm. `way_back` is as it is at this moment: sticks
/// may have been lost or plugged in since the policy was chosen.
pub fn respond_to(wanted: OnAlarm, way_back: WayBack) -> AlarmResponse {
    match (wanted, way_back) {
        (OnAlarm::Off | OnAlarm::Alert, _) => AlarmResponse::Tell,
        (OnAlarm::Lock, _) => AlarmResponse::Lock,
        (OnAlarm::Reset, WayBack::Listed) => AlarmResponse::Reset,
        (OnAlarm::Reset, WayBack::None) => AlarmResponse::LockOnly,
    }
}

/// Pause before what an alarm has not done is tried again. It never ends.
pub fn retry_pause(tries: u32) -> Duration {
    Duration::from_secs(match tries {
        0..=2 => 5,
        3..=9 => 15,
        _ => 60,
    })
}

/// What a sample says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SampleKind {
    Home,
    Foreign,
    /// Nobody answers, and no card has a carrier.
    Dark,
    /// Nothing follows: a router starts, or a neighbour is off.
    Unclear,
}

impl Sample {
    /// Whether as many answer as are needed.
    pub fn is_home(&self) -> bool {
        self.kind() == SampleKind::Home
    }

    fn kind(&self) -> SampleKind {
        let answered = self.matched.saturating_add(self.different);
        if self.need == 0 {
            SampleKind::Unclear
        } else if self.matched >= self.need {
            SampleKind::Home
        } else if answered >= self.need {
            SampleKind::Foreign
        } else if answered == 0 && self.cables == Cables::Lost {
            SampleKind::Dark
        } else {
            SampleKind::Unclear
        }
    }
}

/// Samples of one kind in a row.
#[derive(Clone, Copy, Debug)]
struct Streak {
    since: Duration,
    samples: u32,
}

impl Streak {
    fn go_on(run: Option<Self>, awake: Duration) -> Self {
        let Self { since, samples } = run.unwrap_or(Self {
            since: awake,
            samples: 0,
        });
        Self {
            since,
            samples: samples.saturating_add(1),
        }
    }

    fn persists(&self, awake: Duration, policy: &WatchPolicy) -> bool {
        self.samples >= MIN_SAMPLES && awake.saturating_sub(self.since) >= policy.persist()
    }
}

/// The state machine of the watch. It knows only the samples that it was given.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    policy: WatchPolicy,
    /// `awake` and `since_boot` of the previous sample, and its kind.
    before: Option<(Duration, Duration, SampleKind)>,
    /// Nothing counts before this time since boot.
    quiet_until: Duration,
    bad: Option<Streak>,
    good: Option<Streak>,
    /// Whether an alarm was raised and is not over.
    raised: bool,
}

impl Watch {
    /// Nothing counts before `settle` after the kernel's start.
    pub fn new(policy: WatchPolicy) -> Self {
        Self {
            policy,
            before: None,
            quiet_until: policy.settle(),
            bad: None,
            good: None,
            raised: false,
        }
    }

    /// Begins while an alarm is not over that an earlier run has raised.
    pub fn raised(policy: WatchPolicy) -> Self {
        Self {
            raised: true,
            ..Self::new(policy)
        }
    }

    /// Takes in one now.
    pub fn add(&mut self, now: TimedSample) -> AlarmChange {
        if self.was_away(&now) {
            self.bad = None;
            self.good = None;
            self.quiet_until = now.since_boot + self.policy.settle();
        }
        let kind = now.sample.kind();
        let before = self.before.map(|(.., kind)| kind);
        self.before = Some((now.awake, now.since_boot, kind));
        if now.since_boot < self.quiet_until {
            return AlarmChange::Nothing;
        }
        // Dark counts only when everything went between two samples. A router
        // that is off, and a cable that follows later, are a power cut. Dark
        // also continues a streak that has begun.
        let alarm = match kind {
            SampleKind::Foreign => Some(Alarm::Foreign),
            SampleKind::Dark if before == Some(SampleKind::Home) || self.bad.is_some() => {
                Some(Alarm::Gone)
            }
            SampleKind::Home | SampleKind::Dark | SampleKind::Unclear => None,
        };
        self.bad = alarm.map(|_| Streak::go_on(self.bad, now.awake));
        self.good = (kind == SampleKind::Home).then(|| Streak::go_on(self.good, now.awake));
        let persists =
            |run: Option<Streak>| run.is_some_and(|run| run.persists(now.awake, &self.policy));
        match alarm {
            Some(alarm) if !self.raised && persists(self.bad) => {
                self.raised = true;
                AlarmChange::Raise(alarm)
            }
            None if self.raised && persists(self.good) => {
                self.raised = false;
                AlarmChange::AllClear
            }
            _ => AlarmChange::Nothing,
        }
    }

    /// Whether the server slept, or took no samples, since the previous one:
    /// what was counted before says nothing now.
    fn was_away(&self, now: &TimedSample) -> bool {
        let Some((awake, since_boot, _)) = self.before else {
            return false;
        };
        let awake = now.awake.saturating_sub(awake);
        let slept = now
            .since_boot
            .saturating_sub(since_boot)
            .saturating_sub(awake);
        slept > Duration::from_secs(1) || awake > 2 * self.policy.every() + SLOW
    }
}

/// How late a sample may be on a busy server.
const SLOW: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
