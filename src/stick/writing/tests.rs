use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::keys::MasterKey;
use crate::sys::loop_device::Loop;
use crate::vault::{Header, Ways};
use tempfile::{NamedTempFile, TempDir};

/// A volume that is mounted, and a server.
struct Volume {
    top: TempDir,
    key: MasterKey,
    own: Header,
}

impl Volume {
    fn new() -> Self {
        let key = MasterKey::generate();
        Self {
            top: TempDir::new().unwrap(),
            own: Header::of_a_new_server(&key),
            key,
        }
    }

    fn top(&self) -> File {
        File::open(self.top.path()).unwrap()
    }

    fn folder(&self) -> PathBuf {
        self.top.path().join(FOLDER)
    }

    fn copies(&self) -> [PathBuf; 2] {
        file_names(&self.own.server_id).map(|name| self.folder().join(name.as_str()))
    }

    fn file(&self, label: &str) -> StickFile {
        StickFile::for_test(&self.own, &self.key, label, b"4711")
    }

    fn write(&self, file: &StickFile) -> io::Result<()> {
        let ways = WaysCopy::of(&self.own, &Ways::default());
        write_in(&self.top(), file, &ways)
    }

    /// Puts the key of a stick on it; gives its id.
    fn holds(&self, label: &str) -> StickId {
        let file = self.file(label);
        self.write(&file).unwrap();
        file.info.stick_id
    }

    fn wipe(&self, stick: &StickId) -> Result<(), NotWiped> {
        wipe_in(&self.top(), &self.own.server_id, stick)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn a_renewed_stick_holds_the_new_key_twice_and_nothing_else() {
    let volume = Volume::new();
    volume.write(&volume.file("office")).unwrap();
    // A longer one was there.
    let longer = fs::OpenOptions::new()
        .append(true)
        .open(&volume.copies()[0]);
    longer.unwrap().write_all(b"more").unwrap();
    let renewed = volume.file("bank");
    volume.write(&renewed).unwrap();
    for copy in volume.copies() {
        assert_eq!(fs::read(copy).unwrap(), renewed.encode());
    }
    assert_eq!(volume.names().len(), 4, "{:?}", volume.names());
}

#[test]
fn a_stick_pulled_twice_while_it_is_renewed_keeps_a_whole_copy() {
    let volume = Volume::new();
    let first = volume.file("office");
    volume.write(&first).unwrap();
    // Pulled out while the second copy was written; and that one takes no byte now.
    let [whole, torn] = volume.copies();
    fs::remove_file(&torn).unwrap();
    fs::create_dir(&torn).unwrap();
    assert!(volume.write(&volume.file("bank")).is_err());
    assert_eq!(fs::read(&whole).unwrap(), first.encode());
}

#[test]
fn a_stick_that_is_being_written_does_not_count_as_wiped() {
    let volume = Volume::new();
    let stick = volume.holds("office");
    let writer = File::open(volume.folder()).unwrap();
    file_lock::lock(&writer, Duration::ZERO).unwrap();
    let wiped = volume.wipe(&stick);
    assert!(matches!(wiped, Err(NotWiped::Failed(_))), "{wiped:?}");
    assert!(volume.copies().iter().all(|copy| !copy.exists()));
}

#[test]
fn a_stick_in_the_place_of_the_named_one_is_not_wiped() {
    let volume = Volume::new();
    let named = volume.holds("office");
    // Pulled out while a person was asked; another one of this server sits there.
    let other = volume.holds("bank");
    let before = volume.copies().map(|copy| fs::read(copy).unwrap());
    assert_eq!(volume.wipe(&named), Err(NotWiped::AnotherStick));
    assert_eq!(volume.copies().map(|copy| fs::read(copy).unwrap()), before);
    // One that was pulled out while it was renewed is known by either copy.
    let torn = &volume.copies()[0];
    fs::write(torn, b"torn").unwrap();
    assert_eq!(volume.wipe(&named), Err(NotWiped::AnotherStick));
    assert_eq!(fs::read(torn).unwrap(), b"torn");
    assert_eq!(volume.wipe(&other), Ok(()));
    assert!(volume.copies().iter().all(|copy| !copy.exists()));
}

#[test]
fn a_stick_that_is_not_the_named_one_is_not_even_mounted() {
    let volume = Volume::new();
    let held = volume.holds("bank");
    let image = NamedTempFile::new().unwrap();
    image.as_file().set_len(8 << 20).unwrap();
    let mut make = Command::new("mkfs.ext4");
    let make = make.arg("-q").arg("-d").arg(volume.top.path());
    assert!(make.arg(image.path()).status().unwrap().success());
    let before = fs::read(image.path()).unwrap();
    let wipe = |stick| {
        let device = Loop::of(image.path())?;
        Some(wipe(&device.0, &volume.own.server_id, stick))
    };
    // To mount it for writing changes its superblock.
    let Some(wiped) = wipe(&[9; 8]) else {
        return;
    };
    assert_eq!(wiped, Err(NotWiped::AnotherStick));
    assert!(fs::read(image.path()).unwrap() == before);
    assert_eq!(wipe(&held), Some(Ok(())));
    assert!(fs::read(image.path()).unwrap() != before);
}

#[test]
fn an_empty_stick_does_not_count_as_wiped() {
    let volume = Volume::new();
    let named = volume.holds("office");
    let empty = Volume {
        top: TempDir::new().unwrap(),
        key: volume.key.clone(),
        own: volume.own.clone(),
    };
    assert_eq!(empty.wipe(&named), Err(NotWiped::AnotherStick));
    fs::create_dir(empty.folder()).unwrap();
    assert_eq!(empty.wipe(&named), Err(NotWiped::AnotherStick));
}

#[test]
fn two_who_write_a_stick_at_once_do_not_mix() {
    let volume = Volume::new();
    let files = ["office", "bank"].map(|label| volume.file(label));
    for _ in 0..20 {
        std::thread::scope(|scope| {
            let written = files
                .each_ref()
                .map(|file| scope.spawn(|| volume.write(file)));
            assert!(written.map(|it| it.join().unwrap().is_ok()) == [true; 2]);
        });
        let [first, second] = volume.copies().map(|copy| fs::read(copy).unwrap());
        assert_eq!(first, second);
    }
}

#[test]
fn a_link_on_the_stick_leads_to_no_file_of_the_server() {
    let server = TempDir::new().unwrap();
    let precious = server.path().join("shadow");
    fs::write(&precious, b"precious").unwrap();
    let volume = Volume::new();
    let file = volume.file("office");
    let stick = &file.info.stick_id;
    // In place of the folder.
    symlink(server.path(), volume.folder()).unwrap();
    assert!(volume.write(&file).is_err());
    assert!(volume.wipe(stick).is_err());
    assert_eq!(fs::read_dir(server.path()).unwrap().count(), 1);
    // In place of a copy.
    fs::remove_file(volume.folder()).unwrap();
    fs::create_dir(volume.folder()).unwrap();
    symlink(&precious, &volume.copies()[0]).unwrap();
    assert!(volume.write(&file).is_err());
    fs::write(&volume.copies()[1], file.encode()).unwrap();
    assert!(volume.wipe(stick).is_err());
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
}

#[test]
fn wiping_takes_this_servers_keys_and_leaves_the_rest() {
    let volume = Volume::new();
    let other = Volume::new();
    let stick = volume.holds("office");
    let others = file_names(&other.own.server_id)[0].to_string();
    fs::write(volume.folder().join(&others), b"key").unwrap();
    // A second name of the same file shows what became of the content.
    let kept = volume.folder().join("kept");
    fs::hard_link(&volume.copies()[0], &kept).unwrap();
    let before = fs::read(&kept).unwrap();
    volume.wipe(&stick).unwrap();
    let mut expected = [others, "README.txt".into(), "kept".into()];
    expected.sort();
    assert_eq!(volume.names(), expected);
    let after = fs::read(kept).unwrap();
    assert!(after.len() == before.len() && after[..32] != before[..32]);
}

#[test]
fn a_copy_that_cannot_be_wiped_saves_no_other() {
    let volume = Volume::new();
    let stick = volume.holds("office");
    let [first, second] = volume.copies();
    fs::remove_file(&first).unwrap();
    fs::create_dir(&first).unwrap();
    assert!(volume.wipe(&stick).is_err());
    assert!(!second.exists());
}

#[test]
fn a_stick_of_a_later_key_is_left_as_it_is() {
    let volume = Volume::new();
    let file = volume.file("office");
    let next = Header {
        generation: 2,
        ..volume.own.clone()
    };
    let later = StickFile::for_test(&next, &volume.key, "office", b"4711");
    let copy = |header| WaysCopy::of(header, &Ways::default());
    let refused = |written: io::Result<()>| written.err().map(|error| error.kind());
    let lost = Some(io::ErrorKind::AlreadyExists);
    let read = || {
        volume
            .names()
            .into_iter()
            .map(|name| fs::read(volume.folder().join(name)))
    };
    let all = || read().collect::<io::Result<Vec<_>>>().unwrap();

    write_in(&volume.top(), &later, &copy(&next)).unwrap();
    let before = all();
    assert_eq!(refused(volume.write(&file)), lost);
    // Its key file alone, and the copy of the ways in alone.
    fs::remove_file(volume.folder().join(&*ways_name(&volume.own.server_id))).unwrap();
    assert_eq!(refused(volume.write(&file)), lost);
    write_in(&volume.top(), &later, &copy(&next)).unwrap();
    assert_eq!(all(), before);
    for copy in volume.copies() {
        fs::remove_file(copy).unwrap();
    }
    assert_eq!(refused(volume.write(&file)), lost);
}

#[test]
fn a_copy_of_another_key_of_the_same_number_is_left_as_it_is() {
    let volume = Volume::new();
    let other = Header {
        check: Header::check_value(&MasterKey::generate(), &volume.own.server_id, 1),
        ..volume.own.clone()
    };
    let file = volume.file("office");
    let copy = WaysCopy::of(&other, &Ways::default());
    write_in(&volume.top(), &file, &copy).unwrap();
    let refused = volume.write(&file).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    assert!(refused.to_string().contains("another key"), "{refused}");
}
