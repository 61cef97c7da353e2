//! `stayput restore`: puts the database of a backup in the place of the one that is there.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::admin::ask;
use crate::admin::backup::{
    Folder, Found, LOCK, Place, Progress, State, Tool, Words, besides, choose_whole, decrypt,
    find_all, newest, read_manifest, read_through, recipient_of, remember, require, size,
};
use crate::admin::brought_back;
use crate::admin::lock_file::only_one;
use crate::admin::mariadb::backup_source::MARIADB_BACKUP;
use crate::admin::mariadb::release_for_backup;
use crate::admin::mariadb::restore::{self, Earlier, Role, Wanted, earlier, must_be_possible};
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::timestamp::rfc3339;
use crate::admin::unlock::{UnlockOptions, Unlocked, unlock};
use crate::backup::{Manifest, ManifestKeys, Method, Newest, StreamKind, age_identity};
use crate::release::mariadb::KeyId;
use crate::sys::at_end::Changed;
use crate::sys::confinement::confine;
use crate::sys::hangup;

/// What is restored, and what becomes of what is there.
#[derive(clap::Args, Clone, Debug)]
pub struct RestoreOptions {
    /// The directory or the stick (such as /dev/sdb1) with the backup
    #[arg(long, value_name = "PLACE")]
    pub from: Option<PathBuf>,
    /// The backup with this number, not the newest
    #[arg(long, value_name = "NUMBER")]
    pub backup: Option<u64>,
    /// Put the files that were backed up with --include into this empty directory
    #[arg(long, value_name = "DIR")]
    pub files_to: Option<PathBuf>,
    /// This is another computer, in the place of one that is gone: do all that it needs
    ///
    /// The vault is made anew with the key of the backup stick (--stick; default: the stick that
    /// --from names), this place is enrolled, MariaDB encrypted, the backup restored, and the
    /// boot stage installed. If it was interrupted, run it again: it goes on.
    #[arg(long, requires = "from")]
    pub new_server: bool,
    /// Where the new server keeps its vault: an empty partition, or a new file on the ESP or on
    /// a separate /boot
    #[arg(long, value_name = "PATH", requires = "new_server")]
    pub vault: Option<PathBuf>,
    /// Go back to the database of before the last restore; the restored one is kept
    #[arg(long, conflicts_with_all = ["from", "backup", "files_to", "remove_old"])]
    undo: bool,
    /// Remove the database of before the last restore
    #[arg(long, conflicts_with_all = ["from", "backup", "files_to"])]
    remove_old: bool,
    /// Restore it also where tables do not have the rows that the backup gives
    #[arg(long)]
    accept_differences: bool,
    /// Do not ask whether to go on
    #[arg(long)]
    pub yes: bool,
    #[command(flatten)]
    pub unlock: UnlockOptions,
}

/// Runs `stayput restore`.
///
/// # Errors
/// What stands in the way. The database that is there then serves as before, or the message
/// says what to do.
pub fn run(options: &RestoreOptions) -> Result<()> {
    let _alone = only_one(LOCK, "`stayput backup` or `restore`")?;
    brought_back::take_away_left_behind();
    let earlier = earlier()?;
    if options.remove_old {
        return remove_kept(options, earlier);
    }
    let unlocked = unlock(&options.unlock)?;
    match (earlier, options.undo) {
        (Earlier::Nothing, false) => anew(options, &unlocked),
        (Earlier::Nothing, true) => Err(nothing_kept()),
        (Earlier::Interrupted { behind }, true) => go_back(options, &unlocked, Some(behind)),
        (Earlier::Interrupted { behind }, false) => {
            let _keys = begin(&unlocked)?;
            restore::finish()?;
            println!("It is finished. {}", serving(Some(behind)));
            if options.from.is_some() {
                println!("Nothing was restored from the place that was named.");
            }
            Ok(())
        }
        (Earlier::Kept { behind }, true) => go_back(options, &unlocked, behind),
        (Earlier::Kept { behind }, false) => Err(Problem::refused(
            format!(
                "{} Nothing was changed.",
                capital(&format!("{} is still kept.", other(behind)))
            ),
            "When all is well: stayput restore --remove-old. To change to it: --undo",
        )),
        (Earlier::Removing, _) => Err(Problem::refused(
            "The other database of the last restore is being removed; what is left of it is no \
             database. Nothing was changed.",
            "Run: stayput restore --remove-old. It ends that.",
        )),
    }
}

/// The database that is not behind the gate, in words.
fn other(behind: Option<Role>) -> String {
    match behind {
        Some(behind) => behind.other().to_string(),
        // What is behind the gate is neither of the two.
        None => "a database of the last restore".into(),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// What serves, and what is kept.
fn serving(behind: Option<Role>) -> String {
    let serves = behind.map_or("the database behind the gate".into(), |role| {
        role.to_string()
    });
    format!(
        "MariaDB serves {serves}; {} is kept, closed. When all is well: stayput restore \
         --remove-old. To change to it: stayput restore --undo",
        other(behind)
    )
}

fn nothing_kept() -> Problem {
    Problem::refused(
        "No database of before a restore is kept. Nothing was changed.",
        "`stayput help restore` tells how it is used.",
    )
}

fn remove_kept(options: &RestoreOptions, earlier: Earlier) -> Result<()> {
    let gone = match earlier {
        Earlier::Nothing => return Err(nothing_kept()),
        Earlier::Interrupted { behind } => {
            return Err(Problem::refused(
                format!(
                    "The last restore was interrupted, and MariaDB was not seen to serve {behind} \
                     since. Nothing was removed."
                ),
                "Run: stayput restore. It finishes that; or --undo changes to the other one.",
            ));
        }
        Earlier::Kept { behind } => other(behind),
        Earlier::Removing => "what is left of the other database".into(),
    };
    let question = capital(&format!("{gone} is removed for good. Go on?"));
    ask::confirm(&question, options.yes)?;
    restore::remove_kept()?;
    println!("{}", capital(&format!("{gone} is gone.")));
    Ok(())
}

/// What begins now puts MariaDB at risk when it is cut: a lost terminal does not do that.
fn begin(unlocked: &Unlocked) -> Result<Option<Changed>> {
    // Without it a lost terminal ends the command, as everywhere else.
    let _ = hangup::outlive();
    brought_back::bring_back(unlocked)
}

fn go_back(options: &RestoreOptions, unlocked: &Unlocked, behind: Option<Role>) -> Result<()> {
    let question = format!(
        "MariaDB is stopped, and started with {}. What was written since they changed places is \
         in the one that serves now, which is kept. Go on?",
        other(behind)
    );
    ask::confirm(&question, options.yes)?;
    let _keys = begin(unlocked)?;
    restore::undo()?;
    println!("{}", serving(behind.map(Role::other)));
    Ok(())
}

/// The backup that is restored. Nothing of it was read but its manifest.
pub struct Chosen {
    place: Place,
    folder: Folder,
    /// What it holds; the owner has signed it.
    pub manifest: Manifest,
    found: Vec<Found>,
    keys: ManifestKeys,
    known: Option<Newest>,
}

impl Chosen {
    /// The one that was named, or the newest.
    ///
    /// # Errors
    /// When there is none, or the place cannot be read.
    pub fn find(options: &RestoreOptions, unlocked: &Unlocked) -> Result<Self> {
        let from = options.from.as_deref().ok_or_else(|| {
            Problem::new(
                Exit::Usage,
                "Where the backup lies is not named. Nothing was changed.",
                "Run: stayput restore --from PLACE",
            )
        })?;
        let server = &unlocked.vault.header().server_id;
        let keys = ManifestKeys::of(unlocked.keys());
        let place = Place::for_reading(from, server)?;
        let found = find_all(&place, &keys, server)?;
        let known = newest(&keys)?;
        let newest_made = known.as_ref().map_or(0, |newest| newest.number);
        let name = &choose_whole(&found, options.backup, newest_made)?.name;
        let (folder, manifest) = read_manifest(&place, name, &keys, server)?;
        Ok(Self {
            place,
            folder,
            manifest,
            found,
            keys,
            known,
        })
    }
}

/// # Errors
/// Where MariaDB is given other keys here than those of the backup's files.
fn must_have_its_keys(manifest: &Manifest, unlocked: &Unlocked) -> Result<()> {
    let wanted = release_for_backup(&manifest.check, unlocked.keys())?;
    let given = unlocked.proven.policy.mariadb.as_ref();
    let is_given = |id: &KeyId| given.is_some_and(|given| given.key_ids.contains(id));
    match wanted.key_ids.iter().all(is_given) {
        true => Ok(()),
        false => Err(Problem::refused(
            "The files of this backup are encrypted with keys that MariaDB is not given here. \
             Nothing was changed.",
            "Take a backup that was made with --method dump. On a computer that was never set up: \
             stayput restore --new-server",
        )),
    }
}

fn anew(options: &RestoreOptions, unlocked: &Unlocked) -> Result<()> {
    require(&[
        (MARIADB_BACKUP, "mariadb-backup"),
        ("/usr/bin/mbstream", "mariadb-backup"),
    ])?;
    let Chosen {
        place,
        folder,
        manifest,
        found,
        keys,
        known,
    } = Chosen::find(options, unlocked)?;
    let header = unlocked.vault.header();
    if manifest.method == Method::Physical {
        must_have_its_keys(&manifest, unlocked)?;
    }
    let newest_made = known.as_ref().map_or(0, |newest| newest.number);
    let master = unlocked.keys().of_generation(manifest.generation);
    let master = master.expect("by its key the manifest was read");
    let wanted = Wanted {
        number: manifest.number,
        method: manifest.method,
        mariadb_version: &manifest.mariadb_version,
        data_bytes: manifest.data_bytes,
        tables: &manifest.tables,
        accepts_differences: options.accept_differences,
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
    let _keys = begin(unlocked)?;
    println!("Restoring backup {}.", manifest.number);
    restore::restore(&wanted, &mut |tool| pour(StreamKind::Database, tool))?;
    println!(
        "MariaDB serves backup {}. {}",
        manifest.number,
        serving(Some(Role::Restored))
    );
    // A server that was made anew remembers nothing: older ones could be shown to it.
    let whole = found.iter();
    let whole = whole.filter(|one| matches!(one.state, State::Whole(_)));
    let highest = whole.map(|one| one.number).max().unwrap_or(0);
    if highest > newest_made {
        remember_seen(unlocked, &keys, known, highest)?;
    }
    Ok(())
}

/// Remembers that this server has made backup `number`, which somebody with its key has signed.
fn remember_seen(
    unlocked: &Unlocked,
    keys: &ManifestKeys,
    known: Option<Newest>,
    number: u64,
) -> Result<()> {
    let generation = keys.generation();
    let given = known.as_ref().map_or(0, |known| known.given);
    let verified = known.as_ref().and_then(|known| known.verified);
    let recipient = match known.filter(|known| known.generation == generation) {
        Some(known) => known.recipient,
        None => recipient_of(&age_identity(unlocked.keys().current(), generation))?,
    };
    let newest = Newest {
        generation,
        recipient,
        number,
        given: given.max(number),
        verified,
    };
    remember(&newest, keys.current())
}

fn tell(manifest: &Manifest) {
    println!(
        "Backup {} of {}: {}, {}, {} tables, {} rows{}.",
        manifest.number,
        rfc3339(manifest.made),
        size(manifest.bytes()),
        match manifest.method {
            Method::Physical => "physical",
            Method::Dump => "dump",
        },
        manifest.tables.len(),
        manifest.rows(),
        besides(&manifest.files)
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
    // Programs that run as their owner are not for everybody here to run.
    let closed = std::fs::set_permissions(directory, Permissions::from_mode(0o700));
    let problem = |error: std::io::Error| Problem::of_file(directory, &error);
    closed.map_err(problem)?;
    let directory = directory.canonicalize().map_err(problem)?;
    let mut command = Command::new("/usr/bin/setpriv");
    // What it takes to give files their owners and modes back, and nothing more.
    command.arg("--bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+setfcap");
    command.args(["--inh-caps=-all", "--", "/usr/bin/tar"]);
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command.args(["--extract", "--numeric-owner", "--acls", "--xattrs"]);
    command.arg("--preserve-permissions");
    let mut to = std::ffi::OsString::from("--directory=");
    to.push(&directory);
    command.arg(to);
    confine(&mut command, Some(&directory)).map_err(problem)?;
    Ok(Tool {
        name: "tar",
        command,
        words: Words::Errors,
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
