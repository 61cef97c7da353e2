//! A disk of the server dies: whoever reads it hangs in the kernel. No command of its owner
//! does, and what a thief must not get is destroyed all the same.

use std::time::Instant;

use qemu_tests::{Container, Output, RecoveryCode, Result, minutes, seconds};

use crate::clinic::{clinic, has_rows, stayput};
use crate::disks::on_a_disk_of_its_own;

const HANGS: &str = include_str!("hanging_disk.pl");

/// From now on whoever reads there hangs.
fn hang(server: &Container, top: &str) -> Result {
    std::fs::write(server.root()?.join("root/hanging_disk.pl"), HANGS)?;
    let start = format!(
        "perl /root/hanging_disk.pl {top} >/run/hangs 2>&1 & \
         timeout 20 sh -c 'until grep -q hangs /run/hangs; do sleep 0.1; done' || cat /run/hangs"
    );
    server.shell(&start)?.success()?;
    Ok(())
}

/// From now on whoever looks for the vault hangs.
fn hang_the_vault(server: &Container) -> Result {
    let place = "/dev/disk/by-partuuid";
    server.shell(&format!("mkdir -p {place}"))?.success()?;
    hang(server, place)
}

/// Whether keys are in memory, or MariaDB runs.
const IS_OPEN: &str = "grep /run/stayput /proc/mounts || pidof mariadbd";

/// A clinic's server that is open, with its database encrypted.
fn that_is_open() -> Result<Container> {
    let server = clinic()?;
    stayput(&server, "enable --keep-original")?.success()?;
    server.shell(IS_OPEN)?.success()?;
    Ok(server)
}

/// Where it hangs, not even a signal ends it.
fn ends(server: &Container, command: &str) -> Result<Output> {
    server.shell_within(command, seconds(100))
}

/// A clinic's server whose clear original lies on a disk of its own, and waits.
fn with_a_clear_original() -> Result<Container> {
    let server = on_a_disk_of_its_own()?;
    stayput(&server, "enable")?.success()?;
    has_rows(&server, 5000)?;
    Ok(server)
}

#[test]
fn a_reset_is_told_beforehand_where_the_databases_disk_hangs() -> Result {
    let server = with_a_clear_original()?;
    hang(&server, "/srv")?;
    let said = ends(&server, "stayput reset --dry-run")?.success()?;
    assert!(said.contains("could not be told within 5 s"), "{said}");
    assert!(said.contains("Nothing was destroyed."), "{said}");
    Ok(())
}

#[test]
fn a_vault_that_hangs_keeps_no_key_in_memory() -> Result {
    let server = that_is_open()?;
    hang_the_vault(&server)?;
    let said = ends(&server, "echo destroy | stayput reset")?;
    assert!(!said.ok(), "{said}");
    for told in ["was not read within 30 s", "nobody knows whether the key"] {
        assert!(said.text.contains(told), "{said}");
    }
    let open = server.shell(IS_OPEN)?;
    assert!(!open.ok(), "{open}");
    Ok(())
}

#[test]
fn duress_is_called_wrong_where_the_vault_hangs() -> Result {
    let server = that_is_open()?;
    RecoveryCode::written_down_in(&server, "bank safe")?;
    let words = "maize under the bridge";
    let add = "stayput passphrase add night --duress --passphrase-stdin";
    server
        .shell(&format!("echo '{words}' | {add}"))?
        .success()?;
    let mut command = server.spawn(&format!(
        "(until [ -e /run/type ]; do sleep 0.1; done; echo '{words}') | \
         stayput passphrase list --passphrase --passphrase-stdin"
    ))?;
    // It has read the slots, and waits for what is typed.
    std::thread::sleep(seconds(3));
    hang_the_vault(&server)?;
    server.shell("touch /run/type")?.success()?;
    let said = command.wait(seconds(20))?;
    assert_eq!(said.status, 3, "{said}");
    assert!(said.text.contains("The passphrase is wrong."), "{said}");
    let closes = format!("timeout 60 sh -c 'while {IS_OPEN}; do sleep 0.2; done'");
    server.shell_within(&closes, seconds(70))?.success()?;
    Ok(())
}

#[test]
fn a_disk_that_hangs_keeps_no_server_from_being_switched_off() -> Result {
    let mut server = with_a_clear_original()?;
    hang(&server, "/srv")?;
    let begun = Instant::now();
    let _reset = server.spawn("echo clinic | stayput reset --power-off >/run/reset 2>&1")?;
    // The key goes first, and out of memory too.
    let gone = "timeout 60 sh -c 'while [ -e /run/stayput/mariadb.keys ]; do sleep 0.2; done'";
    server.shell(gone)?.success()?;
    // It may hang with the disk, and whether anybody works in the data cannot be seen there.
    let told = "timeout 200 sh -c 'until grep -q \"MariaDB still runs\" /run/reset; do sleep 1; \
                done'; cat /run/reset";
    let said = server.shell_within(told, minutes(4))?.success()?;
    assert!(said.contains("Pepper and slots are destroyed"), "{said}");
    server.is_switched_off_within(minutes(6))?;
    assert!(begun.elapsed() < minutes(6), "{:?}", begun.elapsed());
    Ok(())
}

#[test]
fn a_silent_disk_of_somebody_else_ends_the_search_for_occupants() -> Result {
    let server = clinic()?;
    stayput(&server, "enable --keep-original")?.success()?;
    hang(&server, "/mnt")?;
    let said = ends(&server, "stayput mariadb destroy-original --yes")?;
    assert!(!said.ok(), "{said}");
    assert!(said.text.contains("does not answer"), "{said}");
    has_rows(&server, 5000)
}
