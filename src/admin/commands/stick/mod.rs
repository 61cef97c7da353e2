//! `stayput stick`: making, listing, verifying and removing backup sticks.

mod description;
mod format;
mod list;
mod make;
mod partition_table;
mod remove;
mod renew;
mod verify;

use std::io::ErrorKind;
use std::path::Path;

use crate::admin::ask::Pin;
use crate::admin::problem::{COMPLETE_KERNEL, Exit, Problem, ProblemKind, Result};
use crate::admin::unlock::Unlocked;
use crate::filesystem::{Format, format_of};
use crate::stick::{Stick, StickError, StickId, missing_driver, plugged_in, stick_with};
use crate::vault::StickList;
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
    /// Give the sticks that are plugged in what they need since the key or the code was
    /// replaced; no PIN is asked for
    Renew(renew::RenewOptions),
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
        StickCommand::Renew(options) => renew::renew(options),
        StickCommand::Remove(options) => remove::remove(options),
    }
}

/// Of a stick that was just seen to open a server without slots: from when on it counts as a
/// way back, and what is to be done for that.
fn tell_what_it_counts_for(unlocked: &mut Unlocked, stick: &StickId) -> Result<()> {
    if unlocked.slots()?.is_some() {
        return Ok(());
    }
    // What the next command will find.
    unlocked.read_again()?;
    let listed = unlocked.proven.sticks.sticks.iter();
    let mut verified = listed.filter(|listed| listed.verified.is_some());
    println!(
        "{}",
        after_a_reset(verified.any(|listed| listed.id == *stick))
    );
    Ok(())
}

const fn after_a_reset(counts: bool) -> &'static str {
    match counts {
        true => {
            "This server was reset. The stick counts as a way back as soon as a place is \
             enrolled: stayput\nenroll. It need not be verified once more."
        }
        // A state that does not tell of the reset cannot say what came after it.
        false => {
            "It does not count as a way back yet: this server has lost its slots. Enrol the \
             place first (stayput\nenroll), then verify it: stayput stick verify"
        }
    }
}

/// Lets none of these sticks count as verified, before the first byte on one of them
/// changes: whatever interrupts the command, the list promises no more than there is.
///
/// # Errors
/// When the vault cannot be written, or has another list meanwhile.
fn doubt(unlocked: &mut Unlocked, sticks: &[StickId]) -> Result<()> {
    unlocked.read_again()?;
    match without_mark(&unlocked.proven.sticks, sticks) {
        Some(list) => unlocked.set_sticks(list),
        None => Ok(()),
    }
}

/// `None` where the list says of none of them that it was verified.
fn without_mark(list: &StickList, sticks: &[StickId]) -> Option<StickList> {
    let mut list = list.clone();
    let marks = list.sticks.iter_mut();
    let marks = marks.filter(|stick| sticks.contains(&stick.id));
    let taken = marks.filter_map(|stick| stick.verified.take()).count();
    (taken > 0).then_some(list)
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

/// Refuses what no key can be put on as it is. Returns the stick that is there.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn must_be_usable_stick(device: &Path) -> Result<Stick> {
    let stick = must_be_a_stick(device)?;
    must_be_readable(device)?;
    Ok(stick)
}

/// Refuses another stick than the one that was looked at before a person was asked: it has
/// the same name once that one is out.
///
/// # Errors
/// When another one, or none, is there.
pub fn must_still_be(stick: &Stick, device: &Path) -> Result<()> {
    must_be_among(stick, device, &plugged_in())
}

/// As [`must_still_be`], of those that are plugged in `now`.
///
/// # Errors
/// As there.
pub fn must_be_among(stick: &Stick, device: &Path, now: &[Stick]) -> Result<()> {
    if stick.is_among(now) {
        return Ok(());
    }
    Err(Problem::refused(
        format!(
            "{} is another stick by now, or none: the one that was there was taken out.",
            device.display()
        ),
        "Nothing was changed on it. Plug in the right one and run the command again.",
    ))
}

/// Refuses a device that the boot stage would not take for a stick.
fn must_be_a_stick(device: &Path) -> Result<Stick> {
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
    stick_with(device).ok_or_else(|| {
        Problem::refused(
            format!(
                "{name} cannot be taken out, or the system is on it: the boot stage would not look \
                 at it."
            ),
            "Name a USB stick or an SD card; `lsblk` shows their names.",
        )
    })
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
    use crate::vault::KnownStick;

    /// Renewing or wiping is cut off: the list already says what is certain.
    #[test]
    fn a_stick_that_is_about_to_change_is_no_way_back() {
        let stick = |id| KnownStick {
            id: [id; 8],
            label: "office".try_into().unwrap(),
            has_pin: true,
            generation: 1,
            made: 0,
            verified: Some(7),
            kept: None,
        };
        let list = StickList {
            sticks: [stick(1), stick(2)].into_iter().collect(),
            code: None,
        };
        let doubted = without_mark(&list, &[[1; 8]]).expect("one was verified");
        let verified =
            |list: &StickList| list.sticks.iter().map(|s| s.verified).collect::<Vec<_>>();
        assert_eq!(verified(&doubted), [None, Some(7)]);
        assert_eq!(without_mark(&doubted, &[[1; 8]]), None, "nothing to write");
        assert_eq!(without_mark(&list, &[[3; 8]]), None, "it is not listed");
    }

    #[test]
    fn a_stick_that_was_swapped_meanwhile_is_refused() {
        let stick = |sequence: &str| Stick {
            disk: "sdb".try_into().unwrap(),
            sequence: sequence.try_into().unwrap(),
            volumes: vec!["/dev/sdb1".into()],
        };
        let (device, seen) = (Path::new("/dev/sdb1"), stick("7"));
        assert!(must_be_among(&seen, device, &[stick("7")]).is_ok());
        for now in [&[stick("8")][..], &[]] {
            let problem = must_be_among(&seen, device, now).unwrap_err();
            assert_eq!(problem.exit, Exit::Refused);
            assert!(
                problem.what.contains("is another stick by now"),
                "{problem}"
            );
        }
    }

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
