//! `stayput restore`: puts the database of a backup in the place of the one that is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::admin::ask;
use crate::admin::backup::{
    LOCK, Place, Progress, Tool, choose_whole, decrypt, find_all, newest, read_manifest,
    read_through, require, size,
};
use crate::admin::key_release;
use crate::admin::lock_file::only_one;
use crate::admin::mariadb::backup_source::MARIADB_BACKUP;
use crate::admin::mariadb::restore::{self, Earlier, Wanted, earlier, must_be_possible};
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::timestamp::rfc3339;
use crate::admin::unlock::{UnlockOptions, Unlocked, unlock};
use crate::backup::{Manifest, ManifestKeys, Method, StreamKind, age_identity};

/// What is restored, and what becomes of what is there.
#[derive(clap::Args, Clone, Debug)]
pub struct RestoreOptions {
    /// The directory or the stick (such as /dev/sdb1) with the backup
    #[arg(long, value_name = "PLACE", required_unless_present_any = ["undo", "remove_old"])]
    from: Option<PathBuf>,
    /// The backup with this number, not the newest
    #[arg(long, value_name = "NUMBER")]
    backup: Option<u64>,
    /// Put the files that were backed up with --include into this empty directory
    #[arg(long, value_name = "DIR")]
    files_to: Option<PathBuf>,
    /// Go back to the database of before the last restore; the restored one is kept
    #[arg(long, conflicts_with_all = ["from", "backup", "files_to", "remove_old"])]
    undo: bool,
    /// Remove the database of before the last restore
    #[arg(long, conflicts_with_all = ["from", "backup", "files_to"])]
    remove_old: bool,
    /// Do not ask whether to go on
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput restore`.
///
/// # Errors
/// What stands in the way. The database that is there then serves as before, or the message
/// says what to do.
pub fn run(options: &RestoreOptions) -> Result<()> {
    let _alone = only_one(LOCK, "`stayput backup` or `restore`")?;
    if options.remove_old {
        ask::confirm(
            "The database of before the last restore is removed for good. Go on?",
            options.yes,
        )?;
        restore::remove_kept()?;
        println!("The database of before the restore is gone.");
        return Ok(());
    }
    let unlocked = unlock(&options.unlock)?;
    match (earlier()?, options.undo) {
        (Earlier::Interrupted, _) => {
            release_keys(&unlocked)?;
            restore::finish()?;
            println!("It is finished. {KEPT}");
            Ok(())
        }
        (Earlier::Kept, true) => go_back(options, &unlocked),
        (Earlier::Kept, false) => Err(Problem::refused(
            "The database of before the last restore is still kept. Nothing was changed.",
            "When all is well: stayput restore --remove-old. To go back to it: --undo",
        )),
        (Earlier::Nothing, true) => restore::undo(),
        (Earlier::Nothing, false) => anew(options, &unlocked),
    }
}

const KEPT: &str = "The database that was there is kept, closed. When all is well: stayput restore \
                    --remove-old. To go back to it: stayput restore --undo";

fn release_keys(unlocked: &Unlocked) -> Result<()> {
    key_release::release_keys(unlocked.keys(), &unlocked.proven.policy)
}

fn go_back(options: &RestoreOptions, unlocked: &Unlocked) -> Result<()> {
    ask::confirm(
        "MariaDB is stopped, and started with the database of before the restore. What was \
         written since is in the other one, which is kept. Go on?",
        options.yes,
    )?;
    release_keys(unlocked)?;
    restore::undo()?;
    println!("MariaDB serves the database of before the restore. {KEPT}");
    Ok(())
}

fn anew(options: &RestoreOptions, unlocked: &Unlocked) -> Result<()> {
    require(&[
        (MARIADB_BACKUP, "mariadb-backup"),
        ("/usr/bin/mbstream", "mariadb-backup"),
    ])?;
    let from = options.from.as_deref().expect("clap requires it");
    let header = unlocked.vault.header();
    let keys = ManifestKeys::of(unlocked.keys());
    let place = Place::for_reading(from, &header.server_id)?;
    let found = find_all(&place, &keys, &header.server_id)?;
    let newest_made = newest(&keys)?.map_or(0, |newest| newest.number);
    let chosen = choose_whole(&found, options.backup, newest_made)?;
    let (folder, manifest) = read_manifest(&place, &chosen.name, &keys, &header.server_id)?;
    let master = unlocked.keys().of_generation(manifest.generation);
    let master = master.expect("by its key the manifest was read");
    let wanted = Wanted {
        number: manifest.number,
        method: manifest.method,
        mariadb_version: &manifest.mariadb_version,
        data_bytes: manifest.data_bytes,
        tables: &manifest.tables,
    };
    must_be_possible(&wanted)?;
    tell(&manifest);
    if manifest.generation != header.generation {
        println!(
            "It was made before the master key was replaced: whoever has what was lost then can \
             have made it."
        );
    }
    println!("Reading all of it first, and comparing it with what was written.");
    for stream in &manifest.streams {
        read_through(&folder, stream).map_err(|error| place.problem(&error))?;
    }
    ask::confirm(
        "MariaDB goes on until the restored database is made and counted beside it; then the two \
         change places. What was written since the backup is not in it. Go on?",
        options.yes,
    )?;
    let identity = age_identity(master, manifest.generation);
    let pour = |kind, tool| {
        let stream = manifest.stream(kind).ok_or_else(|| no_stream(kind))?;
        let mut progress = Progress::of(stream.bytes());
        decrypt(&place, &folder, stream, &identity, tool, &mut progress)
    };
    if let Some(directory) = &options.files_to {
        pour(StreamKind::Files, untar(directory)?)?;
        println!("The files are in {}.", directory.display());
    }
    release_keys(unlocked)?;
    println!("Restoring backup {}.", manifest.number);
    restore::restore(&wanted, &mut |tool| pour(StreamKind::Database, tool))?;
    println!("MariaDB serves backup {}. {KEPT}", manifest.number);
    Ok(())
}

fn tell(manifest: &Manifest) {
    println!(
        "Backup {} of {}: {}, {}, {} tables, {} rows.",
        manifest.number,
        rfc3339(manifest.made),
        size(manifest.bytes()),
        match manifest.method {
            Method::Physical => "physical",
            Method::Dump => "dump",
        },
        manifest.tables.len(),
        manifest.rows()
    );
}

fn no_stream(kind: StreamKind) -> Problem {
    let what = match kind {
        StreamKind::Database => "The backup has no database.",
        StreamKind::Files => "The backup has no files besides the database.",
    };
    Problem::refused(
        format!("{what} Nothing was changed."),
        "Leave --files-to out, or take another backup.",
    )
}

/// Unpacks into an empty directory: nothing that is there is written over.
fn untar(directory: &Path) -> Result<Tool> {
    let made = std::fs::create_dir_all(directory);
    let entries = made.and_then(|()| std::fs::read_dir(directory));
    let mut entries = entries.map_err(|error| Problem::of_file(directory, &error))?;
    if entries.next().is_some() {
        return Err(Problem::new(
            Exit::Usage,
            format!("{} is not empty. Nothing was changed.", directory.display()),
            "Name a new directory.",
        ));
    }
    let mut command = Command::new("/usr/bin/tar");
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command.args(["--extract", "--numeric-owner", "--acls", "--xattrs"]);
    command.arg("--preserve-permissions");
    let mut to = std::ffi::OsString::from("--directory=");
    to.push(directory);
    command.arg(to);
    Ok(Tool {
        name: "tar",
        command,
        well: &[0],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_never_unpacked_over_others() {
        let room = tempfile::tempdir().unwrap();
        assert!(untar(&room.path().join("new")).is_ok());
        std::fs::write(room.path().join("file"), "").unwrap();
        let refused = untar(room.path()).err().unwrap();
        assert_eq!(refused.exit, Exit::Usage);
    }
}
