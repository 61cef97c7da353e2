//! Every set-up there is, against rules that are written down a second time.

use super::super::data::StageFacts;
use super::super::data::tests::encrypted;
use super::super::facts::{EnrolledPlaces, Medium};
use super::super::stick_in::StartsWithStick;
use super::*;
use crate::environment::Strength;
use crate::theft::OnStrikes;
use crate::theft::TheftPolicy;
use crate::vault::{StickList, Thresholds};
use Coverage::{Covered, NotCovered, Partly};

fn need(machine: u8, place: u8) -> Thresholds {
    Thresholds {
        machine,
        neighbours: place,
        ..Thresholds::default()
    }
}

fn places() -> Vec<EnrolledPlaces> {
    use EnrolledPlaces::{Destroyed, Open};
    let mut places = vec![Destroyed];
    for machine in [0, 1, 5] {
        for place in [0, 1, 3] {
            if machine + place > 0 {
                places.push(Open(vec![need(machine, place)]));
                places.push(Open(vec![need(5, 3), need(machine, place)]));
            }
        }
    }
    places
}

fn leaked() -> Vec<Option<Leaked>> {
    let mut leaked = vec![None];
    for neighbours in [0, 1, 2, 3, 5] {
        for incomplete in [false, true] {
            leaked.push(Some(Leaked {
                neighbours,
                files: 1000 * usize::from(neighbours),
                incomplete,
            }));
        }
    }
    leaked
}

/// Runs `check` on every set-up.
fn everywhere(check: impl Fn(&SetupFacts, &dyn Fn(Threat) -> ThreatCoverage)) {
    for places in places() {
        for leaked in leaked() {
            for (sticks, without_pin, passphrases) in
                [(0, 0, 0), (1, 0, 1), (2, 1, 0), (32, 32, 16)]
            {
                for medium in [Medium::Flash, Medium::Magnetic, Medium::Unknown] {
                    for on_strikes in [OnStrikes::Halt, OnStrikes::Reset] {
                        for secure_boot in [None, Some(false), Some(true)] {
                            for verified in [false, true] {
                                let facts = SetupFacts {
                                    data: encrypted(),
                                    places: places.clone(),
                                    neighbours: 5,
                                    servers: 0,
                                    strength: Strength::Soft,
                                    sticks,
                                    without_pin,
                                    removed_without_pin: 0,
                                    stick_in: StartsWithStick::default(),
                                    log_is_whole: true,
                                    code: verified,
                                    verified,
                                    passphrases,
                                    theft: TheftPolicy {
                                        on_strikes,
                                        ..TheftPolicy::default()
                                    },
                                    watch: None,
                                    medium,
                                    secure_boot,
                                    leaked,
                                };
                                let rows = judge(&facts);
                                check(&facts, &|threat| {
                                    rows.iter()
                                        .find(|row| row.threat == threat)
                                        .unwrap()
                                        .clone()
                                });
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn soft_place_that_opens_the_server_is_never_covered() {
    everywhere(|facts, row| {
        for threat in [Threat::Server, Threat::Disk, Threat::ServerAndNeighbours] {
            let coverage = row(threat).coverage;
            if facts.places != EnrolledPlaces::Destroyed {
                assert_ne!(coverage, Covered, "{threat:?}: {facts:?}");
            } else {
                assert_eq!(coverage == Covered, facts.medium == Medium::Magnetic);
            }
        }
    });
}

#[test]
fn server_that_opens_anywhere_or_leaks_its_place_is_not_covered() {
    everywhere(|facts, row| {
        let EnrolledPlaces::Open(places) = &facts.places else {
            return;
        };
        let least = places.iter().map(|need| need.neighbours).min().unwrap();
        let on_disk = facts.leaked.map_or(0, |leaked| leaked.neighbours);
        let told = on_disk >= least;
        let expected = if least == 0 || told {
            NotCovered
        } else {
            Partly
        };
        let server = row(Threat::Server);
        assert_eq!(server.coverage, expected, "{facts:?}");
        if expected == Partly {
            assert!(server.why.starts_with("soft"), "{server:?}");
            // What stands on the disk need not be guessed.
            let bits = 24 * u32::from(least - on_disk);
            assert!(server.why.contains(&format!("{bits} bits")), "{server:?}");
        }
        let guessed = server.why.contains("passphrase");
        assert_eq!(guessed, expected == Partly && facts.passphrases > 0);
        // Whoever has the disk can try passphrases, unless less is enough.
        let least_machine = places.iter().map(|need| need.machine).min().unwrap();
        if !told && least > 0 && least_machine > 0 {
            let disk = row(Threat::Disk);
            let guessed = disk.why.contains("passphrase");
            assert_eq!(guessed, facts.passphrases > 0, "{disk:?}");
        }
        // What is known of a pulled disk is never better than the place alone
        // where nothing of the machine is needed.
        if least_machine == 0 && least > 0 {
            assert_eq!(row(Threat::Disk).coverage, server.coverage, "{facts:?}");
        }
        assert_eq!(row(Threat::ServerAndNeighbours).coverage, NotCovered);
    });
}

#[test]
fn one_stick_without_a_pin_is_enough_to_lose_both_rows() {
    everywhere(|facts, row| {
        for threat in [Threat::Stick, Threat::ServerAndStick] {
            let expected = if facts.without_pin > 0 {
                NotCovered
            } else {
                Partly
            };
            assert_eq!(row(threat).coverage, expected, "{facts:?}");
        }
    });
}

#[test]
fn reset_covers_only_where_overwriting_reaches_everything() {
    everywhere(|facts, row| {
        let reset = row(Threat::ServerAfterReset);
        let magnetic = facts.medium == Medium::Magnetic;
        assert_eq!(reset.coverage == Covered, magnetic, "{facts:?}");
        assert!(magnetic || reset.why.contains("copy"), "{reset:?}");
    });
}

#[test]
fn what_no_set_up_covers_is_never_called_anything_else() {
    everywhere(|_, row| {
        for threat in [Threat::RunningServer, Threat::GivenBack, Threat::OldCopy] {
            assert_eq!(row(threat).coverage, NotCovered);
        }
    });
}

#[test]
fn disk_is_clean_only_when_all_of_it_was_searched() {
    everywhere(|facts, row| {
        let expected = match facts.leaked {
            Some(Leaked {
                neighbours: 1.., ..
            }) => NotCovered,
            Some(Leaked {
                incomplete: false, ..
            }) => Covered,
            Some(_) | None => Partly,
        };
        assert_eq!(row(Threat::Leaks).coverage, expected, "{facts:?}");
    });
}

#[test]
fn no_row_calls_anything_strong_and_each_fits_its_line() {
    everywhere(|_, row| {
        for row in ALL.map(row) {
            assert!(!row.why.contains("strong"), "{row:?}");
            assert!(row.why.chars().count() <= WHY_MAX, "{row:?}");
        }
    });
}

const ALL: [Threat; 12] = [
    Threat::Server,
    Threat::Disk,
    Threat::ServerAndNeighbours,
    Threat::ServerAndStick,
    Threat::Stick,
    Threat::ServerAndCode,
    Threat::ServerAfterReset,
    Threat::OldCopy,
    Threat::EditedVault,
    Threat::RunningServer,
    Threat::GivenBack,
    Threat::Leaks,
];

#[test]
fn running_server_is_partly_covered_only_by_a_locking_watch() {
    let watching = |on_alarm, enrolled, neighbours| RunningWatch {
        on_alarm,
        enrolled,
        neighbours,
    };
    for (watch, expected) in [
        (None, NotCovered),
        (Some(watching(OnAlarm::Off, true, 3)), NotCovered),
        (Some(watching(OnAlarm::Alert, true, 3)), NotCovered),
        (Some(watching(OnAlarm::Lock, true, 0)), NotCovered),
        (Some(watching(OnAlarm::Lock, true, 3)), Partly),
        (Some(watching(OnAlarm::Reset, true, 3)), Partly),
        (Some(watching(OnAlarm::Lock, false, 3)), Partly),
    ] {
        let mut facts = facts();
        // What the policy wants protects nobody.
        facts.theft.watch.on_alarm = OnAlarm::Lock;
        facts.watch = watch;
        let found = running(&facts);
        assert_eq!(found.coverage, expected, "{watch:?}");
        let is_enrolled = watch.is_none_or(|watch| watch.enrolled);
        assert_eq!(found.why.contains("what it found"), !is_enrolled);
    }
}

/// A strong place, and everything else as it should be.
fn facts() -> SetupFacts {
    let list = StickList::default();
    let slots = crate::vault::SlotTable::default();
    let mut facts = SetupFacts::of(Ok(&slots), &list, TheftPolicy::default(), None);
    facts.places = EnrolledPlaces::Open(vec![Thresholds {
        machine: 2,
        neighbours: 1,
        servers: 1,
    }]);
    facts.strength = Strength::Strong;
    facts.servers = 1;
    facts.data = encrypted();
    facts.medium = Medium::Magnetic;
    facts
}

fn coverages(facts: &SetupFacts) -> Vec<(Threat, Coverage)> {
    let rows = judge(facts).into_iter();
    rows.map(|row| (row.threat, row.coverage)).collect()
}

#[test]
fn a_key_that_is_safe_covers_no_data_that_is_clear() {
    let good = coverages(&facts());
    for threat in [Threat::Server, Threat::Disk, Threat::EditedVault] {
        assert!(good.contains(&(threat, Covered)), "{good:?}");
    }
    let spoilt: [fn(&mut SetupFacts); 5] = [
        |facts| facts.data.is_enabled = false,
        |facts| facts.data.clear_copy = true,
        |facts| facts.data.clear_memory = true,
        |facts| facts.data.in_clear = Some(vec!["clinic.old".into()]),
        |facts| facts.data.has_check_file = false,
    ];
    for spoil in spoilt {
        let mut facts = facts();
        spoil(&mut facts);
        facts.data.has_check_file &= facts.data.is_enabled;
        for (threat, coverage) in coverages(&facts) {
            let reads = threat.reads_the_disk();
            assert!(!reads || coverage == NotCovered, "{threat:?}: {facts:?}");
        }
    }
    // Without its stage the data is encrypted all the same, and nothing is covered.
    let mut facts = facts();
    facts.data.stage = StageFacts::Missing;
    facts.theft.on_strikes = OnStrikes::Reset;
    for (threat, coverage) in coverages(&facts) {
        assert!(!threat.reads_the_disk() || coverage < Covered, "{threat:?}");
    }
}

#[test]
fn a_read_error_is_not_called_a_destroyed_key() {
    use crate::vault::VaultError;
    let of = |error| {
        let list = StickList::default();
        let mut facts = SetupFacts::of(Err(error), &list, TheftPolicy::default(), None);
        facts.data = encrypted();
        facts.medium = Medium::Magnetic;
        facts
    };
    let reset = of(VaultError::WasReset);
    assert_eq!(server(&reset).coverage, Covered);
    for error in [
        VaultError::Device(5),
        VaultError::PepperDamaged,
        VaultError::Damaged,
        VaultError::Busy(None),
    ] {
        let facts = of(error);
        for row in [server(&facts), disk(&facts), after_reset(&facts)] {
            assert_eq!(row.coverage, NotCovered, "{row:?}");
            assert!(row.why.contains("cannot be read"), "{row:?}");
        }
    }
}

#[test]
fn a_stick_without_a_pin_counts_after_it_left_the_list() {
    let mut facts = facts();
    facts.removed_without_pin = 1;
    for threat in [Threat::Stick, Threat::ServerAndStick] {
        assert!(coverages(&facts).contains(&(threat, NotCovered)));
    }
    facts.without_pin = 2;
    let why = stick(&facts).why;
    assert!(why.starts_with("3 have no PIN"), "{why}");
}

#[test]
fn stick_that_stays_in_the_server_goes_along_with_it() {
    let mut facts = facts();
    facts.sticks = 2;
    facts.log_is_whole = true;
    facts.stick_in = StartsWithStick { with: 5, of: 12 };
    let row = ways_in::server_and_stick(&facts);
    assert_eq!(row.coverage, Partly);
    assert_eq!(
        row.why,
        "one was in at 5 of 12 starts; a thief takes it, and tries PINs"
    );
    assert!(!ways_in::stick(&facts).why.contains("starts"));
    // A stick that is the key is worse wherever it is.
    facts.without_pin = 1;
    assert_eq!(ways_in::server_and_stick(&facts).coverage, NotCovered);
    facts.without_pin = 0;
    facts.stick_in.with = 0;
    assert!(!ways_in::server_and_stick(&facts).why.contains("starts"));
}

#[test]
fn the_recovery_code_is_the_key_wherever_it_is() {
    let mut facts = facts();
    assert!(coverages(&facts).contains(&(Threat::ServerAndCode, Partly)));
    facts.code = true;
    assert!(coverages(&facts).contains(&(Threat::ServerAndCode, NotCovered)));
}

#[test]
fn only_a_place_that_nobody_can_guess_is_called_covered() {
    everywhere(|facts, _| {
        let EnrolledPlaces::Open(places) = &facts.places else {
            return;
        };
        for strength in [Strength::Public, Strength::Strong] {
            let with_servers = |need: &Thresholds| Thresholds {
                servers: 1,
                ..*need
            };
            let facts = SetupFacts {
                places: EnrolledPlaces::Open(places.iter().map(with_servers).collect()),
                servers: 2,
                strength,
                ..facts.clone()
            };
            let rows = judge(&facts);
            let row = |threat| rows.iter().find(|row| row.threat == threat).unwrap();
            let covered = strength == Strength::Strong && facts.passphrases == 0;
            for threat in [Threat::Server, Threat::Disk] {
                let expected = if covered { Covered } else { Partly };
                assert_eq!(row(threat).coverage, expected, "{facts:?}");
            }
            let along = row(Threat::ServerAndNeighbours);
            assert_eq!(along.coverage, NotCovered);
            assert!(along.why.contains("2 of 2 key servers"), "{along:?}");
        }
    });
}

#[test]
fn stick_that_an_old_log_no_longer_tells_of_is_not_denied() {
    let facts = SetupFacts {
        sticks: 1,
        log_is_whole: true,
        ..SetupFacts::of(
            Err(crate::vault::VaultError::WasReset),
            &StickList::default(),
            TheftPolicy::default(),
            None,
        )
    };
    assert!(stick(&facts).why.contains("four digits"));
    let older = SetupFacts {
        log_is_whole: false,
        ..facts
    };
    assert!(stick(&older).why.contains("log tells nothing"));
    assert!(server_and_stick(&older).why.contains("log tells nothing"));
}
