//! `stayput backup --to`: makes a backup.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::content::{Backup, shortened};
use super::include::{Included, count};
use super::keep::{KeepOptions, kept, make_room, thin};
use super::not_kept::not_kept;
use super::pipe::{PIPE, pipe, send};
use super::usage;
use crate::admin::backup::{
    Archive, Found, LOCK, LastBackup, Place, State, besides, find_all, lost_besides, newest,
    recipient_of, released_manifest_keys, remember, remove_all, require, size, write,
};
use crate::admin::brought_back;
use crate::admin::lock_file::only_one;
use crate::admin::mariadb::backup_source::{MARIADB_BACKUP, MARIADB_DUMP, RunningDatabase};
use crate::admin::open_vault::open_vault_read_only;
use crate::admin::problem::{Problem, ProblemKind, Result};
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::backup::{
    Kept, Manifest, ManifestKeys, Method, Newest, Verified, age_identity, folder_name,
};
use crate::release;
use crate::sys::at_end::Changed;
use crate::sys::clock;
use crate::vault::{Header, WaysCopy};

/// Where and how a backup is made.
#[derive(clap::Args, Clone, Debug)]
pub struct MakeOptions {
    /// A directory, a stick such as /dev/sdb1 (FAT, exFAT or ext4), or - for a tar archive on
    /// standard output
    #[arg(long, value_name = "PLACE", required = true)]
    to: Option<PathBuf>,
    /// How the database is read
    #[arg(long, value_enum, default_value_t = Method::Physical)]
    method: Method,
    /// A file or directory that is backed up too; can be given several times
    #[arg(long, value_name = "PATH")]
    include: Vec<PathBuf>,
    /// What this backup is called in lists
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// Back up to the filesystem of the database or of the system all the same
    #[arg(long)]
    same_disk: bool,
    #[command(flatten)]
    keep: KeepOptions,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// What a backup is called that a plugged-in stick has got by itself.
const AUTOMATIC: &str = "automatic";

impl MakeOptions {
    /// Those of a backup that a stick gets by itself: what the rules let go are others of
    /// these alone.
    pub fn automatic(to: &Path, include: &[PathBuf], keep: &KeepOptions) -> Self {
        Self {
            to: Some(to.to_owned()),
            method: Method::Physical,
            include: include.to_vec(),
            label: AUTOMATIC.into(),
            same_disk: false,
            keep: keep.of_those_called(AUTOMATIC),
            unlock: UnlockOptions::default(),
        }
    }
}

/// A backup that is whole.
pub struct Written {
    /// Its number.
    pub number: u64,
    /// The names of the older ones that cannot be read any more behind it.
    lost: Vec<String>,
}

impl Written {
    /// # Errors
    /// Where an older one cannot be read any more.
    pub fn must_have_left_the_others(&self) -> Result<()> {
        match self.lost.is_empty() {
            true => Ok(()),
            false => Err(not_kept(None, &self.lost)),
        }
    }
}

/// Makes a backup, and thins those that are there.
///
/// # Errors
/// When it cannot be made; the newest that is there is as it was.
pub fn make(options: &MakeOptions) -> Result<Written> {
    let to = options.to.as_deref().expect("clap requires it");
    let tool = match options.method {
        Method::Physical => (MARIADB_BACKUP, "mariadb-backup"),
        Method::Dump => (MARIADB_DUMP, "mariadb-client"),
    };
    require(&[tool])?;
    let label = heapless::String::try_from(options.label.as_str());
    let label = label.map_err(|_| usage("A label has at most 64 bytes."))?;
    let pipe = match to == Path::new(PIPE) {
        true => Some(pipe(options.keep.is_any())?),
        false => None,
    };
    let _alone = only_one(LOCK, "`stayput backup`")?;
    brought_back::take_away_left_behind();
    let vault = open_vault_read_only()?;
    let header = vault.header().clone();
    // Nobody has proven them; each opens by its own way key alone.
    let ways = vault.unproven_ways().unwrap_or_else(|error| {
        eprintln!(
            "stayput: warning: the ways in cannot be read ({error}). The recovery code needs a \
             stick beside this backup; see `stayput check`."
        );
        Default::default()
    });
    let ways = WaysCopy::of(&header, ways.as_claimed());
    drop(vault);
    let keys = released_manifest_keys()?;
    if keys.generation() != header.generation {
        return Err(Problem::refused(
            "The key in memory that backups are signed with is of before the master key was \
             replaced.",
            "Run: stayput release --no-start",
        ));
    }
    let mut newest = remembered(&header, &keys, &options.unlock)?;
    let database = RunningDatabase::find()?;
    let included = options.include.iter();
    let included = included.map(|path| Included::find(path, to, &database));
    let included: Vec<Included> = included.collect::<Result<_>>()?;
    if !options.same_disk {
        Place::must_be_another_filesystem(to, &[database.directories()[1], Path::new("/")])?;
    }
    let mut place = match pipe {
        Some(_) => Place::of_a_pipe(&header.server_id)?,
        None => Place::for_writing(to, &header.server_id)?,
    };
    let find = |place: &Place| find_all(place, &keys, &header.server_id);
    let mut found = remove_unfinished(&place, find(&place)?);
    let number = next_number(&found, &newest);
    let made = clock::now();
    let all = kept(&found, None);
    let (highest, largest) = all
        .iter()
        .max()
        .map_or((0, 0), |newest| (newest.number, newest.bytes));
    let coming = |bytes| Kept {
        number,
        made,
        bytes,
    };
    let at = (&keys, &header.server_id);
    // It may be somewhat larger. Else room is made when it is whole.
    if pipe.is_none()
        && place.free()? < largest.saturating_add(largest / 8)
        && make_room(&options.keep, &place, at, &found, coming(largest))?
    {
        found = find(&place)?;
    }
    let _keys = match options.method {
        Method::Physical => bring_keys_back(&options.unlock)?,
        Method::Dump => None,
    };

    let name = folder_name(number, made);
    println!("Backing up to {} ({name}).", to.display());
    let archive = pipe.map(|pipe| {
        let below = format!("{}/{name}", Place::folder_of(&header.server_id));
        RefCell::new(Archive::new(pipe, below, made))
    });
    let mut backup = Backup {
        database: &database,
        recipient: newest.recipient.clone(),
        keys: &keys,
        server: header.server_id,
        ways: ways.encode(),
        included: &included,
        archive: archive.as_ref(),
        known: found,
        lost: Vec::new(),
        ran_full_at: None,
        manifest: Manifest {
            server_id: header.server_id.0,
            server_name: header.server_name.clone(),
            generation: header.generation,
            number,
            made,
            label,
            method: options.method,
            mariadb_version: shortened(&database.version()?),
            gtid: heapless::String::new(),
            data_bytes: database.bytes(),
            files: count(&included)?,
            ways: [0; 32],
            check: database.check_file().to_text().as_bytes().to_vec(),
            streams: heapless::Vec::new(),
            tables: Vec::new(),
        },
    };
    // Whatever becomes of it, no other one gets this number.
    newest.number = newest.number.max(highest);
    newest.given = number;
    remember(&newest, keys.current())?;
    if let Some(archive) = &archive {
        let sent = send(&mut backup, &place, &name, archive);
        let _ = remove_all(&place, [name.as_str()]);
        sent?;
        newest.number = number;
        remember(&newest, keys.current())?;
        println!(
            "Backup {number} went into the pipe: {}. Nobody has read it back.",
            size(backup.manifest.bytes())
        );
        return Ok(Written {
            number,
            lost: Vec::new(),
        });
    }
    let mut written = write(&mut place, &name, &mut backup);
    if let (true, Some(bytes)) = (written.is_err(), backup.ran_full_at) {
        let coming = coming(bytes.max(largest));
        if make_room(&options.keep, &place, at, &find(&place)?, coming)? {
            backup.known = find(&place)?;
            println!("It was full. There is room now; backing up once more.");
            written = write(&mut place, &name, &mut backup);
        }
    }
    if let Err(problem) = written {
        if problem.kind != ProblemKind::NotKept {
            return Err(problem);
        }
        let lost = lost_besides(&place, &name, &keys, &header.server_id, &backup.known)?;
        // A look does not read all of them: until they are verified, none counts as good.
        let all: Vec<&str> = backup.known.iter().map(|one| one.name.as_str()).collect();
        newest.note(&[], &all);
        remember(&newest, keys.current())?;
        LastBackup::tell_at_login();
        return Err(not_kept(Some(&problem.what), &lost));
    }
    let Backup { manifest, lost, .. } = backup;
    newest.number = number;
    newest.note(&[Verified { number, made }], &[]);
    remember(&newest, keys.current())?;
    LastBackup::tell_at_login();
    tell(&manifest);
    if !lost.is_empty() {
        return Ok(Written { number, lost });
    }
    if let Err(problem) = thin(&options.keep, &place, &find(&place)?) {
        eprintln!(
            "stayput: warning: an older backup is not removed. {}",
            problem.what
        );
    }
    let is_mounted_here = place.is_mounted_here();
    drop(place);
    if is_mounted_here {
        println!("{} may be pulled out.", to.display());
    }
    Ok(Written { number, lost })
}

fn tell(manifest: &Manifest) {
    println!(
        "Backup {} is whole, and was read back: {}, {} tables, {} rows{}.",
        manifest.number,
        size(manifest.bytes()),
        manifest.tables.len(),
        manifest.rows(),
        besides(&manifest.files)
    );
}

/// What the server remembers, made anew where it does not or where the master key has
/// another generation: that takes the master key, once.
fn remembered(header: &Header, keys: &ManifestKeys, options: &UnlockOptions) -> Result<Newest> {
    let known = newest(keys)?;
    let numbers = known.as_ref().map(|known| (known.number, known.given));
    let (number, given) = numbers.unwrap_or_default();
    let verified = known.as_ref().and_then(|known| known.verified);
    if let Some(known) = known.filter(|known| known.generation == header.generation) {
        return Ok(known);
    }
    let unlocked = unlock(options)?;
    // It may have been replaced at this moment.
    let master = unlocked.keys().of_generation(header.generation);
    let master = master.ok_or_else(|| {
        Problem::refused(
            "The vault was made anew meanwhile.",
            "Run the command again.",
        )
    })?;
    let newest = Newest {
        generation: header.generation,
        recipient: recipient_of(&age_identity(master, header.generation))?,
        number,
        given,
        verified,
    };
    remember(&newest, keys.current())?;
    Ok(newest)
}

fn next_number(found: &[Found], newest: &Newest) -> u64 {
    let highest = highest(found).max(newest.number).max(newest.given);
    highest.saturating_add(1)
}

/// The number of the newest whole one; 0 without any.
fn highest(found: &[Found]) -> u64 {
    // Whoever writes the stick names folders as he likes: only the owner's count.
    let newest = kept(found, None).into_iter().max();
    newest.map_or(0, |newest| newest.number)
}

/// Removes what an interruption has left, and gives the others: nobody writes a backup but
/// whoever has the lock. What cannot be removed is in nobody's way.
fn remove_unfinished(place: &Place, found: Vec<Found>) -> Vec<Found> {
    let is_left = |one: &Found| one.state == State::Unfinished;
    let (left, others) = found.into_iter().partition::<Vec<_>, _>(is_left);
    for one in left {
        println!("Removing {}, which was interrupted.", one.name);
        if let Err(problem) = remove_all(place, [one.name.as_str()]) {
            eprintln!("stayput: warning: it cannot be removed. {}", problem.what);
        }
    }
    others
}

/// Where the policy removes the keys once MariaDB has read them, they come back for as long
/// as the backup takes: mariadb-backup needs them too.
fn bring_keys_back(options: &UnlockOptions) -> Result<Option<Changed>> {
    if brought_back::are_there() {
        return Ok(None);
    }
    if !release::leaves_when_read() {
        return Err(Problem::refused(
            "MariaDB's keys are not in memory, and mariadb-backup needs them.",
            "Run: stayput release --no-start. Or leave them out of it: --method dump",
        ));
    }
    brought_back::bring_back(&unlock(options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_whatever_folders_a_stick_has() {
        let found = |number, state| Found {
            name: folder_name(number, 0),
            number,
            state,
        };
        let newest = |number, given| Newest {
            generation: 1,
            recipient: heapless::String::new(),
            number,
            given,
            verified: None,
        };
        let forged = found(u64::MAX, State::Damaged("forged".into()));
        assert_eq!(next_number(&[forged], &newest(7, 7)), 8);
        assert_eq!(next_number(&[], &newest(0, 0)), 1);
        // The one before was cut off, on another stick.
        assert_eq!(next_number(&[], &newest(7, 8)), 9);
    }
}
