//! Which backups of a place are kept, as the owner names it.

use std::str::FromStr;

use crate::admin::backup::{Found, Place, State, read_all, read_manifest, remove_all};
use crate::admin::problem::Result;
use crate::backup::{
    Kept, ManifestKeys, Rules, expendable, expendable_before, folder_name, wrong_clock,
};
use crate::vault::ServerId;

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

    /// The whole ones that the rules are about.
    fn looked_at(&self, found: &[Found]) -> Vec<Kept> {
        kept(found, self.called)
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
    let kept = options.looked_at(found);
    let rules = options.rules(place)?;
    if let Some(wrong) = wrong_clock(&kept).filter(|_| rules.count_time()) {
        println!(
            "The clock was wrong when backup {}, or the one before it, was made. Rules by day, \
             week and month keep all up to it. `stayput backup forget` removes them.",
            wrong.number
        );
    }
    for one in expendable(&kept, &rules) {
        remove(place, &one)?;
    }
    Ok(())
}

/// Removes what the rules let go when `coming` has come, where the place has no room for it
/// else. The newest that is there stays, and is read to its end before: it is all that is left
/// if the next one fails. Says whether anything was removed. What cannot be removed is told,
/// and is in nobody's way.
///
/// # Errors
/// When the place cannot be read.
pub fn make_room(
    options: &KeepOptions,
    place: &Place,
    (keys, server): (&ManifestKeys, &ServerId),
    found: &[Found],
    coming: Kept,
) -> Result<bool> {
    let there = options.looked_at(found);
    let gone = expendable_before(&there, coming, &options.rules(place)?);
    let Some(newest) = there.iter().max().filter(|_| !gone.is_empty()) else {
        return Ok(false);
    };
    let name = folder_name(newest.number, newest.made);
    println!("Reading {name}, before an older one makes room.");
    let (folder, manifest) = read_manifest(place, &name, keys, server)?;
    if let Err(error) = read_all(&folder, &manifest) {
        eprintln!(
            "stayput: warning: the backup {name} can not be read any more ({error}). Nothing is \
             removed. Do not trust this place."
        );
        return Ok(false);
    }
    let mut has_room = false;
    for one in &gone {
        match remove(place, one) {
            Ok(()) => has_room = true,
            Err(problem) => eprintln!("stayput: warning: it cannot be removed. {}", problem.what),
        }
    }
    Ok(has_room)
}

/// The whole ones, as the rules know them: all, or those with this label.
pub fn kept(found: &[Found], called: Option<&str>) -> Vec<Kept> {
    let whole = found.iter().filter_map(|one| match &one.state {
        State::Whole(summary) if called.is_none_or(|label| summary.label == label) => Some(Kept {
            number: one.number,
            made: summary.made,
            bytes: summary.bytes,
        }),
        _ => None,
    });
    whole.collect()
}

fn remove(place: &Place, one: &Kept) -> Result<()> {
    // Of whole ones it was seen that they have this name.
    let name = folder_name(one.number, one.made);
    remove_all(place, [name.as_str()])?;
    println!("Removed the older backup {name}.");
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
