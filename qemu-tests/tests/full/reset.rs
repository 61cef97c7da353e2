//! The owner resets the running server: what a thief then finds on its disk,
//! and how the office stick brings it back.

use std::fs::File;
use std::os::unix::fs::FileExt;

use qemu_tests::{
    DebianMachine, Failure, Neighbour, Place, RecoveryCode, Result, System, minutes, search,
};

const PATIENT: &str = "Halima Okello 9034 anaemia";
const BLOCK: usize = 4096;

/// Pieces of the slots (blocks 8 to 57) and of the split pepper (58 to 89), in
/// both halves of the vault: docs/format.md.
const SAMPLED: [u64; 12] = [8, 9, 33, 34, 58, 66, 74, 89, 128, 153, 178, 209];

/// What stands in those blocks now; empty ones are left out.
fn samples(server: &mut DebianMachine) -> Result<Vec<Vec<u8>>> {
    let start: u64 = server
        .shell("cat /sys/class/block/$(basename $(readlink /dev/disk/by-partlabel/stayput))/start")?
        .success()?
        .trim()
        .parse()
        .map_err(|_| Failure::new("the vault's partition was not found"))?;
    let disk = File::open(server.disk())?;
    let mut samples = Vec::new();
    for block in SAMPLED {
        let mut bytes = vec![0; 48];
        // Behind the head of a record.
        let at = start * 512 + block * BLOCK as u64 + 1024;
        disk.read_exact_at(&mut bytes, at)?;
        if bytes.iter().any(|byte| *byte != 0) {
            samples.push(bytes);
        }
    }
    Ok(samples)
}

/// What a person remembers; no trace of it may be on the disk.
const PASSPHRASE: &str = "otter lamp frozen cello";

/// Writes the journal and the initramfs to the disk once more, unpacked: the
/// search of the raw disk sees into neither otherwise.
fn unpack_what_is_packed(server: &mut DebianMachine) -> Result {
    server
        .shell(
            "journalctl --all -o export >/root/journal && grep -q stayput /root/journal && \
             for unpack in 'zstd -dcq' 'gzip -dc' 'xz -dc'; do \
             $unpack </boot/initrd.img-$(uname -r) >/root/initrd && break; done && \
             grep -q usr/lib/stayput/stayput-boot /root/initrd && sync",
        )?
        .success()?;
    Ok(())
}

/// What is released now; what follows a start of MariaDB is waited for.
fn in_memory(server: &mut DebianMachine) -> Result<String> {
    let look = "while [ \"$(systemctl is-active mariadb)\" = activating ]; do sleep 0.2; done; \
                ls -A /run/stayput 2>&1";
    Ok(server.shell(look)?.text)
}

/// What stands there while MariaDB runs, once it has read its keys. The key that backups are
/// signed with opens nothing.
const KEYS_LEFT: &str = "backup.manifest\nuntil-started\n";

/// `keep = until-started`: the key file leaves, the database goes on, and at
/// home it starts again as after an update of its package.
fn keys_leave_memory_once_they_were_read(server: &mut DebianMachine) -> Result {
    server
        .shell("stayput policy --keep until-started")?
        .success()?;
    assert_eq!(in_memory(server)?, KEYS_LEFT);
    server.shell("systemctl restart mariadb")?.success()?;
    server.wait_for_database()?;
    assert_eq!(in_memory(server)?, KEYS_LEFT);
    server.sql("INSERT INTO clinic.patient VALUES ('after the keys left'); FLUSH TABLES")?;
    let rows = server.sql("SELECT COUNT(*) FROM clinic.patient")?;
    assert_eq!(rows.trim_end(), "2");
    server.sql("DELETE FROM clinic.patient WHERE note = 'after the keys left'")?;
    // For mariadb-backup.
    server.shell("stayput release")?.success()?;
    assert!(in_memory(server)?.contains("mariadb.keys"));
    Ok(())
}

/// Where the place does not open the vault a start is refused in words, and a
/// stick brings the keys back.
fn a_stick_brings_them_back(server: &mut DebianMachine) -> Result {
    let restarted = server.shell("systemctl restart mariadb")?;
    let said = server.shell("journalctl -u mariadb -o cat --no-pager -n 40")?;
    assert!(!restarted.ok(), "{said}");
    let next = "stayput release --stick";
    assert!(said.text.contains(next), "{said}");
    server
        .shell("stayput release --stick /dev/sda1 && systemctl start mariadb")?
        .success()?;
    server.wait_for_database()?;
    assert_eq!(in_memory(server)?, KEYS_LEFT);
    Ok(())
}

/// The router was replaced: whoever logs in is told that nothing more may
/// change, by the log-in program itself, on a terminal.
fn who_logs_in_reads_that_the_margin_is_used_up(server: &mut DebianMachine) -> Result {
    let log_in = "(sleep 5; echo exit) | timeout 120 script -qec 'login -f root' /dev/null";
    let seen = server.shell_within(log_in, minutes(3))?;
    let words = "one change more, and the next start wants a stick";
    assert!(seen.text.contains(words), "{seen}");
    Ok(())
}

/// Milliseconds from the start of a reset until the pepper was found to be
/// gone, as the command says them.
fn milliseconds_of(said: &str) -> Result<u64> {
    said.split_once("read back after ")
        .and_then(|(_, rest)| rest.split_once(" ms"))
        .and_then(|(figure, _)| figure.parse().ok())
        .ok_or_else(|| Failure::new(format!("no figure in {said}")))
}

/// A person who pulls the plug while the server is carried away comes too late.
const PEPPER_GONE_WITHIN_MS: u64 = 200;

#[test]
fn a_reset_server_holds_no_key_and_the_stick_opens_it() -> Result {
    let home = Place::home()?;
    let stick = DebianMachine::installed_stick(System::USUAL)?;
    let mut server = DebianMachine::installed(System::USUAL, &mut |_| ())?;
    home.replace(&Neighbour::new("192.168.77.1", "00:26:f2:90:00:01"))?;
    server.boot_at(&home)?;
    server.wait_for_database()?;
    who_logs_in_reads_that_the_margin_is_used_up(&mut server)?;
    server.sql(&format!(
        "CREATE DATABASE clinic; CREATE TABLE clinic.patient (note TEXT); \
         INSERT INTO clinic.patient VALUES ('{PATIENT}')"
    ))?;
    let watch = server.shell("systemctl is-active stayput-watch")?;
    assert_eq!(watch.text, "active\n", "the running server is watched");
    keys_leave_memory_once_they_were_read(&mut server)?;
    let add = "stayput passphrase add Halima --passphrase-stdin";
    server
        .shell(&format!("echo '{PASSPHRASE}' | {add}"))?
        .success()?;
    // A script must not lose the last way in: the stick is verified first, and
    // then out of the server.
    let id = server.plug(&stick)?;
    server.wait_for_device("/dev/sda1")?;
    server.shell("stayput stick verify /dev/sda1")?.success()?;
    server.unplug(&id)?;
    server.shell("while [ -e /dev/sda ]; do sleep 0.1; done")?;

    let said = server.shell("stayput reset --dry-run")?.success()?;
    assert!(said.contains("Nothing was destroyed."), "{said}");
    server.wait_for_database()?;
    let mut secrets = samples(&mut server)?;
    assert!(secrets.len() >= 6, "the vault is not where it was read");
    let before = search::found_in(server.disk(), &secrets)?;
    assert_eq!(
        before.len(),
        secrets.len(),
        "the search finds what is there"
    );
    for key in server.released_keys()? {
        secrets.extend(search::forms_of(&key));
    }
    secrets.push(PASSPHRASE.as_bytes().to_vec());
    // Neither the code nor what it spells.
    let code = RecoveryCode::written_down(&mut server, "bank safe")?;
    secrets.extend(search::forms_of(&code.way_key()));
    secrets.extend(code.groups().iter().map(|group| group.clone().into_bytes()));

    let said = server
        .shell_within("stayput reset --yes", minutes(4))?
        .success()?;
    let after = milliseconds_of(&said)?;
    assert!(after < PEPPER_GONE_WITHIN_MS, "{said}");
    let left = server.shell("systemctl is-active mariadb; ls -A /run/stayput; pidof mariadbd")?;
    assert_eq!(left.text, "inactive\n", "{said}");
    println!("{said}");
    unpack_what_is_packed(&mut server)?;
    server.power_cut();
    assert_eq!(search::found_in(server.disk(), &secrets)?, [0; 0]);

    server.switch_on_at(&home)?;
    server
        .console()
        .wait_for("This server was reset", minutes(5))?;
    server.plug(&stick)?;
    server.machine()?.wait_for_system(minutes(5))?;
    server.wait_for_database()?;
    assert_eq!(in_memory(&mut server)?, KEYS_LEFT);
    a_stick_brings_them_back(&mut server)?;
    let note = server.sql("SELECT note FROM clinic.patient")?;
    assert_eq!(note.trim_end(), PATIENT);
    Ok(())
}
