//! Every state of a vault and a place, against rules that are written down a
//! second time.

use super::*;
use crate::theft::{OnAlarm, ResetCause};
use crate::vault::OwnAddress;

fn opens(machine: u8, place: u8) -> Place {
    Place::Opens {
        name: "home".into(),
        setup: false,
        same: Answered {
            machine,
            machine_of: 4,
            place,
            place_of: 3,
            ..Answered::default()
        },
        need: Thresholds {
            machine: 3,
            place: 2,
            servers: 0,
        },
        changed: Vec::new(),
        silent: Vec::new(),
        moved: Vec::new(),
        altered: None,
    }
}

fn facts(place: Place) -> VaultFacts {
    VaultFacts {
        state: Ok(TheftState::Armed),
        policy: Some(TheftPolicy::default()),
        wants_reset: false,
        once: Vec::new(),
        place,
        way_back: WayBack::Listed,
    }
}

fn verdicts(facts: VaultFacts) -> Vec<(&'static str, Verdict)> {
    let findings = judge(&Ok(facts));
    let findings = findings.iter();
    findings.map(|found| (found.name, found.verdict)).collect()
}

fn worst(facts: VaultFacts) -> Verdict {
    super::super::outcome::gravest(&judge(&Ok(facts)))
}

#[test]
fn a_server_at_home_with_nothing_changed_is_fine() {
    let all_fine = [
        ("vault", Verdict::Fine),
        ("place", Verdict::Fine),
        ("theft", Verdict::Fine),
    ];
    assert_eq!(verdicts(facts(opens(4, 3))), all_fine);
}

#[test]
fn a_vault_that_is_not_there_or_a_place_that_does_not_open_is_wrong() {
    for error in [
        LocateError::NoPartition,
        LocateError::OtherServer,
        LocateError::Vault(VaultError::Damaged),
        LocateError::Open(5),
    ] {
        let found = judge(&Err(error));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].verdict, Verdict::Wrong, "{error:?}");
    }
    for reason in [
        Reason::NotRecognised,
        Reason::Fault(VaultError::PepperDamaged),
        Reason::WasReset(ResetCause::Owner),
    ] {
        let said = reason.to_string();
        let found = judge(&Ok(facts(Place::Locked(reason))));
        assert_eq!(found[1].verdict, Verdict::Wrong);
        assert!(found[1].what.contains(&said), "the prompt's own words");
    }
}

#[test]
fn settings_that_the_key_does_not_prove_are_wrong_although_the_place_opens() {
    let mut place = opens(4, 3);
    if let Place::Opens { altered, .. } = &mut place {
        *altered = Some(VaultError::Altered);
    }
    assert_eq!(worst(facts(place)), Verdict::Wrong);
}

#[test]
fn every_theft_state_is_judged_by_what_the_next_boot_does() {
    let reset = ResetCause::Strikes;
    let states = [
        (Ok(TheftState::Armed), Verdict::Fine),
        (
            Ok(TheftState::Suspect {
                strikes: 1,
                boot_id: [0; 16],
            }),
            Verdict::Warning,
        ),
        (
            Ok(TheftState::ResetBegun {
                cause: reset,
                time: 0,
            }),
            Verdict::Wrong,
        ),
        (
            Ok(TheftState::Reset {
                cause: reset,
                time: 0,
            }),
            Verdict::Wrong,
        ),
        (Err(VaultError::Damaged), Verdict::Wrong),
    ];
    for (state, verdict) in states {
        let found = verdicts(VaultFacts {
            state,
            ..facts(opens(4, 3))
        });
        assert!(found.contains(&("theft", verdict)), "{state:?}: {found:?}");
    }
}

#[test]
fn the_margin_is_told_of_when_it_is_used_up_and_only_then() {
    for machine in 3..=4 {
        for place in 2..=3 {
            let found = verdicts(facts(opens(machine, place)));
            let told = found.contains(&("margin", Verdict::Warning));
            assert_eq!(told, machine == 3 || place == 2, "{machine} {place}");
        }
    }
}

#[test]
fn what_has_changed_or_is_silent_is_named_and_keeps_the_exit_code() {
    let mut place = opens(4, 3);
    if let Place::Opens {
        changed,
        silent,
        moved,
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
        };
        moved.push(Moved {
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
    assert_eq!(address.verdict, Verdict::Warning);
    assert!(address.next.contains("stayput enroll --refresh"));
    assert!(found.iter().all(|found| found.verdict <= Verdict::Warning));
}

#[test]
fn a_server_that_opens_anywhere_is_warned_of() {
    let mut place = opens(4, 3);
    if let Place::Opens { setup, .. } = &mut place {
        *setup = true;
    }
    let found = verdicts(facts(place));
    assert!(found.contains(&("place", Verdict::Warning)), "{found:?}");
}

#[test]
fn a_copy_that_is_damaged_is_warned_of_by_name() {
    let once = VaultFacts {
        once: vec!["policy"],
        ..facts(opens(4, 3))
    };
    let found = judge(&Ok(once));
    assert_eq!(found[0].verdict, Verdict::Warning);
    assert!(found[0].what.contains("policy"), "{:?}", found[0]);
}

#[test]
fn a_reset_that_could_not_be_done_is_warned_of_whatever_asks_for_it() {
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
        verdicts(facts).contains(&("policy", Verdict::Warning))
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
