//! Random sequences of events.

use core::time::Duration;

use proptest::prelude::*;

use super::boot::{Boot, Done};
use super::clinic::{Clinic, DURESS, NEW_WORDS, PIN, WORDS};
use crate::opening::act::Event;
use crate::opening::host::Host;
use crate::theft::{OnFailure, OnStrikes, ResetCause, TheftPolicy, WayBack};
use crate::vault::Policy;

#[derive(Clone, Debug)]
enum Happens {
    /// Seconds pass.
    Time(u16),
    Hears(&'static str),
    Types(&'static str),
    Escape,
    DeadKey,
    StickIn,
    StickOfOthers,
    HangingStick,
    StickWakes,
    SticksOut,
    DiskFails,
    DiskIsBack,
    /// Somebody writes the policy without the key.
    Tampered,
}

const LINES: [&str; 18] = [
    "",
    "status",
    "retry",
    "help",
    "reset",
    "remember",
    "mend",
    "passphrase",
    "code",
    "change",
    "clinic",
    "1234",
    PIN,
    WORDS,
    DURESS,
    NEW_WORDS,
    "wrong words",
    "bcdfbcdf",
];

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (1u16..200).prop_map(Happens::Time),
        2 => prop::sample::select(vec!["home", "elsewhere"]).prop_map(Happens::Hears),
        8 => prop::sample::select(LINES.to_vec()).prop_map(Happens::Types),
        1 => Just(Happens::Escape),
        1 => Just(Happens::DeadKey),
        2 => Just(Happens::StickIn),
        1 => Just(Happens::StickOfOthers),
        1 => Just(Happens::HangingStick),
        1 => Just(Happens::StickWakes),
        1 => Just(Happens::SticksOut),
        1 => Just(Happens::DiskFails),
        2 => Just(Happens::DiskIsBack),
        1 => Just(Happens::Tampered),
    ]
}

fn policy() -> impl Strategy<Value = TheftPolicy> {
    (any::<bool>(), any::<bool>(), any::<bool>(), 1u8..3).prop_map(
        |(goes_on, resets, attempts, strikes)| TheftPolicy {
            on_failure: match goes_on {
                true => OnFailure::Continue,
                false => OnFailure::Halt,
            },
            on_strikes: match resets {
                true => OnStrikes::Reset,
                false => OnStrikes::Halt,
            },
            attempts: attempts.then_some(5),
            strikes,
            ..TheftPolicy::default()
        },
    )
}

impl Boot<'_> {
    /// Does one event, then checks everything that was done.
    fn meets(&mut self, happens: &Happens) {
        let before = self.done.len();
        let was_open = self.said("is locked");
        match happens {
            Happens::Time(seconds) => self.passes((*seconds).into()),
            Happens::Hears(place) => self.hears(place),
            Happens::Types(line) => self.types(line),
            Happens::Escape => self.presses_escape(),
            Happens::DeadKey => self.presses_dead_key(),
            Happens::StickIn => self.gets_stick(),
            Happens::StickOfOthers => self.gets(None),
            Happens::HangingStick => self.gets_hanging_stick(),
            Happens::StickWakes => self.hanging_sticks_answer(),
            Happens::SticksOut => self.loses_sticks(),
            Happens::DiskFails => self.clinic.is_broken = true,
            Happens::DiskIsBack => {
                self.clinic.is_broken = false;
                self.tell(Event::DisksChanged);
            }
            Happens::Tampered => self.clinic.vault.claim_policy(&Policy::default()),
        }
        if let Happens::Types(_) | Happens::Escape | Happens::DeadKey = happens {
            let answered = self.done[before..]
                .iter()
                .any(|done| matches!(done, Done::Said(_) | Done::Asked(_) | Done::StatusShown));
            assert!(!was_open || answered, "the prompt always answers");
        }
        if !self.has_ended() {
            self.turn();
        }
        self.check(before, &self.plugged_ids());
    }

    fn check(&self, before: usize, plugged: &[[u8; 8]]) {
        for at in before..self.done.len() {
            match &self.done[at] {
                Done::Released => {
                    assert_eq!(
                        self.done[at - 1],
                        Done::Checked("proven"),
                        "{:?}",
                        self.done
                    );
                }
                Done::Destroyed { cause, wiped } => self.check_reset(at, *cause, *wiped, plugged),
                _ => {}
            }
        }
    }

    /// What must have happened before each kind of reset.
    fn check_reset(&self, at: usize, cause: ResetCause, wiped: bool, plugged: &[[u8; 8]]) {
        let before = &self.done[..at];
        let sticks = self.clinic.vault.listed_sticks().unwrap();
        let elsewhere = sticks.as_claimed().way_back(1, plugged) == WayBack::Listed;
        let anywhere = sticks.as_claimed().way_back(1, &[]) == WayBack::Listed;
        assert!(!wiped || elsewhere, "the last way back was wiped");
        let has_wiped = |done: &Done| matches!(done, Done::Destroyed { wiped: true, .. });
        assert!(!wiped || !before.iter().any(has_wiped), "two sticks of two");
        let wrong = || {
            let is_wrong = |done: &&Done| matches!(done, Done::Said(text) if text.contains("is wrong. Try again"));
            before.iter().filter(is_wrong).count()
        };
        match cause {
            ResetCause::Strikes => {
                assert!(elsewhere);
                assert!(before.iter().any(|done| matches!(done, Done::Struck(_))));
            }
            ResetCause::WrongEntries => assert!(elsewhere && wrong() >= 5),
            ResetCause::Duress => assert!(anywhere && wrong() >= 1),
            ResetCause::Prompt => {
                let asked = crate::opening::dialogue::Question::ServerName;
                assert!(before.contains(&Done::Asked(asked)));
            }
            ResetCause::Owner | ResetCause::Watch => panic!("{cause:?} at the prompt"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_happens_the_rules_hold(
        policy in policy(),
        listed in any::<bool>(),
        events in prop::collection::vec(happens(), 1..60),
    ) {
        let mut clinic = Clinic::with(policy);
        if listed {
            clinic = clinic.with_listed_stick();
        }
        let mut boot = clinic.starts();
        for event in &events {
            if boot.has_ended() {
                break;
            }
            boot.meets(event);
        }
        prop_assert!(boot.count(|done| matches!(done, Done::Struck(_))) <= 1);
        prop_assert!(boot.now <= Duration::from_secs(60 * 200));
    }
}
