//! `stayput backup verify`: reads backups to their end.

use std::path::PathBuf;

use super::look;
use crate::admin::backup::{
    Found, LOCK, LastBackup, State, newest, read_all, read_manifest, remember,
};
use crate::admin::lock_file::only_one;
use crate::admin::problem::{Problem, Result};
use crate::backup::{ManifestKeys, Verified};

#[derive(clap::Args, Clone, Debug)]
pub struct VerifyOptions {
    /// A directory, or a stick such as /dev/sdb1
    #[arg(long, value_name = "PLACE")]
    from: PathBuf,
    /// Only the backup with this number
    #[arg(long, value_name = "NUMBER")]
    backup: Option<u64>,
}

/// Runs `stayput backup verify`.
///
/// # Errors
/// When one is not what was written, or there is none.
pub fn verify(options: &VerifyOptions) -> Result<()> {
    let _alone = only_one(LOCK, "`stayput backup`")?;
    let looked = look(&options.from)?;
    let is_wanted = |number| options.backup.is_none_or(|wanted| wanted == number);
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for one in looked.found.iter().filter(|one| is_wanted(one.number)) {
        match &one.state {
            State::Unfinished if options.backup.is_none() => continue,
            State::Unfinished => bad.push((one, "it is not finished".into())),
            State::Damaged(why) => bad.push((one, why.clone())),
            State::Whole(_) | State::Earlier(_) => {
                println!("Reading {}.", one.name);
                let (folder, manifest) =
                    read_manifest(&looked.place, &one.name, &looked.keys, &looked.server)?;
                match read_all(&folder, &manifest) {
                    Ok(()) => good.push(one),
                    Err(error) => bad.push((one, error.to_string())),
                }
            }
        }
    }
    let names: Vec<&str> = bad.iter().map(|(one, _)| one.name.as_str()).collect();
    let whole = good.iter().filter_map(|one| verified(one));
    note(&looked.keys, &whole.collect::<Vec<_>>(), &names)?;
    if let Some((first, why)) = bad.first() {
        for (one, why) in &bad[1..] {
            eprintln!("stayput: also: {}: {why}", one.name);
        }
        return Err(Problem::failed(
            format!(
                "Not every backup is what was written. {}: {why}.",
                first.name
            ),
            match good.len() {
                0 => "Make a new one on another stick: stayput backup --to PLACE",
                _ => "The others are whole. Make a new one, and do not trust this place.",
            },
        ));
    }
    match good.len() {
        0 => Err(Problem::failed(
            "There is no such backup of this server here.",
            "`stayput backup list` shows what is there.",
        )),
        1 => {
            println!("It is what was written.");
            Ok(())
        }
        good => {
            println!("All {good} are what was written.");
            Ok(())
        }
    }
}

/// What counts as the server's own: whoever has what was lost before the master key was
/// replaced can make others that look like those of before.
fn verified(found: &Found) -> Option<Verified> {
    match &found.state {
        State::Whole(summary) => Some(Verified {
            number: found.number,
            made: summary.made,
        }),
        _ => None,
    }
}

/// Remembers what was seen, for whoever asks how old the newest good backup is.
fn note(keys: &ManifestKeys, good: &[Verified], bad: &[&str]) -> Result<()> {
    if let Some(mut newest) = newest(keys)? {
        let before = newest.verified;
        newest.note(good, bad);
        if newest.verified != before {
            remember(&newest, keys.current())?;
        }
    }
    LastBackup::tell_at_login();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::list::examples;
    use super::*;

    #[test]
    fn backup_of_an_earlier_key_is_not_the_newest_good_one() {
        let known: Vec<u64> = examples()
            .iter()
            .filter_map(verified)
            .map(|one| one.number)
            .collect();
        assert_eq!(known, [12]);
    }
}
