//! The order of a run, with every proof left out in turn.

use super::*;

const ALL: [OriginalEnds; 3] = [
    OriginalEnds::AfterBoot,
    OriginalEnds::Now,
    OriginalEnds::Never,
];

const FROM: [Stage; 3] = [Stage::Building, Stage::Switching, Stage::Starting];

fn runs() -> impl Iterator<Item = (Conversion, Stage)> {
    let of = |conversion| FROM.map(|from| (conversion, from));
    Conversion::ALL.into_iter().flat_map(of)
}

#[test]
fn before_each_step_holds_what_it_needs() {
    for ((conversion, from), ends) in runs().flat_map(|run| ALL.map(|ends| (run, ends))) {
        let mut holds = Holds::noted(conversion, from);
        for step in steps(conversion, from, ends) {
            assert_eq!(holds.lacks(step), None, "{step:?} from {from:?}");
            holds.after(step);
        }
        let ended = Fact::Noted(Stage::Waiting);
        assert!(holds.facts.contains(&ended), "{conversion:?} {from:?}");
    }
}

#[test]
fn leaving_out_any_proof_stops_the_run_before_the_end() {
    use Step::*;
    // What only makes the copy more useful.
    let spare = [
        CarryOver,
        StartServer,
        Note(Stage::Destroying),
        Destroy,
        End,
    ];
    for (conversion, from) in runs() {
        let whole = steps(conversion, from, OriginalEnds::Now);
        for (at, left_out) in whole.iter().enumerate() {
            let again = |step: &&Step| *step == left_out;
            let once = whole.iter().filter(again).count() == 1;
            let known = Holds::noted(conversion, from).facts;
            let needless = left_out.gives().is_some_and(|fact| known.contains(&fact));
            if spare.contains(left_out) || !once || needless {
                continue;
            }
            let mut holds = Holds::noted(conversion, from);
            let rest = whole.iter().enumerate().filter(|(index, _)| *index != at);
            let stopped = rest.map(|(_, step)| *step).find(|step| {
                let lacks = holds.lacks(*step).is_some();
                holds.after(*step);
                lacks
            });
            let missed = stopped.is_some_and(|step| step != End);
            // Units that are not held, or not let go, harm no file.
            assert!(
                missed || *left_out == LetUnitsGo,
                "{left_out:?} from {from:?}"
            );
        }
    }
}

#[test]
fn what_is_written_after_the_sync_has_to_be_synced_again() {
    let mut holds = Holds::noted(Conversion::Encrypt, Stage::Building);
    for step in [Step::Copy, Step::Sync, Step::CarryOver] {
        holds.after(step);
    }
    assert_eq!(holds.lacks(Step::PutGateInFront), Some(Fact::OnDisk));
    assert!(!holds.facts.contains(&Fact::OnDisk));
}

#[test]
fn the_original_is_destroyed_in_this_run_only_when_asked() {
    for ((conversion, from), ends) in runs().flat_map(|run| ALL.map(|ends| (run, ends))) {
        let destroys = steps(conversion, from, ends).contains(&Step::Destroy);
        assert_eq!(destroys, ends == OriginalEnds::Now);
    }
}

#[test]
fn nothing_lets_the_gate_pass_before_it_is_noted() {
    for (conversion, from) in runs() {
        let opens = [
            Step::WriteSettings,
            Step::RemoveSettings,
            Step::TakeGateAway,
        ];
        let mut noted = from == Stage::Starting;
        for step in steps(conversion, from, OriginalEnds::AfterBoot) {
            noted |= step == Step::Note(Stage::Starting);
            assert!(noted || !opens.contains(&step), "{from:?}");
        }
    }
}

#[test]
fn gate_stands_until_the_clear_copy_has_its_place() {
    for from in FROM {
        let whole = steps(Conversion::Decrypt, from, OriginalEnds::AfterBoot);
        let at = |step| whole.iter().position(|found| *found == step);
        assert_eq!(
            whole
                .iter()
                .filter(|step| **step == Step::TakeGateAway)
                .count(),
            1
        );
        assert!(at(Step::PlaceCopy) < at(Step::RemoveSettings), "{from:?}");
        assert!(
            at(Step::RemoveSettings) < at(Step::TakeGateAway),
            "{from:?}"
        );
        assert!(at(Step::TakeGateAway) < at(Step::LetUnitsGo), "{from:?}");
        assert!(at(Step::PutGateInFront) < at(Step::PlaceCopy) || from == Stage::Starting);
        assert_eq!(at(Step::WriteSettings), None);
    }
}

#[test]
fn nothing_is_moved_or_started_before_the_copy_is_on_the_disk() {
    for conversion in Conversion::ALL {
        let whole = steps(conversion, Stage::Building, OriginalEnds::Now);
        let at = |step| whole.iter().position(|found| *found == step).unwrap();
        for later in [
            Step::MoveOriginal,
            Step::PlaceCopy,
            Step::StartServer,
            Step::Destroy,
        ] {
            assert!(at(Step::Sync) < at(later), "{later:?}");
        }
        assert!(at(Step::Note(Stage::Waiting)) < at(Step::Destroy));
    }
}
