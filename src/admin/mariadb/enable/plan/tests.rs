//! The order of a run, with every proof left out in turn.

use super::*;

const ALL: [OriginalEnds; 3] = [
    OriginalEnds::AfterBoot,
    OriginalEnds::Now,
    OriginalEnds::Never,
];

const FROM: [Stage; 3] = [Stage::Building, Stage::Switching, Stage::Starting];

#[test]
fn before_each_step_holds_what_it_needs() {
    for (from, ends) in FROM
        .into_iter()
        .flat_map(|from| ALL.map(|ends| (from, ends)))
    {
        let mut holds = Holds::noted(from);
        for step in steps(from, ends) {
            assert_eq!(holds.lacks(step), None, "{step:?} from {from:?}");
            holds.after(step);
        }
        assert!(holds.0.contains(&Fact::Noted(Stage::Waiting)), "{from:?}");
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
    for from in FROM {
        let whole = steps(from, OriginalEnds::Now);
        for (at, left_out) in whole.iter().enumerate() {
            let again = |step: &&Step| *step == left_out;
            let once = whole.iter().filter(again).count() == 1;
            let known = Holds::noted(from).0;
            let needless = left_out.gives().is_some_and(|fact| known.contains(&fact));
            if spare.contains(left_out) || !once || needless {
                continue;
            }
            let mut holds = Holds::noted(from);
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
    let mut holds = Holds::default();
    for step in [Step::Copy, Step::Sync, Step::CarryOver] {
        holds.after(step);
    }
    assert_eq!(holds.lacks(Step::PutGateInFront), Some(Fact::OnDisk));
    assert!(!holds.0.contains(&Fact::OnDisk));
}

#[test]
fn the_original_is_destroyed_in_this_run_only_when_asked() {
    for (from, ends) in FROM
        .into_iter()
        .flat_map(|from| ALL.map(|ends| (from, ends)))
    {
        let destroys = steps(from, ends).contains(&Step::Destroy);
        assert_eq!(destroys, ends == OriginalEnds::Now);
    }
}

#[test]
fn nothing_lets_the_gate_pass_before_it_is_noted() {
    for from in FROM {
        let mut noted = from == Stage::Starting;
        for step in steps(from, OriginalEnds::AfterBoot) {
            noted |= step == Step::Note(Stage::Starting);
            assert!(noted || step != Step::WriteSettings, "{from:?}");
        }
    }
}

#[test]
fn nothing_is_moved_or_started_before_the_copy_is_on_the_disk() {
    let whole = steps(Stage::Building, OriginalEnds::Now);
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
