//! `stayput install` and `uninstall`: the boot stage in the initramfs, the
//! gate's units, and the watch.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::durable::{sync_directory, write_durably};
use super::open_vault::vault_conf;
use super::{Problem, Result, ask, mariadb, mariadb_service, watch};

const COMMAND: &str = "/usr/sbin/stayput";
pub(super) const STAGE: &str = "/usr/lib/stayput/stayput-boot";
const STAGE_NAME: &str = "stayput-boot";

/// What initramfs-tools runs: when the initramfs is made, and in it.
pub(super) const SCRIPTS: [(&str, &str); 2] = [
    (
        "/etc/initramfs-tools/hooks/stayput",
        include_str!("../../initramfs-hooks/hooks/stayput"),
    ),
    (
        "/etc/initramfs-tools/scripts/init-premount/stayput",
        include_str!("../../initramfs-hooks/scripts/init-premount/stayput"),
    ),
];

#[derive(clap::Args, Clone, Debug)]
pub struct UninstallOptions {
    /// Do not ask whether to go on
    #[arg(long)]
    yes: bool,
}

/// Puts everything in its place and makes the initramfs. It can be run again
/// at any time; then it renews what is there.
///
/// # Errors
/// When something is missing or the initramfs cannot be made; the old
/// initramfs is then still in use.
pub fn install() -> Result<()> {
    must_be_root()?;
    // Without it the boot stage would not know its vault.
    vault_conf()?;
    must_have_initramfs_tools()?;
    put_binaries()?;
    for (path, text) in SCRIPTS {
        write_program(Path::new(path), text.as_bytes())?;
        println!("{path}: written");
    }
    if mariadb_service::is_enabled() {
        mariadb::put_gate_in_front()?;
        println!("MariaDB: the gate is in front of it");
    }
    update_initramfs()?;
    // Last: nothing else depends on it.
    if watch::put()? {
        println!("stayput-watch.service: the running server is watched");
    } else {
        println!("There is no systemd here: the running server is not watched");
    }
    println!("Done. At the next boot this server opens only where it belongs.");
    println!("Whether it will: stayput check");
    Ok(())
}

/// Takes the boot stage out again. The vault stays.
///
/// # Errors
/// Refused while a database depends on it.
pub fn uninstall(options: &UninstallOptions) -> Result<()> {
    must_be_root()?;
    if mariadb_service::is_enabled() {
        return Err(Problem::refused(
            "MariaDB is encrypted with keys that only the boot stage releases. \
             Without it the database would not start again. Nothing was changed.",
            "Keep stayput. To leave it: dump all databases, set up an unencrypted MariaDB, \
             restore the dump there.",
        ));
    }
    if !matches!(mariadb::find_original(), Ok(None)) {
        return Err(Problem::refused(
            "A run of `stayput mariadb enable` was interrupted and needs its gate. Nothing was \
             changed.",
            "Run `stayput mariadb enable` again, or `stayput mariadb enable --undo`.",
        ));
    }
    ask::confirm(
        "The boot stage is taken out. The vault and the sticks stay. Go on?",
        options.yes,
    )?;
    for (path, _) in SCRIPTS {
        remove(Path::new(path))?;
    }
    mariadb::take_gate_away()?;
    watch::remove()?;
    update_initramfs()?;
    // Last: as long as the initramfs may still need it, it stays.
    remove(Path::new(STAGE))?;
    println!("Done. {COMMAND} and the vault are still there.");
    Ok(())
}

fn must_be_root() -> Result<()> {
    if nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(Problem::refused(
        "Only root may change how this server boots.",
        "Run the command as root.",
    ))
}

fn must_have_initramfs_tools() -> Result<()> {
    if Path::new("/usr/sbin/update-initramfs").exists() {
        return Ok(());
    }
    Err(Problem::refused(
        "This system does not make its initramfs with initramfs-tools. Nothing was changed.",
        "On Debian: apt-get install initramfs-tools",
    ))
}

/// Copies this program and the boot stage beside it to where they belong.
fn put_binaries() -> Result<()> {
    put_command()?;
    let here = std::env::current_exe().map_err(|error| Problem::of_file(COMMAND, &error))?;
    put_binary(&here.with_file_name(STAGE_NAME), Path::new(STAGE))
}

/// Copies this program to where the units find it.
///
/// # Errors
/// What the filesystem says.
pub fn put_command() -> Result<()> {
    let here = std::env::current_exe().map_err(|error| Problem::of_file(COMMAND, &error))?;
    put_binary(&here, Path::new(COMMAND))
}

fn put_binary(from: &Path, to: &Path) -> Result<()> {
    match fs::read(from) {
        Ok(bytes) if fs::read(to).is_ok_and(|there| there == bytes) => Ok(()),
        Ok(bytes) => {
            write_program(to, &bytes)?;
            println!("{}: written", to.display());
            Ok(())
        }
        // Run from where it was installed to, it has nothing beside it.
        Err(error) if error.kind() == ErrorKind::NotFound && to.exists() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Problem::failed(
            format!("{} is not there.", from.display()),
            format!("Put {STAGE_NAME} beside this program, then run the command again."),
        )),
        Err(error) => Err(Problem::of_file(from, &error)),
    }
}

/// A file that can be run, and that is there whole after a power cut.
fn write_program(path: &Path, contents: &[u8]) -> Result<()> {
    let write = || {
        write_durably(path, contents)?;
        fs::set_permissions(path, Permissions::from_mode(0o755))
    };
    write().map_err(|error| Problem::of_file(path, &error))
}

fn remove(path: &Path) -> Result<()> {
    let removed = match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_directory(path),
    };
    removed.map_err(|error| Problem::of_file(path, &error))?;
    println!("{}: removed", path.display());
    Ok(())
}

/// For every kernel that the boot menu offers: an older one must not start
/// without the stage.
fn update_initramfs() -> Result<()> {
    println!("Making the initramfs; this takes a minute or so ...");
    let failed = |what: String| {
        Problem::failed(
            what,
            "The initramfs that was there is still used. Mend what is said above, then run the \
             command again.",
        )
    };
    let mut child = Command::new("/usr/sbin/update-initramfs")
        .args(["-u", "-k", "all"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("update-initramfs cannot be run: {error}")))?;
    let output = child.stdout.take().map(BufReader::new);
    for line in output.into_iter().flat_map(BufRead::lines) {
        println!("  {}", line.unwrap_or_default());
    }
    let status = child
        .wait()
        .map_err(|error| failed(format!("update-initramfs: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(failed(format!("update-initramfs failed ({status}).")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_are_shell_programs() {
        for (path, text) in SCRIPTS {
            assert!(text.starts_with("#!/bin/sh\n"), "{path}");
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("script");
            fs::write(&file, text).unwrap();
            let checked = Command::new("sh").arg("-n").arg(&file).status().unwrap();
            assert!(checked.success(), "{path}");
        }
    }

    #[test]
    fn the_stage_runs_after_udev_and_after_the_splash_screen() {
        let (_, script) = SCRIPTS[1];
        assert!(script.contains("PREREQ=\"udev dropbear plymouth\""));
    }

    #[test]
    fn an_installed_program_is_left_alone_when_nothing_is_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path().join("there");
        fs::write(&there, "stage").unwrap();
        let gone = directory.path().join("gone");
        assert!(put_binary(&gone, &there).is_ok());
        assert!(put_binary(&gone, &directory.path().join("neither")).is_err());
        let newer = directory.path().join("newer");
        fs::write(&newer, "newer").unwrap();
        put_binary(&newer, &there).unwrap();
        assert_eq!(fs::read(&there).unwrap(), b"newer");
        let mode = fs::metadata(&there).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }
}
