//! Every state of a vault and a place, against rules that are written down a
//! second time.

use super::*;
use crate::environment::Attachment;
use crate::theft::{OnAlarm, ResetCause};
use crate::vault::{Count, OwnAddress};

fn opens(machine: u8, neighbours: u8) -> PlaceResult {
    let count = |count, of| Count { count, of };
    PlaceResult::Opens {
        name: "home".into(),
        setup: false,
        same: FactorCounts {
            machine: count(machine, 4),
            neighbours: count(neighbours, 3),
            ..FactorCounts::default()
        },
        need: Thresholds {
            machine: 3,
            neighbours: 2,
            servers: 0,
        },
        changed: Vec::new(),
        silent: Vec::new(),
        unsuitable: Vec::new(),
        address_changes: Vec::new(),
        altered: None,
    }
}

fn facts(place: PlaceResult) -> VaultFacts {
    VaultFacts {
        state: Ok(TheftState::Armed),
        policy: Some(TheftPolicy::default()),
        wants_reset: false,
        single_copies: Vec::new(),
        place,
        unasked: None,
        way_back: WayBack::Listed,
    }
}

fn severities(facts: VaultFacts) -> Vec<(&'static str, Severity)> {
    let results = judge(&Ok(facts));
    let results = results.iter();
    results.map(|found| (found.name, found.severity)).collect()
}

fn worst(facts: VaultFacts) -> Severity {
    super::super::check_result::worst(&judge(&Ok(facts)))
}

#[test]
fn a_server_at_home_with_nothing_changed_is_fine() {
    let all_fine = [
        ("vault", Severity::Fine),
        ("place", Severity::Fine),
        ("theft", Severity::Fine),
    ];
    assert_eq!(severities(facts(opens(4, 3))), all_fine);
}

#[test]
fn missing_vault_or_place_that_does_not_open_is_wrong() {
    for error in [
        LocateError::NoPartition,
        LocateError::OtherServer,
        LocateError::Vault(VaultError::Damaged),
        LocateError::Open(5),
    ] {
        let found = judge(&Err(error));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Wrong, "{error:?}");
    }
    for reason in [
        Reason::NotRecognised,
        Reason::Fault(VaultError::PepperDamaged),
        Reason::WasReset(ResetCause::Owner),
    ] {
        let said = reason.to_string();
        let found = judge(&Ok(facts(PlaceResult::Locked(reason))));
        assert_eq!(found[1].severity, Severity::Wrong);
        assert!(found[1].what.contains(&said), "the prompt's own words");
    }
}

#[test]
fn unproven_settings_are_wrong_although_the_place_opens() {
    let mut place = opens(4, 3);
    if let PlaceResult::Opens { altered, .. } = &mut place {
        *altered = Some(VaultError::Altered.into());
    }
    assert_eq!(worst(facts(place)), Severity::Wrong);
}

#[test]
fn every_theft_state_is_judged_by_what_the_next_boot_does() {
    let reset = ResetCause::Strikes;
    let states = [
        (Ok(TheftState::Armed), Severity::Fine),
        (
            Ok(TheftState::Suspect {
                strikes: 1,
                boot_id: [0; 16],
            }),
            Severity::Warning,
        ),
        (
            Ok(TheftState::ResetBegun {
                cause: reset,
                time: 0,
            }),
            Severity::Wrong,
        ),
        (
            Ok(TheftState::Reset {
                cause: reset,
                time: 0,
            }),
            Severity::Wrong,
        ),
        (Err(VaultError::Damaged), Severity::Wrong),
    ];
    for (state, severity) in states {
        let found = severities(VaultFacts {
            state,
            ..facts(opens(4, 3))
        });
        assert!(found.contains(&("theft", severity)), "{state:?}: {found:?}");
    }
}

#[test]
fn the_margin_is_told_of_when_it_is_used_up_and_only_then() {
    for machine in 3..=4 {
        for place in 2..=3 {
            let found = severities(facts(opens(machine, place)));
            let told = found.contains(&("margin", Severity::Warning));
            assert_eq!(told, machine == 3 || place == 2, "{machine} {place}");
        }
    }
}

#[test]
fn what_would_not_be_enrolled_today_is_told_with_its_reason() {
    let mut place = opens(4, 3);
    if let PlaceResult::Opens { unsuitable, .. } = &mut place {
        let part = Unsuitable::Part(Attachment::VirtualFunction);
        unsuitable.push(("nic 0000:03:10.0".into(), part));
    }
    let found = judge(&Ok(facts(place)));
    let told = found
        .iter()
        .find(|found| found.severity == Severity::Warning);
    assert_eq!(
        told.unwrap().what,
        "Enrolled, and would not be today: nic 0000:03:10.0: it is a virtual function of another \
         card."
    );
}

#[test]
fn changed_and_silent_factors_keep_the_exit_code() {
    let mut place = opens(4, 3);
    if let PlaceResult::Opens {
        changed,
        silent,
        address_changes,
        ..
    } = &mut place
    {
        changed.push("disk 0000:00:04.0".into());
        silent.push("arp 10.0.0.3".into());
        let own = |address: [u8; 4]| OwnAddress {
            card: [0; 6],
            address: address.into(),
            prefix: 24,
            router: None,
            set_at_boot: true,
        };
        address_changes.push(AddressChange {
            before: own([10, 0, 0, 10]),
            now: own([10, 0, 7, 10]),
        });
    }
    let found = judge(&Ok(facts(place)));
    let text: Vec<&str> = found.iter().map(|found| found.what.as_str()).collect();
    assert!(
        text.contains(&"Not as enrolled: disk 0000:00:04.0."),
        "{text:?}"
    );
    assert!(text.contains(&"No answer: arp 10.0.0.3."), "{text:?}");
    let address = found.iter().find(|found| found.name == "address").unwrap();
    assert!(
        address
            .what
            .contains("10.0.0.10/24, its card has 10.0.7.10/24")
    );
    assert_eq!(address.severity, Severity::Warning);
    assert!(address.next.contains("stayput enroll --refresh"));
    assert!(
        found
            .iter()
            .all(|found| found.severity <= Severity::Warning)
    );
}

#[test]
fn a_server_that_opens_anywhere_is_warned_of() {
    let mut place = opens(4, 3);
    if let PlaceResult::Opens { setup, .. } = &mut place {
        *setup = true;
    }
    let found = severities(facts(place));
    assert!(found.contains(&("place", Severity::Warning)), "{found:?}");
}

#[test]
fn a_copy_that_is_damaged_is_warned_of_by_name() {
    let single_copies = VaultFacts {
        single_copies: vec!["policy"],
        ..facts(opens(4, 3))
    };
    let found = judge(&Ok(single_copies));
    assert_eq!(found[0].severity, Severity::Warning);
    assert!(found[0].what.contains("policy"), "{:?}", found[0]);
}

#[test]
fn reset_without_a_way_back_is_warned_of() {
    let default = TheftPolicy::default();
    let mut by_watch = default;
    by_watch.watch.on_alarm = OnAlarm::Reset;
    let asking = [
        TheftPolicy {
            on_strikes: OnStrikes::Reset,
            ..default
        },
        TheftPolicy {
            attempts: Some(5),
            ..default
        },
        by_watch,
    ];
    let told = |policy, way_back, wants_reset| {
        let facts = VaultFacts {
            policy,
            way_back,
            wants_reset,
            ..facts(opens(4, 3))
        };
        severities(facts).contains(&("policy", Severity::Warning))
    };
    for policy in asking {
        assert!(told(Some(policy), WayBack::None, false), "{policy:?}");
        assert!(!told(Some(policy), WayBack::Listed, false), "{policy:?}");
    }
    assert!(!told(Some(default), WayBack::None, false));
    assert!(told(Some(default), WayBack::Listed, true), "the wish");
    assert!(!told(Some(asking[0]), WayBack::Listed, true), "in force");
    assert!(told(None, WayBack::Listed, false), "unreadable");
}

#[test]
fn a_place_behind_a_card_that_is_off_is_not_called_locked() {
    let behind = |place| VaultFacts {
        unasked: Some("Network card eth1 is switched off.".into()),
        ..facts(place)
    };
    let locked = || PlaceResult::Locked(Reason::NotRecognised);
    assert_eq!(worst(facts(locked())), Severity::Wrong);
    assert_eq!(worst(behind(locked())), Severity::Unknown);
    assert_eq!(worst(behind(opens(4, 2))), Severity::Warning);
}
