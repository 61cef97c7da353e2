//! The database goes to a directory or a stick and comes back.

use qemu_tests::{Container, Output, Result, Scratch, minutes, run, seconds};

use crate::clinic::{REAL, clinic, has_rows, stayput as mariadb};
use crate::plugged::Plugged;

const KEPT: &str = "/var/lib/stayput/mariadb.before-restore";
const MAKING: &str = "/var/lib/stayput/mariadb.restoring";
const JOURNAL: &str = "/var/lib/stayput/mariadb.restore";

/// An encrypted server with 5000 patients and the programs that a backup needs.
pub fn guarded() -> Result<Container> {
    let server = clinic()?;
    mariadb(&server, "enable --destroy-original")?.success()?;
    server.install_backup_programs()?;
    server.shell("mkdir /srv/nas")?.success()?;
    Ok(server)
}

pub fn stayput(server: &Container, command: &str) -> Result<Output> {
    server.shell_within(&format!("stayput {command}"), minutes(4))
}

fn lose_patients(server: &Container) -> Result {
    server.sql("DELETE FROM clinic.patient WHERE id > 100; DROP TABLE clinic.old")?;
    has_rows(server, 100)
}

/// Nothing of a row, and nothing that opens one, is in the place.
fn holds_nothing_clear(server: &Container, place: &str) -> Result {
    let search = format!("! grep -raE 'Wanjiru|AGE-SECRET-KEY|xtrabackup' {place}");
    server.shell(&search)?.success()?;
    Ok(())
}

#[test]
fn files_of_the_database_come_back_after_a_loss() -> Result {
    let server = guarded()?;
    // A share that is not mounted.
    let refused = stayput(&server, "backup --to /srv/nas")?;
    assert!(
        !refused.ok() && refused.text.contains("--same-disk"),
        "{refused}"
    );
    let made = stayput(&server, "backup --same-disk --to /srv/nas")?;
    assert!(made.text.contains("Backup 1 is whole"), "{made}");
    made.success()?;
    holds_nothing_clear(&server, "/srv/nas")?;
    stayput(&server, "backup verify --from /srv/nas")?.success()?;
    lose_patients(&server)?;
    let restored = stayput(&server, "restore --from /srv/nas --yes")?;
    assert!(
        restored.text.contains("MariaDB serves backup 1"),
        "{restored}"
    );
    restored.success()?;
    has_rows(&server, 5000)?;
    assert_eq!(server.sql("SELECT COUNT(*) FROM clinic.old")?.trim(), "1");

    // Back, forth, and the end of it.
    stayput(&server, "restore --undo --yes")?.success()?;
    has_rows(&server, 100)?;
    stayput(&server, "restore --undo --yes")?.success()?;
    has_rows(&server, 5000)?;
    let again = stayput(&server, "restore --from /srv/nas --yes")?;
    assert!(again.text.contains("still kept"), "{again}");
    stayput(&server, "restore --remove-old --yes")?.success()?;
    let gone = format!("[ ! -e {KEPT} ] && [ ! -e {MAKING} ] && [ ! -e {JOURNAL} ]");
    server.shell(&gone)?.success()?;
    Ok(())
}

#[test]
fn dump_comes_back_into_an_encrypted_directory() -> Result {
    let server = guarded()?;
    server.sql("CREATE USER nurse@localhost IDENTIFIED BY 'karibu'")?;
    stayput(&server, "backup --same-disk --to /srv/nas --method dump")?.success()?;
    holds_nothing_clear(&server, "/srv/nas")?;
    lose_patients(&server)?;
    server.sql("DROP USER nurse@localhost")?;
    stayput(&server, "restore --from /srv/nas --yes")?.success()?;
    has_rows(&server, 5000)?;
    let nurse = server.sql("SELECT COUNT(*) FROM mysql.user WHERE User = 'nurse'")?;
    assert_eq!(nurse.trim(), "1");
    server
        .shell(&format!("! grep -ra Wanjiru {REAL}/clinic/patient.ibd"))?
        .success()?;
    Ok(())
}

#[test]
fn stick_takes_backups_and_files_and_keeps_the_newest() -> Result {
    let server = guarded()?;
    // Larger than the sticks of the other tests; the host's kernel may have no FAT.
    let scratch = Scratch::new()?;
    let image = scratch.join("stick");
    let shown = image.display().to_string();
    run("truncate", &["--size=1G", &shown])?;
    run("mkfs.ext4", &["-q", "-F", &shown])?;
    let plugged = Plugged::into(&server, &image)?;
    let to = Plugged::DEVICE;
    server
        .shell(
            "mkdir /srv/charts && echo chart of Wanjiru >/srv/charts/1 && \
             ln -s /srv/charts /srv/link",
        )?
        .success()?;
    for number in 1..=3 {
        let command = format!("backup --to {to} --include /srv/link --keep-last 2");
        let made = stayput(&server, &command)?;
        assert!(
            made.text.contains(&format!("Backup {number} is whole")),
            "{made}"
        );
        assert!(made.text.contains("may be pulled out"), "{made}");
        assert!(made.text.contains("1 file (1 kB)"), "{made}");
        made.success()?;
    }
    let listed = stayput(&server, &format!("backup list --from {to} --json"))?.success()?;
    assert!(!listed.contains("\"number\": 1,"), "{listed}");
    assert_eq!(
        listed.matches("\"state\": \"whole\"").count(),
        2,
        "{listed}"
    );
    lose_patients(&server)?;
    let restore = format!("restore --from {to} --files-to /srv/back --yes");
    stayput(&server, &restore)?.success()?;
    has_rows(&server, 5000)?;
    let chart = server.shell("cat /srv/back/srv/charts/1")?.success()?;
    assert_eq!(chart, "chart of Wanjiru\n");
    let mode = server.shell("stat -c %a /srv/back")?.success()?;
    assert_eq!(mode, "700\n");
    drop(plugged);
    Ok(())
}

#[test]
fn pipe_takes_a_backup_that_comes_back_from_its_archive() -> Result {
    let server = guarded()?;
    // What was cut off is no backup.
    let cut = "mkdir /srv/cut /srv/whole && stayput backup --to - | head -c 3000000 >/srv/cut.tar; \
               tar -xf /srv/cut.tar -C /srv/cut; stayput backup verify --from /srv/cut";
    assert!(!server.shell_within(cut, minutes(4))?.ok());
    let piped = "set -o pipefail; stayput backup --to - | tar -x -C /srv/whole";
    let piped = format!("bash -c '{piped}'");
    server.shell_within(&piped, minutes(4))?.success()?;
    holds_nothing_clear(&server, "/srv/whole")?;
    server
        .shell("[ -z \"$(ls -A /run/stayput-backup.piped)\" ]")?
        .success()?;
    stayput(&server, "backup verify --from /srv/whole")?.success()?;
    lose_patients(&server)?;
    stayput(&server, "restore --from /srv/whole --yes")?.success()?;
    has_rows(&server, 5000)
}

#[test]
fn changed_stick_restores_nothing_and_stops_nothing() -> Result {
    let server = guarded()?;
    stayput(&server, "backup --same-disk --to /srv/nas")?.success()?;
    let started = server.sql(
        "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
                              WHERE VARIABLE_NAME = 'CONNECTIONS'",
    )?;
    let change = "part=$(ls /srv/nas/stayput-backups/*/*/database-0001.age) && \
                  printf x | dd of=$part bs=1 seek=5000 conv=notrunc";
    server.shell(change)?.success()?;
    let refused = stayput(&server, "restore --from /srv/nas --yes")?;
    assert!(
        !refused.ok() && refused.text.contains("does not hold"),
        "{refused}"
    );
    assert!(!stayput(&server, "backup verify --from /srv/nas")?.ok());
    has_rows(&server, 5000)?;
    let untouched = format!("[ ! -e {MAKING} ] && [ ! -e {JOURNAL} ]");
    server.shell(&untouched)?.success()?;
    // It is the same process: the counter goes on.
    let now = server.sql(
        "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
                          WHERE VARIABLE_NAME = 'CONNECTIONS'",
    )?;
    let number = |text: &str| text.trim().parse::<u64>().unwrap_or(0);
    assert!(number(&now) > number(&started), "{started} {now}");
    Ok(())
}

#[test]
fn power_cut_in_a_restore_leaves_the_old_or_the_new() -> Result {
    let mut server = guarded()?;
    stayput(&server, "backup --same-disk --to /srv/nas")?.success()?;
    for stage in ["Preparing", "Counting", "Stopping", "Starting"] {
        server.sql("DELETE FROM clinic.patient WHERE id > 100")?;
        let mut restore = server.spawn("stayput restore --from /srv/nas --yes")?;
        restore.wait_for(stage, seconds(120))?;
        server.power_cut_losing_unflushed()?;
        server.boot()?;
        server.wait_for_database()?;
        let rows = server.sql("SELECT COUNT(*) FROM clinic.patient")?;
        assert!(["100", "5000"].contains(&rows.trim()), "{stage}: {rows}");
        stayput(&server, "restore --from /srv/nas --yes")?.success()?;
        has_rows(&server, 5000)?;
        stayput(&server, "restore --remove-old --yes")?.success()?;
    }
    Ok(())
}

/// Restores, and cuts the power when it says this word.
fn cut_at(server: &mut Container, word: &str) -> Result {
    let mut restore = server.spawn("stayput restore --from /srv/nas --yes")?;
    restore.wait_for(word, seconds(120))?;
    server.power_cut_losing_unflushed()?;
    server.boot()?;
    server.wait_for_database()
}

#[test]
fn cut_restore_is_asked_for_anew_or_led_back() -> Result {
    let mut server = guarded()?;
    stayput(&server, "backup --same-disk --to /srv/nas")?.success()?;
    lose_patients(&server)?;
    // The two have not changed places: people go on, and nothing takes their rows away.
    cut_at(&mut server, "Stopping")?;
    server.sql("DELETE FROM clinic.patient WHERE id > 50")?;
    let unasked = stayput(&server, "restore --yes")?;
    assert!(
        !unasked.ok() && unasked.text.contains("--from"),
        "{unasked}"
    );
    has_rows(&server, 50)?;
    // They have: there is a way back, and forth.
    cut_at(&mut server, "Starting")?;
    has_rows(&server, 5000)?;
    let kept = stayput(&server, "restore --remove-old --yes")?;
    assert!(!kept.ok() && kept.text.contains("interrupted"), "{kept}");
    stayput(&server, "restore --undo --yes")?.success()?;
    has_rows(&server, 50)?;
    stayput(&server, "restore --undo --yes")?.success()?;
    has_rows(&server, 5000)?;
    stayput(&server, "restore --remove-old --yes")?.success()?;
    has_rows(&server, 5000)
}

#[test]
fn restored_database_that_does_not_serve_gives_way() -> Result {
    let server = guarded()?;
    stayput(&server, "backup --same-disk --to /srv/nas")?.success()?;
    lose_patients(&server)?;
    // It does not start where it is seen to be the restored one.
    let looks = format!("ExecStart=/bin/sh -c '! grep -q restored {REAL}/stayput.restore'");
    let needs = "Requires=refuses.service\nAfter=refuses.service";
    let unit = format!(
        "cd /etc/systemd/system && mkdir -p mariadb.service.d && \
         printf '[Unit]\n{needs}\n' >mariadb.service.d/zz-refuses.conf && \
         printf \"%s\n\" '[Service]' Type=oneshot \"{looks}\" >refuses.service && \
         systemctl daemon-reload"
    );
    server.shell(&unit)?.success()?;
    let failed = stayput(&server, "restore --from /srv/nas --yes")?;
    assert!(
        !failed.ok() && failed.text.contains("serves again"),
        "{failed}"
    );
    has_rows(&server, 100)?;
    // It is kept: it was started, and may have been written into.
    server.shell(&format!("[ -d {KEPT}/data ]"))?.success()?;
    stayput(&server, "restore --remove-old --yes")?.success()?;
    server.shell(&format!("[ ! -e {KEPT} ]"))?.success()?;
    has_rows(&server, 100)
}

#[test]
fn database_that_is_broken_or_gone_comes_back() -> Result {
    let server = guarded()?;
    stayput(&server, "backup --same-disk --to /srv/nas")?.success()?;
    let breaks = [
        format!("dd if=/dev/urandom of={REAL}/ibdata1 bs=64k count=20 conv=notrunc"),
        format!("rm -rf {REAL}"),
    ];
    for harm in breaks {
        server
            .shell(&format!("systemctl stop mariadb && {harm}"))?
            .success()?;
        assert!(!server.shell("systemctl start mariadb")?.ok());
        stayput(&server, "restore --from /srv/nas --yes")?.success()?;
        has_rows(&server, 5000)?;
        stayput(&server, "restore --remove-old --yes")?.success()?;
    }
    Ok(())
}

#[test]
fn backup_of_before_a_new_key_comes_back_by_its_number() -> Result {
    let server = guarded()?;
    stayput(&server, "backup --same-disk --to /srv/nas")?.success()?;
    // No stick was made, so nothing but the place is left: that is said twice.
    let replaced = stayput(&server, "rekey --yes --yes")?.success()?;
    assert!(replaced.contains("it is number 2"), "{replaced}");
    // The database goes on with the keys that it has, and starts with them.
    server.shell("systemctl restart mariadb")?.success()?;
    has_rows(&server, 5000)?;
    let listed = stayput(&server, "backup list --from /srv/nas")?.success()?;
    assert!(
        listed.contains("before the master key was replaced"),
        "{listed}"
    );
    lose_patients(&server)?;
    let refused = stayput(&server, "restore --from /srv/nas --yes")?;
    assert!(
        !refused.ok() && refused.text.contains("--backup 1"),
        "{refused}"
    );
    has_rows(&server, 100)?;
    stayput(&server, "restore --from /srv/nas --backup 1 --yes")?.success()?;
    has_rows(&server, 5000)?;
    stayput(&server, "restore --remove-old --yes")?.success()?;
    let made = stayput(&server, "backup --same-disk --to /srv/nas")?.success()?;
    assert!(made.contains("Backup 2 is whole"), "{made}");
    stayput(&server, "restore --from /srv/nas --yes")?.success()?;
    has_rows(&server, 5000)
}

#[test]
fn keys_that_leave_when_read_come_back_for_a_backup_alone() -> Result {
    let server = guarded()?;
    server
        .shell("stayput policy --keep until-started && stayput release")?
        .success()?;
    let there = "ls /run/stayput";
    server.shell("rm -f /run/stayput/mariadb.keys")?.success()?;
    stayput(&server, "backup --same-disk --to /srv/nas")?.success()?;
    let left = server.shell(there)?.success()?;
    assert!(!left.contains("mariadb.keys"), "{left}");
    has_rows(&server, 5000)
}
