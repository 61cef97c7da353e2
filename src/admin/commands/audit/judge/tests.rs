//! Every set-up there is, against rules that are written down a second time.

use super::*;
use crate::theft::OnStrikes;
use crate::theft::TheftPolicy;
use crate::vault::StickList;
use Coverage::{Covered, NotCovered, Partly};

fn need(machine: u8, place: u8) -> Thresholds {
    Thresholds {
        machine,
        neighbours: place,
        ..Thresholds::default()
    }
}

fn places() -> Vec<Option<Vec<Thresholds>>> {
    let mut places = vec![None];
    for machine in [0, 1, 5] {
        for place in [0, 1, 3] {
            if machine + place > 0 {
                places.push(Some(vec![need(machine, place)]));
                places.push(Some(vec![need(5, 3), need(machine, place)]));
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
                                    places: places.clone(),
                                    neighbours: 5,
                                    servers: 0,
                                    strength: Strength::Soft,
                                    sticks,
                                    without_pin,
                                    verified,
                                    passphrases,
                                    theft: TheftPolicy {
                                        on_strikes,
                                        ..TheftPolicy::default()
                                    },
                                    medium,
                                    secure_boot,
                                    clear_copy: false,
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
            if facts.places.is_some() {
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
        let Some(places) = &facts.places else { return };
        let least = places.iter().map(|need| need.neighbours).min().unwrap();
        let told = facts
            .leaked
            .is_some_and(|leaked| leaked.neighbours >= least);
        let expected = if least == 0 || told {
            NotCovered
        } else {
            Partly
        };
        let server = row(Threat::Server);
        assert_eq!(server.coverage, expected, "{facts:?}");
        if expected == Partly {
            assert!(server.why.starts_with("soft"), "{server:?}");
            assert!(
                server
                    .why
                    .contains(&format!("{} bits", 24 * u32::from(least)))
            );
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

const ALL: [Threat; 11] = [
    Threat::Server,
    Threat::Disk,
    Threat::ServerAndNeighbours,
    Threat::ServerAndStick,
    Threat::Stick,
    Threat::ServerAfterReset,
    Threat::OldCopy,
    Threat::EditedVault,
    Threat::RunningServer,
    Threat::GivenBack,
    Threat::Leaks,
];

#[test]
fn running_server_is_partly_covered_only_by_a_locking_watch() {
    for on_alarm in [OnAlarm::Off, OnAlarm::Alert, OnAlarm::Lock, OnAlarm::Reset] {
        let mut theft = TheftPolicy::default();
        theft.watch.on_alarm = on_alarm;
        let facts = SetupFacts::of(None, &StickList::default(), theft);
        let locks = matches!(on_alarm, OnAlarm::Lock | OnAlarm::Reset);
        let expected = if locks { Partly } else { NotCovered };
        assert_eq!(running(&facts).coverage, expected, "{on_alarm:?}");
    }
}

#[test]
fn only_a_place_that_nobody_can_guess_is_called_covered() {
    everywhere(|facts, _| {
        let Some(places) = &facts.places else { return };
        for strength in [Strength::Public, Strength::Strong] {
            let with_servers = |need: &Thresholds| Thresholds {
                servers: 1,
                ..*need
            };
            let facts = SetupFacts {
                places: Some(places.iter().map(with_servers).collect()),
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
