//! The watch was killed meanwhile, or started anew.

use super::*;

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
    let mut response = begin(OnAlarm::Reset, server);
    response.go_on(NOW);
    let (progress, mut server) = killed(response);
    server.released = true;
    assert!(Response::resume(progress, server, NOW).is_none());

    let mut told = begin(OnAlarm::Alert, Stubborn::default());
    told.go_on(NOW);
    let (progress, server) = killed(told);
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

/// Stick 1 is plugged in and is not wiped; 9 is elsewhere.
#[test]
fn a_watch_killed_while_it_wipes_spares_the_last_way_in() {
    let server = Stubborn {
        seen: sticks(&[1, 3], &[1]),
        ..Stubborn::default()
    };
    let response = begin(OnAlarm::Reset, server);
    let mut server = response.actions;
    // Killed before the vault said that it was reset; then 3 answers.
    let progress = server.at_work.take().unwrap();
    server.armed = true;
    server.seen = sticks(&[1, 3], &[3]);
    let mut again = Response::resume(progress, server, NOW).unwrap();
    again.stands_at_home(false);
    for _ in 0..4 {
        again.go_on(NOW);
    }
    assert_eq!(again.actions.wiped, [[1; 8]]);
    assert_eq!(again.progress.reset, Reset::Withheld);
}

#[test]
fn a_watch_killed_in_a_reset_begins_none_at_home() {
    let mut server = begin(OnAlarm::Reset, Stubborn::default()).actions;
    let progress = server.at_work.take().unwrap();
    // Its owner has armed it at home.
    server.armed = true;
    server.asked.clear();
    let mut again = Response::resume(progress, server, NOW).unwrap();
    again.go_on(NOW);
    again.go_on(NOW);
    assert_eq!((count(&again, "pepper"), count(&again, "rest")), (0, 0));
}

#[test]
fn a_release_ends_the_alarm_of_a_watch_that_waits_for_its_place() {
    let mut response = begin(OnAlarm::Lock, Stubborn::default());
    response.go_on(NOW);
    let mut again = resume(response);
    again.end_if_answered();
    assert!(again.alarm().is_some());
    again.actions.released = true;
    again.end_if_answered();
    assert_eq!(again.alarm(), None);
    assert!(again.has_ended());
}

#[test]
fn what_is_not_in_the_log_yet_outlives_an_answered_alarm() {
    let server = begin(OnAlarm::Lock, Stubborn::default());
    let (progress, mut server) = killed(server);
    assert!(!progress.events.is_empty());
    server.released = true;
    let mut again = Response::resume(progress, server, NOW).unwrap();
    again.go_on(NOW);
    assert!(again.has_ended());
    assert_eq!(again.actions.noted.len(), 1);
    assert_eq!(count(&again, "keys"), 0);
}

#[test]
fn a_watch_started_anew_tells_at_once_what_is_left() {
    let server = Stubborn {
        database: 9,
        ..Stubborn::default()
    };
    let report = resume(begin(OnAlarm::Lock, server)).first_report();
    assert!(report.unfinished.database);
    assert_eq!(report.alarm, Some((ALARM, SINCE)));
    assert_eq!((report.same, report.different, report.silent), (0, 0, 0));
}
