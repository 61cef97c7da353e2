//! After a new master key the tables move to a key of it: in any order of cuts, restores and
//! people at work, every row is read.

use qemu_tests::{Container, Output, Result, Suite, minutes, seconds};

use crate::backup::{guarded, stayput};
use crate::clinic::{REAL, clinic, fill, has_rows, stayput as mariadb};

/// An encrypted server whose master key was replaced, with a table of each kind.
fn rekeyed(server: &Container) -> Result {
    server.sql(
        "USE clinic; \
         CREATE TABLE visit (id INT PRIMARY KEY, patient INT, note TEXT, \
         FOREIGN KEY (patient) REFERENCES patient (id)); \
         INSERT INTO visit SELECT seq, seq, CONCAT('malaria ', seq) FROM seq_1_to_500; \
         CREATE TABLE parts (id INT PRIMARY KEY) PARTITION BY RANGE (id) \
         (PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN MAXVALUE); \
         INSERT INTO parts SELECT seq FROM seq_1_to_200; \
         CREATE TABLE notes (id INT PRIMARY KEY, words TEXT, FULLTEXT (words)); \
         INSERT INTO notes VALUES (1, 'fever since monday'); \
         CREATE TABLE history (id INT PRIMARY KEY, dose INT) WITH SYSTEM VERSIONING; \
         INSERT INTO history VALUES (1, 5); UPDATE history SET dose = 6; \
         CREATE SEQUENCE numbers; SELECT NEXTVAL(numbers); \
         CREATE DATABASE `kli-nik`; \
         CREATE TABLE `kli-nik`.`mgonjwa #1 ü` (id INT PRIMARY KEY); \
         INSERT INTO `kli-nik`.`mgonjwa #1 ü` VALUES (7)",
    )?;
    // MariaDB never syncs a .par file.
    server.shell("sync")?.success()?;
    let replaced = stayput(server, "rekey --yes --yes")?.success()?;
    assert!(replaced.contains("stayput mariadb rotate"), "{replaced}");
    Ok(())
}

/// Every row of [`rekeyed`], and of the clinic.
fn has_everything(server: &Container) -> Result {
    has_rows(server, 5000)?;
    for (question, rows) in [
        (
            "SELECT COUNT(*) FROM clinic.visit WHERE note LIKE 'malaria %'",
            "500",
        ),
        ("SELECT COUNT(*) FROM clinic.parts", "200"),
        (
            "SELECT COUNT(*) FROM clinic.notes WHERE MATCH (words) AGAINST ('fever')",
            "1",
        ),
        (
            "SELECT COUNT(*) FROM clinic.history FOR SYSTEM_TIME ALL",
            "2",
        ),
        ("SELECT id FROM `kli-nik`.`mgonjwa #1 ü`", "7"),
        ("SELECT COUNT(*) FROM clinic.old", "1"),
    ] {
        assert_eq!(server.sql(question)?.trim(), rows, "{question}");
    }
    Ok(())
}

/// How many files of tables, but for what MariaDB leaves on its first key, have another key than this one, by what MariaDB says.
fn not_on(server: &Container, id: u32) -> Result<String> {
    server.sql(&format!(
        "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
         WHERE NAME LIKE '%/%' AND NAME NOT LIKE '%/FTS%' AND NAME <> 'clinic/numbers' \
         AND CURRENT_KEY_ID <> {id}"
    ))
}

fn rotate(server: &Container) -> Result<Output> {
    server.shell_within("stayput mariadb rotate --yes", minutes(5))
}

/// All tables are on this key, and MariaDB starts with that.
fn all_on(server: &Container, id: u32) -> Result {
    assert_eq!(not_on(server, id)?.trim(), "0");
    let progress = stayput(server, "mariadb progress")?.success()?;
    assert!(
        progress.contains(&format!("tables are on key {id}.")),
        "{progress}"
    );
    server.shell("systemctl restart mariadb")?.success()?;
    server.wait_for_database()
}

#[test]
fn tables_move_to_a_key_of_the_new_master_key() -> Result {
    tables_move(clinic()?)
}

#[test]
fn tables_move_on_debian_13() -> Result {
    let server = Container::fresh(Suite::Trixie)?;
    server.wait_for_database()?;
    fill(&server)?;
    tables_move(server)
}

fn tables_move(mut server: Container) -> Result {
    mariadb(&server, "enable --destroy-original")?.success()?;
    let none = rotate(&server)?.success()?;
    assert!(none.contains("no table has to be moved"), "{none}");
    rekeyed(&server)?;
    // A table without a file of its own.
    server.sql(
        "SET GLOBAL innodb_file_per_table = OFF; \
         CREATE TABLE clinic.shared (id INT PRIMARY KEY, words TEXT, FULLTEXT (words))",
    )?;
    let refused = rotate(&server)?;
    assert!(
        !refused.ok() && refused.text.contains("innodb_file_per_table is off"),
        "{refused}"
    );
    server.sql("SET GLOBAL innodb_file_per_table = ON")?;
    let due = stayput(&server, "mariadb progress --json")?.success()?;
    assert!(
        due.contains("\"due\": true") && due.contains("\"moved\": 0"),
        "{due}"
    );
    let moved = rotate(&server)?;
    assert!(moved.text.contains("Restarting MariaDB"), "{moved}");
    assert!(moved.text.contains("`kli-nik`.`mgonjwa #1 ü`"), "{moved}");
    assert!(moved.text.contains("the redo log"), "{moved}");
    moved.success()?;
    has_everything(&server)?;
    all_on(&server, 201)?;
    let done = stayput(&server, "mariadb progress --json")?.success()?;
    assert!(
        done.contains("\"due\": false") && done.contains("\"key\": 201"),
        "{done}"
    );
    assert!(done.contains("\"left\": []"), "{done}");
    // New tables are born with it, and what is done is done.
    server.sql("CREATE TABLE clinic.later (id INT PRIMARY KEY)")?;
    assert_eq!(not_on(&server, 201)?.trim(), "0");
    let again = rotate(&server)?.success()?;
    assert!(!again.contains("Restarting"), "{again}");
    // The redo log has rows of both keys.
    server.sql("UPDATE clinic.patient SET name = CONCAT(name, '!')")?;
    server.power_cut_losing_unflushed()?;
    server.boot()?;
    has_everything(&server)?;
    // Another of the same master key, when its owner wants it.
    server
        .shell_within("stayput mariadb rotate --new-key --yes", minutes(5))?
        .success()?;
    has_everything(&server)?;
    all_on(&server, 202)
}

#[test]
fn rotated_database_leaves_the_gate_and_comes_back() -> Result {
    let server = clinic()?;
    mariadb(&server, "enable --destroy-original")?.success()?;
    rekeyed(&server)?;
    let check = "/var/lib/stayput/mariadb.check";
    server.shell(&format!("cp {check} /root/old"))?.success()?;
    rotate(&server)?.success()?;
    // The check file is put back from a copy of before.
    let old = format!("cp /root/old {check} && systemctl restart mariadb");
    assert!(!server.shell(&old)?.ok());
    mariadb(&server, "enable")?.success()?;
    server.shell("systemctl restart mariadb")?.success()?;
    has_everything(&server)?;
    all_on(&server, 201)?;
    mariadb(&server, "disable --key-file /etc/mysql/own.keys")?.success()?;
    has_everything(&server)?;
    // It is encrypted anew, with keys of the master key of now.
    mariadb(&server, "enable --destroy-original")?.success()?;
    has_everything(&server)?;
    let progress = stayput(&server, "mariadb progress --json")?.success()?;
    assert!(progress.contains("\"due\": false"), "{progress}");
    let none = rotate(&server)?.success()?;
    assert!(!none.contains("Restarting"), "{none}");
    mariadb(&server, "disable --clear")?.success()?;
    has_everything(&server)?;
    let left = server.sql("SHOW CREATE TABLE clinic.visit")?;
    assert!(!left.contains("ENCRYPTION_KEY_ID"), "{left}");
    Ok(())
}

#[test]
fn rotation_that_is_killed_or_cut_goes_on() -> Result {
    let mut server = clinic()?;
    mariadb(&server, "enable --destroy-original")?.success()?;
    rekeyed(&server)?;
    // The largest come last.
    for (n, rows) in [(1, 60_000), (2, 80_000), (3, 100_000), (4, 120_000)] {
        server.sql(&format!(
            "USE clinic; CREATE TABLE large{n} (id INT PRIMARY KEY, filler CHAR(200)); \
             INSERT INTO large{n} SELECT seq, REPEAT('x', 200) FROM seq_1_to_{rows}"
        ))?;
    }
    let has_all = |server: &Container| -> Result {
        has_everything(server)?;
        for (n, rows) in [(1, "60000"), (2, "80000"), (3, "100000"), (4, "120000")] {
            let there = server.sql(&format!("SELECT COUNT(*) FROM clinic.large{n}"))?;
            assert_eq!(there.trim(), rows);
        }
        Ok(())
    };
    for word in ["Restarting", " of ", "`large1`", "`large2`"] {
        let mut rotation = server.spawn("stayput mariadb rotate --yes")?;
        rotation.wait_for(word, seconds(120))?;
        server.power_cut_losing_unflushed()?;
        server.boot()?;
        has_all(&server)?;
    }
    // Killed while MariaDB goes on: it rebuilds that table to its end.
    let mut rotation = server.spawn("exec stayput mariadb rotate --yes")?;
    rotation.wait_for("`large3`", seconds(120))?;
    server.shell("pkill -9 -x stayput")?.success()?;
    has_all(&server)?;
    rotate(&server)?.success()?;
    has_all(&server)?;
    all_on(&server, 201)
}

#[test]
fn key_that_came_half_way_stops_no_start() -> Result {
    let mut server = clinic()?;
    mariadb(&server, "enable --destroy-original")?.success()?;
    rekeyed(&server)?;
    let check = "cat /var/lib/stayput/mariadb.check";
    for (harm, mend, says) in [
        // The check file announces it, and the file in memory does not get it.
        (
            "mount -o remount,ro /run/stayput",
            "umount -l /run/stayput; stayput release",
            " new\n",
        ),
        // It is released and demanded, and the settings do not name it.
        (
            "chattr +i /etc/mysql/mariadb.conf.d",
            "chattr -i /etc/mysql/mariadb.conf.d",
            "201 ",
        ),
    ] {
        server.shell(harm)?.success()?;
        assert!(!rotate(&server)?.ok(), "{harm}");
        let text = server.shell(check)?.success()?;
        assert!(text.contains(says), "{harm}: {text}");
        has_everything(&server)?;
        server.power_cut_losing_unflushed()?;
        server.boot()?;
        has_everything(&server)?;
        let _ = server.shell(mend)?;
    }
    // MariaDB was started with the key, and with settings that do not name it.
    let moved = rotate(&server)?.success()?;
    assert!(!moved.contains("Restarting"), "{moved}");
    server.sql("CREATE TABLE clinic.later (id INT PRIMARY KEY)")?;
    has_everything(&server)?;
    all_on(&server, 201)
}

#[test]
fn backups_from_within_a_rotation_come_back() -> Result {
    let server = guarded()?;
    rekeyed(&server)?;
    // MariaDB has read the key, and no table is moved yet.
    server
        .shell("chattr +i /etc/mysql/mariadb.conf.d")?
        .success()?;
    assert!(!rotate(&server)?.ok());
    server
        .shell("chattr -i /etc/mysql/mariadb.conf.d && systemctl restart mariadb")?
        .success()?;
    // Somebody works with one table all the time.
    let mut busy = server.spawn(
        "exec mariadb --unbuffered -e \
         'BEGIN; SELECT COUNT(*) FROM clinic.patient; SELECT SLEEP(600)'",
    )?;
    busy.wait_for("5000", seconds(30))?;
    let half = rotate(&server)?;
    assert!(
        !half.ok() && half.text.contains("`clinic`.`patient`: somebody"),
        "{half}"
    );
    assert_ne!(not_on(&server, 201)?.trim(), "0");
    has_everything(&server)?;
    stayput(&server, "backup --same-disk --to /srv/nas")?.success()?;
    stayput(&server, "backup --same-disk --to /srv/nas --method dump")?.success()?;
    server
        .shell(
            "mariadb -N -e \"SELECT CONCAT('KILL ', ID) FROM information_schema.PROCESSLIST \
             WHERE INFO LIKE 'SELECT SLEEP%'\" | mariadb",
        )?
        .success()?;
    drop(busy);
    rotate(&server)?.success()?;
    all_on(&server, 201)?;
    stayput(&server, "backup --same-disk --to /srv/nas")?.success()?;
    for number in 1..=3 {
        server.sql("DELETE FROM clinic.visit; DELETE FROM clinic.patient WHERE id > 100")?;
        let restore = format!("restore --from /srv/nas --backup {number} --yes");
        stayput(&server, &restore)?.success()?;
        has_everything(&server)?;
        // The tables are where they were; those that are on the key of before move again.
        rotate(&server)?.success()?;
        has_everything(&server)?;
        all_on(&server, 201)?;
        stayput(&server, "restore --remove-old --yes")?.success()?;
    }
    server
        .shell(&format!("! grep -ra malaria {REAL}/clinic/visit.ibd"))?
        .success()?;
    Ok(())
}
