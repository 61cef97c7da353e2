//! The whole table: every state, policy, assessment and boot, against rules
//! that are stated independently.

use super::*;

const THIS_BOOT: [u8; 16] = [7; 16];
const OTHER_BOOT: [u8; 16] = [8; 16];
/// Strikes around every limit: none, the smallest ones, the largest number.
const COUNTS: [u8; 10] = [0, 1, 2, 3, 4, 5, 6, 253, 254, 255];
const FINDINGS: [Assessment; 6] = [
    Assessment::AtHome,
    Assessment::Absent,
    Assessment::Foreign,
    Assessment::ChangedMachine,
    Assessment::KeyServerLost,
    Assessment::Damaged,
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
fn everywhere(check: impl Fn(&TheftState, &TheftPolicy, Assessment, WayBack, Decision)) {
    for state in states() {
        for policy in policies() {
            for assessment in FINDINGS {
                for way_back in [WayBack::Listed, WayBack::None] {
                    let decision = decide(&state, &policy, assessment, THIS_BOOT, way_back);
                    check(&state, &policy, assessment, way_back, decision);
                }
            }
        }
    }
}

fn foreign(state: &TheftState, policy: &TheftPolicy) -> Decision {
    decide(
        state,
        policy,
        Assessment::Foreign,
        THIS_BOOT,
        WayBack::Listed,
    )
}

#[test]
fn only_a_server_at_home_opens_and_only_when_it_was_not_reset() {
    everywhere(|state, _, assessment, _, decision| {
        let opens = assessment == Assessment::AtHome && !state.is_reset();
        assert_eq!(
            decision.then == BootResponse::Open,
            opens,
            "{state:?}, {assessment:?}: {decision:?}"
        );
    });
}

#[test]
fn only_a_foreign_place_is_a_strike_and_only_once_a_boot() {
    everywhere(|state, _, assessment, _, decision| {
        let (before, counted) = match state {
            TheftState::Armed => (0, false),
            TheftState::Suspect { strikes, boot_id } => (*strikes, *boot_id == THIS_BOOT),
            TheftState::ResetBegun { .. } | TheftState::Reset { .. } => (0, true),
        };
        let expected = match assessment {
            Assessment::Foreign if !counted => Some(TheftState::Suspect {
                strikes: before.saturating_add(1),
                boot_id: THIS_BOOT,
            }),
            Assessment::AtHome if !state.is_reset() && *state != TheftState::Armed => {
                Some(TheftState::Armed)
            }
            _ => None,
        };
        assert_eq!(decision.write, expected, "{state:?}, {assessment:?}");
    });
}

#[test]
fn only_the_limit_in_a_foreign_place_with_a_way_back_destroys() {
    everywhere(|state, policy, assessment, way_back, decision| {
        let limit = policy.strikes.max(1);
        let strikes = decision
            .write
            .map_or(state.strikes(), |written| written.strikes());
        let wanted = assessment == Assessment::Foreign
            && policy.on_strikes == OnStrikes::Reset
            && strikes >= limit
            && !state.is_reset();
        let begun = matches!(state, TheftState::ResetBegun { .. });
        let destroys = matches!(decision.then, BootResponse::Reset(_));
        let withholds = matches!(decision.then, BootResponse::Withhold(_));
        let line = format!("{state:?}, {policy:?}, {assessment:?}, {way_back:?}: {decision:?}");
        assert_eq!(
            destroys,
            begun || (wanted && way_back == WayBack::Listed),
            "{line}"
        );
        assert_eq!(withholds, wanted && way_back == WayBack::None, "{line}");
    });
}

#[test]
fn the_system_starts_without_keys_only_as_the_policy_says() {
    everywhere(|state, policy, assessment, _, decision| {
        let strikes = decision
            .write
            .map_or(state.strikes(), |written| written.strikes());
        let goes_on = policy.on_failure == OnFailure::Continue
            && assessment != Assessment::AtHome
            && !state.is_reset()
            && strikes < policy.strikes.max(1);
        assert_eq!(
            decision.then == BootResponse::AskThenGoOn,
            goes_on,
            "{state:?}, {policy:?}, {assessment:?}: {decision:?}"
        );
    });
}

#[test]
fn one_boot_gets_one_strike_however_often_the_stage_restarts() {
    let policy = TheftPolicy::default();
    let mut state = TheftState::Armed;
    for _ in 0..10 {
        state = foreign(&state, &policy).write.unwrap_or(state);
    }
    assert_eq!(state.strikes(), 1);
}

#[test]
fn a_power_cut_after_the_last_strike_does_not_save_the_pepper() {
    let policy = TheftPolicy {
        strikes: 1,
        on_strikes: OnStrikes::Reset,
        ..TheftPolicy::default()
    };
    let first = foreign(&TheftState::Armed, &policy);
    assert_eq!(first.then, BootResponse::Reset(ResetCause::Strikes));
    // The stage starts again in the same boot, after the strike was written.
    let again = foreign(&first.write.unwrap(), &policy);
    assert_eq!(again.write, None);
    assert_eq!(again.then, BootResponse::Reset(ResetCause::Strikes));
}

#[test]
fn a_router_late_for_a_month_never_makes_the_server_suspect() {
    let mut state = TheftState::Armed;
    for boot in 0..30 {
        let policy = TheftPolicy::default();
        let decision = decide(
            &state,
            &policy,
            Assessment::Absent,
            [boot; 16],
            WayBack::None,
        );
        state = decision.write.unwrap_or(state);
    }
    assert_eq!(state, TheftState::Armed);
}
