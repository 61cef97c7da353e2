//! `stayput backup verify`: reads backups to their end.

use std::path::PathBuf;

use super::look;
use crate::admin::backup::{State, read_all, read_manifest};
use crate::admin::problem::{Problem, Result};

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
    let looked = look(&options.from)?;
    let is_wanted = |number| options.backup.is_none_or(|wanted| wanted == number);
    let mut good = 0;
    let mut bad = Vec::new();
    for one in looked.found.iter().filter(|one| is_wanted(one.number)) {
        match &one.state {
            State::Unfinished if options.backup.is_none() => continue,
            State::Unfinished => bad.push(format!("{}: it is not finished", one.name)),
            State::Damaged(why) => bad.push(format!("{}: {why}", one.name)),
            State::Whole(_) | State::Earlier(_) => {
                println!("Reading {}.", one.name);
                let (folder, manifest) =
                    read_manifest(&looked.place, &one.name, &looked.keys, &looked.server)?;
                match read_all(&folder, &manifest) {
                    Ok(()) => good += 1,
                    Err(error) => bad.push(format!("{}: {error}", one.name)),
                }
            }
        }
    }
    if let Some(first) = bad.first() {
        for why in &bad[1..] {
            eprintln!("stayput: also: {why}");
        }
        return Err(Problem::failed(
            format!("Not every backup is what was written. {first}."),
            match good {
                0 => "Make a new one on another stick: stayput backup --to PLACE",
                _ => "The others are whole. Make a new one, and do not trust this place.",
            },
        ));
    }
    match good {
        0 => Err(Problem::failed(
            "There is no such backup of this server here.",
            "`stayput backup list` shows what is there.",
        )),
        1 => {
            println!("It is what was written.");
            Ok(())
        }
        _ => {
            println!("All {good} are what was written.");
            Ok(())
        }
    }
}
