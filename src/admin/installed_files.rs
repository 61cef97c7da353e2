//! The files of stayput on a server: the command, the boot stage, and what
//! initramfs-tools runs.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::admin::durable::write_durably;
use crate::admin::problem::{Problem, Result};

/// Where the units find this program.
pub const COMMAND: &str = "/usr/sbin/stayput";
/// Where the initramfs hook finds the boot stage.
pub const STAGE: &str = "/usr/lib/stayput/stayput-boot";
/// The boot stage's file name, also beside this program.
pub const STAGE_NAME: &str = "stayput-boot";

/// The hook that runs when the initramfs is made, and the script that runs in
/// it: each with its path and its text.
pub const SCRIPTS: [(&str, &str); 2] = [
    (
        "/etc/initramfs-tools/hooks/stayput",
        include_str!("../../initramfs-hooks/hooks/stayput"),
    ),
    (
        "/etc/initramfs-tools/scripts/init-premount/stayput",
        include_str!("../../initramfs-hooks/scripts/init-premount/stayput"),
    ),
];

/// Copies this program to where the units find it.
///
/// # Errors
/// What the filesystem says.
pub fn put_command() -> Result<()> {
    let here = std::env::current_exe().map_err(|error| Problem::of_file(COMMAND, &error))?;
    put_binary(&here, Path::new(COMMAND))
}

/// Copies a program, unless it is there already.
///
/// # Errors
/// What the filesystem says.
pub fn put_binary(from: &Path, to: &Path) -> Result<()> {
    match fs::read(from) {
        Ok(bytes) if fs::read(to).is_ok_and(|there| there == bytes) => Ok(()),
        Ok(bytes) => {
            write_program(to, &bytes)?;
            println!("{}: written", to.display());
            Ok(())
        }
        // An installed command has no boot stage beside it.
        Err(error) if error.kind() == ErrorKind::NotFound && to.exists() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Problem::failed(
            format!("{} is not there.", from.display()),
            format!("Put {STAGE_NAME} beside this program, then run the command again."),
        )),
        Err(error) => Err(Problem::of_file(from, &error)),
    }
}

/// Writes a file that can be run, durably.
///
/// # Errors
/// What the filesystem says.
pub fn write_program(path: &Path, contents: &[u8]) -> Result<()> {
    let write = || {
        write_durably(path, contents)?;
        fs::set_permissions(path, Permissions::from_mode(0o755))
    };
    write().map_err(|error| Problem::of_file(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

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
