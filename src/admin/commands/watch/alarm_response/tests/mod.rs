//! What an alarm does, on a server that refuses one thing or another at first.

mod reset;
mod restart;

use self::reset::with_unwiped;
use super::*;
use crate::stick::StickId;
use crate::vault::{Destroyed, Discarded, KnownStick, StickList, VaultError, Written};

/// Does each of these as often as it says not at all, and notes what it is asked for.
struct Stubborn {
    keys: u32,
    database: u32,
    /// How often the vault cannot be opened.
    unopened: u32,
    /// How often it can be read and not written.
    unwritten: u32,
    /// How often a reset does not come to its end.
    hung: u32,
    seen: SticksSeen,
    /// Whether MariaDB's starts are held.
    held: bool,
    /// A person releases the keys while sticks are wiped.
    released_while_wiping: bool,
    /// What was kept when the pepper went.
    at_work: Option<Progress>,
    wiped: Vec<StickId>,
    /// Blocks that fail at each try.
    failed: Vec<u32>,
    asked: Vec<&'static str>,
    noted: Vec<EventKind>,
    /// How often the vault does not say that it was reset.
    unsaid: u32,
    armed: bool,
    released: bool,
    /// Sticks that cannot be wiped at the alarm.
    unwiped: Vec<StickId>,
    /// How often another command has the turn.
    others_turns: u32,
    kept: Option<Progress>,
}

impl Default for Stubborn {
    fn default() -> Self {
        Self {
            keys: 0,
            database: 0,
            unopened: 0,
            unwritten: 0,
            hung: 0,
            seen: sticks(&[9], &[]),
            held: false,
            released_while_wiping: false,
            at_work: None,
            wiped: Vec::new(),
            failed: Vec::new(),
            asked: Vec::new(),
            noted: Vec::new(),
            unsaid: 0,
            armed: false,
            released: false,
            unwiped: Vec::new(),
            others_turns: 0,
            kept: None,
        }
    }
}

fn fail(left: &mut u32) -> Result<(), String> {
    match left.checked_sub(1) {
        Some(fewer) => {
            *left = fewer;
            Err("busy".into())
        }
        None => Ok(()),
    }
}

impl Stubborn {
    fn destroyed(&mut self) -> Destroyed {
        Destroyed {
            failed: self.failed.pop().unwrap_or_default(),
            discarded: Discarded::No,
            state: fail(&mut self.unsaid)
                .map(|()| Written::Twice)
                .map_err(|_| VaultError::Damaged),
            is_gone: true,
        }
    }
}

impl Actions for Stubborn {
    fn see_sticks(&mut self) -> Result<SticksSeen, String> {
        self.asked.push("way back");
        fail(&mut self.unopened).map(|()| self.seen.clone())
    }

    fn destroy_pepper(&mut self) -> Result<(Destroyed, Vec<StickId>), NotReset> {
        self.asked.push("pepper");
        self.at_work = self.kept.clone();
        let reset = self.kept.as_ref().map(|kept| kept.reset);
        let at_work = Reset::AtWork { is_wanted: true };
        assert_eq!(reset, Some(at_work), "a killed watch would forget it");
        fail(&mut self.unwritten).map_err(NotReset::AsItWas)?;
        fail(&mut self.hung).map_err(NotReset::NotKnown)?;
        let unwiped = self.unwiped.clone();
        let plugged = self.seen.plugged.iter().copied();
        self.wiped
            .extend(plugged.filter(|id| !unwiped.contains(id)));
        if self.released_while_wiping {
            (self.released, self.held) = (true, false);
        }
        Ok((self.destroyed(), unwiped))
    }

    fn is_armed(&mut self) -> Result<bool, String> {
        Ok(self.armed)
    }

    fn destroy_rest(&mut self) -> Result<Destroyed, String> {
        self.asked.push("rest");
        Ok(self.destroyed())
    }

    fn wipe_sticks(&mut self, ids: &[StickId]) -> WipedAgain {
        self.asked.push("sticks");
        self.wiped.extend(ids);
        WipedAgain {
            wiped: ids.len().try_into().unwrap(),
            unwiped: Vec::new(),
        }
    }

    fn hold_starts(&mut self) -> Result<(), String> {
        self.held = true;
        Ok(())
    }

    fn are_starts_held(&self) -> bool {
        self.held
    }

    fn take_keys(&mut self) -> Result<(), String> {
        self.asked.push("keys");
        self.held = true;
        fail(&mut self.keys)
    }

    fn stop_database(&mut self) -> Result<(), String> {
        self.asked.push("database");
        fail(&mut self.database)
    }

    fn are_keys_released(&self) -> bool {
        self.released
    }

    fn end_hold(&mut self) -> Result<(), String> {
        self.asked.push("hold");
        fail(&mut self.others_turns)
    }

    fn keep(&mut self, progress: Option<&Progress>) {
        // As a file does.
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("progress.json");
        self.kept = progress.and_then(|progress| {
            progress.write(&path).unwrap();
            Progress::read(&path)
        });
        assert_eq!(self.kept.as_ref(), progress);
    }

    fn note(&mut self, event: &EventKind) -> Result<(), String> {
        if self.unopened > 0 {
            return Err("busy".into());
        }
        self.noted.push(event.clone());
        Ok(())
    }
}

/// Verified sticks with the listed ids, and which of all sticks are plugged in.
fn sticks(listed: &[u8], plugged: &[u8]) -> SticksSeen {
    let listed = listed.iter().map(|id| KnownStick {
        id: [*id; 8],
        label: heapless::String::new(),
        has_pin: false,
        generation: 1,
        made: 1,
        verified: Some(1),
        kept: None,
    });
    SticksSeen {
        listed: StickList {
            sticks: listed.collect(),
            code: None,
        },
        generation: 1,
        plugged: plugged.iter().map(|id| [*id; 8]).collect(),
        was_reset: false,
    }
}

const ALARM: Alarm = Alarm::Gone;

fn begin(wanted: OnAlarm, server: Stubborn) -> Response<Stubborn> {
    Response::begin(Progress::begin(ALARM, SINCE, wanted, true), server, NOW)
}

/// What a watch that is started anew goes on with, after the first was killed.
fn killed(response: Response<Stubborn>) -> (Progress, Stubborn) {
    let mut server = response.actions;
    let progress = server.kept.take().expect("nothing was kept");
    server.asked.clear();
    (progress, server)
}

fn resume(response: Response<Stubborn>) -> Response<Stubborn> {
    let (progress, server) = killed(response);
    Response::resume(progress, server, NOW).expect("it was answered")
}

const SINCE: u64 = 1_700_000_000;
const NOW: Duration = Duration::from_secs(1000);

fn count(response: &Response<Stubborn>, what: &str) -> usize {
    let asked = response.actions.asked.iter();
    asked.filter(|asked| **asked == what).count()
}

#[test]
fn pepper_and_keys_go_before_mariadb_is_stopped() {
    let done_for = |wanted| {
        let mut done = begin(wanted, Stubborn::default());
        done.go_on(NOW);
        assert_eq!((done.left(), done.due()), (Unfinished::default(), None));
        done.actions.asked
    };
    assert_eq!(done_for(OnAlarm::Lock), ["keys", "database"]);
    let reset = ["way back", "pepper", "keys", "database"];
    assert_eq!(done_for(OnAlarm::Reset), reset);
    assert_eq!(done_for(OnAlarm::Alert), [""; 0]);
}

#[test]
fn a_database_that_somebody_has_released_since_is_left_alone() {
    let server = Stubborn {
        database: 200,
        unopened: 200,
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    response.go_on(NOW);
    let left = response.left();
    assert!(left.database && left.reset);
    response.actions.released = true;
    response.actions.unopened = 0;
    response.go_on(NOW);
    assert_eq!(
        (response.left(), response.due()),
        (Unfinished::default(), None)
    );
    assert_eq!(response.actions.asked.last(), Some(&"database"));
    assert_eq!(response.actions.database, 199, "it was tried once");
    assert!(!response.actions.asked.contains(&"pepper"), "nor its key");
}

#[test]
fn what_an_alarm_could_not_do_is_tried_until_it_is_done() {
    let server = Stubborn {
        keys: 2,
        database: 200,
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Lock, server);
    response.go_on(NOW);
    while let Some(due) = response.due() {
        assert!(due > NOW);
        response.go_on(due);
    }
    let keys = count(&response, "keys");
    assert_eq!(keys, 3, "what is done is not done again");
    assert_eq!(count(&response, "database"), 201);
}

fn begin_unnoted(server: Stubborn) -> Response<Stubborn> {
    let progress = Progress::begin(ALARM, SINCE, OnAlarm::Reset, false);
    Response::begin(progress, server, NOW)
}

#[test]
fn only_so_many_alarms_go_into_the_log() {
    let server = Stubborn {
        seen: sticks(&[], &[]),
        ..Stubborn::default()
    };
    let mut response = begin_unnoted(server);
    response.go_on(NOW);
    assert_eq!(response.actions.noted, []);
    assert!(response.due().is_none());
}

#[test]
fn no_stop_is_claimed_before_it_is_done() {
    for wanted in [OnAlarm::Lock, OnAlarm::Reset] {
        let text = what_is_done(ALARM, wanted, Reset::Done);
        assert!(text.contains("is being stopped"), "{text}");
    }
    let left = Unfinished {
        keys: true,
        database: true,
        ..Unfinished::default()
    };
    let text = what_is_left(left);
    assert!(
        text.contains("keys are still in memory, MariaDB still runs"),
        "{text}"
    );
}

#[test]
fn a_release_while_sticks_are_wiped_is_not_undone() {
    let server = Stubborn {
        released_while_wiping: true,
        ..with_unwiped()
    };
    let mut response = begin(OnAlarm::Reset, server);
    response.go_on(NOW);
    for what in ["keys", "database", "sticks"] {
        assert_eq!(count(&response, what), 0, "{what}");
    }
    // Nor by a watch that is started anew, killed in the middle.
    let mut server = response.actions;
    let progress = server.at_work.take().unwrap();
    server.asked.clear();
    let again = Response::resume(progress, server, NOW);
    if let Some(mut again) = again {
        again.go_on(NOW);
        assert_eq!(again.actions.asked, [""; 0]);
        assert!(again.has_ended());
    }
}

#[test]
fn keys_that_were_there_before_the_mark_are_taken() {
    let progress = Progress::begin(ALARM, SINCE, OnAlarm::Lock, false);
    let server = Stubborn {
        released: true,
        ..Stubborn::default()
    };
    let mut again = Response::resume(progress, server, NOW).unwrap();
    again.go_on(NOW);
    assert_eq!(count(&again, "keys"), 1);
}

#[test]
fn an_alarm_that_is_over_waits_for_its_turn_to_end_the_hold() {
    let server = Stubborn {
        others_turns: 2,
        database: 9,
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Lock, server);
    response.go_on(NOW);
    response.all_clear(NOW);
    assert_eq!(response.alarm(), None);
    assert!(!response.has_ended() && response.due().is_some());
    // Another watch ends it.
    let mut again = resume(response);
    again.go_on(NOW);
    again.go_on(NOW);
    assert!(again.has_ended());
    assert_eq!(count(&again, "hold"), 2);
    assert_eq!(again.actions.noted.last(), Some(&EventKind::WatchAllClear));
}

#[test]
fn an_alarm_that_is_only_told_ends_no_hold_of_others() {
    let mut response = begin(OnAlarm::Alert, Stubborn::default());
    response.all_clear(NOW);
    assert_eq!(count(&response, "hold"), 0);
    assert!(response.has_ended());
}
