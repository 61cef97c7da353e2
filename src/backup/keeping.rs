//! Which backups are kept, in the words of restic. The newest whole one always is. The clock
//! is believed where it goes on with the numbers.

use std::collections::BTreeSet;

/// A backup that is whole. Others are never thinned: what is damaged is shown to a person.
/// In the order of backups: by their numbers, whatever the clock said. Two may claim one
/// number, when a stick was written to elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// Its number.
    pub number: u64,
    /// When it was begun, in seconds since 1970 UTC.
    pub made: u64,
    /// The length of all its files.
    pub bytes: u64,
}

/// What is kept. Without any of the counts, everything is that fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The newest ones.
    pub last: u32,
    /// The newest of a day, for so many days that have one.
    pub daily: u32,
    /// The same of weeks, from Monday on.
    pub weekly: u32,
    /// The same of months.
    pub monthly: u32,
    /// Bytes of all backups together, at most.
    pub limit: Option<u64>,
}

impl Rules {
    fn counts(&self) -> bool {
        self.last > 0 || self.count_time()
    }

    /// Whether one of them goes by the clock.
    pub fn count_time(&self) -> bool {
        self.daily > 0 || self.weekly > 0 || self.monthly > 0
    }
}

const DAY: u64 = 24 * 3600;

/// Counts days, weeks or months, from seconds since 1970.
type Period = fn(u64) -> u64;

/// The newest backup that was made no later than one before it: the clock was wrong for one
/// of the two, and nobody knows when those up to it were made.
pub fn wrong_clock(backups: &[Kept]) -> Option<Kept> {
    let newest_first = newest_first(backups);
    let mut pairs = newest_first.windows(2);
    let wrong = pairs.find(|pair| pair[0].made <= pair[1].made);
    wrong.map(|pair| pair[0])
}

fn newest_first(backups: &[Kept]) -> Vec<Kept> {
    let mut newest_first = backups.to_vec();
    newest_first.sort_unstable_by_key(|backup| core::cmp::Reverse(*backup));
    newest_first
}

/// The backups that the rules let go, the oldest first. The newest is never among them; and no
/// rule by time takes one of before the clock was wrong.
pub fn expendable(backups: &[Kept], rules: &Rules) -> Vec<Kept> {
    let newest_first = newest_first(backups);
    let mut kept: BTreeSet<Kept> = match rules.counts() {
        true => newest_first
            .iter()
            .take(rules.last as usize)
            .copied()
            .collect(),
        false => backups.iter().copied().collect(),
    };
    if let Some(wrong) = wrong_clock(backups).filter(|_| rules.count_time()) {
        kept.extend(backups.iter().filter(|backup| **backup <= wrong));
    }
    let periods: [(u32, Period); 3] = [
        (rules.daily, |made| made / DAY),
        // The first of January 1970 was a Thursday.
        (rules.weekly, |made| (made / DAY + 3) / 7),
        (rules.monthly, month),
    ];
    for (count, period) in periods {
        let mut seen = BTreeSet::new();
        for backup in &newest_first {
            if seen.len() < count as usize && seen.insert(period(backup.made)) {
                kept.insert(*backup);
            }
        }
    }
    kept.extend(newest_first.first());
    if let Some(limit) = rules.limit {
        kept = within(limit, &kept);
    }
    let oldest_first = newest_first.into_iter().rev();
    oldest_first.filter(|one| !kept.contains(one)).collect()
}

/// The same before `coming` is written, so that there is room for it. The newest that is
/// there stays, whatever comes of the one that is written.
pub fn expendable_before(backups: &[Kept], coming: Kept, rules: &Rules) -> Vec<Kept> {
    let newest = backups.iter().max();
    let gone = expendable(&[backups, &[coming]].concat(), rules);
    gone.into_iter().filter(|one| Some(one) != newest).collect()
}

/// Those of the newest that fit, and the newest in any case.
fn within(limit: u64, kept: &BTreeSet<Kept>) -> BTreeSet<Kept> {
    let mut sum = 0u64;
    let newest_first = kept.iter().rev().enumerate();
    let fit = newest_first.take_while(|(at, backup)| {
        sum = sum.saturating_add(backup.bytes);
        *at == 0 || sum <= limit
    });
    fit.map(|(_, backup)| *backup).collect()
}

/// Counts months, from year and month of the proleptic Gregorian calendar (Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
fn month(made: u64) -> u64 {
    let days = made / DAY + 719_468;
    let era_day = days % 146_097;
    let year_of_era = (era_day - era_day / 1460 + era_day / 36_524 - era_day / 146_096) / 365;
    let day_of_year = era_day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Counted from March.
    let month = (5 * day_of_year + 2) / 153;
    (days / 146_097 * 400 + year_of_era) * 12 + month
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Backup `number` of `bytes`, made on this day since 1970 at noon.
    fn on_day(number: u64, day: u64) -> Kept {
        Kept {
            number,
            made: day * DAY + DAY / 2,
            bytes: 10,
        }
    }

    fn kept(backups: &[Kept], rules: Rules) -> Vec<u64> {
        let gone = expendable(backups, &rules);
        let kept = backups.iter().filter(|backup| !gone.contains(backup));
        kept.map(|backup| backup.number).collect()
    }

    #[test]
    fn without_a_rule_nothing_goes() {
        let all = [on_day(1, 1), on_day(2, 1), on_day(3, 400)];
        assert_eq!(kept(&all, Rules::default()), [1, 2, 3]);
    }

    #[test]
    fn each_day_week_and_month_keeps_its_newest() {
        // Monday the fifth of January 1970 was day 4.
        let later = |backup: Kept| Kept {
            made: backup.made + 3600,
            ..backup
        };
        let all: Vec<Kept> = (0..40)
            .flat_map(|day| [on_day(2 * day + 1, day), later(on_day(2 * day + 2, day))])
            .collect();
        let rule = |last, daily, weekly, monthly| Rules {
            last,
            daily,
            weekly,
            monthly,
            limit: None,
        };
        assert_eq!(kept(&all, rule(3, 0, 0, 0)), [78, 79, 80]);
        assert_eq!(kept(&all, rule(0, 3, 0, 0)), [76, 78, 80]);
        // Day 39 is a Monday; the Sundays before are days 38 and 31.
        assert_eq!(kept(&all, rule(0, 0, 3, 0)), [64, 78, 80]);
        // The last day of January was day 30.
        assert_eq!(kept(&all, rule(0, 0, 0, 5)), [62, 80]);
        assert_eq!(kept(&all, rule(2, 2, 2, 2)), [62, 78, 79, 80]);
    }

    #[test]
    fn limit_takes_the_oldest_and_never_the_newest() {
        let all = [on_day(1, 1), on_day(2, 2), on_day(3, 3)];
        let within = |limit| {
            let limit = Some(limit);
            kept(
                &all,
                Rules {
                    limit,
                    ..Rules::default()
                },
            )
        };
        assert_eq!(within(30), [1, 2, 3]);
        assert_eq!(within(29), [2, 3]);
        assert_eq!(within(10), [3]);
        assert_eq!(within(0), [3]);
    }

    #[test]
    fn clock_that_was_wrong_does_not_change_who_is_newest() {
        // The first two were made before the clock was set: in the year 2100.
        let all = [on_day(1, 47_482), on_day(2, 47_483), on_day(3, 20_000)];
        let rules = Rules {
            last: 1,
            ..Rules::default()
        };
        assert_eq!(kept(&all, rules), [3]);
    }

    #[test]
    fn clock_that_stands_still_lets_no_rule_by_time_remove() {
        let daily = Rules {
            daily: 7,
            ..Rules::default()
        };
        // Each boot begins on the same day.
        let same_day = |number, made| Kept {
            made,
            ..on_day(number, 0)
        };
        let all = [same_day(1, 900), same_day(2, 930), same_day(3, 910)];
        assert_eq!(wrong_clock(&all), Some(all[2]));
        assert_eq!(kept(&all, daily), [1, 2, 3]);
        // Behind that it goes right again, and is believed.
        let later = [same_day(4, 920), same_day(5, 950)];
        let more = [&all[..], &later].concat();
        assert_eq!(kept(&more, daily), [1, 2, 3, 5]);
        let last = Rules { last: 2, ..daily };
        assert_eq!(kept(&more, last), [1, 2, 3, 4, 5]);
        assert_eq!(wrong_clock(&later), None);
    }

    #[test]
    fn two_backups_of_one_number_do_not_go_together() {
        let all = [on_day(1, 1), on_day(2, 2), on_day(2, 3)];
        let limited = Rules {
            limit: Some(15),
            ..Rules::default()
        };
        assert_eq!(expendable(&all, &limited), all[..2]);
        let last = Rules {
            last: 1,
            ..Rules::default()
        };
        assert_eq!(expendable(&all, &last), all[..2]);
    }

    #[test]
    fn room_is_made_before_and_the_newest_there_stays() {
        let all = [on_day(1, 1), on_day(2, 2), on_day(3, 3)];
        let coming = on_day(4, 4);
        let before = |rules| expendable_before(&all, coming, &rules);
        let last = |last| Rules {
            last,
            ..Rules::default()
        };
        assert!(before(Rules::default()).is_empty());
        assert_eq!(before(last(3)), all[..1]);
        assert_eq!(before(last(1)), all[..2], "not the newest that is there");
        let limit = Rules {
            limit: Some(25),
            ..Rules::default()
        };
        assert_eq!(before(limit), all[..2]);
        assert!(expendable_before(&[], coming, &last(1)).is_empty());
    }

    #[test]
    fn clock_that_went_back_makes_no_room_by_days() {
        // A dead battery: the next one is made in 1970.
        let all: Vec<Kept> = (1..=5)
            .map(|number| on_day(number, 20_000 + number))
            .collect();
        let daily = Rules {
            daily: 2,
            ..Rules::default()
        };
        assert_eq!(expendable_before(&all, on_day(6, 20_006), &daily), all[..4]);
        assert!(expendable_before(&all, on_day(6, 0), &daily).is_empty());
        // What has a count of its own goes on by the numbers.
        let last = Rules {
            last: 3,
            ..Rules::default()
        };
        assert_eq!(expendable_before(&all, on_day(6, 0), &last), all[..3]);
    }

    #[test]
    fn month_ends_where_the_calendar_says() {
        let changes: Vec<u64> = (1..800)
            .filter(|day| month(day * DAY) != month((day - 1) * DAY))
            .collect();
        // 1970 and 1971, and 1972 with its leap day.
        let expected = [
            31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365, 396, 424, 455, 485, 516, 546,
            577, 608, 638, 669, 699, 730, 761, 790,
        ];
        assert_eq!(changes, expected);
    }

    proptest! {
        #[test]
        fn newest_stays_and_each_is_told_once(
            backups in proptest::collection::btree_map(1u64..200, (0u64..u64::MAX, any::<u64>()), 0..30),
            (last, daily, weekly, monthly) in (0u32..5, 0u32..5, 0u32..5, 0u32..5),
            limit in proptest::option::of(any::<u64>()),
        ) {
            let backups: Vec<Kept> = backups
                .into_iter()
                .map(|(number, (made, bytes))| Kept { number, made, bytes })
                .collect();
            let rules = Rules { last, daily, weekly, monthly, limit };
            let gone = expendable(&backups, &rules);
            prop_assert!(gone.is_sorted());
            let newest = backups.iter().max();
            prop_assert!(newest.is_none_or(|newest| !gone.contains(newest)));
            prop_assert!(gone.len() < backups.len().max(1));
            // What is thinned stays thinned: doing it again takes nothing more. A limit may
            // take what showed that the clock was wrong.
            let left: Vec<Kept> = backups
                .iter()
                .filter(|backup| !gone.contains(backup))
                .copied()
                .collect();
            if limit.is_none() {
                prop_assert!(expendable(&left, &rules).is_empty());
            }
        }
    }
}
