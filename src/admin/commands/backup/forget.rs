//! `stayput backup forget`: removes backups that their owner names, or that the rules let go.

use std::path::PathBuf;

use super::keep::{KeepOptions, thin};
use super::usage;
use crate::admin::ask;
use crate::admin::backup::{
    Found, LOCK, Place, State, find_all, released_manifest_keys, remove_all,
};
use crate::admin::lock_file::only_one;
use crate::admin::open_vault::open_vault_read_only;
use crate::admin::problem::{Problem, Result};
use crate::printable::Printable;

/// What is removed.
#[derive(clap::Args, Clone, Debug)]
pub struct ForgetOptions {
    /// A directory, or a stick such as /dev/sdb1
    #[arg(long, value_name = "PLACE")]
    from: PathBuf,
    /// The backup with this number; can be given several times
    #[arg(long, value_name = "NUMBER")]
    backup: Vec<u64>,
    #[command(flatten)]
    keep: KeepOptions,
    /// Do not ask whether to go on
    #[arg(long)]
    yes: bool,
}

/// Runs `stayput backup forget`.
///
/// # Errors
/// When nothing was named, the newest whole one was, or something cannot be removed.
pub fn forget(options: &ForgetOptions) -> Result<()> {
    if options.backup.is_empty() && !options.keep.is_any() {
        return Err(usage(
            "Nothing is named that is to be removed: --backup NUMBER, or a rule such as \
             --keep-last 5.",
        ));
    }
    let _alone = only_one(LOCK, "`stayput backup` or `restore`")?;
    let server = open_vault_read_only()?.header().server_id;
    let keys = released_manifest_keys()?;
    let place = Place::for_removing(&options.from, &server)?;
    let found = find_all(&place, &keys, &server)?;
    let named = named(&found, &options.backup)?;
    for one in &named {
        println!("To be removed: {}", Printable(&one.name));
    }
    if !named.is_empty() {
        ask::confirm("They are removed for good. Go on?", options.yes)?;
        remove_all(&place, named.iter().map(|one| one.name.as_str()))?;
    }
    if options.keep.is_any() {
        thin(&options.keep, &place, &find_all(&place, &keys, &server)?)?;
    }
    println!("Done.");
    Ok(())
}

/// The folders with these numbers. Pure.
fn named<'a>(found: &'a [Found], numbers: &[u64]) -> Result<Vec<&'a Found>> {
    let whole = found.iter();
    let whole = whole.filter(|one| matches!(one.state, State::Whole(_)));
    let newest = whole.map(|one| one.number).max();
    for number in numbers {
        if Some(*number) == newest {
            return Err(Problem::refused(
                format!("Backup {number} is the newest whole one here. Nothing was changed."),
                "Make another one first: stayput backup --to PLACE",
            ));
        }
        if !found.iter().any(|one| one.number == *number) {
            return Err(Problem::refused(
                format!("There is no backup {number} here. Nothing was changed."),
                "`stayput backup list` shows what is there.",
            ));
        }
    }
    let found = found.iter();
    Ok(found.filter(|one| numbers.contains(&one.number)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::list::examples;
    use super::*;

    #[test]
    fn newest_whole_backup_is_never_forgotten() {
        // 12 is whole, 11 damaged, 13 unfinished, 9 of an earlier key.
        let found = examples();
        let numbers = |wanted: &[u64]| -> Result<Vec<u64>> {
            let named = named(&found, wanted)?;
            Ok(named.iter().map(|one| one.number).collect())
        };
        assert_eq!(numbers(&[9, 11]).unwrap(), [11, 9]);
        assert_eq!(numbers(&[]).unwrap(), [0u64; 0]);
        for wanted in [&[12][..], &[11, 12], &[10]] {
            let refused = numbers(wanted).unwrap_err();
            assert!(refused.what.contains("Nothing was changed"), "{refused}");
        }
    }
}
