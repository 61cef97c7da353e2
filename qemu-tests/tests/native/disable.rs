//! `stayput mariadb disable`: the database leaves the gate, whole, and comes back.

use qemu_tests::{Container, Result, Suite};

use crate::clinic::{REAL, clinic, fill, has_rows, stayput};
use crate::way_back::{AS_BEFORE, NOBODY_PUTS_BACK, killed_when, was_killed};

pub const KEY_FILE: &str = "/etc/mysql/mariadb.keys";
pub const OUT: &str = "disable --key-file /etc/mysql/mariadb.keys";
const GATE: &str = "/etc/systemd/system/mariadb.service.d/stayput.conf";
const SETTINGS: &str = "/etc/mysql/mariadb.conf.d/zz-stayput.cnf";
/// Asks for the key file at every start.
const START_GUARD: &str = "/etc/systemd/system/mariadb.service.d/key-file.conf";

/// A clinic whose database is encrypted, with nothing left of the clear one.
fn encrypted_clinic() -> Result<Container> {
    let server = clinic()?;
    stayput(&server, "enable --destroy-original")?.success()?;
    Ok(server)
}

/// The key file is MariaDB's alone, and nothing of the gate is left.
fn is_out(server: &Container) -> Result {
    let out = format!(
        "[ \"$(stat -c '%U %a' {KEY_FILE})\" = 'mysql 400' ] && [ ! -e {GATE} ] && \
         [ ! -e /var/lib/stayput/mariadb.check ] && [ ! -e /var/lib/stayput/mariadb.disable ] && \
         [ ! -e {REAL} ] && grep -qx AssertPathExists={KEY_FILE} {START_GUARD} && \
         grep -q 'filename = {KEY_FILE}$' {SETTINGS}"
    );
    server.shell(&out)?.success()?;
    Ok(())
}

/// The gate is in front, the keys are in memory alone.
fn is_behind_the_gate(server: &Container) -> Result {
    let behind = format!(
        "[ ! -e {KEY_FILE} ] && [ ! -e {START_GUARD} ] && [ -e {GATE} ] && [ -s /var/lib/stayput/mariadb.check ] && \
         [ ! -e /var/lib/stayput/mariadb.disable ] && [ -e {REAL}/ibdata1 ] && \
         grep -q 'filename = /run/stayput/mariadb.keys$' {SETTINGS}"
    );
    server.shell(&behind)?.success()?;
    Ok(())
}

/// systemd 257 does not run what the gate has said for the end of a unit that is masked.
#[test]
fn on_debian_13_it_leaves_the_gate_and_goes_back() -> Result {
    let server = Container::fresh(Suite::Trixie)?;
    server.wait_for_database()?;
    fill(&server)?;
    stayput(&server, "enable --destroy-original")?.success()?;
    stayput(&server, OUT)?.success()?;
    is_out(&server)?;
    has_rows(&server, 5000)?;
    stayput(&server, "enable")?.success()?;
    is_behind_the_gate(&server)?;
    has_rows(&server, 5000)
}

#[test]
fn database_needs_no_stayput_and_goes_back_behind_the_gate() -> Result {
    let mut server = encrypted_clinic()?;
    server.shell("touch /etc/mysql/taken")?.success()?;
    for path in [
        "/etc/mysql/taken",
        "/var/lib/mysql/k",
        "/run/k",
        "/tmp/k",
        "etc/mysql/k",
    ] {
        let said = stayput(&server, &format!("disable --key-file {path}"))?;
        assert!(!said.ok(), "{path}: {said}");
        assert!(said.text.contains("Nothing was changed"), "{path}: {said}");
    }
    stayput(&server, &format!("{OUT} --dry-run"))?.success()?;
    is_behind_the_gate(&server)?;

    let said = stayput(&server, OUT)?.success()?;
    assert!(said.contains("can read the database"), "{said}");
    is_out(&server)?;
    server
        .shell("[ ! -e /run/stayput/mariadb.keys ]")?
        .success()?;
    has_rows(&server, 5000)?;
    for (command, words) in [
        (
            "reset --dry-run",
            "NOT DESTROYED: the keys of the database in /etc/mysql/mariadb.keys",
        ),
        ("status", "its keys are in /etc/mysql/mariadb.keys"),
        ("check", "takes its keys from /etc/mysql/mariadb.keys"),
        (
            "audit --all",
            "the keys of its database are in a file on its disk",
        ),
    ] {
        let said = server.shell(&format!("stayput {command}"))?.text;
        let lines: Vec<&str> = said.split_whitespace().collect();
        assert!(lines.join(" ").contains(words), "{command}: {said}");
    }
    let log = server.shell("stayput log")?.success()?;
    assert!(log.contains("gets no keys from here any more"), "{log}");
    // Nothing of stayput is needed at the next start.
    server
        .shell("mv /usr/sbin/stayput /usr/sbin/stayput.away")?
        .success()?;
    server.shut_down()?;
    server.boot()?;
    has_rows(&server, 5000)?;
    server.sql("INSERT INTO clinic.patient (name) VALUES ('Atieno')")?;
    // Without the key file nothing starts that would lose rows.
    let starts = server.shell(&format!(
        "mv {KEY_FILE} {KEY_FILE}.away && systemctl restart mariadb; started=$?; \
         mv {KEY_FILE}.away {KEY_FILE}; systemctl start mariadb; exit $started"
    ))?;
    assert!(!starts.ok(), "{starts}");
    has_rows(&server, 5001)?;

    server
        .shell("mv /usr/sbin/stayput.away /usr/sbin/stayput")?
        .success()?;
    // Somebody works in the data: it stays out, and MariaDB goes on.
    server
        .shell("systemd-run --quiet --unit=looks --working-directory=/var/lib/mysql sleep 1000")?
        .success()?;
    let said = stayput(&server, "enable")?;
    assert!(!said.ok(), "{said}");
    is_out(&server)?;
    has_rows(&server, 5001).inspect_err(|_| println!("{said}"))?;

    // The mark is lost, and the key file cannot be removed.
    server
        .shell(&format!(
            "systemctl stop looks; cp {SETTINGS} /root/settings && \
             rm /var/lib/mysql/stayput.check && chattr +i {KEY_FILE}"
        ))?
        .success()?;
    let said = stayput(&server, "enable")?;
    assert!(said.ok(), "{said}");
    assert!(
        said.text.contains(&format!("shred -u {KEY_FILE}")),
        "{said}"
    );
    has_rows(&server, 5001)?;
    server
        .shell(&format!("chattr -i {KEY_FILE} && shred -u {KEY_FILE}"))?
        .success()?;
    is_behind_the_gate(&server)?;
    server.shut_down()?;
    server.boot()?;
    has_rows(&server, 5001)?;

    // The settings of another time do not have the vault forget the keys.
    server
        .shell(&format!("cp /root/settings {SETTINGS}"))?
        .success()?;
    let said = stayput(&server, OUT)?;
    assert!(!said.ok(), "{said}");
    assert!(said.text.contains("Nothing was changed"), "{said}");
    let said = stayput(&server, "enable")?;
    assert!(said.ok(), "{said}");
    is_behind_the_gate(&server)?;
    has_rows(&server, 5001)
}

#[test]
fn move_that_was_cut_is_put_back_and_ends_whole() -> Result {
    let mut server = encrypted_clinic()?;
    for (stage, holds) in [
        // MariaDB finds its data, the settings name the file, and the gate refuses.
        format!("[ -e {GATE} ] && [ ! -e /var/lib/stayput/mariadb.check ]"),
        // All of it is done, but nobody has seen MariaDB serve.
        format!("[ ! -e {GATE} ]"),
    ]
    .iter()
    .enumerate()
    {
        // The unit's process, not the command that watches it.
        let holds = format!("grep -q continue /proc/$PPID/cmdline && {holds}");
        // Killed: the unit puts it back by itself.
        killed_when(&server, &holds)?;
        let said = stayput(&server, OUT)?;
        assert!(!said.ok(), "{stage}: {said}");
        was_killed(&server)?;
        server.shell("rmdir /run/killed")?.success()?;
        has_rows(&server, 5000).inspect_err(|_| println!("{stage}: {said}"))?;
        is_behind_the_gate(&server)?;

        // Cut: nobody does, until a command is run again.
        server.shell(NOBODY_PUTS_BACK)?.success()?;
        killed_when(&server, &holds)?;
        let said = stayput(&server, OUT)?;
        assert!(!said.ok(), "{stage}: {said}");
        was_killed(&server)?;
        server.shell(&format!("{AS_BEFORE} && sync"))?.success()?;
        server.power_cut();
        server.boot()?;
        let refused = server.shell("stayput uninstall --yes")?;
        assert!(!refused.ok(), "{stage}: {refused}");
        if stage == 1 {
            // The vault cannot give the keys: those in the file stay, and MariaDB with them.
            has_rows(&server, 5000)?;
            server.shell("rm /run/stayput/mariadb.keys")?.success()?;
            let refused = stayput(&server, "enable")?;
            assert!(!refused.ok(), "{refused}");
            assert!(refused.text.contains("stayput release"), "{refused}");
            has_rows(&server, 5000).inspect_err(|_| println!("{refused}"))?;
            server.shell(&format!("[ -s {KEY_FILE} ]"))?.success()?;
            server.shell("stayput release")?.success()?;
        }
        let said = stayput(&server, ["enable", OUT][stage])?;
        assert!(said.ok(), "{stage}: {said}");
        has_rows(&server, 5000)?;
        [is_behind_the_gate, is_out][stage](&server)?;
    }
    Ok(())
}

#[test]
fn server_that_does_not_see_its_key_file_is_put_back() -> Result {
    let server = encrypted_clinic()?;
    server
        .shell(
            "mkdir /srv/hidden && \
             printf '[Service]\\nInaccessiblePaths=/srv/hidden\\n' \
             >/etc/systemd/system/mariadb.service.d/hidden.conf && systemctl daemon-reload",
        )?
        .success()?;
    let said = stayput(&server, "disable --key-file /srv/hidden/k")?;
    assert!(!said.ok(), "{said}");
    is_behind_the_gate(&server)?;
    server.shell("[ ! -e /srv/hidden/k ]")?.success()?;
    has_rows(&server, 5000).inspect_err(|_| println!("{said}"))
}
