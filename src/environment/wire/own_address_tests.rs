//! What follows from each look at an own address.

use super::*;

const FREE: Seen = Seen {
    cable: true,
    configured: false,
    claimed: false,
    there: false,
};
const USED: State = State::Used {
    announced_twice: true,
};
const STATES: [State; 6] = [
    State::Waiting,
    State::Asking(1),
    State::Asking(QUESTIONS),
    USED,
    State::Taken,
    State::Configured,
];

#[test]
fn an_address_is_asked_for_twice_and_announced_twice() {
    let mut state = State::Waiting;
    let mut acts = std::vec::Vec::new();
    let mut passed = Duration::ZERO;
    while state != USED {
        let (next, act, pause) = state.next(QUESTIONS, FREE);
        acts.push(act);
        (state, passed) = (next, passed + pause);
    }
    let (ask, announce) = (Act::Ask, Act::Use { announce: true });
    assert_eq!(acts, [ask, ask, announce, announce]);
    assert_eq!(passed, 2 * ANSWER + 2 * LOOK);
    // A release may be waiting for it.
    assert!(2 * ANSWER <= Duration::from_millis(30));
    let (next, act, _) = state.next(QUESTIONS, FREE);
    assert_eq!((next, act), (USED, Act::Use { announce: false }));
    // For IPv6 the kernel asks.
    assert!(matches!(State::Waiting.next(0, FREE).1, Act::Use { .. }));
}

#[test]
fn nothing_is_used_that_another_station_has_or_beside_another_address() {
    for state in STATES {
        for (cable, configured, claimed) in [
            (true, true, false),
            (true, false, true),
            (true, true, true),
            (false, false, false),
        ] {
            let seen = Seen {
                cable,
                configured,
                claimed,
                ..FREE
            };
            let (next, act, _) = state.next(QUESTIONS, seen);
            assert!(!matches!(next, State::Used { .. } | State::Asking(_)));
            match state {
                State::Used { .. } => assert_eq!(act, Act::GiveBack, "{seen:?}"),
                _ => assert_eq!(act, Act::Nothing, "{state:?} {seen:?}"),
            }
        }
    }
}

#[test]
fn whatever_kept_it_away_it_is_asked_for_before_it_is_used() {
    for state in [State::Waiting, State::Taken, State::Configured] {
        let (next, act, _) = state.next(QUESTIONS, FREE);
        assert_eq!((next, act), (State::Asking(1), Act::Ask), "{state:?}");
    }
}
