//! The states of an own address: what each check leads to.

use super::*;

const FREE: CardStatus = CardStatus {
    carrier: true,
    configured: false,
    claimed: false,
    assigned: false,
};
const USED: ClaimState = ClaimState::Used {
    announced_twice: true,
};
const STATES: [ClaimState; 5] = [
    ClaimState::Waiting,
    ClaimState::Probing(PROBES),
    USED,
    ClaimState::Taken,
    ClaimState::Configured,
];

#[test]
fn an_address_is_probed_once_and_announced_twice() {
    let mut state = ClaimState::Waiting;
    let mut acts = std::vec::Vec::new();
    let mut passed = Duration::ZERO;
    while state != USED {
        let (next, act, pause) = state.next(PROBES, FREE);
        acts.push(act);
        (state, passed) = (next, passed + pause);
    }
    let (ask, announce) = (AddressAction::Probe, AddressAction::Use { announce: true });
    assert_eq!(acts, [ask, announce, announce]);
    assert_eq!(passed, PROBE_WAIT + 2 * CHECK_INTERVAL);
    // A release may be waiting for it.
    assert!(PROBE_WAIT <= Duration::from_millis(30));
    let (next, act, _) = state.next(PROBES, FREE);
    assert_eq!((next, act), (USED, AddressAction::Use { announce: false }));
    // For IPv6 the kernel asks.
    assert!(matches!(
        ClaimState::Waiting.next(0, FREE).1,
        AddressAction::Use { .. }
    ));
}

#[test]
fn a_claimed_address_or_a_configured_card_is_not_used() {
    for state in STATES {
        for (carrier, configured, claimed) in [
            (true, true, false),
            (true, false, true),
            (true, true, true),
            (false, false, false),
        ] {
            let card = CardStatus {
                carrier,
                configured,
                claimed,
                ..FREE
            };
            let (next, act, _) = state.next(PROBES, card);
            assert!(!matches!(
                next,
                ClaimState::Used { .. } | ClaimState::Probing(_)
            ));
            match state {
                ClaimState::Used { .. } => assert_eq!(act, AddressAction::Remove, "{card:?}"),
                _ => assert_eq!(act, AddressAction::Nothing, "{state:?} {card:?}"),
            }
        }
    }
}

#[test]
fn whatever_kept_it_away_it_is_asked_for_before_it_is_used() {
    for state in [
        ClaimState::Waiting,
        ClaimState::Taken,
        ClaimState::Configured,
    ] {
        let (next, act, _) = state.next(PROBES, FREE);
        assert_eq!(
            (next, act),
            (ClaimState::Probing(1), AddressAction::Probe),
            "{state:?}"
        );
    }
}
