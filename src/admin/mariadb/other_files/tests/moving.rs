//! Real directories: listed, moved and carried over.

use super::super::*;
use super::known;
use crate::admin::mariadb::conversion::Conversion;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

struct Room(tempfile::TempDir);

impl Room {
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        for directory in ["data/clinic/old", "data/#foreign/deep", "data/stuff"] {
            fs::create_dir_all(room.at(directory)).unwrap();
        }
        for (path, text) in [
            ("data/ibdata1", "system"),
            ("data/dump.sql", "dump"),
            ("data/ca.pem", "certificate"),
            ("data/clinic/patient.ibd", "rows"),
            ("data/clinic/dump.sql", "more"),
            ("data/clinic/old/a.ibd", "12345"),
            ("data/#foreign/x", "123"),
            ("data/#foreign/deep/y", "45"),
        ] {
            fs::write(room.at(path), text).unwrap();
        }
        symlink("/etc", room.at("data/stuff/link")).unwrap();
        room
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn found(&self) -> Vec<ClassifiedEntry> {
        classify(list_entries(&self.at("data"), &known()).unwrap(), &known())
    }

    fn move_kept(&self) -> std::io::Result<()> {
        self.move_kept_in(Conversion::Encrypt)
    }

    fn move_kept_in(&self, conversion: Conversion) -> std::io::Result<()> {
        let kept: Vec<PathBuf> = [
            "dump.sql",
            "clinic/dump.sql",
            "clinic/old",
            "#foreign",
            "stuff",
        ]
        .map(PathBuf::from)
        .to_vec();
        let kept = kept.iter().map(PathBuf::as_path);
        move_kept(&self.at("data"), &self.at("kept"), kept, conversion)
    }
}

#[test]
fn databases_are_listed_by_file_and_others_as_a_whole() {
    let room = Room::new();
    let listing = list_entries(&room.at("data"), &known()).unwrap();
    let shown: Vec<(&str, Kind, u64)> = listing
        .iter()
        .map(|entry| (entry.path.to_str().unwrap(), entry.kind, entry.bytes))
        .collect();
    use Kind::{Directory, File};
    assert_eq!(
        shown,
        [
            ("#foreign", Directory, 5),
            ("ca.pem", File, 11),
            ("clinic/dump.sql", File, 4),
            ("clinic/old", Directory, 5),
            ("clinic/patient.ibd", File, 4),
            ("dump.sql", File, 4),
            ("ibdata1", File, 6),
            ("stuff", Directory, 0),
        ]
    );
    let found = room.found();
    let kept: Vec<&Path> = of_class(&found, Class::Kept).collect();
    assert_eq!(kept.len(), 5, "{kept:?}");
}

#[test]
fn what_is_kept_is_moved_once_and_nothing_else() {
    let room = Room::new();
    room.move_kept().unwrap();
    assert_eq!(fs::read(room.at("kept/clinic/dump.sql")).unwrap(), b"more");
    assert_eq!(fs::read(room.at("kept/#foreign/deep/y")).unwrap(), b"45");
    assert!(room.at("kept/README-stayput.txt").exists());
    let mode = fs::metadata(room.at("kept")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
    let left = list_entries(&room.at("data"), &known()).unwrap();
    let left: Vec<&Path> = left.iter().map(|entry| &*entry.path).collect();
    assert_eq!(
        left,
        ["ca.pem", "clinic/patient.ibd", "ibdata1"].map(Path::new)
    );
    // As after a power cut, also when the original is gone by then.
    room.move_kept().unwrap();
    fs::remove_dir_all(room.at("data/clinic")).unwrap();
    room.move_kept().unwrap();
    // A power cut in the middle.
    fs::rename(room.at("kept/dump.sql"), room.at("data/dump.sql")).unwrap();
    room.move_kept().unwrap();
    assert_eq!(fs::read(room.at("kept/dump.sql")).unwrap(), b"dump");
}

#[test]
fn note_beside_what_is_kept_says_by_whom_and_how_readable() {
    for (conversion, words, other) in [
        (Conversion::Encrypt, "mariadb enable", "with its keys"),
        (
            Conversion::Decrypt,
            "disable --clear",
            "They are not encrypted",
        ),
    ] {
        let room = Room::new();
        room.move_kept_in(conversion).unwrap();
        let note = fs::read_to_string(room.at("kept/README-stayput.txt")).unwrap();
        assert!(note.contains(words), "{note}");
        assert!(!note.contains(other), "{note}");
    }
}

#[test]
fn what_is_kept_replaces_nothing() {
    let room = Room::new();
    room.move_kept().unwrap();
    fs::write(room.at("data/dump.sql"), b"a new one").unwrap();
    let error = room.move_kept().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(room.at("kept/dump.sql")).unwrap(), b"dump");
    // Nor is somebody's directory taken for the place.
    let room = Room::new();
    fs::create_dir(room.at("kept")).unwrap();
    fs::write(room.at("kept/holiday.jpg"), b"").unwrap();
    assert!(room.move_kept().is_err());
    assert!(room.at("data/dump.sql").exists());
    // Something that was kept but is nowhere is an error.
    let room = Room::new();
    fs::remove_file(room.at("data/dump.sql")).unwrap();
    assert!(room.move_kept().is_err());
}

#[test]
fn a_way_out_of_the_data_directory_moves_nothing() {
    let room = Room::new();
    fs::create_dir(room.at("outside")).unwrap();
    fs::write(room.at("outside/file"), b"").unwrap();
    symlink(room.at("outside"), room.at("data/door")).unwrap();
    for path in ["../outside/file", "door/file", "/etc/passwd", ""] {
        let paths = [Path::new(path)];
        let (from, to) = (room.at("data"), room.at("kept"));
        let moved = move_kept(&from, &to, paths.into_iter(), Conversion::Encrypt);
        assert!(moved.is_err(), "{path}");
    }
    assert!(room.at("outside/file").exists());
}

#[test]
fn a_certificate_is_copied_with_its_mode_and_links_are_refused() {
    let room = Room::new();
    fs::create_dir(room.at("new")).unwrap();
    let carry = |name: &str| {
        let names = [Path::new(name)];
        carry_over(&room.at("data"), &room.at("new"), names.into_iter())
    };
    let mode = fs::Permissions::from_mode(0o400);
    fs::set_permissions(room.at("data/ca.pem"), mode.clone()).unwrap();
    carry("ca.pem").unwrap();
    carry("ca.pem").unwrap();
    assert_eq!(fs::read(room.at("new/ca.pem")).unwrap(), b"certificate");
    let carried = fs::metadata(room.at("new/ca.pem")).unwrap().permissions();
    assert_eq!(carried.mode() & 0o777, mode.mode());
    symlink("ca.pem", room.at("data/link.pem")).unwrap();
    fs::hard_link(room.at("data/dump.sql"), room.at("data/two.pem")).unwrap();
    for refused in ["link.pem", "two.pem", "clinic", "clinic/dump.sql", "absent"] {
        assert!(carry(refused).is_err(), "{refused}");
    }
    assert_eq!(fs::read_dir(room.at("new")).unwrap().count(), 1);
}
