use super::*;
use crate::vault::{Discarded, VaultError, Written};

/// Does each of these as often as it says not at all, and notes what it is asked for.
struct Stubborn {
    keys: u32,
    database: u32,
    /// How often the vault cannot be opened.
    unopened: u32,
    way_back: WayBack,
    /// Blocks that fail at each try.
    failed: Vec<u32>,
    asked: Vec<&'static str>,
    noted: Vec<EventKind>,
    /// How often the vault does not say that it was reset.
    unsaid: u32,
    armed: bool,
    released: bool,
    /// Sticks that cannot be wiped at the alarm.
    unwiped: Vec<UnwipedStick>,
    /// Those that are plugged in again.
    back: Vec<UnwipedStick>,
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
            way_back: WayBack::Listed,
            failed: Vec::new(),
            asked: Vec::new(),
            noted: Vec::new(),
            unsaid: 0,
            armed: false,
            released: false,
            unwiped: Vec::new(),
            back: Vec::new(),
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
        }
    }
}

impl Actions for Stubborn {
    fn find_way_back(&mut self) -> Result<WayBack, String> {
        self.asked.push("way back");
        fail(&mut self.unopened).map(|()| self.way_back)
    }

    fn destroy_pepper(&mut self) -> Result<(Destroyed, Vec<UnwipedStick>), String> {
        self.asked.push("pepper");
        let at_work = self.kept.as_ref().map(|kept| kept.reset);
        assert_eq!(
            at_work,
            Some(Reset::Wanted),
            "a killed watch would forget it"
        );
        Ok((self.destroyed(), self.unwiped.clone()))
    }

    fn is_armed(&mut self) -> Result<bool, String> {
        Ok(self.armed)
    }

    fn destroy_rest(&mut self) -> Result<Destroyed, String> {
        self.asked.push("rest");
        Ok(self.destroyed())
    }

    fn wipe_sticks(&mut self, left: &[UnwipedStick]) -> Result<WipedAgain, String> {
        self.asked.push("sticks");
        let (back, left) = left
            .iter()
            .cloned()
            .partition::<Vec<_>, _>(|stick| self.back.contains(stick));
        Ok(WipedAgain {
            wiped: back.len().try_into().unwrap(),
            left,
            why: None,
        })
    }

    fn take_keys(&mut self) -> Result<(), String> {
        self.asked.push("keys");
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

fn count(response: &Response<Stubborn>, what: &str) -> usize {
    let asked = response.actions.asked.iter();
    asked.filter(|asked| **asked == what).count()
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

#[test]
fn a_vault_that_is_busy_at_the_alarm_is_reset_later() {
    let server = Stubborn {
        unopened: 3,
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    assert!(response.left().reset && !response.left().keys);
    let text = what_is_done(ALARM, OnAlarm::Reset, response.progress.reset);
    assert!(!text.contains("destroyed"), "{text}");
    for _ in 0..3 {
        response.go_on(NOW);
    }
    assert_eq!(response.progress.reset, Reset::Done);
    assert_eq!(count(&response, "pepper"), 1);
    assert!(matches!(
        response.actions.noted[..],
        [EventKind::WatchAlarm { .. }]
    ));
}

#[test]
fn no_reset_is_begun_while_the_place_answers_again() {
    let server = Stubborn {
        unopened: 1,
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    response.stands_at_home(true);
    for _ in 0..3 {
        response.go_on(NOW);
    }
    assert_eq!(count(&response, "pepper"), 0);
    assert!(response.left().reset);
    // It was the router that came and went.
    response.stands_at_home(false);
    response.go_on(NOW);
    assert_eq!(count(&response, "pepper"), 1);
}

#[test]
fn the_last_stick_plugged_in_before_a_later_try_is_spared() {
    let server = Stubborn {
        unopened: 2,
        way_back: WayBack::Listed,
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    response.actions.way_back = WayBack::None;
    response.go_on(NOW);
    response.go_on(NOW);
    assert_eq!(response.progress.reset, Reset::Withheld);
    assert_eq!(count(&response, "pepper"), 0);
    response.go_on(NOW);
    assert!(response.due().is_none());
    let withheld = EventKind::ResetWithheld { cause: CAUSE };
    assert_eq!(response.actions.noted.last(), Some(&withheld));
}

#[test]
fn blocks_that_failed_are_destroyed_at_the_next_try() {
    let server = Stubborn {
        failed: vec![0, 1, 3],
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    assert!(response.left().reset);
    assert!(what_is_left(response.left()).contains("not all of it"));
    response.go_on(NOW);
    assert!(response.due().is_some());
    response.go_on(NOW);
    assert_eq!(
        (response.progress.reset, response.due()),
        (Reset::Done, None)
    );
    let times = ["pepper", "rest"].map(|what| count(&response, what));
    assert_eq!(times, [1, 2]);
}

#[test]
fn a_reset_that_the_vault_does_not_tell_is_not_complete() {
    let server = Stubborn {
        unsaid: 1,
        // Its old state.
        armed: true,
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    assert!(response.left().reset);
    response.go_on(NOW);
    assert_eq!(response.progress.reset, Reset::Done);
    assert_eq!(count(&response, "rest"), 1);
}

#[test]
fn new_slots_of_the_owner_are_not_destroyed_by_a_later_try() {
    let server = Stubborn {
        failed: vec![1, 1],
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    response.actions.armed = true;
    response.go_on(NOW);
    assert_eq!(count(&response, "rest"), 0);
    assert!(response.due().is_none());
}

fn begin_unnoted(server: Stubborn) -> Response<Stubborn> {
    let progress = Progress::begin(ALARM, SINCE, OnAlarm::Reset, false);
    Response::begin(progress, server, NOW)
}

#[test]
fn only_so_many_alarms_go_into_the_log() {
    let server = Stubborn {
        way_back: WayBack::None,
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
fn a_reset_that_is_not_done_survives_a_restart_of_the_watch() {
    let server = Stubborn {
        failed: vec![0, 3],
        database: 9,
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    response.go_on(NOW);
    assert!(response.left().reset || response.left().database);
    let mut again = resume(response);
    assert_eq!(again.alarm(), Some((ALARM, SINCE)));
    for _ in 0..20 {
        again.go_on(NOW);
    }
    assert_eq!((again.left(), again.due()), (Unfinished::default(), None));
    // What is done is not done again.
    assert_eq!((count(&again, "pepper"), count(&again, "keys")), (0, 0));
    assert!(!again.has_ended(), "the alarm is not over");
}

#[test]
fn a_watch_killed_in_the_middle_of_a_reset_begins_it_again() {
    let progress = Progress::begin(ALARM, SINCE, OnAlarm::Reset, true);
    let mut again = Response::resume(progress, Stubborn::default(), NOW).unwrap();
    // Not before this run has looked where the server is.
    again.go_on(NOW);
    assert_eq!(count(&again, "pepper"), 0);
    assert!(!again.left().keys, "the keys go at once");
    again.stands_at_home(false);
    again.go_on(NOW);
    assert_eq!(count(&again, "pepper"), 1);
    assert_eq!(again.due(), None);
}

#[test]
fn a_watch_started_anew_leaves_alone_what_was_released_since() {
    let server = Stubborn {
        database: 9,
        failed: vec![0, 0, 1],
        ..Stubborn::default()
    };
    let response = begin(OnAlarm::Reset, server);
    let (progress, mut server) = killed(response);
    server.released = true;
    assert!(Response::resume(progress, server, NOW).is_none());

    let (progress, server) = killed(begin(OnAlarm::Alert, Stubborn::default()));
    assert!(Response::resume(progress, server, NOW).is_none());
}

#[test]
fn a_policy_changed_since_the_alarm_begins_no_reset() {
    let server = Stubborn {
        unopened: 1,
        ..Stubborn::default()
    };
    let mut again = resume(begin(OnAlarm::Reset, server));
    again.follow(OnAlarm::Lock);
    again.stands_at_home(false);
    again.go_on(NOW);
    assert_eq!(count(&again, "pepper"), 0);
    assert_eq!(count(&again, "database"), 1);
}

fn with_unwiped(id: u8) -> Stubborn {
    Stubborn {
        unwiped: vec![UnwipedStick::Key([id; 8])],
        ..Stubborn::default()
    }
}

#[test]
fn a_stick_that_was_not_wiped_is_wiped_when_it_comes_back() {
    let mut response = begin(OnAlarm::Reset, with_unwiped(1));
    response.go_on(NOW);
    assert!(response.left().sticks && response.due().is_some());
    assert!(what_is_left(response.left()).contains("stick"));
    let mut again = resume(response);
    again.actions.back = again.actions.unwiped.clone();
    again.go_on(NOW);
    again.go_on(NOW);
    assert_eq!((again.left().sticks, again.due()), (false, None));
    let wiped = EventKind::SticksWiped { wiped: 1, left: 0 };
    assert_eq!(again.actions.noted.last(), Some(&wiped));
}

#[test]
fn a_stick_of_an_armed_or_released_server_is_not_wiped() {
    let at_alarm = || {
        let mut response = begin(OnAlarm::Reset, with_unwiped(1));
        response.actions.back = response.actions.unwiped.clone();
        response
    };
    let mut armed = at_alarm();
    armed.actions.armed = true;
    let mut released = at_alarm();
    released.actions.released = true;
    for mut response in [armed, released] {
        response.go_on(NOW);
        assert_eq!(count(&response, "sticks"), 0);
        assert!(!response.left().sticks);
    }
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
