//! The reset that an alarm asks for, and the sticks that it wipes.

use super::*;

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

/// `stayput check` has the filesystem with the vault's file mounted for reading.
#[test]
fn a_reset_that_the_disk_refused_leaves_the_sticks_to_count() {
    let server = Stubborn {
        unwritten: 1,
        seen: sticks(&[1, 2], &[1]),
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    assert_eq!(response.actions.wiped, [[0; 8]; 0]);
    // 1 was pulled out meanwhile, and 2 plugged in.
    response.actions.seen = sticks(&[1, 2], &[2]);
    response.go_on(NOW);
    assert_eq!(response.progress.reset, Reset::Done);
    assert_eq!(response.actions.wiped, [[2; 8]]);
}

#[test]
fn a_reset_that_hangs_holds_up_neither_keys_nor_mariadb() {
    let server = Stubborn {
        hung: 1,
        seen: sticks(&[1, 2], &[1]),
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    assert_eq!(response.actions.asked, ["way back", "pepper", "keys"]);
    let text = what_is_left(response.left());
    assert!(text.contains("not all of it"), "{text}");
    // It has destroyed the pepper: no stick is one more way in.
    response.go_on(NOW);
    assert_eq!(response.progress.reset, Reset::Done);
    assert_eq!(response.progress.sticks_gone, [[1; 8]]);
    assert_eq!(
        ["pepper", "rest"].map(|what| count(&response, what)),
        [1, 1]
    );
    assert!(!response.left().database);
}

#[test]
fn a_reset_that_hung_and_did_nothing_is_begun_again() {
    let server = Stubborn {
        hung: 1,
        armed: true,
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    for _ in 0..2 {
        response.go_on(NOW);
    }
    assert_eq!(response.progress.reset, Reset::Done);
    assert_eq!(
        ["pepper", "rest"].map(|what| count(&response, what)),
        [2, 0]
    );
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
        seen: sticks(&[1, 2], &[1]),
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    response.actions.seen = sticks(&[1, 2], &[1, 2]);
    response.go_on(NOW);
    response.go_on(NOW);
    assert_eq!(response.progress.reset, Reset::Withheld);
    assert_eq!(count(&response, "pepper"), 0);
    response.go_on(NOW);
    assert!(response.due().is_none());
    let withheld = EventKind::ResetWithheld { cause: CAUSE };
    assert_eq!(response.actions.noted.last(), Some(&withheld));
}

/// 1 was wiped by the reset before, 2 has opened the server and is left in.
#[test]
fn a_server_that_was_reset_keeps_the_stick_that_opened_it() {
    let mut seen = sticks(&[1, 2], &[2]);
    seen.was_reset = true;
    let server = Stubborn {
        seen,
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    response.go_on(NOW);
    assert_eq!(response.actions.wiped, [[0; 8]; 0]);
    assert_eq!(response.progress.reset, Reset::Withheld);
    assert_eq!(count(&response, "keys"), 1, "it is locked all the same");
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

pub(super) fn with_unwiped() -> Stubborn {
    Stubborn {
        unwiped: vec![[1; 8]],
        seen: sticks(&[1, 9], &[1]),
        ..Stubborn::default()
    }
}

#[test]
fn a_stick_that_was_not_wiped_is_wiped_when_it_comes_back() {
    let mut response = begin(OnAlarm::Reset, with_unwiped());
    response.actions.seen.plugged.clear();
    response.go_on(NOW);
    assert!(response.left().sticks && response.due().is_some());
    assert!(what_is_left(response.left()).contains("stick"));
    let mut again = resume(response);
    again.actions.seen.plugged.push([1; 8]);
    again.go_on(NOW);
    again.go_on(NOW);
    assert_eq!((again.left().sticks, again.due()), (false, None));
    let wiped = EventKind::SticksWiped { wiped: 1, left: 0 };
    assert_eq!(again.actions.noted.last(), Some(&wiped));
}

#[test]
fn a_stick_of_an_armed_or_released_server_is_not_wiped() {
    let at_alarm = || begin(OnAlarm::Reset, with_unwiped());
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
fn a_stick_silent_at_the_alarm_stays_the_last_way_in() {
    // 1 is wiped; 3 is listed and plugged in, and answers only afterwards.
    let server = Stubborn {
        seen: sticks(&[1, 3], &[1]),
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    assert_eq!(response.actions.wiped, [[1; 8]]);
    response.actions.seen = sticks(&[1, 3], &[3]);
    response.go_on(NOW);
    response.go_on(NOW);
    assert_eq!(response.actions.wiped, [[1; 8]]);
    assert_eq!(response.progress.reset, Reset::Done);
}

#[test]
fn a_wiped_stick_on_the_list_is_no_way_back() {
    // 1 was wiped, 2 not; meanwhile the owner has lost 9 and struck it from the list.
    let server = Stubborn {
        unwiped: vec![[2; 8]],
        seen: sticks(&[1, 2, 9], &[1, 2]),
        ..Stubborn::default()
    };
    let mut response = begin(OnAlarm::Reset, server);
    response.actions.seen = sticks(&[1, 2], &[2]);
    response.go_on(NOW);
    assert_eq!(response.actions.wiped, [[1; 8]]);
    assert!(response.left().sticks);
}
