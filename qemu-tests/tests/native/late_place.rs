//! A server that was started without its keys, because its place did not answer in
//! time; nobody comes.

use qemu_tests::{Container, Result, Suite, minutes};

use crate::clinic::{fill, has_rows, stayput};
use crate::readme::CABLE;

const MARK: &str = "/run/stayput-without-keys";

/// What the clinic runs on its database: one service that needs it, one that tries
/// and fails, and one that its owner has disabled.
const CLINIC: &str = "\
    cd /etc/systemd/system; unit() { printf '[Unit]\nAfter=mariadb.service\n%s\n[Service]\n\
    ExecStart=/bin/sh -c \"%s\"\n[Install]\nWantedBy=multi-user.target\n' \"$2\" \"$3\" >$1.service; }; \
    unit clinic Requires=mariadb.service 'exec sleep infinity'; \
    unit report Wants=mariadb.service 'mariadb -e status && exec sleep infinity'; \
    unit old Requires=mariadb.service 'exec sleep infinity'; \
    systemctl daemon-reload; systemctl enable --now clinic report";

/// A server that is at home where the cable leads to its router, and that starts
/// without its database elsewhere.
fn at_home() -> Result<Container> {
    let server = Container::fresh(Suite::Bookworm)?;
    server.wait_for_database()?;
    fill(&server)?;
    server.shell(CABLE)?.success()?;
    server
        .shell("stayput enroll --yes --neighbour 192.168.77.1")?
        .success()?;
    stayput(&server, "enable")?.success()?;
    server
        .shell("stayput policy --on-failure continue --wait 5")?
        .success()?;
    server.shell(CLINIC)?.success()?;
    server
        .shell_within("stayput install", minutes(4))?
        .success()?;
    Ok(server)
}

fn is_active(server: &Container, unit: &str) -> Result<bool> {
    Ok(server.shell(&format!("systemctl is-active {unit}"))?.ok())
}

/// The place did not answer at the boot: the database is closed, and it is said.
fn waits(server: &Container) -> Result {
    server.shell(&format!("test -e {MARK}"))?.success()?;
    for unit in ["mariadb", "clinic", "report", "stayput-watch"] {
        assert!(!is_active(server, unit)?, "{unit}");
    }
    assert!(is_active(server, "stayput-release")?);
    let status = server.shell("stayput status")?.success()?;
    assert!(
        status.contains("stayput-release.service looks for"),
        "{status}"
    );
    let seen = server.shell("cat /run/motd.d/*")?.success()?;
    assert!(seen.contains("the database is closed"), "{seen}");
    Ok(())
}

#[test]
fn place_that_answers_late_opens_the_database() -> Result {
    let mut server = at_home()?;
    server.shut_down()?;
    // Without the cable.
    server.boot()?;
    waits(&server)?;
    server.shell("sleep 20")?.success()?;
    waits(&server)?;

    server.shell(CABLE)?.success()?;
    let opened = "i=0; until systemctl is-active --quiet clinic; do \
                  [ $i -lt 100 ] || exit 1; i=$((i+1)); sleep 1; done";
    let log = "dmesg | tail -n 30; systemctl status stayput-release";
    let opened = server.shell(opened)?;
    assert!(opened.ok(), "{}", server.shell(log)?);
    has_rows(&server, 5000)?;
    server
        .shell("i=0; until systemctl is-active --quiet report; do [ $i -lt 20 ] || exit 1; i=$((i+1)); sleep 1; done")?
        .success()?;
    assert!(!is_active(&server, "old")?, "its owner has disabled it");
    assert!(is_active(&server, "stayput-watch")?);
    assert!(!server.shell(&format!("test -e {MARK}"))?.ok());
    assert!(!is_active(&server, "stayput-release")?, "it is done");
    let log = server.shell("stayput log")?.success()?;
    let story = ["Stayed locked", "started without", "Opened at \"home\""];
    for line in story {
        assert!(log.contains(line), "{line}: {log}");
    }
    let seen = server.shell("cat /run/motd.d/*")?;
    assert!(!seen.text.contains("the database is closed"), "{seen}");

    // At home from the start there is nothing to wait for.
    server
        .shell("systemctl restart stayput-release")?
        .success()?;
    assert!(!is_active(&server, "stayput-release")?);
    Ok(())
}

/// apt may start the service anew at any moment. systemd would not start it again where
/// the keys are there, and nobody would start MariaDB.
#[test]
fn restart_between_the_keys_and_mariadb_leaves_both() -> Result {
    let mut server = at_home()?;
    let slow = "mkdir -p /etc/systemd/system/mariadb.service.d && cd /etc/systemd/system && \
                printf '[Service]\\nExecStartPre=/bin/sleep 5\\n' >mariadb.service.d/slow.conf && \
                systemctl daemon-reload";
    server.shell(slow)?.success()?;
    server.shut_down()?;
    server.boot()?;
    waits(&server)?;
    server.shell(CABLE)?.success()?;
    let restarted = "i=0; until mountpoint -q /run/stayput; do [ $i -lt 1000 ] || exit 1; \
                     i=$((i+1)); sleep 0.1; done; systemctl restart stayput-release";
    server.shell(restarted)?.success()?;
    has_rows(&server, 5000)?;
    for unit in ["clinic", "report"] {
        let up = format!(
            "i=0; until systemctl is-active --quiet {unit}; do [ $i -lt 20 ] || exit 1; \
             i=$((i+1)); sleep 1; done"
        );
        server.shell(&up)?.success()?;
    }
    Ok(())
}

#[test]
fn person_who_releases_starts_the_database_unless_told_not_to() -> Result {
    let mut server = at_home()?;
    server.shut_down()?;
    server.boot()?;
    waits(&server)?;
    server.shell(CABLE)?.success()?;
    server.shell("stayput release --no-start")?.success()?;
    assert!(!is_active(&server, "mariadb")?);
    server.shell("stayput release")?.success()?;
    has_rows(&server, 5000)?;
    server
        .shell("i=0; until systemctl is-active --quiet clinic; do [ $i -lt 20 ] || exit 1; i=$((i+1)); sleep 1; done")?
        .success()?;
    Ok(())
}

#[test]
fn vault_that_somebody_has_altered_is_never_opened_late() -> Result {
    let mut server = at_home()?;
    server.shut_down()?;
    server.boot()?;
    waits(&server)?;
    // Both copies of the policy: docs/format.md.
    server
        .shell(
            "for block in 2 122; do dd if=/dev/urandom of=$(echo /dev/loop*p2) bs=4096 \
             seek=$block count=1 conv=notrunc,fsync status=none; done",
        )?
        .success()?;
    server.shell(CABLE)?.success()?;
    let gives_up = "i=0; while systemctl is-active --quiet stayput-release; do \
                    [ $i -lt 100 ] || exit 1; i=$((i+1)); sleep 1; done";
    server.shell(gives_up)?.success()?;
    assert!(!server.shell("test -e /run/stayput/mariadb.keys")?.ok());
    assert!(!is_active(&server, "mariadb")?);
    let seen = server.shell("cat /run/motd.d/*")?.success()?;
    assert!(seen.contains("stayput release --stick"), "{seen}");
    Ok(())
}
