//! Which backups are kept, in the words of restic. The newest whole one always is.

use std::collections::BTreeSet;

/// A backup that is whole. Others are never thinned: what is damaged is shown to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number; the order of backups, whatever the clock said.
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
        self.last + self.daily + self.weekly + self.monthly > 0
    }
}

const DAY: u64 = 24 * 3600;

/// The backups that the rules let go, the oldest first. The newest is never among them.
pub fn expendable(backups: &[Kept], rules: &Rules) -> Vec<u64> {
    let mut newest_first = backups.to_vec();
    newest_first.sort_unstable_by_key(|backup| core::cmp::Reverse(backup.number));
    let mut kept: BTreeSet<u64> = match rules.counts() {
        true => newest_first
            .iter()
            .take(rules.last as usize)
            .map(|backup| backup.number)
            .collect(),
        false => backups.iter().map(|backup| backup.number).collect(),
    };
    let periods: [(u32, fn(u64) -> u64); 3] = [
        (rules.daily, |made| made / DAY),
        // The first of January 1970 was a Thursday.
        (rules.weekly, |made| (made / DAY + 3) / 7),
        (rules.monthly, month),
    ];
    for (count, period) in periods {
        let mut seen = BTreeSet::new();
        for backup in &newest_first {
            if seen.len() < count as usize && seen.insert(period(backup.made)) {
                kept.insert(backup.number);
            }
        }
    }
    kept.extend(newest_first.first().map(|backup| backup.number));
    if let Some(limit) = rules.limit {
        keep_within(limit, &newest_first, &mut kept);
    }
    let numbers = newest_first.iter().rev().map(|backup| backup.number);
    numbers.filter(|number| !kept.contains(number)).collect()
}

/// Lets the oldest go until the rest fits, or only the newest is left.
fn keep_within(limit: u64, newest_first: &[Kept], kept: &mut BTreeSet<u64>) {
    let mut sum = 0u64;
    for (at, backup) in newest_first
        .iter()
        .filter(|backup| kept.contains(&backup.number))
        .copied()
        .collect::<Vec<_>>()
        .iter()
        .enumerate()
    {
        sum = sum.saturating_add(backup.bytes);
        if at > 0 && sum > limit {
            // This and all that are older.
            kept.retain(|number| *number > backup.number);
            return;
        }
    }
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
        let numbers = backups.iter().map(|backup| backup.number);
        numbers.filter(|number| !gone.contains(number)).collect()
    }

    #[test]
    fn without_a_rule_nothing_goes() {
        let all = [on_day(1, 1), on_day(2, 1), on_day(3, 400)];
        assert_eq!(kept(&all, Rules::default()), [1, 2, 3]);
    }

    #[test]
    fn each_day_week_and_month_keeps_its_newest() {
        // Monday the fifth of January 1970 was day 4.
        let all: Vec<Kept> = (0..40)
            .flat_map(|day| [on_day(2 * day + 1, day), on_day(2 * day + 2, day)])
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
            let newest = backups.iter().map(|backup| backup.number).max();
            prop_assert!(newest.is_none_or(|newest| !gone.contains(&newest)));
            prop_assert!(gone.len() < backups.len().max(1));
            // What is thinned stays thinned: doing it again takes nothing more.
            let left: Vec<Kept> = backups
                .iter()
                .filter(|backup| !gone.contains(&backup.number))
                .copied()
                .collect();
            prop_assert_eq!(expendable(&left, &rules), Vec::<u64>::new());
        }
    }
}
