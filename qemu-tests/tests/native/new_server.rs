//! Another computer takes the place of one that is gone: a stick and a backup bring it back.

use qemu_tests::{Background, Container, Output, Result, Scratch, Suite, minutes, run};

use crate::backup::stayput;
use crate::clinic::{fill, has_rows, stayput as mariadb};
use crate::readme::{CABLE, PIN, plug};

/// A clinic with 5000 patients, whose master key was replaced since its database was
/// encrypted; of it the stick and a backup are left, which lies in `scratch`.
fn lose_a_server(scratch: &Scratch) -> Result {
    let lost = Container::fresh(Suite::Bookworm)?;
    lost.wait_for_database()?;
    fill(&lost)?;
    let stick = plug(&lost, scratch)?;
    let make = format!("echo {PIN} | stayput stick make /dev/sdb1 --label office --pin-stdin");
    lost.shell(&make)?.success()?;
    mariadb(&lost, "enable --destroy-original")?.success()?;
    lost.install_backup_programs()?;
    stayput(&lost, "rekey --yes")?.success()?;
    lost.shell("mkdir -p /media/backup")?.success()?;
    stayput(&lost, "backup --same-disk --to /media/backup")?.success()?;
    drop(stick);
    copy(&lost.root()?.join("media/backup"), scratch.path())
}

fn copy(from: &std::path::Path, to: &std::path::Path) -> Result {
    let words = ["-a", &from.display().to_string(), &to.display().to_string()];
    run("cp", &words).map(drop)
}

/// A bare Debian with MariaDB, the stick in it, and the backup.
fn new_server(scratch: &Scratch) -> Result<(Container, Background)> {
    let server = Container::without_vault(Suite::Bookworm)?;
    server.wait_for_database()?;
    server.shell(CABLE)?.success()?;
    server.install_backup_programs()?;
    copy(&scratch.join("backup"), &server.root()?.join("media"))?;
    let stick = plug(&server, scratch)?;
    Ok((server, stick))
}

const RESTORE: &str = "stayput restore --new-server --from /media/backup --yes";

fn restore(server: &Container, words: &str) -> Result<Output> {
    server.shell_within(&format!("echo {PIN} | {RESTORE} {words}"), minutes(8))
}

/// The key of the stick, and where the vault goes.
const FROM_STICK: &str = "--stick /dev/sdb1 --pin-stdin --vault $(ls /dev/loop*p2)";

#[test]
fn new_computer_and_the_stick_bring_the_rows_back() -> Result {
    let scratch = Scratch::new()?;
    lose_a_server(&scratch)?;
    let (mut server, stick) = new_server(&scratch)?;
    let no_key = restore(&server, "")?;
    assert_eq!(no_key.status, 2, "{no_key}");
    let said = restore(&server, FROM_STICK)?;
    assert!(said.text.contains("rows, as the backup says"), "{said}");
    has_rows(&server, 5000)?;
    let again = restore(&server, "")?;
    assert!(again.text.contains("set up already"), "{again}");
    drop(stick);
    // The next boot finds no neighbour; the server is put where it belongs then.
    server.shut_down()?;
    server.boot_locked()?;
    server.shell(CABLE)?.success()?;
    stayput(&server, "release")?.success()?;
    has_rows(&server, 5000)
}

#[test]
fn new_computer_that_was_cut_off_goes_on() -> Result {
    let scratch = Scratch::new()?;
    lose_a_server(&scratch)?;
    let (server, stick) = new_server(&scratch)?;
    server.shell(&format!("echo {PIN} >/run/pin"))?.success()?;
    let mut run = server.spawn(&format!("exec {RESTORE} {FROM_STICK} </run/pin"))?;
    run.wait_for("[4/6]", minutes(4))?;
    drop(run);
    server
        .shell("while pgrep -f 'restore --[n]ew-server' >/dev/null; do sleep 0.1; done")?
        .success()?;
    drop(stick);
    // The vault is there: nothing is asked for.
    let on = restore(&server, "")?;
    assert!(on.text.contains("as the backup says"), "{on}");
    has_rows(&server, 5000)
}
