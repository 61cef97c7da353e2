//! The whole table: every state, policy, finding and boot, against rules that
//! are written down a second time, each by itself.

use super::*;

const THIS_BOOT: [u8; 16] = [7; 16];
const OTHER_BOOT: [u8; 16] = [8; 16];
/// Around every edge: none, the smallest limits, the largest number.
const COUNTS: [u8; 10] = [0, 1, 2, 3, 4, 5, 6, 253, 254, 255];
const FINDINGS: [Finding; 5] = [
    Finding::AtHome,
    Finding::Absent,
    Finding::Foreign,
    Finding::ChangedMachine,
    Finding::Damaged,
];

fn states() -> Vec<TheftState> {
    let mut states = vec![TheftState::Armed];
    for boot_id in [THIS_BOOT, OTHER_BOOT] {
        states.extend(COUNTS.map(|strikes| TheftState::Suspect { strikes, boot_id }));
    }
    for cause in [
        ResetCause::Strikes,
        ResetCause::WrongEntries,
        ResetCause::Prompt,
        ResetCause::Owner,
        ResetCause::Duress,
    ] {
        states.push(TheftState::ResetBegun { cause, time: 5 });
        states.push(TheftState::Reset { cause, time: 5 });
    }
    states
}

fn policies() -> Vec<TheftPolicy> {
    let mut policies = Vec::new();
    for on_failure in [OnFailure::Halt, OnFailure::Continue] {
        for on_strikes in [OnStrikes::Halt, OnStrikes::Reset] {
            policies.extend(COUNTS.map(|strikes| TheftPolicy {
                strikes,
                on_failure,
                on_strikes,
                ..TheftPolicy::default()
            }));
        }
    }
    policies
}

/// Runs `check` on every line of the table.
fn everywhere(check: impl Fn(&TheftState, &TheftPolicy, Finding, WayBack, Decision)) {
    for state in states() {
        for policy in policies() {
            for finding in FINDINGS {
                for way_back in [WayBack::Listed, WayBack::None] {
                    let decision = decide(&state, &policy, finding, THIS_BOOT, way_back);
                    check(&state, &policy, finding, way_back, decision);
                }
            }
        }
    }
}

fn foreign(state: &TheftState, policy: &TheftPolicy) -> Decision {
    decide(state, policy, Finding::Foreign, THIS_BOOT, WayBack::Listed)
}

#[test]
fn only_a_server_at_home_opens_and_only_when_it_was_not_reset() {
    everywhere(|state, _, finding, _, decision| {
        let opens = finding == Finding::AtHome && !state.is_reset();
        assert_eq!(
            decision.then == Then::Open,
            opens,
            "{state:?}, {finding:?}: {decision:?}"
        );
    });
}

#[test]
fn only_a_foreign_place_is_a_strike_and_only_once_a_boot() {
    everywhere(|state, _, finding, _, decision| {
        let (before, counted) = match state {
            TheftState::Armed => (0, false),
            TheftState::Suspect { strikes, boot_id } => (*strikes, *boot_id == THIS_BOOT),
            TheftState::ResetBegun { .. } | TheftState::Reset { .. } => (0, true),
        };
        let expected = match finding {
            Finding::Foreign if !counted => Some(TheftState::Suspect {
                strikes: before.saturating_add(1),
                boot_id: THIS_BOOT,
            }),
            Finding::AtHome if !state.is_reset() && *state != TheftState::Armed => {
                Some(TheftState::Armed)
            }
            _ => None,
        };
        assert_eq!(decision.write, expected, "{state:?}, {finding:?}");
    });
}

#[test]
fn nothing_is_destroyed_but_at_the_limit_in_a_foreign_place_with_a_way_back() {
    everywhere(|state, policy, finding, way_back, decision| {
        let limit = policy.strikes.max(1);
        let strikes = decision
            .write
            .map_or(state.strikes(), |written| written.strikes());
        let wanted = finding == Finding::Foreign
            && policy.on_strikes == OnStrikes::Reset
            && strikes >= limit
            && !state.is_reset();
        let begun = matches!(state, TheftState::ResetBegun { .. });
        let destroys = matches!(decision.then, Then::Reset(_));
        let withholds = matches!(decision.then, Then::Withhold(_));
        let line = format!("{state:?}, {policy:?}, {finding:?}, {way_back:?}: {decision:?}");
        assert_eq!(
            destroys,
            begun || (wanted && way_back == WayBack::Listed),
            "{line}"
        );
        assert_eq!(withholds, wanted && way_back == WayBack::None, "{line}");
    });
}

#[test]
fn the_system_starts_without_keys_only_below_the_limit_and_when_the_owner_said_so() {
    everywhere(|state, policy, finding, _, decision| {
        let strikes = decision
            .write
            .map_or(state.strikes(), |written| written.strikes());
        let goes_on = policy.on_failure == OnFailure::Continue
            && finding != Finding::AtHome
            && !state.is_reset()
            && strikes < policy.strikes.max(1);
        assert_eq!(
            decision.then == Then::AskThenGoOn,
            goes_on,
            "{state:?}, {policy:?}, {finding:?}: {decision:?}"
        );
    });
}

#[test]
fn stolen_server_gets_one_strike_however_often_the_stage_restarts() {
    let policy = TheftPolicy::default();
    let mut state = TheftState::Armed;
    for _ in 0..10 {
        state = foreign(&state, &policy).write.unwrap_or(state);
    }
    assert_eq!(state.strikes(), 1);
}

#[test]
fn a_power_cut_between_the_last_strike_and_the_reset_does_not_save_the_pepper() {
    let policy = TheftPolicy {
        strikes: 1,
        on_strikes: OnStrikes::Reset,
        ..TheftPolicy::default()
    };
    let first = foreign(&TheftState::Armed, &policy);
    assert_eq!(first.then, Then::Reset(ResetCause::Strikes));
    // The stage is started again in the same boot, the strike is on the disk.
    let again = foreign(&first.write.unwrap(), &policy);
    assert_eq!(again.write, None);
    assert_eq!(again.then, Then::Reset(ResetCause::Strikes));
}

#[test]
fn a_router_that_is_late_for_a_month_never_makes_the_server_suspect() {
    let mut state = TheftState::Armed;
    for boot in 0..30 {
        let policy = TheftPolicy::default();
        let decision = decide(&state, &policy, Finding::Absent, [boot; 16], WayBack::None);
        state = decision.write.unwrap_or(state);
    }
    assert_eq!(state, TheftState::Armed);
}
