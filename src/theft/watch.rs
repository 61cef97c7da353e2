//! The watch of the running server: when what stands around it has changed
//! for so long that it must have been carried away. Pure; it never looks at
//! the time of day, which somebody may set.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::decide::WayBack;
use super::watch_policy::{OnAlarm, WatchPolicy};

/// Looks in a row that must all be bad, however little time is asked for.
pub const LOOKS: u32 = 3;

/// What one look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Neighbours that answer as they should.
    pub matched: u8,
    /// Neighbours in whose place another one answers.
    pub different: u8,
    /// Neighbours of whom nothing is heard.
    pub silent: u8,
    /// As many must match for the place to be the right one; at least 1.
    pub need: u8,
    /// What the network cables say.
    pub link: Link,
}

/// The network cables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// At least one leads to something that is switched on.
    Up,
    /// None does.
    Lost,
    /// Root has switched all network cards off: no cable can tell.
    Off,
}

/// One look and when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Since the kernel's start, without suspends (CLOCK_MONOTONIC).
    pub awake: Duration,
    /// Since the kernel's start, with suspends (CLOCK_BOOTTIME).
    pub since_boot: Duration,
    /// What was found.
    pub seen: Seen,
}

/// Why an alarm was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Alarm {
    /// Others answer in place of the neighbours.
    Foreign,
    /// All neighbours and all cables went at once.
    Gone,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "others answer in place of its neighbours",
            Self::Gone => "its network cables and all its neighbours went at once",
        })
    }
}

/// What follows a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well, or it is not certain yet.
    Nothing,
    /// For the first time since the server was last known to be at home.
    Raise(Alarm),
    /// After an alarm everything has been as it should for long enough.
    AllClear,
}

/// What is done about an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is said, and nothing else.
    Tell,
    /// The released keys go, then MariaDB is stopped.
    Lock,
    /// The pepper first, then as [`Answer::Lock`].
    Reset,
    /// The reset would destroy the last way in: the server is only locked.
    LockOnly,
}

/// What the owner's wish comes to now; `way_back` as it is at this moment.
pub fn answer(wanted: OnAlarm, way_back: WayBack) -> Answer {
    match (wanted, way_back) {
        (OnAlarm::Off | OnAlarm::Alert, _) => Answer::Tell,
        (OnAlarm::Lock, _) => Answer::Lock,
        (OnAlarm::Reset, WayBack::Listed) => Answer::Reset,
        (OnAlarm::Reset, WayBack::None) => Answer::LockOnly,
    }
}

/// What a look says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Home,
    Foreign,
    /// Nobody answers, and no cable leads anywhere.
    Dark,
    /// Nothing follows: a router that starts, a neighbour that is off.
    Unclear,
}

impl Seen {
    fn kind(&self) -> Kind {
        let answered = self.matched.saturating_add(self.different);
        if self.need == 0 {
            Kind::Unclear
        } else if self.matched >= self.need {
            Kind::Home
        } else if answered >= self.need {
            Kind::Foreign
        } else if answered == 0 && self.link == Link::Lost {
            Kind::Dark
        } else {
            Kind::Unclear
        }
    }
}

/// Looks of one sort without a break.
#[derive(Clone, Copy, Debug)]
struct Run {
    since: Duration,
    looks: u32,
}

impl Run {
    fn go_on(run: Option<Self>, awake: Duration) -> Self {
        let Self { since, looks } = run.unwrap_or(Self {
            since: awake,
            looks: 0,
        });
        Self {
            since,
            looks: looks.saturating_add(1),
        }
    }

    fn persists(&self, awake: Duration, policy: &WatchPolicy) -> bool {
        self.looks >= LOOKS && awake.saturating_sub(self.since) >= policy.persist()
    }
}

/// The state machine of the watch; knows nothing but the looks it was given.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    policy: WatchPolicy,
    /// `awake` and `since_boot` of the look before, and what it was.
    before: Option<(Duration, Duration, Kind)>,
    /// Nothing counts before this time since boot.
    quiet_until: Duration,
    bad: Option<Run>,
    good: Option<Run>,
    /// An alarm was raised and is not over.
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

    /// Takes in one look.
    pub fn look(&mut self, look: Look) -> Verdict {
        if self.was_away(&look) {
            self.bad = None;
            self.good = None;
            self.quiet_until = look.since_boot + self.policy.settle();
        }
        let kind = look.seen.kind();
        let before = self.before.map(|(.., kind)| kind);
        self.before = Some((look.awake, look.since_boot, kind));
        if look.since_boot < self.quiet_until {
            return Verdict::Nothing;
        }
        // Dark counts when everything went at once, from one look to the next:
        // a router that is off, and a cable that follows later, are a power
        // cut. It also goes on with what has begun.
        let alarm = match kind {
            Kind::Foreign => Some(Alarm::Foreign),
            Kind::Dark if before == Some(Kind::Home) || self.bad.is_some() => Some(Alarm::Gone),
            Kind::Home | Kind::Dark | Kind::Unclear => None,
        };
        self.bad = alarm.map(|_| Run::go_on(self.bad, look.awake));
        self.good = (kind == Kind::Home).then(|| Run::go_on(self.good, look.awake));
        let persists =
            |run: Option<Run>| run.is_some_and(|run| run.persists(look.awake, &self.policy));
        match alarm {
            Some(alarm) if !self.raised && persists(self.bad) => {
                self.raised = true;
                Verdict::Raise(alarm)
            }
            None if self.raised && persists(self.good) => {
                self.raised = false;
                Verdict::AllClear
            }
            _ => Verdict::Nothing,
        }
    }

    /// Whether the server slept, or could not look, since the look before:
    /// whatever was counted then says nothing now.
    fn was_away(&self, look: &Look) -> bool {
        let Some((awake, since_boot, _)) = self.before else {
            return false;
        };
        let awake = look.awake.saturating_sub(awake);
        let slept = look
            .since_boot
            .saturating_sub(since_boot)
            .saturating_sub(awake);
        slept > Duration::from_secs(1) || awake > 2 * self.policy.every() + SLOW
    }
}

/// How late a look may be on a busy server.
const SLOW: Duration = Duration::from_secs(10);

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
