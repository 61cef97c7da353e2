//! The gate sees what really starts: units of the owner's, their variables,
//! their mounts, and processes that nobody foretold.

use qemu_tests::{Container, Failure, Output, Result, Suite, minutes, seconds};

const DROP_IN: &str = "/etc/systemd/system/mariadb.service.d/zz-clinic.conf";
pub const ROWS: &str = "SELECT COUNT(*) FROM clinic.visit";

/// A server behind the gate, with rows.
pub fn guarded(suite: Suite) -> Result<Container> {
    let server = Container::fresh(suite)?;
    server.wait_for_database()?;
    server.sql(
        "CREATE DATABASE clinic; CREATE TABLE clinic.visit (id INT PRIMARY KEY, note TEXT); \
         INSERT INTO clinic.visit VALUES (1, 'fever')",
    )?;
    server
        .shell_within("stayput mariadb enable --yes", minutes(4))?
        .success()?;
    server.wait_for_database()?;
    // Another database, as an owner may have kept one: it takes rows in clear.
    server
        .shell(
            "mkdir /srv/other && chown mysql: /srv/other && mariadb-install-db --no-defaults \
             --user=mysql --datadir=/srv/other >/dev/null 2>&1",
        )?
        .success()?;
    Ok(server)
}

/// Gives MariaDB's unit this drop-in, and restarts it.
fn restart_with(server: &Container, drop_in: &str) -> Result<Output> {
    server.shell(&format!(
        "cat >{DROP_IN} <<'END'\n{drop_in}\nEND\n\
         systemctl daemon-reload; systemctl stop mariadb; systemctl reset-failed mariadb; \
         systemctl restart mariadb"
    ))
}

/// What MariaDB's unit has said lately.
pub fn journal(server: &Container) -> Result<String> {
    let said = server.shell("journalctl -u mariadb -o cat --no-pager -n 25")?;
    Ok(said.text)
}

pub fn no_mariadbd_runs(server: &Container) -> Result {
    let found = server.shell("sleep 1; pidof mariadbd")?;
    match found.ok() {
        true => Err(Failure::new(format!("mariadbd runs: {found}"))),
        false => Ok(()),
    }
}

/// The start is refused with these words; without the drop-in it works again.
fn refused(server: &Container, drop_in: &str, why: &str) -> Result {
    let output = restart_with(server, drop_in)?;
    let said = journal(server)?;
    if output.ok() || !said.contains(why) {
        return Err(Failure::new(format!("{drop_in}\n{output}\n{said}")));
    }
    no_mariadbd_runs(server)?;
    let check = server.shell("stayput check")?;
    if !check
        .text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .contains(why)
    {
        return Err(Failure::new(format!("{drop_in}\n{check}")));
    }
    server
        .shell(&format!(
            "rm {DROP_IN}; systemctl daemon-reload; systemctl reset-failed mariadb; \
             systemctl start mariadb"
        ))?
        .success()?;
    assert_eq!(server.sql(ROWS)?.trim(), "1");
    Ok(())
}

/// An ExecStart of the owner's with these words for mariadbd.
fn exec_start(words: &str) -> String {
    format!("[Service]\nExecStart=\nExecStart=/usr/sbin/mariadbd {words}")
}

fn owners_exec_start_with_other_data_is_refused(suite: Suite) -> Result {
    let server = guarded(suite)?;
    let other = "the data directory is /srv/other, but /var/lib/mysql was enrolled";
    refused(&server, &exec_start("--datadir=/srv/other"), other)?;
    let by_shell = "[Service]\nExecStart=\n\
                    ExecStart=/bin/sh -c 'exec /usr/sbin/mariadbd --datadir=/srv/other'";
    refused(&server, by_shell, other)?;
    let by_variable = "[Service]\nEnvironment=\"MYSQLD_OPTS=--datadir=/srv/other --port=3307\"";
    refused(&server, by_variable, other)?;
    server.shell("echo 'MYSQLD_OPTS=\"--datadir=/srv/other\"' >/etc/default/mariadb-clinic")?;
    let by_file = "[Service]\nEnvironmentFile=/etc/default/mariadb-clinic";
    refused(&server, by_file, other)?;
    server.shell("printf '[mariadbd]\\ndatadir=/var/lib/mysql\\n' >/srv/clear.cnf")?;
    let clear = "do not load the plugin file_key_management";
    for words in ["--defaults-file=/srv/clear.cnf", "--no-defaults"] {
        refused(&server, &exec_start(words), clear)?;
    }
    server.shell(
        "printf '[mariadbd.old]\\ninnodb_encrypt_log=OFF\\n' >/etc/mysql/mariadb.conf.d/zzz-old.cnf",
    )?;
    refused(
        &server,
        &exec_start("--defaults-group-suffix=.old"),
        "innodb_encrypt_log is FALSE instead of ON",
    )?;
    let by_safe = "[Service]\nExecStart=\nExecStart=/usr/bin/mariadbd-safe";
    refused(&server, by_safe, "is not understood")
}

#[test]
fn owners_exec_start_with_other_data_is_refused_on_debian_12() -> Result {
    owners_exec_start_with_other_data_is_refused(Suite::Bookworm)
}

#[test]
fn owners_exec_start_with_other_data_is_refused_on_debian_13() -> Result {
    owners_exec_start_with_other_data_is_refused(Suite::Trixie)
}

/// With MariaDB 11.4, which no Debian has.
#[test]
#[ignore = "its image comes from Ubuntu's archive; qemu-tests/matrix runs it"]
fn owners_exec_start_with_other_data_is_refused_on_ubuntu_25() -> Result {
    owners_exec_start_with_other_data_is_refused(Suite::Plucky)
}

fn owners_options_that_change_what_mariadbd_sees_are_refused(suite: Suite) -> Result {
    let server = guarded(suite)?;
    for (option, why) in [
        (
            "BindPaths=/srv/other:/var/lib/mysql",
            "BindPaths puts something else over /var/lib/mysql",
        ),
        (
            "TemporaryFileSystem=/run/stayput",
            "TemporaryFileSystem puts something else over /run/stayput",
        ),
        (
            "InaccessiblePaths=/etc/mysql/mariadb.conf.d",
            "InaccessiblePaths puts something else",
        ),
        ("User=daemon", "the unit has User=daemon"),
        ("Group=daemon", "the unit has Group=daemon"),
        ("User=", "the unit has User=root"),
        (
            "ExecStartPre=/usr/sbin/mariadbd --bootstrap",
            "something of its own before mariadbd",
        ),
        ("Type=simple", "Type=simple instead of Type=notify"),
    ] {
        refused(&server, &format!("[Service]\n{option}"), why)?;
    }
    Ok(())
}

#[test]
fn owners_options_that_change_its_view_are_refused() -> Result {
    owners_options_that_change_what_mariadbd_sees_are_refused(Suite::Trixie)
}

#[test]
#[ignore = "its image comes from Ubuntu's archive; qemu-tests/matrix runs it"]
fn owners_options_that_change_its_view_are_refused_on_ubuntu_25() -> Result {
    owners_options_that_change_what_mariadbd_sees_are_refused(Suite::Plucky)
}

#[test]
fn owners_harmless_options_stop_no_start() -> Result {
    for suite in Suite::IN_CONTAINERS {
        let server = guarded(suite)?;
        let drop_in = "[Service]\nExecStartPre=/bin/sleep 0\nNice=-5\n\
                       Environment=\"MYSQLD_OPTS=--port=3311 --skip-name-resolve\"\n\
                       BindReadOnlyPaths=/usr/share/zoneinfo:/srv/zones\nPrivateTmp=yes";
        restart_with(&server, drop_in)?.success()?;
        assert_eq!(server.sql("SELECT @@port")?.trim(), "3311");
        assert_eq!(server.sql(ROWS)?.trim(), "1");
        let words = "--port=3312 --datadir=/var/lib/mysql";
        restart_with(&server, &exec_start(words))?.success()?;
        assert_eq!(server.sql("SELECT @@port")?.trim(), "3312");
        assert_eq!(server.sql(ROWS)?.trim(), "1");
    }
    Ok(())
}

/// A drop-in of an earlier version does not name its unit.
#[test]
fn an_earlier_drop_in_judges_the_same() -> Result {
    let server = guarded(Suite::Bookworm)?;
    server
        .shell(
            "sed -i -e 's/gate \"$0\" || exit 255. %n/gate || exit 255'\\''/' -e 's/ %n$//' \
             /etc/systemd/system/mariadb.service.d/stayput.conf && \
             ! grep %n /etc/systemd/system/mariadb.service.d/stayput.conf",
        )?
        .success()?;
    restart_with(&server, "[Service]\nEnvironment=MYSQLD_OPTS=--port=3313")?.success()?;
    assert_eq!(server.sql("SELECT @@port")?.trim(), "3313");
    let other = "the data directory is /srv/other, but /var/lib/mysql was enrolled";
    let by_variable = "[Service]\nEnvironment=MYSQLD_OPTS=--datadir=/srv/other";
    refused(&server, by_variable, other)
}

/// The gate foretells; what it cannot foresee is seen when it runs.
#[test]
fn what_runs_elsewhere_is_stopped() -> Result {
    let server = guarded(Suite::Bookworm)?;
    let script = "#!/bin/sh\n\
         case \"$*\" in\n\
         *--help*) exec /usr/sbin/mariadbd.real \"$@\" ;;\n\
         *) exec /usr/sbin/mariadbd.real --no-defaults --datadir=/srv/other \\\n\
         --socket=/run/mysqld/mysqld.sock ;;\nesac";
    server
        .shell(&format!(
            "systemctl stop mariadb; mv /usr/sbin/mariadbd /usr/sbin/mariadbd.real; \
             cat >/usr/sbin/mariadbd <<'END'\n{script}\nEND\nchmod 755 /usr/sbin/mariadbd"
        ))?
        .success()?;
    server.shell("systemctl start mariadb")?;
    let until_stopped =
        "i=0; while [ $i -lt 60 ] && pgrep mariadbd; do sleep 0.5; i=$((i+1)); done";
    server.shell(until_stopped)?;
    let said = journal(&server)?;
    let why = "MariaDB does not serve the enrolled database, and is stopped";
    assert!(said.contains(why), "{said}");
    no_mariadbd_runs(&server)?;
    server
        .shell(
            "mv /usr/sbin/mariadbd.real /usr/sbin/mariadbd; systemctl reset-failed mariadb; \
             systemctl start mariadb",
        )?
        .success()?;
    assert_eq!(server.sql(ROWS)?.trim(), "1");
    Ok(())
}

#[test]
fn an_instance_that_fails_leaves_a_start_beside_it_alone() -> Result {
    let server = guarded(Suite::Bookworm)?;
    // The time between the gate and mariadbd is seconds here.
    server
        .shell(&format!(
            "systemctl stop mariadb; printf '[Service]\\nExecStartPre=/bin/sleep 4\\n' >{DROP_IN}; \
             systemctl daemon-reload; systemctl start --no-block mariadb; \
             timeout 20 sh -c 'until test -e /var/lib/mysql/ibdata1; do sleep 0.05; done'"
        ))?
        .success()?;
    // One with data of its own, and one that would work in the same.
    server
        .shell(
            "printf '[mariadbd.second]\\ndatadir=/srv/other\\nsocket=/run/mysqld/second.sock\\n' \
             >/etc/mysql/mariadb.conf.d/90-second.cnf; systemctl start mariadb@second; \
             systemctl start mariadb@third; systemctl start mariadb",
        )?
        .success()?;
    assert_eq!(server.sql(ROWS)?.trim(), "1");
    let said = server.shell("journalctl -u mariadb@second -u mariadb@third -o cat --no-pager")?;
    for words in [
        "its data stays open",
        "mariadb.service has the database open",
    ] {
        assert!(said.text.contains(words), "{said}");
    }
    // The last one that ends closes it.
    server.shell("systemctl stop mariadb")?.success()?;
    let listed = server.shell("ls -A /var/lib/mysql")?.success()?;
    assert!(!listed.contains("ibdata1"), "{listed}");
    Ok(())
}

#[test]
fn another_mariadbd_is_told_by_check() -> Result {
    let server = guarded(Suite::Bookworm)?;
    let mut other = server.spawn(
        "exec mariadbd --no-defaults --user=mysql --datadir=/srv/other --skip-networking \
         --socket=/srv/other/sock --pid-file=/srv/other/pid",
    )?;
    let found = server.shell(
        "i=0; until stayput check --json | grep -q 'Another MariaDB runs' || [ $i = 40 ]; do \
         sleep 0.5; i=$((i+1)); done; stayput check --json",
    )?;
    assert!(found.text.contains("/srv/other"), "{found}");
    server.shell("pkill -f datadir=/srv/other")?;
    let _ = other.wait(seconds(20));
    Ok(())
}

#[test]
fn settings_that_would_not_be_read_are_found_before_the_copy() -> Result {
    let server = Container::fresh(Suite::Bookworm)?;
    server.wait_for_database()?;
    server
        .shell("sed -i '/mariadb.conf.d/d' /etc/mysql/mariadb.cnf")?
        .success()?;
    let refused = server.shell("stayput mariadb enable --yes")?;
    assert!(!refused.ok(), "{refused}");
    assert!(refused.text.contains("!includedir"), "{refused}");
    server.shell("systemctl is-active mariadb")?.success()?;
    let left = server.shell("ls /etc/mysql/mariadb.conf.d /var/lib/stayput")?;
    assert!(!left.text.contains("stayput-probe"), "{left}");
    Ok(())
}
