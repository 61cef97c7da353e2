//! The clear original that `enable` leaves: who is told of it, and what ends
//! it.

use qemu_tests::{Container, Failure, Result, Suite, minutes, search};

/// Stands in a table before the database is encrypted.
const CANARY: &str = "Akinyi Odhiambo 7719 asthma";

const ORIGINAL: &str = "/var/lib/stayput/mariadb.original";

/// A server that was encrypted a moment ago.
fn just_encrypted(options: &str) -> Result<Container> {
    let server = Container::fresh(Suite::Bookworm)?;
    server.wait_for_database()?;
    server.sql(&format!(
        "CREATE DATABASE clinic; CREATE TABLE clinic.patient (name TEXT); \
         INSERT INTO clinic.patient VALUES ('{CANARY}')"
    ))?;
    server
        .shell_within(
            &format!("stayput mariadb enable --yes {options}"),
            minutes(4),
        )?
        .success()?;
    Ok(server)
}

/// Whether the original is still there, by its directory.
fn stands(server: &Container) -> Result<bool> {
    Ok(server.shell(&format!("test -d {ORIGINAL}/data"))?.ok())
}

/// Waits until the original is gone.
fn wait_until_destroyed(server: &Container) -> Result {
    let waited = server.shell(&format!(
        "i=0; while [ -e {ORIGINAL} ]; do [ $i -lt 300 ] || exit 1; i=$((i+1)); sleep 0.2; done"
    ))?;
    if waited.ok() {
        return Ok(());
    }
    let why = server.shell("journalctl -u stayput-mariadb-original -o cat --no-pager | tail")?;
    Err(Failure::new(format!("the original is still there: {why}")))
}

fn rows_are_there(server: &Container) -> Result {
    assert_eq!(
        server.sql("SELECT name FROM clinic.patient")?.trim(),
        CANARY
    );
    Ok(())
}

#[test]
fn original_goes_by_itself_after_a_real_boot() -> Result {
    let mut server = just_encrypted("")?;
    for command in ["status", "check"] {
        let said = server.shell(&format!("stayput {command}"))?.text;
        assert!(said.contains(ORIGINAL), "{command}: {said}");
        assert!(said.contains("destroyed by itself"), "{command}: {said}");
    }
    let audit = server.shell("stayput audit")?.text;
    assert!(audit.contains("a clear copy of the database"), "{audit}");
    let login = server.shell("cat /run/motd.d/stayput-mariadb")?.success()?;
    assert!(login.contains(ORIGINAL), "{login}");
    let json = server.shell("stayput --json status")?.success()?;
    assert!(json.contains("\"ends\": \"boot\""), "{json}");

    // Another start of MariaDB in the same boot proves nothing.
    server
        .shell("systemctl restart mariadb; sleep 2; systemctl start stayput-mariadb-original")?
        .success()?;
    assert!(stands(&server)?);

    server.shut_down()?;
    server.boot()?;
    server.wait_for_database()?;
    wait_until_destroyed(&server)?;
    rows_are_there(&server)?;
    let left = server.shell("stayput status; ls /var/lib/stayput; ls /run/motd.d 2>/dev/null")?;
    assert!(!left.text.contains("CLEAR COPY"), "{left}");
    assert!(!left.text.contains("mariadb.enable"), "{left}");
    assert!(!left.text.contains("stayput-mariadb"), "{left}");
    server.shut_down()?;
    let needles = [CANARY.as_bytes().to_vec()];
    assert_eq!(search::found_in(server.disk(), &needles)?, [0; 0]);
    Ok(())
}

#[test]
fn original_stays_where_the_boot_did_not_release_the_key() -> Result {
    let mut server = just_encrypted("")?;
    server.shut_down()?;
    server.boot_locked()?;
    // Somebody brings the keys back by hand: that is no boot of its own.
    server
        .shell("stayput release && systemctl reset-failed mariadb; systemctl start mariadb")?
        .success()?;
    server.wait_for_database()?;
    server.shell("sleep 2; systemctl start stayput-mariadb-original")?;
    assert!(stands(&server)?);
    rows_are_there(&server)
}

#[test]
fn kept_original_goes_when_its_owner_says_so() -> Result {
    let mut server = just_encrypted("--keep-original")?;
    server.shut_down()?;
    server.boot()?;
    server.wait_for_database()?;
    server.shell("sleep 2")?;
    assert!(stands(&server)?);
    // A shell that looks at it stands in the way.
    let shell = server.spawn(&format!("cd {ORIGINAL}/data && exec sleep 100"))?;
    server.shell("sleep 0.5")?;
    let refused = server.shell("stayput mariadb destroy-original --yes")?;
    assert!(
        !refused.ok() && refused.text.contains("in use"),
        "{refused}"
    );
    assert!(stands(&server)?);
    drop(shell);
    server
        .shell("while fuser -s /var/lib/stayput/mariadb.original/data 2>/dev/null; do sleep 0.1; done; \
                sleep 0.5; stayput mariadb destroy-original --yes")?
        .success()?;
    assert!(!stands(&server)?);
    rows_are_there(&server)
}

#[test]
fn original_goes_at_once_when_asked() -> Result {
    let server = just_encrypted("--destroy-original")?;
    assert!(!stands(&server)?);
    rows_are_there(&server)
}

#[test]
fn reset_destroys_the_original_too() -> Result {
    let mut server = just_encrypted("")?;
    // Without a way back --yes is not enough: the name is typed.
    let said = server.shell("echo clinic | stayput reset")?;
    assert!(said.text.contains("clear original"), "{said}");
    assert!(!stands(&server)?, "{said}");
    server.shut_down()?;
    let needles = [CANARY.as_bytes().to_vec()];
    assert_eq!(search::found_in(server.disk(), &needles)?, [0; 0]);
    Ok(())
}
