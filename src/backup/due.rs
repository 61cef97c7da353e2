//! When a stick that stays in the server gets its next backup.

/// The newest backup of a stick, as it was made during this boot.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Made {
    /// Its number.
    pub number: u64,
    /// Where the database stood before it was begun.
    pub mark: String,
    /// Seconds since the boot when it was whole.
    pub ended: u64,
    /// Seconds that it took.
    pub took: u64,
}

/// Whether a stick gets one now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Now,
    /// Nobody has written into the database since its newest one.
    Unchanged,
    /// The server would do little else but make backups.
    TooSoon,
}

/// Of so many seconds one goes into backups, at most.
const ONE_IN: u64 = 10;

/// `made`: the stick's newest backup, where it is of this boot; `mark`: where the database
/// stands; `now`: seconds since the boot.
pub fn due(made: Option<&Made>, mark: &str, now: u64) -> Due {
    match made {
        None => Due::Now,
        Some(made) if made.mark == mark => Due::Unchanged,
        Some(made) => {
            let pause = made.took.saturating_mul(ONE_IN - 1);
            match now < made.ended.saturating_add(pause) {
                true => Due::TooSoon,
                false => Due::Now,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stick_gets_one_when_something_changed_and_not_all_the_time() {
        let made = |took| Made {
            number: 12,
            mark: "0-1-5".into(),
            ended: 1000,
            took,
        };
        assert_eq!(due(None, "0-1-5", 0), Due::Now);
        assert_eq!(due(Some(&made(2)), "0-1-5", 999_999), Due::Unchanged);
        assert_eq!(due(Some(&made(2)), "0-1-6", 1240), Due::Now);
        // Ten minutes of every hundred.
        assert_eq!(due(Some(&made(600)), "0-1-6", 1240), Due::TooSoon);
        assert_eq!(due(Some(&made(600)), "0-1-6", 1000 + 5400), Due::Now);
    }
}
