//! `stayput stick`: making, listing, verifying and removing backup sticks.

mod list;
mod make;
mod remove;
mod verify;

use std::path::Path;

use crate::admin::problem::{Exit, Problem, Result};
use crate::stick::{StickError, filesystem_of, is_on_a_stick};

/// What `stayput stick` can be asked for.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum StickCommand {
    /// Put the key of this server on a USB stick, under a PIN
    ///
    /// Nothing else on the stick is touched. One stick can hold the keys of
    /// several servers.
    Make(make::MakeOptions),
    /// Show the sticks that were made for this server
    List(list::ListOptions),
    /// Show that a stick opens this server
    Verify(verify::VerifyOptions),
    /// Take a stick off the list, for example one that is lost
    Remove(remove::RemoveOptions),
}

/// # Errors
/// What the command says.
pub fn run(command: &StickCommand, json: bool) -> Result<()> {
    match command {
        StickCommand::Make(options) => make::make(options),
        StickCommand::List(options) => list::list(options, json),
        StickCommand::Verify(options) => verify::verify(options),
        StickCommand::Remove(options) => remove::remove(options),
    }
}

/// Refuses a device that the boot stage would not take for a stick, or could not
/// read.
fn must_be_a_stick(device: &Path) -> Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let name = device.display();
    let is_block_device =
        std::fs::metadata(device).is_ok_and(|found| found.file_type().is_block_device());
    if !is_block_device {
        return Err(Problem::new(
            Exit::Usage,
            format!("{name} is not a disk or a partition."),
            "Plug the stick in; `lsblk` shows its name, for example /dev/sdb1.",
        ));
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
    if filesystem_of(device).is_none() {
        return Err(Problem::refused(
            format!("{name} has no vfat or ext4 filesystem."),
            format!(
                "If it has partitions, name one of them. To format it (all that is on it is \
                 lost): mkfs.vfat -n STAYPUT {name}"
            ),
        ));
    }
    Ok(())
}

fn not_read(device: &Path, error: StickError) -> Problem {
    Problem::failed(
        format!("{}: {error}", device.display()),
        "Plug the stick in again, or use another one.",
    )
}
