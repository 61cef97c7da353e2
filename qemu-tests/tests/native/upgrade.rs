//! Debian 12 becomes Debian 13 under an encrypted database: MariaDB 10.11 becomes 11.8,
//! and its maintainer scripts stop, start and prepare it at moments of their own.

use std::path::Path;

use qemu_tests::{Container, Output, Result, fetched_packages, minutes, run};

use crate::clinic::{REAL, clinic, has_rows, stayput};

/// What each call of dpkg ends with: one line of how the database stands. With /root/hold
/// it waits for a power cut once MariaDB's server is unpacked and not configured.
const STEP: &str = r#"#!/bin/sh
how=neither
for second in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
    if [ ! -e /var/lib/mysql/ibdata1 ]; then
        how="closed $(ls -A /var/lib/mysql | grep -v '^debian-' | tr '\n' ' ')"
        break
    elif ! mariadb --version >/dev/null; then
        how="no client"
        break
    elif rows=$(mariadb -NBe 'SELECT COUNT(*) FROM clinic.patient'); then
        how="open $rows"
        break
    fi
    # It starts, or it stops.
    sleep 1
done
echo "$how" >>/root/steps
if [ -e /root/hold ] && dpkg-query -W -f '${db:Status-Abbrev}' mariadb-server | grep -q U; then
    rm /root/hold
    sync
    echo held
    sleep 600
fi
"#;

/// Writes down the control group of every process that has the encrypted data open.
const WATCH: &str = "while :; do for one in $(pidof mariadbd); do \
    file=$(ls -l /proc/$one/fd | grep ibdata1) && group=$(sed -n s/^0:://p /proc/$one/cgroup) && \
    words=$(tr '\\0' ' ' </proc/$one/cmdline) && [ -n \"$words\" ] && \
    echo $group ${file##* } $words; \
    done 2>/dev/null >>/root/seen; sleep 0.05; done";

const APT: &str = "DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Options::=--force-confold \
    -o APT::Install-Recommends=false";

/// A Debian 12 with an encrypted MariaDB, and all that apt needs for Debian 13.
fn guarded() -> Result<Container> {
    let server = clinic()?;
    stayput(&server, "enable --destroy-original")?.success()?;
    server.sql("CREATE USER nurse@localhost IDENTIFIED BY 'karibu'")?;
    let root = server.root()?;
    let upgrade = fetched_packages("upgrade")?;
    let to = |path: &str| root.join(path).display().to_string();
    let from = |path: &str| Path::new(&upgrade).join(path).display().to_string();
    server.shell("rm -rf /var/lib/apt/lists/*")?.success()?;
    run("cp", &[&from("sources.list"), &to("etc/apt/sources.list")])?;
    run("cp", &["-r", &from("lists"), &to("var/lib/apt")])?;
    run("cp", &["-r", &from("archives"), &to("var/cache/apt")])?;
    std::fs::write(root.join("root/step"), STEP)?;
    let put = "chmod 755 /root/step && echo post-invoke=/root/step >/etc/dpkg/dpkg.cfg.d/step";
    server.shell(put)?.success()?;
    Ok(server)
}

/// What apt says to `words`.
fn apt(server: &Container, words: &str) -> Result<Output> {
    server.shell_within(&format!("{APT} {words} 2>&1"), minutes(15))
}

/// MariaDB of Debian 13 serves the rows of Debian 12 behind the gate, encrypted.
fn is_upgraded(server: &Container) -> Result {
    assert_eq!(server.shell("dpkg --audit")?.text, "");
    has_rows(server, 5000)?;
    let version = server.sql("SELECT VERSION()")?;
    assert!(version.starts_with("11.8"), "{version}");
    let settings = server.sql(
        "SELECT @@innodb_encrypt_tables, @@innodb_encrypt_log, @@aria_encrypt_tables, \
         @@encrypt_binlog, @@encrypt_tmp_files; \
         SELECT COUNT(*) FROM clinic.old; SELECT COUNT(*) FROM mysql.user WHERE User = 'nurse'",
    )?;
    assert_eq!(settings.trim(), "FORCE\t1\t1\t1\t1\n1\n1");
    let clear = server.sql(
        "SELECT NAME FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
         WHERE ENCRYPTION_SCHEME = 0",
    )?;
    assert_eq!(clear.trim(), "");
    // Debian has the tables of its own upgraded beside the start.
    let own_tables = format!(
        "i=0; until grep -q ^11.8 {REAL}/mysql_upgrade_info {REAL}/mariadb_upgrade_info; do \
         [ $i -lt 60 ] || exit 1; i=$((i+1)); sleep 1; done 2>/dev/null"
    );
    server.shell(&own_tables)?.success()?;
    // The gate's drop-in holds for the new unit.
    server.shell("systemctl stop mariadb")?.success()?;
    assert_eq!(closed_directory(server)?, [TEXT]);
    server.shell("systemctl start mariadb")?.success()?;
    has_rows(server, 5000)
}

/// The only file in the directory of a closed database.
const TEXT: &str = "WHERE-THE-DATA-IS.txt";

fn closed_directory(server: &Container) -> Result<Vec<String>> {
    let listed = server.shell("ls -A /var/lib/mysql | grep -v '^debian-'")?;
    Ok(listed.text.lines().map(str::to_owned).collect())
}

/// While the database was open all rows were there, and nothing was put into the empty
/// directory while it was closed. For some steps the client lacks a library, and nobody
/// can ask.
fn held_at_every_step(server: &Container) -> Result {
    let steps = server.shell("cat /root/steps")?.success()?;
    for step in steps.lines() {
        let is_held = ["open 5000", "no client"].contains(&step)
            || step.trim_end() == format!("closed {TEXT}");
        assert!(is_held, "{steps}");
    }
    assert!(steps.lines().count() > 5, "{steps}");
    // At the beginning and at the end somebody could ask.
    for step in [steps.lines().next(), steps.lines().last()] {
        assert_ne!(step, Some("no client"), "{steps}");
    }
    Ok(())
}

/// Nothing but MariaDB's own service has had the data open.
fn no_start_went_past_the_gate(server: &Container) -> Result {
    let seen = server.shell("sort -u /root/seen")?.success()?;
    let is_the_service = |line: &str| line.starts_with("/system.slice/mariadb.service ");
    assert!(
        !seen.is_empty() && seen.lines().all(is_the_service),
        "{seen}"
    );
    Ok(())
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn upgrade_to_debian_13_keeps_every_row_behind_the_gate() -> Result {
    let server = guarded()?;
    server
        .shell_within("stayput install", minutes(4))?
        .success()?;
    let _watch = server.spawn(WATCH)?;
    apt(&server, "full-upgrade")?.success()?;
    held_at_every_step(&server)?;
    is_upgraded(&server)?;
    no_start_went_past_the_gate(&server)?;
    let held = "lsinitramfs /boot/initrd.img-6.12* | grep -q stayput-boot";
    server.shell(held)?.success()?;
    Ok(())
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn power_cut_in_the_upgrade_to_debian_13_loses_no_row() -> Result {
    let mut server = guarded()?;
    server.shell("touch /root/hold")?.success()?;
    let _watch = server.spawn(WATCH)?;
    let mut upgrade = server.spawn(&format!("{APT} install mariadb-server"))?;
    upgrade.wait_for("held", minutes(10))?;
    server.power_cut();
    server.boot()?;
    let _watch = server.spawn(WATCH)?;
    has_rows(&server, 5000)?;
    server
        .shell_within(
            "DEBIAN_FRONTEND=noninteractive dpkg --configure -a --force-confold",
            minutes(10),
        )?
        .success()?;
    apt(&server, "install mariadb-server")?.success()?;
    held_at_every_step(&server)?;
    is_upgraded(&server)?;
    no_start_went_past_the_gate(&server)
}

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn upgrade_to_debian_13_without_the_keys_touches_no_data() -> Result {
    let mut server = guarded()?;
    server.shut_down()?;
    server.boot_locked()?;
    let sums = format!("cd {REAL} && find . -type f -exec sha256sum {{}} + | sort -k 2");
    let before = server.shell(&sums)?.success()?;
    assert!(before.contains("./ibdata1"), "{before}");

    let _watch = server.spawn(WATCH)?;
    // Its maintainer scripts take it that a server need not start.
    apt(&server, "install mariadb-server")?.success()?;
    assert_eq!(server.shell(&sums)?.success()?, before);
    assert_eq!(closed_directory(&server)?, [TEXT]);
    assert!(!server.shell("pidof mariadbd")?.ok());
    // Nor has anything had the data open in between.
    assert_eq!(server.shell("cat /root/seen")?.success()?, "");
    held_at_every_step(&server)?;

    server.shell("stayput release")?.success()?;
    server
        .shell_within(
            "DEBIAN_FRONTEND=noninteractive dpkg --configure -a; systemctl start mariadb",
            minutes(5),
        )?
        .success()?;
    is_upgraded(&server)?;
    no_start_went_past_the_gate(&server)
}
