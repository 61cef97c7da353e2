use super::*;
use proptest::prelude::*;

const HOME: Sample = sample(2, 0, 1, Cables::Up);
const FOREIGN: Sample = sample(1, 2, 0, Cables::Up);
const DARK: Sample = sample(0, 0, 3, Cables::Lost);
const SILENT: Sample = sample(0, 0, 3, Cables::Up);

const fn sample(matched: u8, different: u8, silent: u8, cables: Cables) -> Sample {
    Sample {
        matched,
        different,
        silent,
        need: 2,
        cables,
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A sample taken `time` after the start of a server that never slept.
fn at(time: u64, sample: Sample) -> TimedSample {
    TimedSample {
        awake: seconds(time),
        since_boot: seconds(time),
        sample,
    }
}

/// The outcome of each of these samples, taken once a minute from minute ten
/// on.
fn verdicts(samples: &[Sample]) -> Vec<AlarmChange> {
    let mut watch = Watch::new(WatchPolicy::default());
    let times = (600..).step_by(60);
    times
        .zip(samples)
        .map(|(time, sample)| watch.add(at(time, *sample)))
        .collect()
}

/// The samples at which an alarm is raised.
fn raised(samples: &[Sample]) -> Vec<(usize, Alarm)> {
    let verdicts = verdicts(samples).into_iter().enumerate();
    verdicts
        .filter_map(|(at, verdict)| match verdict {
            AlarmChange::Raise(alarm) => Some((at, alarm)),
            _ => None,
        })
        .collect()
}

#[test]
fn what_a_sample_says_by_itself() {
    for matched in 0..=3u8 {
        for different in 0..=3 - matched {
            for cables in [Cables::Up, Cables::Lost, Cables::Off] {
                let silent = 3 - matched - different;
                let kind = sample(matched, different, silent, cables).kind();
                let expected = match (matched, different, cables) {
                    (2.., _, _) => SampleKind::Home,
                    (0, 2.., _) | (1, 1.., _) => SampleKind::Foreign,
                    (0, 0, Cables::Lost) => SampleKind::Dark,
                    _ => SampleKind::Unclear,
                };
                assert_eq!(kind, expected, "{matched} {different} {cables:?}");
            }
        }
    }
    let nobody = Sample { need: 0, ..DARK };
    assert_eq!(nobody.kind(), SampleKind::Unclear, "nobody is watched");
}

#[test]
fn a_server_that_is_carried_away_is_noticed_after_three_minutes() {
    let foreign = [HOME, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN];
    assert_eq!(raised(&foreign), [(4, Alarm::Foreign)]);
    let gone = [HOME, DARK, DARK, DARK, DARK, DARK];
    assert_eq!(raised(&gone), [(4, Alarm::Gone)]);
    // First no cable, then another network.
    let both = [HOME, DARK, DARK, FOREIGN, FOREIGN, FOREIGN];
    assert_eq!(raised(&both), [(4, Alarm::Foreign)]);
}

#[test]
fn what_happens_in_a_clinic_is_no_alarm() {
    for samples in [
        // A cable that is out for two minutes, again and again.
        [HOME, DARK, DARK, HOME, DARK, DARK, DARK, HOME],
        // The router is off; then somebody pulls the cable too.
        [HOME, SILENT, SILENT, DARK, DARK, DARK, DARK, DARK],
        // A server that starts without a cable.
        [DARK, DARK, DARK, DARK, DARK, DARK, DARK, DARK],
        [HOME, SILENT, SILENT, SILENT, SILENT, SILENT, SILENT, SILENT],
        // Another network answers for a while.
        [
            HOME, FOREIGN, FOREIGN, FOREIGN, HOME, FOREIGN, FOREIGN, FOREIGN,
        ],
        [
            HOME, FOREIGN, FOREIGN, FOREIGN, SILENT, FOREIGN, FOREIGN, FOREIGN,
        ],
    ] {
        assert_eq!(raised(&samples), [], "{samples:?}");
    }
    let switched_off = sample(0, 0, 3, Cables::Off);
    assert_eq!(
        raised(&[HOME, switched_off, switched_off, switched_off, switched_off]),
        []
    );
}

#[test]
fn an_alarm_is_raised_once_and_over_after_as_long_at_home() {
    let mut samples = vec![HOME];
    samples.extend([FOREIGN; 20]);
    assert_eq!(raised(&samples).len(), 1);
    // A moment at home does not end it.
    samples.extend([
        HOME, HOME, HOME, FOREIGN, FOREIGN, FOREIGN, FOREIGN, FOREIGN,
    ]);
    assert_eq!(raised(&samples).len(), 1);
    samples.extend([HOME; 4]);
    assert_eq!(verdicts(&samples).last(), Some(&AlarmChange::AllClear));
    samples.extend([FOREIGN; 4]);
    assert_eq!(raised(&samples).len(), 2);
}

#[test]
fn an_alarm_resets_only_where_wanted_and_with_a_way_back() {
    use {OnAlarm::*, WayBack::*};
    for (wanted, way_back, expected) in [
        (Alert, Listed, AlarmResponse::Tell),
        (Alert, None, AlarmResponse::Tell),
        (Lock, Listed, AlarmResponse::Lock),
        (Lock, None, AlarmResponse::Lock),
        (Reset, Listed, AlarmResponse::Reset),
        (Reset, None, AlarmResponse::LockOnly),
        (Off, Listed, AlarmResponse::Tell),
        (Off, None, AlarmResponse::Tell),
    ] {
        assert_eq!(respond_to(wanted, way_back), expected);
    }
}

/// How often an alarm is tried that nothing comes of, in so many seconds.
fn tries_within(time: u64) -> usize {
    let mut due = Duration::ZERO;
    let tries = (0..).map_while(|tries| {
        let is_tried = due <= seconds(time);
        due += retry_pause(tries);
        is_tried.then_some(())
    });
    tries.count()
}

#[test]
fn an_alarm_in_vain_is_tried_again_at_once_and_then_for_ever() {
    assert_eq!(tries_within(20), 4);
    assert_eq!(tries_within(2 * 60), 11);
    // A thief may be at it for days: MariaDB is not asked to stop all the time.
    assert_eq!(tries_within(60 * 60), 11 + 58);
}

#[test]
fn nothing_counts_in_the_first_minutes() {
    let mut watch = Watch::new(WatchPolicy::default());
    for time in (0..300).step_by(10) {
        assert_eq!(watch.add(at(time, FOREIGN)), AlarmChange::Nothing);
    }
    for time in (300..480).step_by(10) {
        assert_eq!(watch.add(at(time, FOREIGN)), AlarmChange::Nothing, "{time}");
    }
    assert_eq!(
        watch.add(at(480, FOREIGN)),
        AlarmChange::Raise(Alarm::Foreign)
    );
}

#[test]
fn after_a_suspend_or_a_gap_it_counts_anew() {
    let timed = |awake: u64, slept: u64, sample| TimedSample {
        awake: seconds(awake),
        since_boot: seconds(awake + slept),
        sample,
    };
    for (away, slept) in [(60, 8 * 3600), (60, 2), (131, 0)] {
        let mut watch = Watch::new(WatchPolicy::default());
        for time in [600, 660, 720] {
            assert_eq!(watch.add(timed(time, 0, FOREIGN)), AlarmChange::Nothing);
        }
        // Three minutes since the first sample, but with a gap in between.
        let mut time = 720 + away;
        let begin = time;
        while time < begin + 300 + 180 {
            let verdict = watch.add(timed(time, slept, FOREIGN));
            assert_eq!(verdict, AlarmChange::Nothing, "{away} {slept} {time}");
            time += 60;
        }
        let verdict = watch.add(timed(time, slept, FOREIGN));
        assert_eq!(
            verdict,
            AlarmChange::Raise(Alarm::Foreign),
            "{away} {slept}"
        );
    }
    // The cable was there before the lid was closed, and that says nothing.
    let mut watch = Watch::new(WatchPolicy::default());
    watch.add(timed(600, 0, HOME));
    for time in (660..3000).step_by(60) {
        assert_eq!(watch.add(timed(time, 3600, DARK)), AlarmChange::Nothing);
    }
}

#[test]
fn a_late_sample_and_a_second_asleep_are_no_gap() {
    for (away, slept) in [(60, 1), (130, 0)] {
        let mut watch = Watch::new(WatchPolicy::default());
        for time in [600, 660, 720] {
            assert_eq!(watch.add(at(time, FOREIGN)), AlarmChange::Nothing);
        }
        let late = TimedSample {
            awake: seconds(720 + away),
            since_boot: seconds(720 + away + slept),
            sample: FOREIGN,
        };
        let raised = AlarmChange::Raise(Alarm::Foreign);
        assert_eq!(watch.add(late), raised, "{away} {slept}");
    }
}

#[test]
fn an_alarm_is_told_in_words() {
    let said = [Alarm::Foreign, Alarm::Gone].map(|alarm| alarm.to_string());
    assert!(said[0].contains("others answer"), "{said:?}");
    assert!(said[1].contains("cables"), "{said:?}");
}

/// The definition, over the whole history instead of step by step: the sample
/// `at` is the first of an alarm when no alarm is on.
fn is_bad_for_long(samples: &[Sample], at: usize) -> bool {
    let bad = |sample: &Sample| [FOREIGN, DARK].contains(sample);
    let from = samples[..=at]
        .iter()
        .rposition(|sample| !bad(sample))
        .map_or(0, |last| last + 1);
    let begins = |at: usize| samples[at] == FOREIGN || (at > 0 && samples[at - 1] == HOME);
    (from..=at)
        .find(|at| begins(*at))
        .is_some_and(|begin| at - begin >= 3)
}

fn is_good_for_long(samples: &[Sample], at: usize) -> bool {
    at >= 3 && samples[at - 3..=at].iter().all(|sample| *sample == HOME)
}

#[test]
fn every_history_of_nine_samples_ends_as_defined() {
    let kinds = [HOME, FOREIGN, DARK, SILENT];
    for number in 0..4usize.pow(9) {
        let samples: Vec<Sample> = (0..9)
            .map(|digit| kinds[number >> (2 * digit) & 3])
            .collect();
        let mut raised = false;
        for (at, verdict) in verdicts(&samples).into_iter().enumerate() {
            let raise = !raised && is_bad_for_long(&samples, at);
            let clear = raised && is_good_for_long(&samples, at);
            assert_eq!(
                matches!(verdict, AlarmChange::Raise(_)),
                raise,
                "{at} of {samples:?}"
            );
            assert_eq!(
                verdict == AlarmChange::AllClear,
                clear,
                "{at} of {samples:?}"
            );
            raised = (raised || raise) && !clear;
        }
    }
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let cables = prop_oneof![Just(Cables::Up), Just(Cables::Lost), Just(Cables::Off)];
    (0..4u8, 0..4u8, 0..4u8, 0..4u8, cables).prop_map(
        |(matched, different, silent, need, cables)| Sample {
            matched,
            different,
            silent,
            need,
            cables,
        },
    )
}

/// Mostly samples that raise an alarm, so that there are some.
fn likely_sample() -> impl Strategy<Value = Sample> {
    prop_oneof![4 => Just(FOREIGN), 3 => Just(DARK), 1 => Just(HOME), 1 => any_sample()]
}

proptest! {
    #[test]
    fn no_alarm_without_enough_bad_samples_in_a_row(
        steps in proptest::collection::vec((1u64..90, prop_oneof![9 => Just(0u64), 1 => 0..100_000u64], likely_sample()), 1..80),
        every in 0u16..100, persist in 0u16..200, settle in 0u16..400,
    ) {
        let policy = WatchPolicy { every, persist, settle, ..WatchPolicy::default() };
        let mut watch = Watch::new(policy);
        let (mut awake, mut slept) = (0, 0);
        let mut samples: Vec<(TimedSample, AlarmChange)> = Vec::new();
        for (step, nap, sample) in steps {
            awake += step;
            slept += nap;
            let timed = TimedSample { awake: seconds(awake), since_boot: seconds(awake + slept), sample };
            let verdict = watch.add(timed);
            samples.push((timed, verdict));
            if !matches!(verdict, AlarmChange::Raise(_)) {
                continue;
            }
            prop_assert!(timed.since_boot >= policy.settle());
            // Back to the first of the bad ones: enough of them, for long
            // enough, awake and sampling all the while.
            let mut count = 1;
            let mut first = timed;
            for pair in samples.windows(2).rev() {
                if count >= MIN_SAMPLES && timed.awake - first.awake >= policy.persist() {
                    break;
                }
                let (earlier, later) = (pair[0].0, pair[1].0);
                prop_assert!([SampleKind::Foreign, SampleKind::Dark].contains(&earlier.sample.kind()));
                let between = later.awake - earlier.awake;
                prop_assert!(between <= 2 * policy.every() + SLOW);
                prop_assert!(later.since_boot - earlier.since_boot <= between + seconds(1));
                count += 1;
                first = earlier;
            }
            prop_assert!(count >= MIN_SAMPLES);
            prop_assert!(timed.awake - first.awake >= policy.persist());
        }
    }

    #[test]
    fn no_look_panics(
        samples in proptest::collection::vec((any::<u32>(), any::<u32>(), any_sample()), 0..50),
        every in any::<u16>(), persist in any::<u16>(), settle in any::<u16>(),
    ) {
        let mut watch = Watch::new(WatchPolicy { every, persist, settle, ..WatchPolicy::default() });
        for (awake, since_boot, sample) in samples {
            let (awake, since_boot) = (seconds(awake.into()), seconds(since_boot.into()));
            watch.add(TimedSample { awake, since_boot, sample });
        }
    }
}
