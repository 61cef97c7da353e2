//! What is written into a backup: the database, the files that were named, and the manifest.

use std::cell::RefCell;
use std::io::{Stdout, Write};
use std::process::Command;

use sha2::{Digest, Sha256};

use super::include::Included;
use crate::admin::backup::{
    Archive, Content, Folder, Found, PART_BYTES, PIPED_PART_BYTES, PartWriter, Place, Progress,
    Tool, Words, encrypt, lost_besides, patiently, read_all, read_manifest,
};
use crate::admin::mariadb::backup_source::{RunningDatabase, gtid_in};
use crate::admin::problem::{Problem, Result};
use crate::backup::{Manifest, ManifestKeys, Method, Stream, StreamKind, TableRows, WAYS};
use crate::vault::ServerId;

/// The backup that is being made.
pub struct Backup<'a> {
    /// What is backed up.
    pub database: &'a RunningDatabase,
    /// Whom it is encrypted for.
    pub recipient: heapless::String<128>,
    /// What signs it.
    pub keys: &'a ManifestKeys,
    /// Whose it is.
    pub server: ServerId,
    /// The copy of the ways in.
    pub ways: Vec<u8>,
    /// The files that were named.
    pub included: &'a [Included],
    /// Where it goes at once, part by part, if it goes into a pipe.
    pub archive: Option<&'a RefCell<Archive<Stdout>>>,
    /// The backups that were there before.
    pub known: Vec<Found>,
    /// The names of those that cannot be read any more behind it.
    pub lost: Vec<String>,
    /// The bytes of the stream that did not fit, where the place has run full.
    pub ran_full_at: Option<u64>,
    /// What is known of it so far.
    pub manifest: Manifest,
}

impl Backup<'_> {
    /// Encrypts what `tool` writes; `bytes` of it are expected.
    fn stream(
        &mut self,
        place: &Place,
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
        let said = encrypt(place, tool, &self.recipient, &mut parts, &mut progress);
        if parts.ran_full() {
            self.ran_full_at = Some(parts.bytes_written());
        }
        let said = said?;
        let stream = patiently(place.named(), || parts.finish());
        let stream = stream.map_err(|error| place.problem(&error))?;
        Ok((stream, said))
    }
}

impl Content for Backup<'_> {
    fn write_parts(&mut self, place: &Place, folder: &Folder) -> Result<Vec<Stream>> {
        let ways = folder.create(WAYS);
        let written = ways.and_then(|mut file| file.write_all(&self.ways));
        written.map_err(|error| place.problem(&error))?;
        self.manifest.ways = Sha256::digest(&self.ways).into();
        let rows = self.database.watch()?;
        let (name, command) = match self.manifest.method {
            Method::Physical => ("mariadb-backup", self.database.files()?),
            Method::Dump => ("mariadb-dump", self.database.dump()?),
        };
        let tool = Tool {
            name,
            command,
            words: Words::Errors,
            well: &[0],
        };
        let bytes = self.manifest.data_bytes;
        let (database, said) = self.stream(place, folder, StreamKind::Database, tool, bytes)?;
        let counted = rows.end(self.database.client())?.into_iter();
        let counted = counted.map(|(table, counted)| TableRows {
            schema: table.schema,
            name: table.name,
            rows: counted.rows,
            is_certain: counted.is_certain,
        });
        self.manifest.tables = counted.collect();
        if self.manifest.method == Method::Physical {
            self.manifest.gtid = shortened(gtid_in(&said));
        }
        let mut streams = vec![database];
        if !self.included.is_empty() {
            println!("Backing up the files that were named.");
            let tar = tar(self.included);
            let bytes = self.manifest.files.bytes;
            let (files, _) = self.stream(place, folder, StreamKind::Files, tar, bytes)?;
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

    fn read_back(&mut self, place: &Place, name: &str) -> Result<()> {
        let (folder, manifest) = read_manifest(place, name, self.keys, &self.server)?;
        if manifest != self.manifest {
            return Err(place.problem(&std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "the manifest is not what was written",
            )));
        }
        read_all(&folder, &manifest).map_err(|error| place.problem(&error))?;
        self.lost = lost_besides(place, name, self.keys, &self.server, &self.known)?;
        Ok(())
    }
}

/// A text that came from a program, cut to what has room.
pub fn shortened<const N: usize>(text: &str) -> heapless::String<N> {
    let mut short = heapless::String::new();
    // What does not fit is left out.
    let _ = text.chars().try_for_each(|letter| short.push(letter));
    short
}

fn tar(included: &[Included]) -> Tool {
    let mut command = Command::new("/usr/bin/tar");
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command.args(["--create", "--numeric-owner", "--acls", "--xattrs"]);
    command.args(["--directory=/", "--"]);
    command.args(included.iter().map(Included::below_the_root));
    Tool {
        name: "tar",
        command,
        words: Words::Errors,
        // 1: a file was written while it was read, and is in it as it was found.
        well: &[0, 1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_of_a_program_is_cut_between_letters() {
        assert_eq!(shortened::<5>("ab\u{e4}\u{e4}\u{e4}"), "ab\u{e4}");
    }
}
