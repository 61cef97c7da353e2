//! What somebody who has the stick can do to it, and what is said of it then. He reads and
//! writes everything on it, has other backups of the same server, and can encrypt for the
//! owner: the recipient is no secret.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::admin::problem::{Problem, ProblemKind};
use crate::backup::{
    Files, MANIFEST, Manifest, ManifestKeys, Method, Stream, StreamKind, TableRows, UNFINISHED,
    WAYS, folder_name, part_name,
};
use crate::vault::ServerId;

use super::*;

const SERVER: ServerId = ServerId([1; 16]);

/// Of a server that has had one master key, of these bytes.
fn key(byte: u8) -> ManifestKeys {
    ManifestKeys::of_bytes(&[byte])
}

fn made(number: u64) -> u64 {
    1_764_000_000 + number * 240
}

fn manifest(server: &ServerId, number: u64, generation: u32, streams: &[Stream]) -> Manifest {
    Manifest {
        server_id: server.0,
        server_name: "clinic".try_into().unwrap(),
        generation,
        number,
        made: made(number),
        label: heapless::String::new(),
        method: Method::Physical,
        mariadb_version: "10.11.19-MariaDB".try_into().unwrap(),
        gtid: heapless::String::new(),
        data_bytes: 1000,
        files: Files::default(),
        ways: Sha256::digest(WAYS_IN).into(),
        check: Vec::new(),
        streams: streams.iter().cloned().collect(),
        tables: vec![TableRows {
            schema: "clinic".into(),
            name: "patient".into(),
            rows: number,
            is_certain: true,
        }],
    }
}

const WAYS_IN: &[u8] = b"a stick and the code";

struct TwoParts<'a> {
    number: u64,
    key: &'a ManifestKeys,
    meanwhile: &'a mut dyn FnMut() -> Result<(), Problem>,
}

impl Content for TwoParts<'_> {
    fn write_parts(&mut self, _: &Place, folder: &Folder) -> Result<Vec<Stream>, Problem> {
        let mut ways = folder.create(WAYS).unwrap();
        ways.write_all(WAYS_IN).unwrap();
        let mut parts = PartWriter::new(folder, StreamKind::Database, 10);
        parts.write_all(&[self.number as u8; 15]).unwrap();
        let stream = parts.finish().unwrap();
        (self.meanwhile)()?;
        Ok(vec![stream])
    }

    fn manifest(&mut self, streams: Vec<Stream>) -> Result<Vec<u8>, Problem> {
        let manifest = manifest(&SERVER, self.number, self.key.generation(), &streams);
        Ok(manifest.close(self.key.current()).unwrap())
    }

    fn read_back(&mut self, place: &Place, name: &str) -> Result<(), Problem> {
        let (folder, manifest) = read_manifest(place, name, self.key, &SERVER)?;
        read_all(&folder, &manifest).map_err(|error| place.problem(&error))
    }
}

/// A stick with backups of the owner's.
struct Stick {
    room: tempfile::TempDir,
}

impl Stick {
    fn with(numbers: &[u64]) -> Self {
        let stick = Self {
            room: tempfile::tempdir().unwrap(),
        };
        numbers
            .iter()
            .for_each(|number| stick.back_up(*number, &key(1)));
        stick
    }

    fn place(&self) -> Place {
        Place::for_writing(self.room.path(), &SERVER).unwrap()
    }

    /// Writes backup `number` of two parts, signed with `key`.
    fn back_up(&self, number: u64, key: &ManifestKeys) {
        self.try_to(number, key, &mut || Ok(())).unwrap();
    }

    /// The same; `meanwhile` is called when the parts are written.
    fn try_to(
        &self,
        number: u64,
        key: &ManifestKeys,
        meanwhile: &mut dyn FnMut() -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let name = folder_name(number, made(number));
        let mut content = TwoParts {
            number,
            key,
            meanwhile,
        };
        write(&mut self.place(), &name, &mut content)
    }

    fn path(&self, number: u64) -> PathBuf {
        let all = self.room.path().join("stayput-backups");
        let name = folder_name(number, made(number));
        all.join(SERVER.to_string()).join(name)
    }

    fn part(&self, number: u64, part: usize) -> PathBuf {
        self.path(number)
            .join(part_name(StreamKind::Database, part))
    }

    fn manifest(&self, number: u64) -> PathBuf {
        self.path(number).join(MANIFEST)
    }

    fn found(&self) -> Vec<Found> {
        self.found_with(&key(1))
    }

    fn found_with(&self, keys: &ManifestKeys) -> Vec<Found> {
        find_all(&self.place(), keys, &SERVER).unwrap()
    }

    /// What a list says is wrong with backup `number`; empty where it is whole.
    fn said(&self, number: u64) -> String {
        let found = self.found();
        let one = found.iter().find(|one| one.number == number).unwrap();
        match &one.state {
            State::Whole(_) | State::Earlier(_) => String::new(),
            State::Unfinished => "unfinished".into(),
            State::Damaged(why) => why.clone(),
        }
    }

    /// Whether all of it is as the owner has written it.
    fn verifies(&self, number: u64) -> bool {
        let place = self.place();
        let name = folder_name(number, made(number));
        let Ok((folder, manifest)) = read_manifest(&place, &name, &key(1), &SERVER) else {
            return false;
        };
        read_all(&folder, &manifest).is_ok()
    }
}

fn swap(one: &PathBuf, other: &PathBuf) {
    let between = one.with_extension("x");
    fs::rename(one, &between).unwrap();
    fs::rename(other, one).unwrap();
    fs::rename(&between, other).unwrap();
}

#[test]
fn owners_backups_are_whole_and_verify() {
    let stick = Stick::with(&[1, 2]);
    for number in [1, 2] {
        assert_eq!(stick.said(number), "");
        assert!(stick.verifies(number));
    }
    let found = stick.found();
    let newest = choose_whole(&found, None, 2).unwrap();
    assert_eq!(newest.number, 2);
}

#[test]
fn changed_part_does_not_verify() {
    let stick = Stick::with(&[1]);
    let mut bytes = fs::read(stick.part(1, 2)).unwrap();
    bytes[0] ^= 1;
    fs::write(stick.part(1, 2), bytes).unwrap();
    assert!(!stick.verifies(1));
}

#[test]
fn changed_manifest_is_not_believed() {
    let stick = Stick::with(&[1]);
    let mut bytes = fs::read(stick.manifest(1)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(stick.manifest(1), bytes).unwrap();
    assert!(stick.said(1).contains("without this server's key"));
    assert!(!stick.verifies(1));
}

#[test]
fn cut_or_missing_part_is_seen_in_the_list() {
    let stick = Stick::with(&[1, 2]);
    let part = fs::OpenOptions::new().write(true).open(stick.part(1, 2));
    part.unwrap().set_len(4).unwrap();
    assert!(stick.said(1).contains("does not have its length"));
    fs::remove_file(stick.part(2, 2)).unwrap();
    assert!(stick.said(2).contains("database-0002.age"));
    assert!(choose_whole(&stick.found(), None, 0).is_err());
}

#[test]
fn parts_of_two_backups_do_not_mix() {
    let stick = Stick::with(&[1, 2]);
    swap(&stick.part(1, 1), &stick.part(2, 1));
    assert!(!stick.verifies(1) && !stick.verifies(2));
}

#[test]
fn parts_out_of_their_order_do_not_verify() {
    let stick = Stick::with(&[1]);
    swap(&stick.part(1, 1), &stick.part(1, 2));
    assert!(!stick.verifies(1));
}

#[test]
fn older_backup_in_the_newest_ones_folder_is_seen() {
    let stick = Stick::with(&[1, 2]);
    swap(&stick.path(1), &stick.path(2));
    let said = stick.said(2);
    assert_eq!(said, "it is backup 1, in the folder of another");
    assert!(choose_whole(&stick.found(), None, 2).is_err());
}

#[test]
fn older_backup_shown_again_is_not_taken_for_the_newest() {
    let stick = Stick::with(&[1, 2, 3]);
    fs::remove_dir_all(stick.path(3)).unwrap();
    let found = stick.found();
    let problem = choose_whole(&found, None, 3).unwrap_err();
    assert!(problem.what.contains("number 2"), "{problem}");
    assert_eq!(choose_whole(&found, Some(2), 3).unwrap().number, 2);
}

#[test]
fn backup_that_a_thief_has_encrypted_is_not_the_owners() {
    let stick = Stick::with(&[1]);
    stick.back_up(2, &key(9));
    assert!(stick.said(2).contains("without this server's key"));
    assert_eq!(choose_whole(&stick.found(), None, 1).unwrap().number, 1);
    // His parts under the owner's manifest.
    for part in [1, 2] {
        fs::copy(stick.part(2, part), stick.part(1, part)).unwrap();
    }
    assert!(!stick.verifies(1));
}

#[test]
fn backup_of_another_server_is_not_this_ones() {
    let stick = Stick::with(&[1]);
    let (folder, ours) =
        read_manifest(&stick.place(), &folder_name(1, made(1)), &key(1), &SERVER).unwrap();
    drop(folder);
    let other = manifest(&ServerId([2; 16]), 1, 1, &ours.streams);
    let other = other.close(key(1).current()).unwrap();
    fs::write(stick.manifest(1), other).unwrap();
    assert_eq!(stick.said(1), "it is of another server");
}

#[test]
fn backups_of_before_a_new_key_are_known_and_not_taken_for_new() {
    let stick = Stick::with(&[1]);
    // Whoever has the lost stick signs by what he has.
    stick.back_up(999, &key(1));
    let after = ManifestKeys::of_bytes(&[1, 2]);
    let problem = choose_whole(&stick.found_with(&after), None, 1).unwrap_err();
    assert!(
        problem.what.contains("master key was replaced"),
        "{problem}"
    );
    stick.back_up(2, &after);
    let found = stick.found_with(&after);
    assert_eq!(found.len(), 3);
    assert_eq!(choose_whole(&found, None, 2).unwrap().number, 2);
    assert_eq!(choose_whole(&found, Some(1), 2).unwrap().number, 1);
    let is_earlier = |one: &&Found| matches!(one.state, State::Earlier(_));
    assert_eq!(found.iter().filter(is_earlier).count(), 2);
}

#[test]
fn stick_that_forgets_what_it_took_gets_no_backup() {
    let stick = Stick::with(&[1]);
    let first = stick.part(2, 1);
    // It writes over the first part while it takes the second, as one does that lies about
    // its size.
    let tried = stick.try_to(2, &key(1), &mut || {
        fs::write(&first, [7; 10]).unwrap();
        Ok(())
    });
    let problem = tried.unwrap_err();
    assert!(problem.what.contains("does not hold"), "{problem}");
    assert_eq!(problem.kind, ProblemKind::NotKept);
    // Nothing more is written to it, not even to remove this.
    assert_eq!(stick.said(2), "unfinished");
    assert!(stick.verifies(1));
}

#[test]
fn stick_whose_manifest_is_gone_a_moment_later_is_not_trusted() {
    let stick = Stick::with(&[1]);
    let name = folder_name(2, made(2));
    let why = read_manifest(&stick.place(), &name, &key(1), &SERVER).unwrap_err();
    let problem = stick.place().not_kept(why);
    assert_eq!(problem.kind, ProblemKind::NotKept);
    assert!(problem.what.contains("it has no manifest."), "{problem}");
}

#[test]
fn all_older_backups_are_lost_where_nothing_can_be_read() {
    let stick = Stick::with(&[1, 2]);
    let known = stick.found();
    let place = stick.place();
    let lost = || lost_besides(&place, "", &key(1), &SERVER, &known);
    fs::remove_dir_all(stick.path(1)).unwrap();
    fs::remove_dir_all(stick.path(2)).unwrap();
    let both = [folder_name(1, made(1)), folder_name(2, made(2))];
    assert_eq!(lost().unwrap(), both);
    // A share that has gone has lost none.
    fs::remove_dir_all(stick.room.path()).unwrap();
    assert_eq!(lost().unwrap_err().kind, ProblemKind::NotThere);
}

#[test]
fn ways_in_that_were_changed_do_not_verify() {
    let stick = Stick::with(&[1]);
    fs::write(stick.path(1).join(WAYS), "nobody's").unwrap();
    assert_eq!(stick.said(1), "");
    assert!(!stick.verifies(1));
    fs::remove_file(stick.path(1).join(WAYS)).unwrap();
    assert!(!stick.verifies(1));
}

#[test]
fn older_backup_that_was_written_over_is_seen_behind_a_new_one() {
    let stick = Stick::with(&[1, 2, 3]);
    let known = stick.found();
    let lost = || {
        let name = folder_name(3, made(3));
        lost_besides(&stick.place(), &name, &key(1), &SERVER, &known).unwrap()
    };
    assert!(lost().is_empty());
    // Its length is as it was.
    fs::write(stick.part(1, 1), [7; 10]).unwrap();
    fs::write(stick.manifest(2), "another file's block").unwrap();
    assert_eq!(lost(), [folder_name(1, made(1)), folder_name(2, made(2))]);
}

#[test]
fn failure_in_the_middle_leaves_the_older_ones_whole() {
    let stick = Stick::with(&[1]);
    let failed = stick.try_to(2, &key(1), &mut || {
        Err(Problem::failed("The database has gone away.", ""))
    });
    assert!(failed.is_err());
    assert_eq!(stick.found().len(), 1);
    assert!(stick.verifies(1));
}

#[test]
fn what_an_interruption_left_is_told_and_removed() {
    let stick = Stick::with(&[1]);
    let remove = |number| {
        let name = folder_name(number, made(number));
        remove_all(&stick.place(), [name.as_str()])
    };
    let left = [MANIFEST, &part_name(StreamKind::Database, 1), UNFINISHED];
    for files in [&left[..], &left[1..], &left[2..], &[]] {
        fs::create_dir(stick.path(2)).unwrap();
        for file in files {
            fs::write(stick.path(2).join(file), "x").unwrap();
        }
        assert_eq!(stick.said(2), "unfinished", "{files:?}");
        remove(2).unwrap();
        assert_eq!(stick.found().len(), 1);
    }
    assert!(stick.verifies(1));
    // A cut while it was removed, with its manifest still there.
    fs::write(stick.path(1).join(UNFINISHED), "").unwrap();
    assert_eq!(stick.said(1), "unfinished");
    assert!(choose_whole(&stick.found(), None, 0).is_err());
    remove(1).unwrap();
    assert!(stick.found().is_empty());
}

#[test]
fn folder_that_is_there_is_not_written_over() {
    let stick = Stick::with(&[1]);
    let again = stick.try_to(1, &key(1), &mut || Ok(()));
    assert!(again.is_err());
    assert!(stick.verifies(1), "nor removed");
}
