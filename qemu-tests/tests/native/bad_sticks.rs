//! Sticks as people have met them: pulled in the middle, full, protected, damaged, slow to
//! answer, smaller than they say. Each is told of in a line, and its older backups are whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use qemu_tests::{
    Background, BadStick, Behaviour, Container, Output, Result, Scratch, minutes, run, seconds,
};

use crate::backup::{guarded, stayput};
use crate::plugged::{Plugged, make_node, show_on_usb};

const MIB: u64 = 1 << 20;
/// What a stick takes before it goes bad in the middle of a backup.
const SOME: u64 = 2 * MIB;

/// While something of it is mounted, or looked at, nobody else has it for himself.
const IS_FREE: &str = "perl -MFcntl -e 'sysopen(my $stick, $ARGV[0], O_RDONLY | O_EXCL) or die \
                       \"$ARGV[0]: $!\\n\"'";

/// How long commits may wait for a stick that hangs, as docs/backup.md has it, and what the
/// look for it and a busy machine take.
const LONGEST_COMMIT: Duration = seconds(15);

/// A server, and a stick with its first backup. Whoever waits for the stick waits no more when
/// it is dropped: so that goes first.
struct Clinic {
    stick: BadStick,
    server: Container,
    scratch: Scratch,
}

impl Clinic {
    fn with_a_stick(mib: u64, options: &[&str]) -> Result<Self> {
        let server = guarded()?;
        let scratch = Scratch::new()?;
        let stick = formatted(&scratch.join("stick.img"), mib, options)?;
        let clinic = Self {
            stick,
            server,
            scratch,
        };
        clinic.plug()?;
        clinic.gets_backup(1)?;
        Ok(clinic)
    }

    fn plug(&self) -> Result {
        let name = self.stick.device().trim_start_matches("/dev/");
        make_node(&self.server, name, Plugged::DEVICE)
    }

    fn image(&self) -> PathBuf {
        self.scratch.join("stick.img")
    }

    fn back_up(&self) -> Result<Output> {
        stayput(&self.server, "backup --to /dev/stick")
    }

    fn gets_backup(&self, number: u64) -> Result {
        let made = self.back_up()?.success()?;
        assert!(
            made.contains(&format!("Backup {number} is whole")),
            "{made}"
        );
        Ok(())
    }

    /// A backup is tried, and there is none: these words say why.
    fn gets_none(&self, words: &str) -> Result {
        let said = self.back_up()?;
        assert!(!said.ok() && said.text.contains(words), "{words}: {said}");
        self.is_free()
    }

    fn status(&self) -> Result<String> {
        Ok(self.server.shell("stayput status --all")?.text)
    }

    /// Nothing of the stick is mounted.
    fn is_free(&self) -> Result {
        self.server
            .shell(&format!("{IS_FREE} /dev/stick"))?
            .success()?;
        Ok(())
    }

    /// The stick has these whole backups and no damaged one.
    fn has(&self, numbers: &[u64]) -> Result {
        let listed = stayput(&self.server, "backup list --from /dev/stick")?.success()?;
        assert!(!listed.contains("DAMAGED"), "{listed}");
        let whole = match numbers {
            [_] => "It is what was written.".to_owned(),
            several => format!("All {} are what was written.", several.len()),
        };
        let verified = stayput(&self.server, "backup verify --from /dev/stick")?.success()?;
        assert!(verified.contains(&whole), "{verified}");
        for number in numbers {
            let reading = format!("Reading {number:06}-");
            assert!(verified.contains(&reading), "{verified}");
        }
        self.is_free()
    }
}

/// A new stick with ext4: the host's kernel may have no FAT.
fn formatted(image: &Path, mib: u64, options: &[&str]) -> Result<BadStick> {
    File::create(image)?.set_len(mib * MIB)?;
    let shown = image.display().to_string();
    let words = [&["-q", "-F"][..], options, &[shown.as_str()]];
    run("mkfs.ext4", &words.concat())?;
    BadStick::of(image)
}

/// Commits in the clinic, one after another, until it is dropped.
fn commits(server: &Container) -> Result<Background> {
    let mut commits = server.spawn(
        "while mariadb -e \"INSERT INTO clinic.patient (name) VALUES ('one more')\"; do \
         date +%s%N; sleep 0.05; done",
    )?;
    commits.wait_for("\n", seconds(20))?;
    Ok(commits)
}

/// From one commit to the next.
fn longest_wait(commits: &Background) -> Duration {
    let said = commits.said();
    let at: Vec<u64> = said.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(at.len() > 10, "{said}");
    let waits = at.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
    Duration::from_nanos(waits.max().unwrap_or(u64::MAX))
}

/// The blocks of a file or folder in an image of ext4.
fn blocks_of(image: &Path, path: &str) -> Result<Vec<u64>> {
    let image = image.display().to_string();
    let said = run("debugfs", &["-R", &format!("blocks {path}"), &image])?;
    let blocks: Vec<u64> = said
        .split_whitespace()
        .filter_map(|block| block.parse().ok())
        .collect();
    assert!(!blocks.is_empty(), "{path}: {said}");
    Ok(blocks)
}

/// Where the parts of the database lie in an image, by the numbers of the backups.
fn parts_in(image: &Path) -> Result<Vec<String>> {
    let shown = image.display().to_string();
    let names = |folder: &str| -> Result<Vec<String>> {
        let said = run("debugfs", &["-R", &format!("ls -p {folder}"), &shown])?;
        let names = said.lines().filter_map(|line| line.split('/').nth(5));
        let mut names: Vec<String> = names
            .filter(|name| !name.is_empty() && !name.starts_with('.'))
            .map(|name| format!("{folder}/{name}"))
            .collect();
        names.sort();
        Ok(names)
    };
    let servers = names("/stayput-backups")?;
    let backups = names(&servers[0])?.into_iter();
    Ok(backups
        .map(|backup| format!("{backup}/database-0001.age"))
        .collect())
}

#[test]
fn stick_that_is_pulled_or_dies_keeps_its_older_backups() -> Result {
    let mut clinic = Clinic::with_a_stick(256, &[])?;
    clinic.stick.behaves(Behaviour::Hangs { after: SOME })?;
    let mut backup = clinic.server.spawn("stayput backup --to /dev/stick")?;
    clinic.stick.wait_until_it_hangs(seconds(60))?;
    // In this moment it is pulled: its device file goes, and whatever is asked is an error.
    clinic.server.shell("rm /dev/stick")?.success()?;
    clinic.stick.behaves(Behaviour::Fails { after: 0 })?;
    let said = backup.wait(minutes(1))?;
    assert!(!said.ok(), "{said}");
    let words = "/dev/stick was pulled out.\n  Plug it in again";
    assert!(said.text.contains(words), "{said}");
    clinic.stick.is_put_back()?;
    clinic.plug()?;
    clinic.has(&[1])?;

    // It stays in its socket, and dies there.
    clinic.stick.behaves(Behaviour::Fails { after: SOME })?;
    clinic.gets_none("/dev/stick fails, or its filesystem is damaged: ")?;
    clinic.stick.is_put_back()?;
    clinic.has(&[1])?;
    // No number is given twice.
    clinic.gets_backup(4)?;
    clinic.has(&[1, 4])
}

#[test]
fn stick_that_hangs_ends_its_backup_and_holds_nobody_up() -> Result {
    let mut clinic = Clinic::with_a_stick(256, &[])?;
    let commits = commits(&clinic.server)?;
    clinic.stick.behaves(Behaviour::Hangs { after: SOME })?;
    let mut backup = clinic.server.spawn("stayput backup --to /dev/stick")?;
    clinic.stick.wait_until_it_hangs(seconds(60))?;
    let words = "/dev/stick did not answer for 10 seconds. The backup was ended, so that the \
                 database goes on.";
    backup.wait_for(words, seconds(30))?;
    let ended = "timeout 10 sh -c 'while pidof mariadb-backup; do sleep 0.1; done'";
    clinic.server.shell(ended)?.success()?;
    // The kernel gives it up.
    clinic.stick.behaves(Behaviour::Fails { after: 0 })?;
    let said = backup.wait(minutes(1))?;
    assert!(!said.ok(), "{said}");
    assert!(said.text.contains("take another one"), "{said}");
    let longest = longest_wait(&commits);
    assert!(longest < LONGEST_COMMIT, "a commit took {longest:?}");
    drop(commits);
    clinic.stick.is_put_back()?;
    clinic.has(&[1])?;

    // Where nobody is held up, it is waited for.
    clinic.stick.behaves(Behaviour::Hangs { after: 0 })?;
    let mut backup = clinic.server.spawn("stayput backup --to /dev/stick")?;
    let words = "/dev/stick has not answered for 10 seconds. It is waited for";
    backup.wait_for(words, seconds(30))?;
    clinic.stick.behaves(Behaviour::Well)?;
    backup.wait(minutes(2))?.success()?;
    clinic.has(&[1, 3])
}

#[test]
fn full_protected_or_damaged_stick_keeps_what_it_has() -> Result {
    let clinic = Clinic::with_a_stick(64, &[])?;
    // Somebody's photos leave a MiB.
    let photos = "mount /dev/stick /mnt && { dd if=/dev/zero of=/mnt/photos bs=64k; \
                  truncate --size=-1M /mnt/photos; umount /mnt; }";
    clinic.server.shell(photos)?.success()?;
    clinic.gets_none("/dev/stick is full.\n  The newest backup is as it was.")?;
    clinic.has(&[1])?;

    run("blockdev", &["--setro", clinic.stick.device()])?;
    clinic.gets_none("/dev/stick cannot be written: it is read-only.\n  Has it a switch?")?;
    clinic.has(&[1])?;
    run("blockdev", &["--setrw", clinic.stick.device()])?;

    // Its top folder is gone; what else there is may be somebody's last copy.
    let damaged = clinic.scratch.join("damaged.img");
    fs::copy(clinic.image(), &damaged)?;
    let shown = damaged.display().to_string();
    run("debugfs", &["-w", "-R", "clri <2>", &shown])?;
    let before = fs::read(&damaged)?;
    let plugged = Plugged::into(&clinic.server, &damaged)?;
    let words = "/dev/stick fails, or its filesystem is damaged: ";
    let said = stayput(&clinic.server, "backup verify --from /dev/stick")?;
    assert!(!said.ok() && said.text.contains(words), "{said}");
    run("sync", &[])?;
    assert!(before == fs::read(&damaged)?, "it was written to");
    clinic.gets_none(words)?;
    drop(plugged);
    Ok(())
}

/// What lies on a block is seen by its number on ext4 without a journal, which writes nothing
/// anywhere else.
const PLAIN: [&str; 4] = ["-b", "4096", "-O", "^has_journal"];

#[test]
fn stick_that_lies_about_its_size_is_not_trusted() -> Result {
    let mut clinic = Clinic::with_a_stick(120, &PLAIN)?;
    clinic.gets_backup(2)?;
    let older = clinic.scratch.join("older.img");
    let folders = clinic.scratch.join("folders.img");
    fs::copy(clinic.image(), &older)?;
    fs::copy(clinic.image(), &folders)?;
    let over = |blocks| Behaviour::WritesOver { blocks };

    // The new one goes over itself: nobody knows what else has gone.
    let parts = parts_in(&older)?;
    let few = blocks_of(&older, &parts[0])?[..64].to_vec();
    clinic.stick.behaves(over(few))?;
    clinic.gets_none("/dev/stick does not hold what was written to it: ")?;
    let said = clinic.status()?;
    let none_good = "No backup of the database is known that was read back whole.";
    assert!(said.contains(none_good), "{said}");

    // It goes over the older ones.
    let of_parts = parts.iter().map(|part| blocks_of(&older, part));
    let blocks = of_parts.collect::<Result<Vec<_>>>()?.concat();
    clinic.stick = BadStick::of(&older)?;
    clinic.plug()?;
    clinic.stick.behaves(over(blocks))?;
    clinic.gets_none("The older backup 000001-")?;
    let listed = stayput(&clinic.server, "backup list --from /dev/stick")?.success()?;
    for number in [1, 2, 4] {
        let folder = format!("  {number:06}-");
        assert!(listed.contains(&folder), "nothing was removed: {listed}");
    }
    stayput(&clinic.server, "backup verify --from /dev/stick --backup 4")?.success()?;

    // It goes over its own folders.
    let top = blocks_of(&folders, "<2>")?;
    clinic.stick = BadStick::of(&folders)?;
    clinic.plug()?;
    clinic.stick.behaves(over(top))?;
    clinic.gets_none("nothing on it can be read any more. The older backup 000001-")?;
    // What is on another stick counts.
    let said = clinic.status()?;
    assert!(said.contains("number 4, is "), "{said}");
    Ok(())
}

/// The numbers of the whole backups on a stick.
fn whole_on(server: &Container, device: &str) -> Result<usize> {
    let list = format!("backup list --from {device} --json");
    let listed = stayput(server, &list)?.success()?;
    Ok(listed.matches("\"state\": \"whole\"").count())
}

#[test]
fn of_two_sticks_at_once_the_bad_one_holds_up_no_other() -> Result {
    let mut clinic = Clinic::with_a_stick(120, &PLAIN)?;
    let good = formatted(&clinic.scratch.join("good.img"), 120, &PLAIN)?;
    let bad = std::mem::replace(&mut clinic.stick, good);
    clinic.plug()?;
    clinic.gets_backup(2)?;
    let good = std::mem::replace(&mut clinic.stick, bad);
    show_on_usb(&clinic.server, clinic.stick.device(), "sdb")?;
    show_on_usb(&clinic.server, good.device(), "sdc")?;
    let part = &parts_in(&clinic.image())?[0];
    let blocks = blocks_of(&clinic.image(), part)?[..64].to_vec();
    clinic.stick.behaves(Behaviour::WritesOver { blocks })?;
    let look = || stayput(&clinic.server, "backup plugged --keep-last 12");
    let said = look()?;
    assert!(!said.ok(), "{said}");
    let status = clinic.status()?;
    let bad = "/dev/sdb1 has got NO backup: /dev/sdb1 does not hold what was written to it: ";
    assert!(status.contains(bad), "{status}");
    // Whichever came first.
    let well = [3, 4].map(|number| format!("/dev/sdc1 has backup {number}. It may be pulled out."));
    assert!(well.iter().any(|well| status.contains(well)), "{status}");
    assert_eq!(whole_on(&clinic.server, "/dev/sdc1")?, 2);

    // The next look leaves the bad one alone: each try would cost an older backup.
    clinic
        .server
        .sql("INSERT INTO clinic.patient (name) VALUES ('one more')")?;
    let soon = "sed -i 's/\"took\":[0-9]*/\"took\":0/g' /run/stayput-backup.json";
    clinic.server.shell(soon)?.success()?;
    let before = fs::read(clinic.image())?;
    look()?.success()?;
    assert!(before == fs::read(clinic.image())?, "it was written to");
    assert_eq!(whole_on(&clinic.server, "/dev/sdc1")?, 3);
    stayput(&clinic.server, "backup verify --from /dev/sdc1")?.success()?;
    for device in ["/dev/sdb1", "/dev/sdc1"] {
        clinic
            .server
            .shell(&format!("{IS_FREE} {device}"))?
            .success()?;
    }
    Ok(())
}

#[test]
#[ignore = "takes a minute: qemu-tests/matrix runs it"]
fn what_fat_takes_in_no_one_file_goes_in_parts() -> Result {
    let server = guarded()?;
    let scans = "head -c 1100M /dev/urandom >/srv/scans && sha256sum </srv/scans";
    let sum = server.shell_within(scans, minutes(3))?.success()?;
    let made = stayput(
        &server,
        "backup --same-disk --to /srv/nas --include /srv/scans",
    )?
    .success()?;
    assert!(made.contains("1 file (1.2 GB)"), "{made}");
    let sizes = "cd /srv/nas/stayput-backups/*/*/ && stat -c '%n %s' files-*";
    let sizes = server.shell(sizes)?.success()?;
    let sizes: Vec<&str> = sizes.lines().collect();
    assert_eq!(sizes.len(), 2, "{sizes:?}");
    assert_eq!(sizes[0], "files-0001.age 1073741824");
    stayput(&server, "backup verify --from /srv/nas")?.success()?;
    let read = "cat /srv/nas/stayput-backups/*/*/files-* | age -d -i <(stayput backup identity) | \
                zstd -d | tar -x -O | sha256sum";
    let read = format!("bash -c 'set -o pipefail; {read}'");
    assert_eq!(server.shell_within(&read, minutes(3))?.success()?, sum);
    Ok(())
}
