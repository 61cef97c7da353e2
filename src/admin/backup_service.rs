//! What has backups made by themselves: the rule for sticks that are plugged in, the service
//! and its timer.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use crate::admin::durable::{remove_durably, write_durably};
use crate::admin::problem::{Problem, Result};
use crate::admin::program;
use crate::admin::service_unit::Origin;
use crate::admin::systemd::{installed, reload, running, systemctl};

/// Where each lies, and its text.
const FILES: [(&str, &str); 3] = [
    (
        "/etc/systemd/system/stayput-backup.service",
        include_str!("../../systemd/stayput-backup.service"),
    ),
    (
        TIMER_FILE,
        include_str!("../../systemd/stayput-backup.timer"),
    ),
    (
        "/etc/udev/rules.d/90-stayput-backup.rules",
        include_str!("../../systemd/90-stayput-backup.rules"),
    ),
];

const TIMER_FILE: &str = "/etc/systemd/system/stayput-backup.timer";
const SERVICE: &str = "stayput-backup.service";
const TIMER: &str = "stayput-backup.timer";
const NEXT: &str = "`journalctl -u stayput-backup -n 20` shows why.";

/// Whether backups are made by themselves, or that was begun.
pub fn is_on() -> bool {
    FILES.iter().any(|(path, _)| is_ours(path))
}

/// An owner's unit of the same name is none of ours.
fn is_ours(path: &str) -> bool {
    written(path).is_ok_and(|text| Origin::of(text.as_deref()) == Origin::Hand)
}

/// Puts all of it in place and has the sticks looked at that are plugged in. What is there is
/// renewed, but for what its owner has written.
///
/// # Errors
/// Where there is no systemd; what the filesystem, systemd or udev says.
pub fn put() -> Result<()> {
    if !installed() {
        return Err(Problem::refused(
            "There is no systemd here, which would start it.",
            "Let another program run `stayput backup --to PLACE` from time to time.",
        ));
    }
    for (path, text) in FILES {
        match Origin::of(written(path)?.as_deref()) {
            Origin::Owner => println!("{path} is its owner's, and stays in force"),
            Origin::Hand | Origin::Package => write_durably(Path::new(path), text.as_bytes())
                .map_err(|error| Problem::of_file(path, &error))?,
        }
    }
    reload()?;
    systemctl(&["enable", "--quiet", TIMER], NEXT)?;
    if running() {
        read_rules()?;
        systemctl(&["restart", TIMER], NEXT)?;
        systemctl(&["start", "--no-block", SERVICE], NEXT)?;
    }
    Ok(())
}

/// Undoes [`put`]. A backup that is being made goes on to its end. What its owner has written
/// stays.
///
/// # Errors
/// What the filesystem, systemd or udev says.
pub fn remove() -> Result<()> {
    if !is_on() {
        return Ok(());
    }
    // What was interrupted may have put none.
    if Path::new(TIMER_FILE).exists() {
        if running() {
            systemctl(&["stop", TIMER], NEXT)?;
        }
        systemctl(&["disable", "--quiet", TIMER], NEXT)?;
    }
    for (path, _) in FILES {
        if is_ours(path) {
            remove_durably(Path::new(path)).map_err(|error| Problem::of_file(path, &error))?;
        }
    }
    reload()?;
    match running() {
        true => read_rules(),
        false => Ok(()),
    }
}

fn written(path: &str) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        // What cannot be read is none of ours.
        read => Ok(Some(read.unwrap_or_default())),
    }
}

/// udev looks for changed rules by itself, but not at once. In a container it does not run.
fn read_rules() -> Result<()> {
    match program::find("udevadm") {
        Some(udevadm) if Path::new("/run/udev/control").exists() => {
            let mut command = Command::new(udevadm);
            program::run(command.args(["control", "--reload"]), NEXT).map(drop)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_known_as_ours() {
        for (path, text) in FILES {
            assert!(
                text.starts_with("# Written by `stayput backup automatic on`"),
                "{path}"
            );
            assert_eq!(Origin::of(Some(text)), Origin::Hand, "{path}");
        }
    }
}
