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

    fn destroy_pepper(&mut self) -> Result<Destroyed, String> {
        self.asked.push("pepper");
        Ok(self.destroyed())
    }

    fn is_armed(&mut self) -> Result<bool, String> {
        Ok(self.armed)
    }

    fn destroy_rest(&mut self) -> Result<Destroyed, String> {
        self.asked.push("rest");
        Ok(self.destroyed())
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
    Response::begin(ALARM, wanted, true, server, NOW)
}

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
    let text = what_is_done(ALARM, OnAlarm::Reset, response.reset);
    assert!(!text.contains("destroyed"), "{text}");
    for _ in 0..3 {
        response.go_on(NOW);
    }
    assert_eq!(response.reset, Reset::Done);
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
    assert_eq!(response.reset, Reset::Withheld);
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
    assert_eq!((response.reset, response.due()), (Reset::Done, None));
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
    assert_eq!(response.reset, Reset::Done);
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

#[test]
fn only_so_many_alarms_go_into_the_log() {
    let server = Stubborn {
        way_back: WayBack::None,
        ..Stubborn::default()
    };
    let mut response = Response::begin(ALARM, OnAlarm::Reset, false, server, NOW);
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
