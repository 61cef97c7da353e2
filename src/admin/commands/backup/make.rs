//! `stayput backup --to`: makes a backup.

use std::cell::RefCell;
use std::io::{Stdout, Write};
use std::path::{Path, PathBuf};

use super::include::{must_be_outside, tar};
use super::keep::{KeepOptions, thin};
use super::pipe::{PIPE, pipe, send};
use super::usage;
use crate::admin::backup::{
    Archive, Content, Folder, Found, LOCK, LastBackup, PART_BYTES, PIPED_PART_BYTES, PartWriter,
    Place, Progress, State, Tool, encrypt, find_all, newest, recipient_of, released_manifest_keys,
    remember, remove_all, require, size, write,
};
use crate::admin::key_release;
use crate::admin::lock_file::only_one;
use crate::admin::mariadb::backup_source::{
    MARIADB_BACKUP, MARIADB_DUMP, RunningDatabase, gtid_in,
};
use crate::admin::mariadb_service::{is_started, is_starting};
use crate::admin::open_vault::open_vault_read_only;
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::backup::{
    Manifest, ManifestKeys, Method, Newest, Stream, StreamKind, TableRows, Verified, WAYS,
    age_identity, folder_name,
};
use crate::release::{self, RELEASE_FOLDER, mariadb::KEY_FILE_NAME};
use crate::sys::at_end::{Changed, put_back_at_end};
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
            keep: keep.of_those_called(AUTOMATIC),
            unlock: UnlockOptions::default(),
        }
    }
}

/// Makes a backup, and thins those that are there. Gives its number.
///
/// # Errors
/// When it cannot be made; those that are there are as they were.
pub fn make(options: &MakeOptions) -> Result<u64> {
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
    let vault = open_vault_read_only()?;
    let header = vault.header().clone();
    // Nobody has proven them; each opens by its own way key alone.
    let ways = vault.unproven_ways().unwrap_or_default();
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
    for path in &options.include {
        must_be_outside(path, to, &database)?;
    }
    let place = match pipe {
        Some(_) => Place::of_a_pipe()?,
        None => Place::for_writing(to, &header.server_id)?,
    };
    let found = find_all(&place, &keys, &header.server_id)?;
    remove_unfinished(&place, &found)?;
    // Room for the one that comes.
    thin(&options.keep, &place, &found)?;
    let _keys = match options.method {
        Method::Physical => bring_keys_back(&options.unlock)?,
        Method::Dump => None,
    };

    let number = next_number(&found, newest.number);
    let made = clock::now();
    let name = folder_name(number, made);
    let archive = pipe.map(|pipe| {
        let below = format!("{}/{name}", Place::folder_of(&header.server_id));
        RefCell::new(Archive::new(pipe, below, made))
    });
    let mut backup = Backup {
        options,
        place: &place,
        database: &database,
        recipient: &newest.recipient,
        keys: &keys,
        ways: &ways,
        archive: archive.as_ref(),
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
            streams: heapless::Vec::new(),
            tables: Vec::new(),
        },
    };
    println!("Backing up to {} ({name}).", to.display());
    if let Some(archive) = &archive {
        let sent = send(&mut backup, &name, archive);
        let _ = remove_all(&place, [name.as_str()]);
        sent?;
        newest.number = number;
        remember(&newest, keys.current())?;
        println!(
            "Backup {number} went into the pipe: {}. Nobody has read it back.",
            size(backup.manifest.bytes())
        );
        return Ok(number);
    }
    write(&place, &name, &mut backup)?;
    let Backup { manifest, .. } = backup;
    newest.number = number;
    newest.note(&[Verified { number, made }], &[]);
    remember(&newest, keys.current())?;
    LastBackup::tell_at_login();
    println!(
        "Backup {number} is whole, and was read back: {}, {} tables, {} rows.",
        size(manifest.bytes()),
        manifest.tables.len(),
        manifest.rows()
    );
    thin(
        &options.keep,
        &place,
        &find_all(&place, &keys, &header.server_id)?,
    )?;
    let is_mounted_here = place.is_mounted_here();
    drop(place);
    if is_mounted_here {
        println!("{} may be pulled out.", to.display());
    }
    Ok(number)
}

/// The backup that is being made.
pub struct Backup<'a> {
    options: &'a MakeOptions,
    pub place: &'a Place,
    database: &'a RunningDatabase,
    recipient: &'a str,
    keys: &'a ManifestKeys,
    ways: &'a WaysCopy,
    /// Where it goes at once, part by part, if it goes into a pipe.
    archive: Option<&'a RefCell<Archive<Stdout>>>,
    manifest: Manifest,
}

impl Backup<'_> {
    /// Encrypts what `tool` writes; `bytes` of it are expected.
    fn stream(
        &self,
        folder: &Folder,
        kind: StreamKind,
        tool: Tool,
        bytes: u64,
    ) -> Result<(Stream, String)> {
        let mut parts = match self.archive {
            None => PartWriter::new(folder, kind, PART_BYTES),
            Some(archive) => PartWriter::new(folder, kind, PIPED_PART_BYTES)
                .passing_on(|folder, name| archive.borrow_mut().take(folder, name)),
        };
        let mut progress = Progress::of(bytes);
        let said = encrypt(self.place, tool, self.recipient, &mut parts, &mut progress)?;
        let stream = parts.finish().map_err(|error| self.place.problem(&error))?;
        Ok((stream, said))
    }
}

impl Content for Backup<'_> {
    fn write_parts(&mut self, folder: &Folder) -> Result<Vec<Stream>> {
        let ways = folder.create(WAYS);
        let written = ways.and_then(|mut file| file.write_all(&self.ways.encode()));
        written.map_err(|error| self.place.problem(&error))?;
        let rows = self.database.watch()?;
        let tool = match self.options.method {
            Method::Physical => Tool {
                name: "mariadb-backup",
                command: self.database.files()?,
                well: &[0],
            },
            Method::Dump => Tool {
                name: "mariadb-dump",
                command: self.database.dump(),
                well: &[0],
            },
        };
        let bytes = self.manifest.data_bytes;
        let (database, said) = self.stream(folder, StreamKind::Database, tool, bytes)?;
        let counted = rows.end(self.database.client())?.into_iter();
        let counted = counted.map(|(table, counted)| TableRows {
            schema: table.schema,
            name: table.name,
            rows: counted.rows,
            is_certain: counted.is_certain,
        });
        self.manifest.tables = counted.collect();
        if self.options.method == Method::Physical {
            self.manifest.gtid = shortened(gtid_in(&said));
        }
        let mut streams = vec![database];
        if !self.options.include.is_empty() {
            println!("Backing up the files that were named.");
            let (files, _) =
                self.stream(folder, StreamKind::Files, tar(&self.options.include), 0)?;
            streams.push(files);
        }
        Ok(streams)
    }

    fn manifest(&mut self, streams: Vec<Stream>) -> Result<Vec<u8>> {
        self.manifest.streams = streams.into_iter().collect();
        self.manifest.close(self.keys.current()).ok_or_else(|| {
            Problem::refused(
                "The database has more tables than a backup can hold.",
                "Please report this to stayput's authors. Until then use mariadb-dump.",
            )
        })
    }
}

/// A text that came from a program, cut to what has room.
fn shortened<const N: usize>(text: &str) -> heapless::String<N> {
    let mut short = heapless::String::new();
    // What does not fit is left out.
    let _ = text.chars().try_for_each(|letter| short.push(letter));
    short
}

/// What the server remembers, made anew where it does not or where the master key has
/// another generation: that takes the master key, once.
fn remembered(header: &Header, keys: &ManifestKeys, options: &UnlockOptions) -> Result<Newest> {
    let known = newest(keys)?;
    let number = known.as_ref().map_or(0, |known| known.number);
    if let Some(known) = &known
        && known.generation == header.generation
    {
        return Ok(known.clone());
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
        verified: known.and_then(|known| known.verified),
    };
    remember(&newest, keys.current())?;
    Ok(newest)
}

fn next_number(found: &[Found], remembered: u64) -> u64 {
    // Whoever writes the stick names folders as he likes: only the owner's count.
    let whole = found.iter();
    let whole = whole.filter(|one| matches!(one.state, State::Whole(_)));
    let highest = whole.map(|one| one.number).max().unwrap_or(0);
    highest.max(remembered).saturating_add(1)
}

/// What an interruption has left: nobody writes a backup but whoever has the lock.
fn remove_unfinished(place: &Place, found: &[Found]) -> Result<()> {
    let left = found.iter().filter(|one| one.state == State::Unfinished);
    for one in left {
        println!("Removing {}, which was interrupted.", one.name);
        remove_all(place, [one.name.as_str()])?;
    }
    Ok(())
}

/// Where the policy removes the keys once MariaDB has read them, they come back for as long
/// as the backup takes: mariadb-backup needs them too.
fn bring_keys_back(options: &UnlockOptions) -> Result<Option<Changed>> {
    if Path::new(RELEASE_FOLDER).join(KEY_FILE_NAME).exists() {
        return Ok(None);
    }
    if !release::leaves_when_read() {
        return Err(Problem::refused(
            "MariaDB's keys are not in memory, and mariadb-backup needs them.",
            "Run: stayput release --no-start. Or leave them out of it: --method dump",
        ));
    }
    let unlocked = unlock(options)?;
    let again = put_back_at_end(|| {
        // A MariaDB that is starting has not read them yet; its unit removes them.
        if is_started() && !is_starting() {
            let _ = key_release::remove_if_read();
        }
    });
    key_release::release_keys(unlocked.keys(), &unlocked.proven.policy)?;
    Ok(Some(again))
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
        let forged = found(u64::MAX, State::Damaged("forged".into()));
        assert_eq!(next_number(&[forged], 7), 8);
        assert_eq!(next_number(&[], 0), 1);
    }

    #[test]
    fn long_text_of_a_program_is_cut_between_letters() {
        assert_eq!(shortened::<5>("ab\u{e4}\u{e4}\u{e4}"), "ab\u{e4}");
    }
}
