//! Runs that were cut while they went on or went back: each state has a way
//! out, and none of them leads to a database that is older than the last row.

use qemu_tests::{Container, Result};

use crate::clinic::{JOURNAL, MAKING, ORIGINAL, REAL, clinic, has_rows, stayput};

/// From here on nothing is put back when the unit ends, as after a power cut.
pub const NOBODY_PUTS_BACK: &str = "mkdir -p /etc/systemd/system/stayput-mariadb-enable.service.d && \
     printf '[Service]\nExecStopPost=\n' \
     >/etc/systemd/system/stayput-mariadb-enable.service.d/cut.conf && systemctl daemon-reload";
pub const AS_BEFORE: &str = "rm -r /etc/systemd/system/stayput-mariadb-enable.service.d && \
     systemctl daemon-reload";

/// The copy's place is taken: a run ends right after the original has left its
/// own. Only while it builds: before, it would be refused.
fn take_the_place(server: &Container, real: &str) -> Result {
    server
        .shell(&format!(
            "systemd-run --quiet --collect sh -c 'until grep -q \"^stage building\" {JOURNAL}; \
             do sleep 0.02; done; mkdir -p {real} && touch {real}/taken'"
        ))?
        .success()?;
    Ok(())
}

fn free_the_place(server: &Container, real: &str) -> Result {
    server
        .shell(&format!("rm {real}/taken && rmdir {real} && sync"))?
        .success()?;
    Ok(())
}

/// A run that was cut before the copy has got its place.
pub fn cut_while_switching(server: &mut Container, real: &str) -> Result {
    server.shell(NOBODY_PUTS_BACK)?.success()?;
    take_the_place(server, real)?;
    let output = stayput(server, "enable")?;
    assert!(!output.ok(), "{output}");
    server
        .shell(&format!(
            "grep -q '^stage switching' {JOURNAL} && {AS_BEFORE}"
        ))?
        .success()?;
    free_the_place(server, real)?;
    server.power_cut();
    Ok(())
}

/// systemctl ends whoever calls it, the first time that this holds.
pub fn killed_when(server: &Container, holds: &str) -> Result {
    systemctl_acts_when(server, holds, "kill -9 $PPID; sleep 1")
}

/// systemctl does this before what it is asked for, the first time that this holds.
pub fn systemctl_acts_when(server: &Container, holds: &str, acts: &str) -> Result {
    server
        .shell(&format!(
            "mv /usr/bin/systemctl /usr/bin/systemctl.real && \
             printf '%s\n' '#!/bin/sh' 'if {holds} && mkdir /run/killed 2>/dev/null' \
             'then {acts}; fi' 'exec /usr/bin/systemctl.real \"$@\"' \
             >/usr/bin/systemctl && chmod 755 /usr/bin/systemctl"
        ))?
        .success()?;
    Ok(())
}

pub fn was_killed(server: &Container) -> Result {
    server
        .shell("test -d /run/killed && mv /usr/bin/systemctl.real /usr/bin/systemctl && sync")?
        .success()?;
    Ok(())
}

#[test]
fn rows_after_an_undo_that_was_cut_are_in_the_copy() -> Result {
    let mut server = clinic()?;
    take_the_place(&server, REAL)?;
    killed_when(
        &server,
        "[ -e /var/lib/mysql/ibdata1 ] && [ -e /var/lib/stayput/mariadb/taken ] && \
         [ ! -e /etc/systemd/system/mariadb.service.d/stayput.conf ]",
    )?;
    let output = stayput(&server, "enable")?;
    assert!(!output.ok(), "{output}");
    was_killed(&server)?;
    free_the_place(&server, REAL)?;
    server.power_cut();
    server.boot()?;
    // The clear server is back, and the clinic works on.
    has_rows(&server, 5000)?;
    server.sql("INSERT INTO clinic.patient (name) VALUES ('Atieno')")?;
    let said = stayput(&server, "enable")?;
    has_rows(&server, 5001).inspect_err(|_| println!("{said}"))?;
    assert!(said.ok(), "{said}");
    has_rows(&server, 5001)
}

#[test]
fn run_that_was_cut_before_the_move_begins_anew() -> Result {
    let mut server = clinic()?;
    // It cannot be moved.
    server
        .shell(&format!("{NOBODY_PUTS_BACK} && chattr +i /var/lib/mysql"))?
        .success()?;
    let output = stayput(&server, "enable")?;
    assert!(!output.ok(), "{output}");
    server
        .shell(&format!(
            "grep -q '^stage switching' {JOURNAL} && {AS_BEFORE} && \
             umount /var/lib/mysql; chattr -i /var/lib/mysql && rm -rf {ORIGINAL} && sync"
        ))?
        .success()?;
    server.power_cut();
    server.boot()?;
    let said = stayput(&server, "enable")?;
    assert!(said.ok(), "{said}");
    has_rows(&server, 5000)
}

#[test]
fn room_that_was_deleted_but_for_itself_is_no_obstacle() -> Result {
    let mut server = clinic()?;
    cut_while_switching(&mut server, REAL)?;
    server.boot()?;
    // The last two lines of a deletion, and the power goes between them.
    server
        .shell(&format!("rm -rf {MAKING} && mkdir -m 700 {MAKING}"))?
        .success()?;
    let said = stayput(&server, "enable")?;
    assert!(said.ok(), "{said}");
    has_rows(&server, 5000)
}

#[test]
fn way_back_that_was_cut_goes_on() -> Result {
    let mut server = clinic()?;
    stayput(&server, "enable")?.success()?;
    // The copy is put aside, and then the original cannot leave its room.
    server.shell(&format!("chattr +i {ORIGINAL}"))?.success()?;
    let output = stayput(&server, "enable --undo")?;
    assert!(!output.ok(), "{output}");
    server.shell(&format!("chattr -i {ORIGINAL}; sync"))?;
    server.power_cut();
    server.boot()?;
    let said = stayput(&server, "enable")?;
    assert!(said.ok(), "{said}");
    has_rows(&server, 5000)
}

#[test]
fn way_back_that_is_killed_is_gone_on_with() -> Result {
    let server = clinic()?;
    stayput(&server, "enable")?.success()?;
    killed_when(&server, "[ ! -e /var/lib/stayput/mariadb ]")?;
    let said = stayput(&server, "enable --undo")?;
    was_killed(&server)?;
    has_rows(&server, 5000).inspect_err(|_| println!("{said}"))?;
    Ok(())
}

#[test]
fn without_an_original_there_is_no_way_back() -> Result {
    let server = clinic()?;
    stayput(&server, "enable")?.success()?;
    server.shell(&format!("rm -rf {ORIGINAL}"))?.success()?;
    let output = stayput(&server, "enable --undo")?;
    assert!(!output.ok(), "{output}");
    has_rows(&server, 5000)?;
    let output = stayput(&server, "destroy-original")?;
    has_rows(&server, 5000).inspect_err(|_| println!("{output}"))
}

#[test]
fn foreign_files_where_mariadb_looks_are_moved_aside() -> Result {
    let mut server = clinic()?;
    cut_while_switching(&mut server, REAL)?;
    server.boot()?;
    // As the package does it in a panic.
    server
        .shell(
            "umount /var/lib/mysql; chattr -i /var/lib/mysql /var/lib/mysql/*; \
             rm -rf /var/lib/mysql; mariadb-install-db --user=mysql >/dev/null",
        )?
        .success()?;
    let said = stayput(&server, "enable --undo")?;
    assert!(said.ok(), "{said}");
    has_rows(&server, 5000)?;
    server
        .shell("ls -d /var/lib/mysql.before-*/ibdata1")?
        .success()?;
    Ok(())
}

#[test]
fn lost_check_file_beside_an_original_is_no_dead_end() -> Result {
    let server = clinic()?;
    stayput(&server, "enable")?.success()?;
    server
        .shell("systemctl stop mariadb; rm /var/lib/stayput/mariadb.check; systemctl start mariadb; sleep 3")?;
    let said = stayput(&server, "enable")?;
    assert!(said.ok(), "{said}");
    has_rows(&server, 5000)
}

#[test]
fn owner_may_still_say_what_ends_the_original() -> Result {
    let mut server = clinic()?;
    stayput(&server, "enable")?.success()?;
    stayput(&server, "enable --keep-original")?.success()?;
    server.shut_down()?;
    server.boot()?;
    server.wait_for_database()?;
    server.shell("sleep 4; systemctl restart mariadb; sleep 4")?;
    server
        .shell(&format!("test -e {ORIGINAL}/data/ibdata1"))?
        .success()?;
    has_rows(&server, 5000)
}

#[test]
fn keys_that_leave_when_read_leave_after_a_second_run() -> Result {
    let server = clinic()?;
    server
        .shell("stayput policy --keep until-started --yes || stayput policy --keep until-started")?
        .success()?;
    stayput(&server, "enable")?.success()?;
    let there = "ls /run/stayput/";
    let first = server.shell(there)?.text;
    assert!(!first.contains("keys"), "{first}");
    stayput(&server, "enable")?.success()?;
    let second = server.shell(there)?.text;
    assert_eq!(first, second);
    has_rows(&server, 5000)
}

#[test]
fn stage_is_not_taken_out_of_a_run() -> Result {
    let mut server = clinic()?;
    cut_while_switching(&mut server, REAL)?;
    server.boot()?;
    let said = server.shell("stayput uninstall --yes")?;
    assert!(!said.ok() && said.text.contains("enable"), "{said}");
    let said = stayput(&server, "enable")?;
    assert!(said.ok(), "{said}");
    has_rows(&server, 5000)
}

#[test]
fn what_needs_mariadb_runs_again() -> Result {
    let server = clinic()?;
    server
        .shell("printf '[Unit]\nRequires=mariadb.service\nAfter=mariadb.service\n[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n' >/etc/systemd/system/clinic.service; systemctl daemon-reload; systemctl enable --now clinic")?
        .success()?;
    let said = stayput(&server, "enable")?;
    assert!(said.ok());
    println!("{said}");
    let said = server.shell("systemctl is-active clinic")?;
    println!("{said}");
    assert!(said.ok());
    has_rows(&server, 5000)
}

#[test]
fn silence_of_systemd_is_not_the_end_of_a_run() -> Result {
    let server = clinic()?;
    server
        .shell(&format!(
            "mv /usr/bin/systemctl /usr/bin/systemctl.real && \
             printf '%s\\n' '#!/bin/sh' 'if [ \"$3\" = ActiveState ] && \
             grep -q \"^stage building\" {JOURNAL} && mkdir /run/silent 2>/dev/null' \
             'then exit 1; fi' 'exec /usr/bin/systemctl.real \"$@\"' >/usr/bin/systemctl && \
             chmod 755 /usr/bin/systemctl"
        ))?
        .success()?;
    let said = stayput(&server, "enable")?.success()?;
    server.shell("test -d /run/silent")?.success()?;
    assert!(said.contains("MariaDB is encrypted and running"), "{said}");
    has_rows(&server, 5000)
}

/// The journal cannot be written once more after the switch has begun, and nobody puts
/// back what the run leaves.
pub fn nothing_is_noted_after_the_switch(server: &Container) -> Result {
    server
        .shell(&format!(
            "{NOBODY_PUTS_BACK} && systemd-run --quiet --collect perl -e \
             'while (1) {{ open(F, \"<\", \"{JOURNAL}\") or next; my $said = join \"\", <F>; \
             if ($said =~ /^stage switching/m) {{ mkdir \"{JOURNAL}.new\"; exit }} }}'"
        ))?
        .success()?;
    Ok(())
}

#[test]
fn copy_is_not_opened_before_that_is_noted() -> Result {
    let mut server = clinic()?;
    nothing_is_noted_after_the_switch(&server)?;
    let output = stayput(&server, "enable")?;
    assert!(!output.ok(), "{output}");
    server
        .shell(&format!(
            "grep -q '^stage switching' {JOURNAL} && rmdir {JOURNAL}.new && {AS_BEFORE} && sync"
        ))?
        .success()?;
    server.power_cut();
    server.boot()?;
    // If the copy is served, its rows are not thrown away.
    let insert = "INSERT INTO clinic.patient (name) VALUES ('Atieno')";
    let worked = server.sql(insert).is_ok();
    let said = stayput(&server, "enable --undo")?;
    assert!(!worked, "a row was lost without a question: {said}");
    assert!(said.ok(), "{said}");
    has_rows(&server, 5000)
}
