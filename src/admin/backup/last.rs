//! How old the newest good backup is, as `status`, `check` and the message at log-in say it.
//! Told from memory, without a stick.

use crate::admin::timestamp::rfc3339;
use crate::backup::Verified;
use crate::release::notice::{self, Topic};
use crate::sys::clock;

use super::remembered::{is_nothing_remembered, read_newest, read_released_keys};

/// A backup that is older is too old, in seconds: one a week has a day to spare.
const TOO_OLD: u64 = 8 * 24 * 3600;

/// The newest backup that was read back whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastBackup {
    /// `stayput backup` has never made one here. There may be others.
    Never,
    /// The keys that prove it are not in memory, or it was changed without them.
    NotKnown,
    /// Backups were made, and none is known that was read back whole.
    NoneGood,
    /// This one.
    Good(Verified),
}

impl LastBackup {
    /// What this server remembers now.
    pub fn look() -> Self {
        if is_nothing_remembered() {
            return Self::Never;
        }
        let Some(keys) = read_released_keys() else {
            return Self::NotKnown;
        };
        match read_newest(&keys) {
            Err(_) => Self::NotKnown,
            Ok(None) => Self::Never,
            Ok(Some(newest)) => match (newest.verified, newest.number) {
                (Some(good), _) => Self::Good(good),
                (None, 0) => Self::Never,
                (None, _) => Self::NoneGood,
            },
        }
    }

    /// Whether somebody has to see to it. A clock that is before the backup tells nothing.
    pub fn is_too_old(self, now: u64) -> bool {
        match self {
            Self::Never | Self::NotKnown => false,
            Self::NoneGood => true,
            Self::Good(good) => now < good.made || now - good.made > TOO_OLD,
        }
    }

    /// In a sentence; `now` in seconds since 1970 UTC. `None` where there is nothing to tell.
    pub fn sentence(self, now: u64) -> Option<String> {
        Some(match self {
            Self::Never => return None,
            Self::NotKnown => {
                "How old the newest backup of the database is cannot be told without the keys in \
                 memory."
                    .into()
            }
            Self::NoneGood => "No backup of the database is known that was read back whole.".into(),
            Self::Good(Verified { number, made }) => {
                let at = rfc3339(made);
                match now.checked_sub(made) {
                    None => format!(
                        "The newest backup of the database, number {number}, is of {at}: the \
                         clock says it is to come."
                    ),
                    Some(age) => format!(
                        "The newest backup of the database, number {number}, is {} old: of {at}.",
                        duration(age)
                    ),
                }
            }
        })
    }

    /// What whoever logs in reads; empty where nothing is to be told. It stays until it is
    /// written again, so it names the time and not the age.
    fn notice(self, now: u64) -> String {
        let next = match self.is_too_old(now) {
            true => " Make one: stayput backup --to PLACE",
            false => "",
        };
        match self {
            Self::Good(Verified { number, made }) => format!(
                "stayput: the newest backup of the database is number {number}, of {}.{next}\n",
                rfc3339(made)
            ),
            Self::NoneGood => format!(
                "stayput: no backup of the database is known that was read back whole.{next}\n"
            ),
            Self::Never | Self::NotKnown => String::new(),
        }
    }

    /// Puts the message for whoever logs in.
    pub fn tell_at_login() {
        // A failure stops nothing.
        let _ = notice::put(Topic::Backup, &Self::look().notice(clock::now()));
    }
}

fn duration(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => return "less than a minute".into(),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    match count {
        1 => format!("1 {unit}"),
        _ => format!("{count} {unit}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: u64 = 1_764_274_500;
    const GOOD: LastBackup = LastBackup::Good(Verified {
        number: 12,
        made: MADE,
    });

    #[test]
    fn backup_of_last_week_is_fine_and_of_nine_days_ago_is_not() {
        let day = 24 * 3600;
        assert!(!GOOD.is_too_old(MADE));
        assert!(!GOOD.is_too_old(MADE + 7 * day));
        assert!(GOOD.is_too_old(MADE + 9 * day));
        // Nobody knows how old it is.
        assert!(GOOD.is_too_old(MADE - 1));
        assert!(LastBackup::NoneGood.is_too_old(MADE));
        for state in [LastBackup::Never, LastBackup::NotKnown] {
            assert!(!state.is_too_old(MADE), "{state:?}");
        }
    }

    #[test]
    fn age_is_told_in_one_unit_and_with_its_time() {
        let told = |after| GOOD.sentence(MADE + after).unwrap();
        assert!(told(0).contains("is less than a minute old: of 2025-11-27T20:15:00Z."));
        assert!(told(60).contains("is 1 minute old"));
        assert!(told(5 * 3600).contains("is 5 hours old"));
        assert!(told(47 * 3600).contains("is 47 hours old"));
        assert!(told(9 * 24 * 3600).contains("is 9 days old"));
        assert!(GOOD.sentence(MADE - 1).unwrap().contains("to come"));
        assert_eq!(LastBackup::Never.sentence(MADE), None);
    }

    #[test]
    fn log_in_names_the_time_and_what_to_do_about_an_old_one() {
        let told = GOOD.notice(MADE + 60);
        assert!(
            told.contains("number 12, of 2025-11-27T20:15:00Z."),
            "{told}"
        );
        assert!(!told.contains("stayput backup"), "{told}");
        let old = GOOD.notice(MADE + 30 * 24 * 3600);
        assert!(old.contains("stayput backup --to PLACE"), "{old}");
        assert_eq!(LastBackup::Never.notice(MADE), "");
    }
}
