use super::*;
use proptest::prelude::*;

const HOME: Seen = seen(2, 0, 1, Link::Up);
const FOREIGN: Seen = seen(1, 2, 0, Link::Up);
const DARK: Seen = seen(0, 0, 3, Link::Lost);
const SILENT: Seen = seen(0, 0, 3, Link::Up);

const fn seen(matched: u8, different: u8, silent: u8, link: Link) -> Seen {
    Seen {
        matched,
        different,
        silent,
        need: 2,
        link,
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A look that long after the start of a server that never slept.
fn at(time: u64, seen: Seen) -> Look {
    Look {
        awake: seconds(time),
        since_boot: seconds(time),
        seen,
    }
}

/// What follows each of these looks, one a minute from the tenth on.
fn verdicts(looks: &[Seen]) -> Vec<Verdict> {
    let mut watch = Watch::new(WatchPolicy::default());
    let times = (600..).step_by(60);
    times
        .zip(looks)
        .map(|(time, seen)| watch.look(at(time, *seen)))
        .collect()
}

/// The looks at which an alarm is raised.
fn raised(looks: &[Seen]) -> Vec<(usize, Alarm)> {
    let verdicts = verdicts(looks).into_iter().enumerate();
    verdicts
        .filter_map(|(at, verdict)| match verdict {
            Verdict::Raise(alarm) => Some((at, alarm)),
            _ => None,
        })
        .collect()
}

#[test]
fn what_a_look_says_by_itself() {
    for matched in 0..=3u8 {
        for different in 0..=3 - matched {
            for link in [Link::Up, Link::Lost, Link::Off] {
                let silent = 3 - matched - different;
                let kind = seen(matched, different, silent, link).kind();
                let expected = match (matched, different, link) {
                    (2.., _, _) => Kind::Home,
                    (0, 2.., _) | (1, 1.., _) => Kind::Foreign,
                    (0, 0, Link::Lost) => Kind::Dark,
                    _ => Kind::Unclear,
                };
                assert_eq!(kind, expected, "{matched} {different} {link:?}");
            }
        }
    }
    let nobody = Seen { need: 0, ..DARK };
    assert_eq!(nobody.kind(), Kind::Unclear, "nobody is watched");
}

#[test]
fn a_server_that_is_carried_away_is_noticed_after_three_minutes() {
    let foreign = [HOME, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN];
    assert_eq!(raised(&foreign), [(4, Alarm::Foreign)]);
    let gone = [HOME, DARK, DARK, DARK, DARK, DARK];
    assert_eq!(raised(&gone), [(4, Alarm::Gone)]);
    // The cable first, and then another network.
    let both = [HOME, DARK, DARK, FOREIGN, FOREIGN, FOREIGN];
    assert_eq!(raised(&both), [(4, Alarm::Foreign)]);
}

#[test]
fn what_happens_in_a_clinic_is_no_alarm() {
    for looks in [
        // A cable that is out for two minutes, again and again.
        [HOME, DARK, DARK, HOME, DARK, DARK, DARK, HOME],
        // The router is off; then somebody pulls the cable too.
        [HOME, SILENT, SILENT, DARK, DARK, DARK, DARK, DARK],
        // A server that starts without a cable.
        [DARK, DARK, DARK, DARK, DARK, DARK, DARK, DARK],
        [HOME, SILENT, SILENT, SILENT, SILENT, SILENT, SILENT, SILENT],
        // Another network's answers are heard for a while.
        [
            HOME, FOREIGN, FOREIGN, FOREIGN, HOME, FOREIGN, FOREIGN, FOREIGN,
        ],
        [
            HOME, FOREIGN, FOREIGN, FOREIGN, SILENT, FOREIGN, FOREIGN, FOREIGN,
        ],
    ] {
        assert_eq!(raised(&looks), [], "{looks:?}");
    }
    let switched_off = seen(0, 0, 3, Link::Off);
    assert_eq!(
        raised(&[HOME, switched_off, switched_off, switched_off, switched_off]),
        []
    );
}

#[test]
fn an_alarm_is_raised_once_and_is_over_when_home_is_seen_for_as_long() {
    let mut looks = vec![HOME];
    looks.extend([FOREIGN; 20]);
    assert_eq!(raised(&looks).len(), 1);
    // Home for a moment does not end it.
    looks.extend([
        HOME, HOME, HOME, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN,
    ]);
    assert_eq!(raised(&looks).len(), 1);
    looks.extend([HOME; 4]);
    assert_eq!(verdicts(&looks).last(), Some(&Verdict::AllClear));
    looks.extend([FOREIGN; 4]);
    assert_eq!(raised(&looks).len(), 2);
}

#[test]
fn nothing_is_destroyed_but_where_the_owner_wants_it_and_gets_in_again() {
    use {OnAlarm::*, WayBack::*};
    for (wanted, way_back, expected) in [
        (Alert, Listed, Answer::Tell),
        (Alert, None, Answer::Tell),
        (Lock, Listed, Answer::Lock),
        (Lock, None, Answer::Lock),
        (Reset, Listed, Answer::Reset),
        (Reset, None, Answer::LockOnly),
        (Off, Listed, Answer::Tell),
        (Off, None, Answer::Tell),
    ] {
        assert_eq!(answer(wanted, way_back), expected);
    }
}

#[test]
fn nothing_counts_in_the_first_minutes() {
    let mut watch = Watch::new(WatchPolicy::default());
    for time in (0..300).step_by(10) {
        assert_eq!(watch.look(at(time, FOREIGN)), Verdict::Nothing);
    }
    for time in (300..480).step_by(10) {
        assert_eq!(watch.look(at(time, FOREIGN)), Verdict::Nothing, "{time}");
    }
    assert_eq!(watch.look(at(480, FOREIGN)), Verdict::Raise(Alarm::Foreign));
}

#[test]
fn after_a_suspend_and_after_a_stretch_without_looks_it_counts_anew() {
    let look = |awake: u64, slept: u64, seen| Look {
        awake: seconds(awake),
        since_boot: seconds(awake + slept),
        seen,
    };
    for (away, slept) in [(60, 8 * 3600), (60, 2), (131, 0)] {
        let mut watch = Watch::new(WatchPolicy::default());
        for time in [600, 660, 720] {
            assert_eq!(watch.look(look(time, 0, FOREIGN)), Verdict::Nothing);
        }
        // Three minutes since the first, and nobody knows what was between.
        let mut time = 720 + away;
        let begin = time;
        while time < begin + 300 + 180 {
            let verdict = watch.look(look(time, slept, FOREIGN));
            assert_eq!(verdict, Verdict::Nothing, "{away} {slept} {time}");
            time += 60;
        }
        let verdict = watch.look(look(time, slept, FOREIGN));
        assert_eq!(verdict, Verdict::Raise(Alarm::Foreign), "{away} {slept}");
    }
    // The cable was there before the lid was closed, and that says nothing.
    let mut watch = Watch::new(WatchPolicy::default());
    watch.look(look(600, 0, HOME));
    for time in (660..3000).step_by(60) {
        assert_eq!(watch.look(look(time, 3600, DARK)), Verdict::Nothing);
    }
}

/// The definition, over the whole history instead of step by step: the look
/// `at` is the first of an alarm when no alarm is on.
fn is_bad_for_long(looks: &[Seen], at: usize) -> bool {
    let bad = |seen: &Seen| [FOREIGN, DARK].contains(seen);
    let from = looks[..=at]
        .iter()
        .rposition(|seen| !bad(seen))
        .map_or(0, |last| last + 1);
    let begins = |at: usize| looks[at] == FOREIGN || (at > 0 && looks[at - 1] == HOME);
    (from..=at)
        .find(|at| begins(*at))
        .is_some_and(|begin| at - begin >= 3)
}

fn is_good_for_long(looks: &[Seen], at: usize) -> bool {
    at >= 3 && looks[at - 3..=at].iter().all(|seen| *seen == HOME)
}

#[test]
fn every_history_of_nine_looks_ends_as_defined() {
    let kinds = [HOME, FOREIGN, DARK, SILENT];
    for number in 0..4usize.pow(9) {
        let looks: Vec<Seen> = (0..9)
            .map(|digit| kinds[number >> (2 * digit) & 3])
            .collect();
        let mut raised = false;
        for (at, verdict) in verdicts(&looks).into_iter().enumerate() {
            let raise = !raised && is_bad_for_long(&looks, at);
            let clear = raised && is_good_for_long(&looks, at);
            assert_eq!(
                matches!(verdict, Verdict::Raise(_)),
                raise,
                "{at} of {looks:?}"
            );
            assert_eq!(verdict == Verdict::AllClear, clear, "{at} of {looks:?}");
            raised = (raised || raise) && !clear;
        }
    }
}

fn any_seen() -> impl Strategy<Value = Seen> {
    let link = prop_oneof![Just(Link::Up), Just(Link::Lost), Just(Link::Off)];
    (0..4u8, 0..4u8, 0..4u8, 0..4u8, link).prop_map(|(matched, different, silent, need, link)| {
        Seen {
            matched,
            different,
            silent,
            need,
            link,
        }
    })
}

/// Mostly what makes an alarm, so that there are some.
fn some_seen() -> impl Strategy<Value = Seen> {
    prop_oneof![4 => Just(FOREIGN), 3 => Just(DARK), 1 => Just(HOME), 1 => any_seen()]
}

proptest! {
    #[test]
    fn no_alarm_without_enough_bad_looks_in_a_row_that_nothing_interrupts(
        steps in proptest::collection::vec((1u64..90, prop_oneof![9 => Just(0u64), 1 => 0..100_000u64], some_seen()), 1..80),
        every in 0u16..100, persist in 0u16..200, settle in 0u16..400,
    ) {
        let policy = WatchPolicy { every, persist, settle, ..WatchPolicy::default() };
        let mut watch = Watch::new(policy);
        let (mut awake, mut slept) = (0, 0);
        let mut looks: Vec<(Look, Verdict)> = Vec::new();
        for (step, nap, seen) in steps {
            awake += step;
            slept += nap;
            let look = Look { awake: seconds(awake), since_boot: seconds(awake + slept), seen };
            let verdict = watch.look(look);
            looks.push((look, verdict));
            if !matches!(verdict, Verdict::Raise(_)) {
                continue;
            }
            prop_assert!(look.since_boot >= policy.settle());
            // Back to the first of the bad ones: enough of them, for long
            // enough, awake and looking all the while.
            let mut count = 1;
            let mut first = look;
            for pair in looks.windows(2).rev() {
                if count >= LOOKS && look.awake - first.awake >= policy.persist() {
                    break;
                }
                let (earlier, later) = (pair[0].0, pair[1].0);
                prop_assert!([Kind::Foreign, Kind::Dark].contains(&earlier.seen.kind()));
                let between = later.awake - earlier.awake;
                prop_assert!(between <= 2 * policy.every() + SLOW);
                prop_assert!(later.since_boot - earlier.since_boot <= between + seconds(1));
                count += 1;
                first = earlier;
            }
            prop_assert!(count >= LOOKS);
            prop_assert!(look.awake - first.awake >= policy.persist());
        }
    }

    #[test]
    fn no_look_panics(
        looks in proptest::collection::vec((any::<u32>(), any::<u32>(), any_seen()), 0..50),
        every in any::<u16>(), persist in any::<u16>(), settle in any::<u16>(),
    ) {
        let mut watch = Watch::new(WatchPolicy { every, persist, settle, ..WatchPolicy::default() });
        for (awake, since_boot, seen) in looks {
            let (awake, since_boot) = (seconds(awake.into()), seconds(since_boot.into()));
            watch.look(Look { awake, since_boot, seen });
        }
    }
}
