//! Processes as /proc shows them, made of files and links.

use std::os::unix::fs::symlink;

use super::*;

struct Machine {
    room: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self {
            room: tempfile::tempdir().unwrap(),
        };
        machine.namespace("self", "pid:[1]");
        for name in ["real", "other"] {
            fs::create_dir(machine.path(name)).unwrap();
            for file in [ARIA_FILE, "ibdata1", "ib_logfile0"] {
                fs::write(machine.path(name).join(file), name).unwrap();
            }
        }
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    fn proc(&self) -> PathBuf {
        self.path("proc")
    }

    fn namespace(&self, process: &str, name: &str) {
        let folder = self.proc().join(process).join("ns");
        fs::create_dir_all(&folder).unwrap();
        symlink(name, folder.join("pid")).unwrap();
    }

    /// A process with this program and name, at work in `directory` with
    /// these files of it open.
    fn runs(&self, pid: u32, program: &str, name: &str, directory: &str, open: &[&str]) {
        let folder = self.proc().join(pid.to_string());
        self.namespace(&pid.to_string(), "pid:[1]");
        fs::create_dir_all(folder.join("fd")).unwrap();
        fs::write(folder.join("comm"), format!("{name}\n")).unwrap();
        fs::write(folder.join("cmdline"), format!("{program}\0--x\0")).unwrap();
        symlink(program, folder.join("exe")).unwrap();
        symlink(self.path(directory), folder.join("cwd")).unwrap();
        for (number, file) in open.iter().enumerate() {
            let target = self.path(directory).join(file);
            symlink(target, folder.join("fd").join(number.to_string())).unwrap();
        }
    }

    fn serves(&self, pid: u32) -> std::result::Result<u32, NotServing> {
        serves(&self.proc(), pid, &self.path("real")).map(|process| process.pid)
    }

    fn servers(&self) -> Vec<u32> {
        let servers = servers(&self.proc()).unwrap();
        servers.iter().map(|process| process.pid).collect()
    }
}

const MARIADBD: &str = "/usr/sbin/mariadbd";
const OPEN: &[&str] = &[ARIA_FILE, "ib_logfile0", "ibdata1"];

#[test]
fn a_server_in_the_real_directory_serves_from_it() {
    let machine = Machine::new();
    machine.runs(7, MARIADBD, "mariadbd", "real", OPEN);
    assert_eq!(machine.serves(7), Ok(7));
}

#[test]
fn a_directory_seen_under_another_name_is_the_same() {
    let machine = Machine::new();
    symlink(machine.path("real"), machine.path("seen")).unwrap();
    machine.runs(7, MARIADBD, "mariadbd", "seen", OPEN);
    assert_eq!(machine.serves(7), Ok(7));
}

#[test]
fn another_directory_program_or_no_file_is_not_serving() {
    let machine = Machine::new();
    machine.runs(1, MARIADBD, "mariadbd", "other", OPEN);
    machine.runs(2, "/bin/sh", "mariadbd", "real", OPEN);
    machine.runs(3, MARIADBD, "mariadbd", "real", &["ibdata1"]);
    machine.runs(4, MARIADBD, "mariadbd", "real", &[ARIA_FILE]);
    let other = machine.path("other");
    assert_eq!(machine.serves(1), Err(NotServing::Elsewhere(other)));
    assert_eq!(
        machine.serves(2),
        Err(NotServing::Program("/bin/sh".into()))
    );
    assert_eq!(machine.serves(3), Err(NotServing::Closed(ARIA_FILE)));
    assert_eq!(machine.serves(4), Err(NotServing::Closed("ib_logfile0")));
    assert_eq!(machine.serves(5), Err(NotServing::NoProcess));
}

#[test]
fn a_server_is_found_by_program_name_or_open_files() {
    let machine = Machine::new();
    machine.runs(10, MARIADBD, "mariadbd", "other", OPEN);
    machine.runs(11, "/usr/sbin/mariadbd (deleted)", "x", "other", &[]);
    machine.runs(12, "/opt/db/server", "connection", "other", OPEN);
    machine.runs(13, "/usr/bin/dash", "mysqld_safe", "other", &[]);
    machine.runs(14, "/usr/bin/qemu-x86_64", "mysqld", "other", &[]);
    for (pid, program) in [(20, "/usr/bin/mariadb"), (21, "/usr/bin/mysqld_exporter")] {
        machine.runs(pid, program, "bash", "other", &[]);
    }
    // A shell that stands in a data directory is none.
    machine.runs(22, "/usr/bin/bash", "bash", "real", &[]);
    assert_eq!(machine.servers(), [10, 11, 12, 13, 14]);
}

#[test]
fn a_container_is_told_apart_and_a_kernel_thread_is_none() {
    let machine = Machine::new();
    machine.runs(30, MARIADBD, "mariadbd", "other", OPEN);
    let namespace = machine.proc().join("30/ns/pid");
    fs::remove_file(&namespace).unwrap();
    symlink("pid:[2]", &namespace).unwrap();
    let thread = machine.proc().join("31");
    fs::create_dir_all(&thread).unwrap();
    fs::write(thread.join("comm"), "mysqld\n").unwrap();
    let found = servers(&machine.proc()).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].in_container && found[0].known);
    assert_eq!(found[0].program, MARIADBD);
}

#[test]
fn only_who_works_in_our_data_is_at_work_in_it() {
    let machine = Machine::new();
    machine.runs(7, MARIADBD, "mariadbd", "real", OPEN);
    machine.runs(8, MARIADBD, "mariadbd", "other", OPEN);
    machine.runs(9, MARIADBD, "mariadbd", "other", OPEN);
    machine.runs(10, "/bin/bash", "bash", "real", &[]);
    let at_work = |directory: Option<&Path>| -> Vec<u32> {
        let found = at_work(&machine.proc(), directory).unwrap();
        found.iter().map(|process| process.pid).collect()
    };
    let real = machine.path("real");
    assert_eq!(at_work(Some(&real)), [7]);
    // Where a process works may be hidden.
    fs::remove_file(machine.proc().join("9/cwd")).unwrap();
    assert_eq!(at_work(Some(&real)), [7, 9]);
    assert_eq!(at_work(None), [7, 8, 9]);
}

#[test]
fn a_server_is_known_by_the_room_that_it_was_given() {
    let machine = Machine::new();
    let room = machine.path("mariadb.making");
    for (pid, datadir) in [
        (7, room.join("data")),
        (8, machine.path("mariadb.making.of.others")),
        (9, machine.path("real")),
    ] {
        machine.runs(pid, "/usr/sbin/mariadbd", "mariadbd", "other", &[]);
        let words = format!("/usr/sbin/mariadbd\0--datadir={}\0", datadir.display());
        let folder = machine.proc().join(pid.to_string());
        fs::write(folder.join("cmdline"), words).unwrap();
    }
    let found = given(&machine.proc(), &room).unwrap();
    let pids: Vec<u32> = found.iter().map(|server| server.pid).collect();
    assert_eq!(pids, [7]);
}
