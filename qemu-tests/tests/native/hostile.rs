//! What made `enable` lose rows before: databases that look like nothing,
//! servers that start at the wrong moment, copies that do not start.

use qemu_tests::{Container, Output, Result, minutes};

use crate::clinic::{REAL, clinic, has_rows, stayput};

/// The command was refused with these words, and nothing is different.
fn refused(server: &Container, options: &str, why: &str) -> Result {
    let output = stayput(server, &format!("enable {options}"))?;
    assert!(!output.ok() && output.text.contains(why), "{why}: {output}");
    Ok(())
}

/// Runs `enable`, and a command as soon as it has said a word.
fn at_the_moment(server: &Container, word: &str, command: &str) -> Result<Output> {
    server.shell_within(
        &format!(
            "(stayput mariadb enable --yes >/root/said 2>&1; echo \"ended with $?\" >>/root/said) & \
             until grep -q '{word}' /root/said 2>/dev/null; do sleep 0.01; done; {{ {command}\n}}; \
             until grep -q 'ended with' /root/said; do sleep 0.1; done; cat /root/said"
        ),
        minutes(4),
    )
}

#[test]
fn database_whose_check_file_is_lost_is_put_to_use_again() -> Result {
    let server = clinic()?;
    stayput(&server, "enable --destroy-original")?.success()?;
    // As on a system that was installed anew beside its data.
    server
        .shell(
            "systemctl stop mariadb && rm /var/lib/stayput/mariadb.check \
             /etc/mysql/mariadb.conf.d/zz-stayput.cnf /etc/systemd/system/mariadb*.d/stayput.conf \
             && systemctl daemon-reload",
        )?
        .success()?;
    let said = stayput(&server, "enable")?.success()?;
    assert!(said.contains("holds an encrypted database"), "{said}");
    has_rows(&server, 5000)
}

#[test]
fn directory_that_no_run_has_made_is_never_deleted() -> Result {
    let server = clinic()?;
    stayput(&server, "enable --destroy-original")?.success()?;
    server
        .shell(&format!(
            "systemctl stop mariadb && rm {REAL}.check {REAL}/stayput.check \
             /etc/systemd/system/mariadb*.d/stayput.conf /etc/mysql/mariadb.conf.d/zz-stayput.cnf \
             && umount /var/lib/mysql; chattr -i /var/lib/mysql /var/lib/mysql/*; rm -f /var/lib/mysql/*;  \
             mariadb-install-db --user=mysql >/dev/null && systemctl daemon-reload && \
             systemctl start mariadb"
        ))?
        .success()?;
    server.wait_for_database()?;
    let before = server.shell(&format!("ls -lR {REAL}"))?.success()?;
    refused(&server, "", "no run of this command made")?;
    refused(&server, "--dry-run", "no run of this command made")?;
    assert_eq!(server.shell(&format!("ls -lR {REAL}"))?.success()?, before);
    // Rooms of its own that it does not know are left alone, too.
    server
        .shell(&format!(
            "mv {REAL} {REAL}.old && mkdir -p {REAL}.making/data && touch {REAL}.making/data/rows"
        ))?
        .success()?;
    refused(&server, "", "no run of this command knows it")?;
    server
        .shell(&format!("test -e {REAL}.making/data/rows"))?
        .success()?;
    Ok(())
}

#[test]
fn data_disk_that_is_not_mounted_is_not_an_encrypted_server() -> Result {
    let server = clinic()?;
    stayput(&server, "enable --destroy-original")?.success()?;
    server
        .shell(&format!("systemctl stop mariadb && mv {REAL} {REAL}.away"))?
        .success()?;
    refused(&server, "", "empty or missing")?;
    server
        .shell(&format!("mv {REAL}.away {REAL} && systemctl start mariadb"))?
        .success()?;
    has_rows(&server, 5000)
}

#[test]
fn server_that_does_not_run_is_not_taken_for_an_empty_one() -> Result {
    let server = clinic()?;
    server
        .shell("systemctl stop mariadb && mv /var/lib/mysql/mysql /root/mysql")?
        .success()?;
    refused(&server, "", "does not serve from /var/lib/mysql")?;
    server
        .shell("mv /root/mysql /var/lib/mysql/mysql && systemctl start mariadb")?
        .success()?;
    has_rows(&server, 5000)
}

#[test]
fn rehearsal_changes_nothing() -> Result {
    let server = clinic()?;
    let look = "systemctl show -P MainPID mariadb; ls -A /var/lib /var/lib/mysql /etc/mysql \
                /etc/mysql/mariadb.conf.d /etc/systemd/system /run/stayput-enable 2>&1; \
                ls -A /var/lib/stayput 2>/dev/null; grep -c /run/stayput-enable /proc/mounts; \
                mariadb -N -e 'SHOW GLOBAL VARIABLES'";
    let before = server.shell(look)?.text;
    let said = stayput(&server, "enable --dry-run")?.success()?;
    assert!(said.contains("The rehearsal held"), "{said}");
    assert!(said.contains("away for about"), "{said}");
    let after = server.shell(look)?.text;
    let new: Vec<&str> = after
        .lines()
        .filter(|line| !before.lines().any(|known| known == *line))
        .collect();
    assert_eq!(new, [""; 0], "the server is not as before");
    has_rows(&server, 5000)
}

#[test]
fn rehearsal_ends_before_the_disk_is_full() -> Result {
    let server = clinic()?;
    server.sql(
        "USE clinic; CREATE TABLE picture (id INT PRIMARY KEY, data BLOB); INSERT INTO picture \
         SELECT seq, REPEAT(MD5(seq), 500) FROM seq_1_to_8000",
    )?;
    let process = "systemctl show -P MainPID mariadb";
    let before = server.shell(process)?.success()?;
    let said = at_the_moment(
        &server,
        "Copying every",
        "free=$(df --output=avail -k /var/lib | tail -n 1); \
         fallocate -l $((free - 100000))K /var/full",
    )?;
    assert!(said.text.contains("getting full"), "{said}");
    // The clinic has its disk back, and did not notice.
    server
        .shell("rm /var/full; ! test -e /var/lib/stayput/mariadb.making")?
        .success()?;
    assert_eq!(server.shell(process)?.success()?, before);
    has_rows(&server, 5000)?;
    stayput(&server, "enable")?.success()?;
    has_rows(&server, 5000)
}

#[test]
fn servers_started_by_hand_find_nothing_to_work_on() -> Result {
    for word in ["Stopping MariaDB", "Copying every", "Comparing the copy"] {
        let server = clinic()?;
        // The log is the unit's: the rehearsal says the same words before.
        let said = at_the_moment(
            &server,
            "Stopping MariaDB",
            &format!(
                "until grep -q '{word}' /var/log/stayput-mariadb-enable.log; do sleep 0.01; done; \
                 for start in 'systemctl start mariadb' 'systemctl start mysql' \
                 'service mariadb start' 'mariadbd --user=mysql --socket=/run/mysqld/x.sock \
                 --skip-networking'; do timeout 20 $start >/dev/null 2>&1 & done; wait %2 %3 %4 %5"
            ),
        )?;
        let done = said.text.contains("ended with 0");
        // One that got in before the files were covered stops the run.
        let seen = ["in use", "Another MariaDB is running"];
        let stopped = seen.iter().any(|words| said.text.contains(words));
        assert!(done || stopped, "{word}: {said}");
        has_rows(&server, 5000)?;
        server.shell("pkill -x mariadbd; sleep 3; systemctl restart mariadb")?;
        has_rows(&server, 5000)?;
        let masked = server.shell("systemctl show -P LoadState mariadb")?.text;
        assert_eq!(masked.trim(), "loaded");
    }
    Ok(())
}

#[test]
fn an_instance_beside_is_named_and_starts_nothing_meanwhile() -> Result {
    let server = clinic()?;
    let start = "systemctl start mariadb@second";
    server
        .shell(&format!(
            "mariadb-install-db --user=mysql --datadir=/var/lib/second --skip-test-db >/dev/null && \
             printf '[mariadbd.second]\\ndatadir=/var/lib/second\\nsocket=/run/mysqld/second.sock\\n\
             pid-file=/run/mysqld/second.pid\\nport=3307\\n' \
             >/etc/mysql/mariadb.conf.d/90-second.cnf && {start}"
        ))?
        .success()?;
    refused(&server, "", "Another MariaDB is running")?;
    server.shell("systemctl stop mariadb@second")?.success()?;
    let said = at_the_moment(
        &server,
        "Stopping MariaDB",
        &format!(
            "while ! grep -q 'ended with' /root/said; do {start}; sleep 0.2; done 2>&1 | sort -u >/root/starts"
        ),
    )?;
    assert!(said.text.contains("ended with 0"), "{said}");
    let starts = server.shell("cat /root/starts")?.text;
    assert!(starts.contains("masked"), "{starts}");
    has_rows(&server, 5000)
}

#[test]
fn old_sample_paths_do_not_lead_the_copy_into_the_original() -> Result {
    let server = clinic()?;
    server
        .shell(
            "printf '[mysqld]\\ninnodb_data_home_dir=/var/lib/mysql\\n\
             innodb_log_group_home_dir=/var/lib/mysql\\naria_log_dir_path=/var/lib/mysql\\n\
             tmpdir=/var/tmp\\ngeneral_log_file=/var/lib/mysql/all.log\\n' \
             >/etc/mysql/mariadb.conf.d/60-old.cnf && systemctl restart mariadb",
        )?
        .success()?;
    stayput(&server, "enable")?.success()?;
    has_rows(&server, 5000)
}

/// A start that fails once the copy has its place.
const FAILS_BEHIND_THE_GATE: &str = "mkdir -p /etc/systemd/system/mariadb.service.d && \
     printf '[Service]\\nExecStartPost=+/bin/sh -c \"! test -e /var/lib/stayput/mariadb.check || \
     { ACTION; exit 1; }\"\\n' >/etc/systemd/system/mariadb.service.d/zz.conf && \
     systemctl daemon-reload";

#[test]
fn copy_that_does_not_start_is_kept_and_the_server_is_back() -> Result {
    let server = clinic()?;
    server
        .shell(&FAILS_BEHIND_THE_GATE.replace("ACTION", "true"))?
        .success()?;
    let output = stayput(&server, "enable")?;
    assert!(!output.ok(), "{output}");
    assert!(
        output.text.contains("runs as it did before"),
        "no word of what was done: {output}"
    );
    has_rows(&server, 5000)?;
    server
        .shell(&format!("test -e {REAL}.taken-back.*/data/ibdata1"))?
        .success()?;
    server
        .shell("rm /etc/systemd/system/mariadb.service.d/zz.conf; systemctl daemon-reload")?
        .success()?;
    stayput(&server, "enable")?.success()?;
    has_rows(&server, 5000)
}

#[test]
fn copy_that_has_taken_a_row_is_neither_deleted_nor_left() -> Result {
    let server = clinic()?;
    let insert = "mariadb clinic -e \\\"INSERT INTO patient (name) VALUES (1)\\\"";
    server
        .shell(&FAILS_BEHIND_THE_GATE.replace("ACTION", &insert.replace('"', "\\\"")))?
        .success()?;
    let output = stayput(&server, "enable")?;
    assert!(!output.ok(), "{output}");
    assert!(
        output.text.contains("rows that the original lacks"),
        "{output}"
    );
    let status = server.shell("stayput status")?.text;
    assert!(status.contains("interrupted"), "{status}");
    server
        .shell("rm /etc/systemd/system/mariadb.service.d/zz.conf; systemctl daemon-reload")?
        .success()?;
    stayput(&server, "enable")?.success()?;
    let rows: u32 = server
        .sql("SELECT COUNT(*) FROM clinic.patient")?
        .trim()
        .parse()
        .unwrap_or(0);
    assert!(rows > 5000, "{rows}");
    Ok(())
}

#[test]
fn what_is_said_and_kept_holds_no_row() -> Result {
    let server = clinic()?;
    let said = stayput(&server, "enable")?.success()?;
    assert!(!said.contains("Wanjiru"), "{said}");
    let found = server.shell(
        "grep -rl Wanjiru /var/log /run/stayput-enable /var/lib/stayput/mariadb.enable \
         /var/lib/stayput/mariadb.check 2>/dev/null",
    )?;
    assert!(!found.ok(), "{found}");
    Ok(())
}

#[test]
fn files_beside_the_tables_are_kept_and_named() -> Result {
    let server = clinic()?;
    server
        .shell(
            "echo 'rows of last year' >/var/lib/mysql/dump.sql; \
             mkdir /var/lib/mysql/exports && echo rows >/var/lib/mysql/exports/a.csv; \
             printf '0 3 * * * root rsync -a --delete /var/lib/mysql /mnt/backup\\n' \
             >/etc/cron.d/backup",
        )?
        .success()?;
    let said = stayput(&server, "enable --destroy-original")?.success()?;
    for word in ["dump.sql", "mysql.kept-", "/etc/cron.d/backup"] {
        assert!(said.contains(word), "no {word} in {said}");
    }
    let kept = server
        .shell("cat /var/lib/mysql.kept-*/dump.sql; ls /var/lib/mysql.kept-*/exports")?
        .success()?;
    assert_eq!(kept, "rows of last year\na.csv\n");
    has_rows(&server, 5000)
}
