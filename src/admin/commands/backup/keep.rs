//! Which backups of a place are kept, as the owner names it.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::admin::backup::{Found, Place, State, remove_all};
use crate::admin::problem::Result;
use crate::backup::{Kept, Rules, expendable};

/// What is kept. Without any of these, everything is.
#[derive(clap::Args, Clone, Debug)]
pub struct KeepOptions {
    /// Keep the newest N backups
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_last: u32,
    /// Keep the newest backup of each of the last N days that have one
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_daily: u32,
    /// Keep the newest backup of each of the last N weeks that have one
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_weekly: u32,
    /// Keep the newest backup of each of the last N months that have one
    #[arg(long, value_name = "N", default_value_t = 0)]
    keep_monthly: u32,
    /// Remove the oldest until all take no more than this: 50%, or 20G (M, G, T)
    #[arg(long, value_name = "SIZE")]
    limit: Option<Limit>,
    /// Only backups with this label are looked at.
    #[arg(skip)]
    called: Option<&'static str>,
}

/// A part of the place, or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Percent(u8),
    Bytes(u64),
}

impl FromStr for Limit {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        const WRONG: &str = "write 50%, or a number with M, G or T";
        if let Some(percent) = text.strip_suffix('%') {
            let percent = percent.parse().map_err(|_| WRONG)?;
            return match percent {
                1..=100 => Ok(Self::Percent(percent)),
                _ => Err(WRONG),
            };
        }
        let units = [
            ('M', 1_000_000),
            ('G', 1_000_000_000),
            ('T', 1_000_000_000_000),
        ];
        let (number, unit) = units
            .into_iter()
            .find_map(|(letter, unit)| Some((text.strip_suffix(letter)?, unit)))
            .ok_or(WRONG)?;
        let number: u64 = number.parse().map_err(|_| WRONG)?;
        number.checked_mul(unit).map(Self::Bytes).ok_or(WRONG)
    }
}

impl KeepOptions {
    /// The same for the backups with this label alone.
    pub fn of_those_called(&self, label: &'static str) -> Self {
        Self {
            called: Some(label),
            ..self.clone()
        }
    }

    /// Whether it lets anything go.
    pub fn is_any(&self) -> bool {
        let counts = self.keep_last + self.keep_daily + self.keep_weekly + self.keep_monthly;
        counts > 0 || self.limit.is_some()
    }

    fn rules(&self, place: &Place) -> Result<Rules> {
        let limit = match self.limit {
            None => None,
            Some(Limit::Bytes(bytes)) => Some(bytes),
            Some(Limit::Percent(percent)) => Some(place.capacity()? / 100 * u64::from(percent)),
        };
        Ok(Rules {
            last: self.keep_last,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            limit,
        })
    }
}

/// Removes what the rules let go, and says so. What is damaged stays, for a person to see.
///
/// # Errors
/// When something cannot be removed; what is left is whole.
pub fn thin(options: &KeepOptions, place: &Place, found: &[Found]) -> Result<()> {
    let kept = found.iter().filter_map(|one| match &one.state {
        State::Whole(summary) if options.called.is_none_or(|label| summary.label == label) => {
            Some(Kept {
                number: one.number,
                made: summary.made,
                bytes: summary.bytes,
            })
        }
        _ => None,
    });
    let kept: Vec<Kept> = kept.collect();
    let gone: BTreeSet<u64> = expendable(&kept, &options.rules(place)?)
        .into_iter()
        .collect();
    let is_whole = |one: &&Found| matches!(one.state, State::Whole(_));
    let names = found.iter().filter(is_whole);
    let names: Vec<&str> = names
        .filter(|one| gone.contains(&one.number))
        .map(|one| one.name.as_str())
        .collect();
    remove_all(place, names.iter().copied())?;
    for name in names {
        println!("Removed the older backup {name}.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_is_a_share_or_a_size_and_nothing_else() {
        for (text, limit) in [
            ("50%", Limit::Percent(50)),
            ("100%", Limit::Percent(100)),
            ("20G", Limit::Bytes(20_000_000_000)),
            ("500M", Limit::Bytes(500_000_000)),
        ] {
            assert_eq!(text.parse(), Ok(limit));
        }
        for text in ["", "0%", "101%", "50", "G", "-1G", "99999999999T", "5 G"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }
}
