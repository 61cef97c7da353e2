//! Directories that are destroyed, with what a hostile or failing disk has.

use super::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

struct Room(tempfile::TempDir);

impl Room {
    /// A data directory `old` with one table.
    fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(room.at("old/clinic")).unwrap();
        fs::write(room.at("old/clinic/patient.ibd"), b"CANARY").unwrap();
        room
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn destroy(&self) -> Destroyed {
        destroy(&self.at("old"), &mut |_| {}).unwrap()
    }
}

#[test]
fn the_original_is_overwritten_before_it_is_removed() {
    let room = Room::new();
    // An open descriptor sees what the file's own blocks hold at the end.
    let witness = File::open(room.at("old/clinic/patient.ibd")).unwrap();
    let mut bytes = 0;
    let mut seen = Vec::new();
    let done = destroy(&room.at("old"), &mut |step| {
        if let Step::Overwritten(step) = step {
            bytes += step;
            let mut text = [1; 6];
            std::os::unix::fs::FileExt::read_exact_at(&witness, &mut text, 0).unwrap();
            seen.push(text);
        }
    })
    .unwrap();
    assert!(done.is_complete() && done.lines().is_empty(), "{done:?}");
    assert_eq!((done.files, done.bytes, bytes), (1, 6, 6));
    assert_eq!(seen, [[0; 6]]);
    assert!(!room.at("old").exists());
    // And once more, as after a power cut.
    assert!(room.destroy().is_complete());
}

#[test]
fn a_backup_of_hard_links_keeps_its_rows_and_is_told() {
    let room = Room::new();
    fs::hard_link(room.at("old/clinic/patient.ibd"), room.at("daily.0")).unwrap();
    let inode = fs::metadata(room.at("daily.0")).unwrap().ino();
    let mut told = Vec::new();
    let old = room.at("old");
    let done = destroy(&old, &mut |step| {
        if let Step::OtherName(path, inode) = step {
            assert!(old.join(path).exists(), "told before the name goes");
            told.push((path.to_owned(), inode));
        }
    })
    .unwrap();
    assert_eq!(fs::read(room.at("daily.0")).unwrap(), b"CANARY");
    assert_eq!(told, [(PathBuf::from("clinic/patient.ibd"), inode)]);
    assert_eq!(done.other_names, told);
    let line = format!("  clinic/patient.ibd: inode {inode}");
    assert!(done.lines().contains(&line), "{:?}", done.lines());
    assert!(done.is_complete() && !old.exists());
}

#[test]
fn two_names_inside_are_one_file_and_overwritten() {
    let room = Room::new();
    let file = room.at("old/clinic/patient.ibd");
    fs::hard_link(&file, room.at("old/clinic/a.ibd")).unwrap();
    let done = room.destroy();
    assert!(done.other_names.is_empty(), "{done:?}");
    assert_eq!((done.files, done.bytes), (2, 6));
    // With a third name outside it is another's file.
    let room = Room::new();
    let file = room.at("old/clinic/patient.ibd");
    fs::hard_link(&file, room.at("old/clinic/a.ibd")).unwrap();
    fs::hard_link(&file, room.at("daily.0")).unwrap();
    assert_eq!(room.destroy().other_names.len(), 2);
    assert_eq!(fs::read(room.at("daily.0")).unwrap(), b"CANARY");
}

#[test]
fn what_a_link_points_to_is_left_alone() {
    let room = Room::new();
    fs::write(room.at("other"), b"keep").unwrap();
    symlink(room.at("other"), room.at("old/link")).unwrap();
    fs::create_dir(room.at("elsewhere")).unwrap();
    fs::write(room.at("elsewhere/file"), b"keep").unwrap();
    symlink(room.at("elsewhere"), room.at("old/directory")).unwrap();
    assert!(room.destroy().is_complete());
    assert_eq!(fs::read(room.at("other")).unwrap(), b"keep");
    assert_eq!(fs::read(room.at("elsewhere/file")).unwrap(), b"keep");
    // Nor is the directory itself reached over one.
    symlink(room.at("elsewhere"), room.at("old")).unwrap();
    assert!(destroy(&room.at("old"), &mut |_| {}).is_err());
    assert_eq!(fs::read(room.at("elsewhere/file")).unwrap(), b"keep");
}

#[test]
fn pipes_and_sockets_do_not_hold_it_up() {
    let room = Room::new();
    nix::unistd::mkfifo(&room.at("old/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    drop(std::os::unix::net::UnixListener::bind(room.at("old/mysql.sock")).unwrap());
    assert!(room.destroy().is_complete());
    assert!(!room.at("old").exists());
}

#[test]
fn a_file_that_cannot_be_written_stays_and_stops_nothing_else() {
    let room = Room::new();
    // The kernel lets nobody write into a program that runs.
    let program = room.at("old/clinic/busy.ibd");
    fs::copy("/bin/sleep", &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = Command::new(&program);
    let mut busy = command.arg("60").stdin(Stdio::null()).spawn().unwrap();
    let done = room.destroy();
    busy.kill().unwrap();
    busy.wait().unwrap();
    assert!(!done.is_complete());
    let failed: Vec<&Path> = done.failed.iter().map(|(path, _)| &**path).collect();
    assert_eq!(failed, [Path::new("clinic/busy.ibd")]);
    assert!(done.lines().join("\n").contains("clinic/busy.ibd"));
    assert!(!room.at("old/clinic/patient.ibd").exists());
    assert_eq!(fs::read(&program).unwrap(), fs::read("/bin/sleep").unwrap());
    // The next try ends it.
    assert!(room.destroy().is_complete());
    assert!(!room.at("old").exists());
}

/// In a mount table of its own; only root can have one.
fn with_mounts(work: impl FnOnce() + Send) {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            let nothing = None::<&str>;
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(nothing, "/", nothing, private, nothing).unwrap();
            work();
        });
        inside.join().unwrap();
    });
}

#[test]
fn a_mount_in_it_is_refused_before_anything_is_touched() {
    use crate::sys::mount::{bind, unmount};
    let room = Room::new();
    // On the same filesystem: its device's number would tell nothing.
    for place in ["old/z", "elsewhere"] {
        fs::create_dir(room.at(place)).unwrap();
    }
    fs::write(room.at("old/y"), b"").unwrap();
    fs::write(room.at("elsewhere/file"), b"keep").unwrap();
    let refused = |source: &str, target: &str| {
        bind(&room.at(source), &room.at(target)).unwrap();
        let error = destroy(&room.at("old"), &mut |_| {}).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EXDEV), "{target}");
        unmount(&room.at(target)).unwrap();
    };
    with_mounts(|| {
        refused("elsewhere", "old/z");
        refused("elsewhere/file", "old/y");
        refused("elsewhere", "old");
        assert_eq!(fs::read(room.at("elsewhere/file")).unwrap(), b"keep");
        assert_eq!(
            fs::read(room.at("old/clinic/patient.ibd")).unwrap(),
            b"CANARY"
        );
    });
}
