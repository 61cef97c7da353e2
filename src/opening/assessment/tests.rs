use super::*;
use crate::keys::Sealed;
use crate::vault::{Factor, SealedValues, Thresholds, Value};

const WAIT: Duration = Duration::from_secs(90);

/// Nobody has answered, at this time.
fn at(millis: u64) -> Progress {
    let since_start = Duration::from_millis(millis);
    Progress {
        since_start,
        asked_for: Some(since_start),
        wait: WAIT,
        strange_for: None,
        repair: None,
        hopeless: false,
        to_try: false,
        all_answered: false,
    }
}

fn strange_for(seconds: u64, since_start: u64) -> Progress {
    Progress {
        strange_for: Some(Duration::from_secs(seconds)),
        ..at(since_start * 1000)
    }
}

#[test]
fn the_prompt_opens_at_once_when_nothing_can_change() {
    let all = |progress: Progress| Progress {
        all_answered: true,
        ..progress
    };
    let trying = |progress: Progress| Progress {
        to_try: true,
        ..progress
    };
    let hopeless = |progress: Progress| Progress {
        hopeless: true,
        ..progress
    };
    let table = [
        // At home, on time: nothing is shown.
        (trying(all(at(90))), PromptStage::Nothing),
        (at(90), PromptStage::Nothing),
        // Combinations are left, however slow the processor.
        (trying(all(at(900))), PromptStage::Hint),
        (trying(all(at(4999))), PromptStage::Hint),
        (trying(all(at(5000))), PromptStage::Prompt),
        // Stolen, others answer: at once.
        (all(at(90)), PromptStage::Prompt),
        // A bare table, or a switch that starts: wait for it.
        (at(900), PromptStage::Hint),
        (at(5000), PromptStage::Prompt),
        // A damaged vault: a person is needed now.
        (hopeless(at(10)), PromptStage::Prompt),
    ];
    for (progress, shown) in table {
        assert_eq!(progress.stage(), shown, "{progress:?}");
    }
}

#[test]
fn a_place_is_foreign_only_after_the_whole_wait() {
    assert_eq!(strange_for(89, 89).assessment(), None);
    assert_eq!(strange_for(90, 90).assessment(), Some(Assessment::Foreign));
    // A router that came late has its own wait.
    assert_eq!(strange_for(89, 500).assessment(), None);
    let trying = Progress {
        to_try: true,
        ..strange_for(99, 99)
    };
    assert_eq!(trying.assessment(), None);
}

#[test]
fn silence_is_absence_and_a_missing_part_is_no_foreign_place() {
    assert_eq!(at(89_999).assessment(), None);
    assert_eq!(at(90_000).assessment(), Some(Assessment::Absent));
    for (repair, assessment) in [
        (Repair::Machine, Assessment::ChangedMachine),
        (Repair::KeyServer, Assessment::KeyServerLost),
    ] {
        let repaired = |now| Progress {
            repair: Some(repair),
            ..at(now)
        };
        assert_eq!(repaired(89_999).assessment(), None);
        assert_eq!(repaired(90_000).assessment(), Some(assessment));
    }
    let damaged = Progress {
        hopeless: true,
        ..at(10)
    };
    assert_eq!(damaged.assessment(), Some(Assessment::Damaged));
}

#[test]
fn a_place_whose_slots_were_read_late_has_its_whole_wait() {
    let asked = |seconds: Option<u64>| Progress {
        asked_for: seconds.map(Duration::from_secs),
        ..at(500_000)
    };
    assert_eq!(asked(None).assessment(), None);
    assert_eq!(asked(Some(89)).assessment(), None);
    assert_eq!(asked(Some(90)).assessment(), Some(Assessment::Absent));
    assert_eq!(
        asked(Some(89)).next_change(),
        Some(Duration::from_secs(501))
    );
}

#[test]
fn nothing_changes_between_the_times_that_are_waited_for() {
    for late in [None, Some(3), Some(40)] {
        let since = |now: Duration| now.checked_sub(Duration::from_secs(late.unwrap_or(0)));
        let seen = |now: Duration| Progress {
            asked_for: since(now),
            strange_for: late.and_then(|_| since(now)),
            ..at(now.as_millis() as u64)
        };
        let mut now = Duration::from_secs(late.unwrap_or(0));
        while let Some(next) = seen(now).next_change() {
            let before = seen(next - Duration::from_millis(1));
            assert_eq!(before.stage(), seen(now).stage());
            assert_eq!(before.assessment(), seen(now).assessment());
            now = next;
        }
        assert_eq!(now, WAIT + Duration::from_secs(late.unwrap_or(0)));
    }
}

/// A place that needs these numbers of parts, neighbours and key servers.
fn place(machine: u8, neighbours: u8, servers: u8) -> EnvironmentSlot {
    let sealed = Sealed {
        salt: [0; 32],
        nonce: [0; 12],
        tag: [0; 16],
    };
    EnvironmentSlot {
        id: 1,
        name: "home".try_into().unwrap(),
        factors: heapless::Vec::new(),
        need: Thresholds {
            machine,
            neighbours,
            servers,
        },
        rows: heapless::Vec::new(),
        witnesses: heapless::Vec::new(),
        enrolled: SealedValues {
            sealed,
            bytes: heapless::Vec::new(),
        },
        servers: heapless::Vec::new(),
        addresses: heapless::Vec::new(),
    }
}

/// As many of two parts, three neighbours and three key servers have answered there;
/// its witnesses say `proof`, and `wrong_servers` are not as enrolled.
fn heard(
    slot: &EnvironmentSlot,
    [machine, neighbours, servers]: [u8; 3],
    proof: PlaceProof,
    wrong_servers: u8,
) -> Surroundings<'_> {
    let count = |count, of| Count { count, of };
    Surroundings {
        slot,
        answered: FactorCounts {
            machine: count(machine, 2),
            neighbours: count(neighbours, 3),
            servers: count(servers, 3),
        },
        proof,
        wrong_servers,
    }
}

const NOTHING: PlaceProof = PlaceProof::of(false, 0);

#[test]
fn more_neighbours_must_be_others_than_are_silent() {
    let home = place(1, 2, 0);
    for (answered, strange, silent) in [
        (0, false, true),
        (1, false, false),
        // A replaced printer beside a router that starts slowly.
        (2, false, false),
        (3, true, false),
    ] {
        let heard = heard(&home, [2, answered, 0], NOTHING, 0);
        assert_eq!(heard.is_strange(), strange, "{answered}");
        assert_eq!(heard.is_silent(), silent, "{answered}");
        assert!(!heard.is_here() && heard.repair().is_none(), "{answered}");
    }
    let right = PlaceProof::of(true, 0);
    let at_home = heard(&home, [2, 3, 0], right, 0);
    assert!(at_home.is_here() && !at_home.is_strange());
    assert_eq!(at_home.repair(), Some(Repair::Machine));
}

#[test]
fn one_right_key_server_says_that_this_is_the_place() {
    let home = place(1, 0, 2);
    let seen = |servers, right, wrong| {
        let heard = heard(&home, [1, 0, servers], PlaceProof::of(false, right), wrong);
        assert!(!(heard.is_strange() && heard.is_silent()));
        (heard.is_here(), heard.is_strange(), heard.repair())
    };
    assert_eq!(seen(0, 0, 0), (false, false, None));
    assert_eq!(seen(1, 0, 1), (false, false, None));
    assert_eq!(seen(2, 0, 2), (false, true, None));
    let lost = Some(Repair::KeyServer);
    assert_eq!(seen(2, 0b10, 1), (false, false, lost));
    assert_eq!(seen(1, 0b10, 0), (false, false, None));
    assert_eq!(seen(2, 0b110, 0), (true, false, Some(Repair::Machine)));
    assert!(heard(&home, [1, 3, 0], NOTHING, 0).is_silent());
    assert!(!heard(&home, [1, 0, 1], NOTHING, 0).is_silent());
}

#[test]
fn beside_right_neighbours_wrong_key_servers_are_the_change() {
    let home = place(1, 2, 1);
    let right = |servers| PlaceProof::of(true, servers);
    let repair = |machine, proof, wrong| heard(&home, [machine, 3, 1], proof, wrong).repair();
    assert_eq!(repair(1, right(0), 1), Some(Repair::KeyServer));
    assert_eq!(repair(1, right(0), 0), None, "it may answer yet");
    assert_eq!(repair(1, right(0b1), 1), Some(Repair::Machine));
    assert_eq!(repair(0, right(0), 1), Some(Repair::Machine));
    // A key server alone does not speak for the neighbours.
    assert_eq!(repair(1, PlaceProof::of(false, 0b1), 1), None);
}

#[test]
fn a_machine_is_changed_only_where_its_place_answers() {
    let home = place(2, 2, 1);
    let repair = |answered| heard(&home, answered, NOTHING, 0).repair();
    assert_eq!(repair([1, 2, 1]), Some(Repair::Machine));
    assert_eq!(repair([2, 2, 1]), None, "no part is missing");
    assert_eq!(repair([1, 1, 1]), None);
    assert_eq!(repair([1, 2, 0]), None);
    // A place that needs neither neighbours nor key servers is never foreign.
    let anywhere = place(2, 0, 0);
    let moved = heard(&anywhere, [2, 3, 0], NOTHING, 0);
    assert!(!moved.is_here() && !moved.is_strange());
    assert_eq!(moved.repair(), Some(Repair::Machine));
}

#[test]
fn a_key_server_is_wrong_only_if_it_has_answered() {
    let mut home = place(1, 2, 1);
    for (group, label) in [
        (Group::Neighbours, "arp 10.0.0.1"),
        (Group::Neighbours, "arp 10.0.0.2"),
        (Group::Servers, "tang 10.0.0.5:80"),
        (Group::Servers, "tang 10.0.0.6:80"),
    ] {
        let label = label.try_into().unwrap();
        home.factors.extend([Factor { group, label }]);
    }
    let mut observed = Observed::default();
    for factor in &home.factors[..3] {
        observed.note(&factor.label, &Value::from_slice(b"any").unwrap());
    }
    let mut slots = SlotTable::default();
    slots.environments.extend([Box::new(home)]);
    let places = Places::of(&slots);
    let situation = Situation {
        slots: Ok(&slots),
        state: TheftState::Armed,
        observed: &observed,
        places: &places,
    };
    let wrong: Vec<u8> = situation
        .places()
        .map(|place| place.wrong_servers)
        .collect();
    assert_eq!(wrong, [1]);
    assert!(!situation.all_answered());
}

#[test]
fn a_vault_without_a_place_recognises_none() {
    let (slots, observed) = (SlotTable::default(), Observed::default());
    let situation = Situation {
        slots: Ok(&slots),
        state: TheftState::Armed,
        observed: &observed,
        places: &Places::default(),
    };
    assert!(matches!(situation.reason(None), Reason::NotRecognised));
    let progress = situation.progress(WAIT, Some(WAIT), WAIT, None, false);
    assert!(progress.hopeless && !progress.all_answered);
}

#[test]
fn a_repair_is_part_of_the_progress() {
    let mut slots = SlotTable::default();
    slots.environments.extend([Box::new(place(2, 0, 0))]);
    let (observed, places) = (Observed::default(), Places::of(&slots));
    let situation = Situation {
        slots: Ok(&slots),
        state: TheftState::Armed,
        observed: &observed,
        places: &places,
    };
    let progress = situation.progress(WAIT, Some(WAIT), WAIT, Some(WAIT), false);
    assert_eq!(progress.repair, Some(Repair::Machine));
    assert_eq!(progress.strange_for, None, "it is never foreign");
    assert!(progress.all_answered && !progress.hopeless);
}
