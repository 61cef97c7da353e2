use super::*;

const WAIT: Duration = Duration::from_secs(90);

/// Nobody has answered, at this time.
fn at(millis: u64) -> Progress {
    Progress {
        since_start: Duration::from_millis(millis),
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
fn nothing_changes_between_the_times_that_are_waited_for() {
    for late in [None, Some(3), Some(40)] {
        let seen = |now: Duration| Progress {
            strange_for: late.and_then(|late| now.checked_sub(Duration::from_secs(late))),
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
