//! `stayput stick`: making, listing, verifying and removing backup sticks.

mod description;
mod format;
mod list;
mod make;
mod partition_table;
mod remove;
mod verify;

use std::io::ErrorKind;
use std::path::Path;

use crate::admin::ask::Pin;
use crate::admin::problem::{COMPLETE_KERNEL, Exit, Problem, ProblemKind, Result};
use crate::filesystem::{Format, format_of};
use crate::stick::{StickError, is_on_a_stick, missing_driver};
pub use description::{StickVolume, plugged_volumes};
#[cfg(test)]
pub use list::example;
pub use make::{must_be_usable, new_pin};

/// What `stayput stick` can be asked for.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum StickCommand {
    /// Put the key of this server on a USB stick, under a PIN
    ///
    /// Nothing else on the stick is touched, unless it is to be formatted first.
    /// One stick can hold the keys of several servers.
    Make(make::MakeOptions),
    /// Show the sticks that were made for this server
    List(list::ListOptions),
    /// Show that a stick opens this server
    Verify(verify::VerifyOptions),
    /// Take a stick off the list, for example one that is lost
    Remove(remove::RemoveOptions),
}

impl StickCommand {
    /// Whether it prints a document for scripts.
    pub fn has_document(&self) -> bool {
        matches!(self, Self::List(_))
    }
}

/// # Errors
/// What the command says.
pub fn run(command: &StickCommand, for_scripts: bool) -> Result<()> {
    match command {
        StickCommand::Make(options) => make::make(options),
        StickCommand::List(options) => list::list(options, for_scripts),
        StickCommand::Verify(options) => verify::verify(options),
        StickCommand::Remove(options) => remove::remove(options),
    }
}

/// As [`run`], with the PIN of the stick that is made.
///
/// # Errors
/// What the command says.
pub fn run_with_pin(command: &StickCommand, pin: &Pin) -> Result<()> {
    match command {
        StickCommand::Make(options) => make::make_with_pin(options, pin),
        command => run(command, false),
    }
}

/// Refuses what no key can be put on as it is.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn must_be_usable_stick(device: &Path) -> Result<()> {
    must_be_a_stick(device)?;
    must_be_readable(device)
}

/// Refuses a device that the boot stage would not take for a stick.
fn must_be_a_stick(device: &Path) -> Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let name = device.display();
    let found = match std::fs::metadata(device) {
        Ok(found) => Some(found),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(Problem::of_file(device, &error)),
    };
    let is_there = found.is_some();
    let is_block_device = found.is_some_and(|found| found.file_type().is_block_device());
    if !is_block_device && let Some(module) = missing_driver() {
        return Err(Problem::failed(
            format!("A stick is plugged in; this kernel has no driver for it (module {module})."),
            format!("Run: modprobe {module}. If that fails: {COMPLETE_KERNEL}"),
        ));
    }
    if !is_block_device {
        let (what, kind) = match is_there {
            true => ("is not a disk or a partition", ProblemKind::Usage),
            false => ("is not there", ProblemKind::NotThere),
        };
        return Err(Problem::new(
            Exit::Usage,
            format!("{name} {what}."),
            "Plug the stick in; `lsblk` shows its name, for example /dev/sdb1.",
        )
        .of_kind(kind));
    }
    if !is_on_a_stick(device) {
        return Err(Problem::refused(
            format!(
                "{name} cannot be taken out, or the system is on it: the boot stage would not look \
                 at it."
            ),
            "Name a USB stick or an SD card; `lsblk` shows their names.",
        ));
    }
    Ok(())
}

/// Refuses a stick whose filesystem the boot stage could not read.
fn must_be_readable(device: &Path) -> Result<()> {
    let name = device.display();
    let format = format_of(device).map_err(|errno| {
        Problem::failed(
            format!("{name} cannot be read: {}.", errno.desc()),
            "Plug the stick in again, or use another one.",
        )
    })?;
    match unsuitable(format) {
        None => Ok(()),
        Some(what) if format == Format::Partitions => Err(Problem::refused(
            format!("{name} {what}."),
            format!("Name one of them; `lsblk {name}` shows them."),
        )),
        Some(what) => Err(Problem::refused(
            format!("{name} {what}. stayput reads FAT, exFAT and ext4."),
            "To format the whole stick, which destroys what is on it: stayput stick make --format",
        )),
    }
}

/// What is wrong with a format, if it is not read here.
fn unsuitable(format: Format) -> Option<String> {
    Some(match format {
        Format::Known(_) => return None,
        Format::Partitions => "has partitions".into(),
        Format::Empty => "is empty: it has no filesystem".into(),
        format => match format.title() {
            Some(title) => format!("is formatted as {title}"),
            None => "has no filesystem that stayput knows".into(),
        },
    })
}

fn not_read(device: &Path, error: StickError) -> Problem {
    let what = format!("{}: {error}", device.display());
    let next = match error {
        StickError::NotAllowed => return Problem::forbidden(what),
        StickError::NoDriver(_) => COMPLETE_KERNEL,
        _ => "Plug the stick in again, or use another one.",
    };
    Problem::failed(what, next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::FORMATS;

    #[test]
    fn every_format_that_is_not_read_is_named() {
        for format in FORMATS {
            let is_read = format.filesystem().is_some();
            let what = unsuitable(format);
            assert_eq!(what.is_none(), is_read, "{format:?}");
            if let (Some(what), Some(title)) = (what, format.title()) {
                assert!(what.contains(title), "{what}");
            }
        }
    }
}
