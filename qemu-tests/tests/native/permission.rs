//! What commands say where they are not allowed to look, and starts of MariaDB that are
//! not allowed.

use qemu_tests::{Container, Result, Suite, minutes};

/// Runs what follows as an ordinary user.
const NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups";

const COMMANDS: [&str; 14] = [
    "status",
    "log",
    "check",
    "policy",
    "audit",
    "code",
    "simulate",
    "release",
    "release --take-back",
    "stick list",
    "stick verify /dev/sdb1",
    "passphrase list",
    "mariadb gate",
    "mariadb enable --undo",
];

#[test]
fn without_permission_nothing_is_called_absent() -> Result {
    let server = Container::fresh(Suite::Bookworm)?;
    for command in COMMANDS {
        let said = server.shell(&format!("{NOBODY} stayput {command}"))?;
        assert!(!said.ok(), "{command}: {said}");
        let line = format!("Run it with sudo: sudo stayput {command}");
        assert!(said.text.contains(&line), "{command}: {said}");
        for claim in ["not there", "no vault", "removed", "root."] {
            assert!(!said.text.contains(claim), "{command}: {said}");
        }
    }
    let json = server.shell(&format!("{NOBODY} stayput status --json 2>/dev/null"))?;
    assert_eq!(json.status, 4, "{json}");
    assert!(json.text.contains("\"kind\": \"not_allowed\""), "{json}");

    // Root in a container, or behind SELinux: the disk is there, and not its own.
    server
        .shell("chown 65534 /dev/loop*p2; chmod 600 /dev/loop*p2")?
        .success()?;
    let in_name = "setpriv --bounding-set -dac_override,-dac_read_search";
    for command in ["status", "log", "simulate --without place", "release"] {
        let said = server.shell(&format!("{in_name} stayput {command}"))?;
        assert!(!said.ok(), "{command}: {said}");
        assert!(said.text.contains("not allowed"), "{command}: {said}");
        assert!(!said.text.contains("not there"), "{command}: {said}");
    }
    server.shell("chown root /dev/loop*p2")?.success()?;

    let said = server.shell("stayput release --take-back")?.success()?;
    assert!(said.contains("No keys are in memory"), "{said}");
    Ok(())
}

/// A unit of an instance that takes its time before the gate.
const SLOW: &str = "[Service]\\nExecCondition=/bin/sleep 60\\nExecStart=/bin/true\\n";

#[test]
fn keys_that_are_just_going_let_no_start_begin() -> Result {
    let server = Container::fresh(Suite::Bookworm)?;
    server.wait_for_database()?;
    server.sql("CREATE DATABASE clinic")?;
    server
        .shell_within("stayput mariadb enable --yes", minutes(4))?
        .success()?;
    server.wait_for_database()?;
    // As the watch leaves it while it takes the keys.
    let start = server
        .shell("systemctl stop mariadb; touch /run/stayput-no-start; systemctl start mariadb")?;
    assert!(!start.ok(), "{start}");
    assert!(!server.shell("pidof mariadbd")?.ok());
    let status = server.shell("stayput status --json")?.success()?;
    assert!(status.contains("\"held\": true"), "{status}");
    let check = server.shell("stayput check")?;
    assert!(check.text.contains("MariaDB does not start now"), "{check}");
    // A setting is no decision to bring them back.
    server
        .shell("stayput policy --keep until-started && test -e /run/stayput-no-start")?
        .success()?;
    server
        .shell("stayput policy --keep always && test -e /run/stayput-no-start")?
        .success()?;
    // The keys come back: it starts.
    server.shell("stayput release")?.success()?;
    server.wait_for_database()?;
    // An instance that is just starting needs them.
    server
        .shell(&format!(
            "printf '{SLOW}' >/run/systemd/system/mariadb@slow.service; \
             systemctl daemon-reload; systemctl start --no-block mariadb@slow; \
             timeout 20 sh -c 'until systemctl is-active mariadb@slow | grep -q activating; \
             do sleep 0.1; done'"
        ))?
        .success()?;
    let said = server.shell("stayput release --take-back")?;
    assert!(said.text.contains("MariaDB is being started"), "{said}");
    server.shell("systemctl stop mariadb@slow")?.success()?;
    // Keys that were taken back by hand leave nothing that would hold a start up.
    let said = server.shell("stayput release --take-back")?.success()?;
    assert!(said.contains("The keys are removed"), "{said}");
    assert!(!server.shell("test -e /run/stayput-no-start")?.ok());
    Ok(())
}
