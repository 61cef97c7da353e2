//! `stayput mariadb disable --clear`: a clinic leaves for a clear database, and loses no
//! row on the way.

use qemu_tests::{Container, Output, Result, Suite, search};

use crate::clinic::{JOURNAL, MAKING, REAL, fill, has_rows, stayput};
use crate::way_back::{
    AS_BEFORE, NOBODY_PUTS_BACK, killed_when, nothing_is_noted_after_the_switch, was_killed,
};

pub const CLEAR: &str = "disable --clear";
pub const GATE: &str = "/etc/systemd/system/mariadb.service.d/stayput.conf";
const SETTINGS: &str = "/etc/mysql/mariadb.conf.d/zz-stayput.cnf";
pub const CHECK: &str = "/var/lib/stayput/mariadb.check";
pub const ORIGINAL: &str = "/var/lib/stayput/mariadb.encrypted";

/// Is written when the database is encrypted, and stands nowhere on the disk before.
pub const CANARY: &str = "Akinyi Odhiambo 2291 epilepsy";

/// What a page, a log or a file is encrypted with, as the server itself says.
const ENCRYPTED: &str = "SELECT COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
     WHERE ENCRYPTION_SCHEME <> 0; \
     SELECT COUNT(*) FROM information_schema.GLOBAL_VARIABLES \
     WHERE VARIABLE_NAME LIKE '%encrypt%' AND VARIABLE_NAME NOT LIKE '%thread%' \
     AND VARIABLE_VALUE IN ('ON', 'FORCE'); \
     SELECT COUNT(*) FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'ENCRYPTION'";

/// A clinic whose database is encrypted, with nothing left of the clear one.
pub fn encrypted_clinic(suite: Suite) -> Result<Container> {
    let server = Container::fresh(suite)?;
    server.wait_for_database()?;
    fill(&server)?;
    stayput(&server, "enable --destroy-original")?.success()?;
    Ok(server)
}

/// Nothing has MariaDB encrypt, or waits for a key.
pub fn is_clear(server: &Container) -> Result {
    let nothing = format!(
        "for left in {GATE} {SETTINGS} {CHECK} {REAL} {MAKING} /var/lib/mysql/stayput.check \
         /run/stayput/mariadb.keys /etc/systemd/system/stayput-mariadb-closed.service \
         /etc/systemd/system/mariadb@.service.d/stayput.conf; do \
         [ ! -e $left ] || {{ echo $left; exit 1; }}; done; ! lsattr -d /var/lib/mysql | grep -q i--"
    );
    server.shell(&nothing)?.success()?;
    assert_eq!(server.sql(ENCRYPTED)?.trim(), "0\n0\n0");
    Ok(())
}

/// The gate is in front, and the data is encrypted.
pub fn is_behind_the_gate(server: &Container) -> Result {
    let behind = format!(
        "[ -e {GATE} ] && [ -s {CHECK} ] && [ -e {REAL}/ibdata1 ] && [ ! -e {MAKING} ] && \
         [ ! -e {ORIGINAL} ] && [ ! -e {JOURNAL} ] && grep -q innodb_encrypt_tables {SETTINGS}"
    );
    server.shell(&behind)?.success()?;
    assert_ne!(server.sql(ENCRYPTED)?.lines().next(), Some("0"));
    Ok(())
}

fn wait_until_removed(server: &Container) -> Result {
    let waits = format!(
        "i=0; while [ -e {ORIGINAL} ] || [ -e {JOURNAL} ]; do [ $i -lt 300 ] || \
         {{ journalctl -u stayput-mariadb-original -o cat --no-pager | tail; exit 1; }}; \
         i=$((i+1)); sleep 0.2; done"
    );
    server.shell(&waits)?.success()?;
    Ok(())
}

/// As one line, however it was broken for the screen.
pub fn in_a_line(said: &Output) -> String {
    let words: Vec<&str> = said.text.split_whitespace().collect();
    words.join(" ")
}

fn clinic_leaves_to_a_clear_database(suite: Suite) -> Result {
    let mut server = encrypted_clinic(suite)?;
    server.sql(&format!(
        "INSERT INTO clinic.patient (name) VALUES ('{CANARY}')"
    ))?;
    let rehearsed = stayput(&server, &format!("{CLEAR} --dry-run"))?.success()?;
    assert!(rehearsed.contains("can read the database"), "{rehearsed}");
    is_behind_the_gate(&server)?;
    // A rehearsal writes nothing that can be read.
    server.shut_down()?;
    let needles = [CANARY.as_bytes().to_vec()];
    assert_eq!(search::found_in(server.disk(), &needles)?, [0; 0]);
    server.boot()?;
    server.wait_for_database()?;

    let said = stayput(&server, CLEAR)?.success()?;
    assert!(said.contains("needs no key"), "{said}");
    is_clear(&server)?;
    has_rows(&server, 5001)?;
    assert_eq!(server.sql("SELECT * FROM clinic.old")?.trim(), "1");
    for (command, words) in [
        ("status", "The database is in the clear"),
        ("check", "The database is in the clear"),
        ("audit --all", "encrypt"),
        ("reset --dry-run", "NOT DESTROYED: the database itself"),
    ] {
        let said = server.shell(&format!("stayput {command}"))?;
        assert!(in_a_line(&said).contains(words), "{command}: {said}");
    }
    let json = server.shell("stayput --json status")?.success()?;
    assert!(json.contains("\"clear_copy\": null"), "{json}");
    assert!(json.contains(ORIGINAL), "{json}");
    let log = server.shell("stayput log")?.success()?;
    assert!(log.contains("gets no keys from here any more"), "{log}");
    for refused in [
        "mariadb enable --yes",
        "uninstall --yes",
        "mariadb disable --key-file /etc/mysql/k --yes",
    ] {
        let said = server.shell(&format!("stayput {refused}"))?;
        assert!(!said.ok(), "{refused}: {said}");
        assert!(
            in_a_line(&said).contains("destroy-original"),
            "{refused}: {said}"
        );
    }
    // Another start of MariaDB in the same boot proves nothing.
    server
        .shell(&format!(
            "systemctl restart mariadb; sleep 2; systemctl start stayput-mariadb-original; \
             [ -e {ORIGINAL}/data/ibdata1 ]"
        ))?
        .success()?;

    // The place does not open, and MariaDB does not mind.
    server.shut_down()?;
    server.boot_locked()?;
    has_rows(&server, 5001)?;
    wait_until_removed(&server)?;
    is_clear(&server)?;
    let status = server.shell("stayput status")?.text;
    assert!(!status.contains("encrypted original"), "{status}");
    server.shell("stayput uninstall --yes")?.success()?;
    server
        .shell("rm /usr/sbin/stayput && systemctl restart mariadb")?
        .success()?;
    has_rows(&server, 5001)?;
    server.shut_down()?;
    // The first shows that the search finds what is there to find.
    assert_eq!(search::found_in(server.disk(), &needles)?, [0]);
    server.boot()?;
    has_rows(&server, 5001)
}

#[test]
fn clinic_leaves_to_a_clear_database_on_debian_12() -> Result {
    clinic_leaves_to_a_clear_database(Suite::Bookworm)
}

#[test]
fn clinic_leaves_to_a_clear_database_on_debian_13() -> Result {
    clinic_leaves_to_a_clear_database(Suite::Trixie)
}

#[test]
fn clear_database_can_be_encrypted_again() -> Result {
    let server = encrypted_clinic(Suite::Bookworm)?;
    server
        .shell(&format!(
            "echo a note >{REAL}/note.txt && chown mysql: {REAL}/note.txt"
        ))?
        .success()?;
    let said = stayput(&server, CLEAR)?.success()?;
    assert!(said.contains("as they were"), "{said}");
    assert!(!said.contains("as clear as before"), "{said}");
    server
        .shell("grep -q 'disable --clear' /var/lib/mysql.kept-*/README-stayput.txt")?
        .success()?;
    stayput(&server, "destroy-original")?.success()?;
    stayput(&server, "enable --destroy-original")?.success()?;
    is_behind_the_gate(&server)?;
    has_rows(&server, 5000)
}

#[test]
fn encrypted_original_comes_back_and_keeps_what_was_written() -> Result {
    let mut server = encrypted_clinic(Suite::Bookworm)?;
    stayput(&server, CLEAR)?.success()?;
    server.sql("INSERT INTO clinic.patient (name) VALUES ('Atieno')")?;
    let said = stayput(&server, "disable --undo")?.success()?;
    assert!(said.contains("anybody with the disk can read it"), "{said}");
    is_behind_the_gate(&server)?;
    has_rows(&server, 5000)?;
    server
        .shell("ls -d /var/lib/stayput/mariadb.taken-back.*/data/ibdata1")?
        .success()?;
    // The vault gives the keys again.
    server.shut_down()?;
    server.boot()?;
    has_rows(&server, 5000)?;
    let said = stayput(&server, "disable --undo")?;
    assert!(
        !said.ok() && said.text.contains("Nothing was changed"),
        "{said}"
    );

    // The way back is cut as well, between the copy's leave and the original's return.
    stayput(&server, CLEAR)?.success()?;
    server.shell(&format!("chattr +i {ORIGINAL}"))?.success()?;
    let said = stayput(&server, "disable --undo")?;
    assert!(!said.ok(), "{said}");
    server.shell(&format!("chattr -i {ORIGINAL}; sync"))?;
    server.power_cut();
    server.boot()?;
    stayput(&server, CLEAR)?.success()?;
    is_behind_the_gate(&server)?;
    has_rows(&server, 5000)
}

#[test]
fn what_stands_in_the_way_is_refused_and_nothing_changes() -> Result {
    let server = encrypted_clinic(Suite::Bookworm)?;
    for (obstacle, way_out, why) in [
        (
            "free=$(df --output=avail -k /var/lib | tail -n 1); \
             fallocate -l $((free - 100000))K /var/full",
            "rm /var/full",
            "too little room",
        ),
        (
            "mariadb -e 'CREATE TABLE clinic.always (a INT) ENCRYPTED=YES'",
            "mariadb -e 'DROP TABLE clinic.always'",
            "`clinic`.`always`",
        ),
    ] {
        server.shell(obstacle)?.success()?;
        let said = stayput(&server, CLEAR)?;
        assert!(!said.ok() && said.text.contains(why), "{said}");
        server.shell(way_out)?.success()?;
        is_behind_the_gate(&server)?;
        has_rows(&server, 5000)?;
    }
    Ok(())
}

/// Where a run is cut, what it leaves when the unit puts it back, and whether MariaDB
/// serves after a power cut before anybody runs a command.
struct Cut {
    holds: String,
    is_put_back: bool,
    serves: bool,
}

fn cuts() -> [Cut; 3] {
    let cut = |holds: String, is_put_back, serves| Cut {
        holds: format!("grep -q continue /proc/$PPID/cmdline && {holds}"),
        is_put_back,
        serves,
    };
    [
        // The copy is made, and is clear.
        cut(
            format!("grep -q \"^stage building\" {JOURNAL} && [ -e {MAKING}/data/ibdata1 ]"),
            true,
            true,
        ),
        // It has its place, and the gate still stands.
        cut(
            format!("grep -q \"^stage starting\" {JOURNAL} && [ -e {GATE} ]"),
            true,
            false,
        ),
        // The gate is gone, and MariaDB was not started.
        cut(
            format!("grep -q \"^stage starting\" {JOURNAL} && [ ! -e {GATE} ]"),
            false,
            true,
        ),
    ]
}

#[test]
fn run_that_is_killed_leaves_the_old_or_the_new() -> Result {
    let server = encrypted_clinic(Suite::Bookworm)?;
    for (at, cut) in cuts().into_iter().enumerate() {
        killed_when(&server, &cut.holds)?;
        let said = stayput(&server, CLEAR)?;
        assert!(!said.ok(), "{at}: {said}");
        was_killed(&server)?;
        server.shell("rmdir /run/killed")?.success()?;
        has_rows(&server, 5000).inspect_err(|_| println!("{at}: {said}"))?;
        if cut.is_put_back {
            is_behind_the_gate(&server).inspect_err(|_| println!("{at}: {said}"))?;
            // Nobody needs the clear copy, and anybody could read it.
            let kept = server.shell("ls -d /var/lib/stayput/mariadb.taken-back.*")?;
            assert!(!kept.ok(), "{at}: {kept}");
        }
    }
    let said = stayput(&server, CLEAR)?;
    assert!(said.ok(), "{said}");
    is_clear(&server)?;
    has_rows(&server, 5000)
}

/// systemd calls it a success: the command must not take it for one.
#[test]
fn run_that_is_stopped_keeps_the_keys_of_the_database() -> Result {
    let mut server = encrypted_clinic(Suite::Bookworm)?;
    let stops = format!(
        "systemd-run --quiet --collect sh -c 'until [ -e {MAKING}/data/ibdata1 ] && \
         grep -q \"^stage building\" {JOURNAL}; do sleep 0.02; done; \
         systemctl stop stayput-mariadb-enable; touch /run/stopped'"
    );
    server.shell(&stops)?.success()?;
    let said = stayput(&server, CLEAR)?;
    assert!(!said.ok(), "{said}");
    server.shell("[ -e /run/stopped ]")?.success()?;
    is_behind_the_gate(&server)?;
    server.shut_down()?;
    server.boot()?;
    server.wait_for_database()?;
    is_behind_the_gate(&server)?;
    has_rows(&server, 5000)
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn power_cut_in_any_step_is_gone_on_with() -> Result {
    for (at, cut) in cuts().into_iter().enumerate() {
        let mut server = encrypted_clinic(Suite::Bookworm)?;
        server.shell(NOBODY_PUTS_BACK)?.success()?;
        killed_when(&server, &cut.holds)?;
        let said = stayput(&server, CLEAR)?;
        assert!(!said.ok(), "{at}: {said}");
        was_killed(&server)?;
        server.shell(&format!("{AS_BEFORE} && sync"))?.success()?;
        server.power_cut();
        server.boot()?;
        let refused = server.shell("stayput uninstall --yes")?;
        assert!(!refused.ok(), "{at}: {refused}");
        if cut.serves {
            has_rows(&server, 5000).inspect_err(|_| println!("{at}: {said}"))?;
        }
        let said = stayput(&server, CLEAR)?;
        assert!(said.ok(), "{at}: {said}");
        is_clear(&server)?;
        has_rows(&server, 5000)?;
    }
    Ok(())
}

#[test]
fn switch_that_was_cut_is_gone_on_with_or_undone() -> Result {
    for command in [CLEAR, "disable --undo"] {
        let mut server = encrypted_clinic(Suite::Bookworm)?;
        nothing_is_noted_after_the_switch(&server)?;
        let output = stayput(&server, CLEAR)?;
        assert!(!output.ok(), "{output}");
        server
            .shell(&format!(
                "grep -q '^stage switching' {JOURNAL} && [ -e /var/lib/mysql/ibdata1 ] && \
                 rmdir {JOURNAL}.new && {AS_BEFORE} && sync"
            ))?
            .success()?;
        server.power_cut();
        server.boot()?;
        // The gate lets nothing write into a copy that may be thrown away.
        assert!(server.sql("SELECT 1").is_err());
        let said = stayput(&server, command)?;
        assert!(said.ok(), "{command}: {said}");
        has_rows(&server, 5000)?;
        match command {
            CLEAR => is_clear(&server)?,
            _ => is_behind_the_gate(&server)?,
        }
    }
    Ok(())
}

#[test]
fn lost_journal_makes_no_clear_one_of_the_encrypted_original() -> Result {
    let server = encrypted_clinic(Suite::Bookworm)?;
    stayput(&server, CLEAR)?.success()?;
    server.shell(&format!("rm {JOURNAL}"))?.success()?;
    let status = server.shell("stayput status")?;
    // Nobody knows any more how far it had come.
    assert!(in_a_line(&status).contains("was interrupted"), "{status}");
    let said = stayput(&server, "enable")?;
    assert!(!said.ok(), "{said}");
    // It is counted again.
    stayput(&server, CLEAR)?.success()?;
    has_rows(&server, 5000)?;
    stayput(&server, "destroy-original")?.success()?;
    is_clear(&server)?;
    has_rows(&server, 5000)
}
