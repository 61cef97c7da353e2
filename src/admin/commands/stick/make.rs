//! `stayput stick make`: the key of this server on a stick.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use heapless::String as Bounded;

use super::format::{Fresh, FreshFilesystem};
use super::{
    doubt, must_be_a_stick, must_be_readable, must_still_be, not_read, tell_what_it_counts_for,
};
use crate::admin::ask;
use crate::admin::guessing_time::explain_pin;
use crate::admin::names::name;
use crate::admin::open_vault::open_vault_read_only;
use crate::admin::problem::{COMPLETE_KERNEL, Exit, Problem, Result};
use crate::admin::suggested_secret::{offer_pin, warn_of_the_keyboard};
use crate::admin::unlock::{ADOPTING, UnlockOptions, Unlocked, unlock};
use crate::admin::ways_copies;
use crate::keys::UnsealedWayKey;
use crate::stick::renewal;
use crate::stick::{self, StickError, StickFile, StickId};
use crate::sys::clock;
use crate::vault::{
    EventKind, KeyOfCopy, MAX_STICKS, StickList, UnusablePassphrase, WaysCopy, can_be_typed,
};

#[derive(clap::Args, Clone, Debug)]
pub struct MakeOptions {
    /// The stick: a disk or partition with FAT, exFAT or ext4, for example /dev/sdb1
    device: PathBuf,
    /// Format the whole stick first: all that is on it is lost. exFAT above 32 GB,
    /// else FAT, unless you say which
    #[arg(long, value_name = "FILESYSTEM")]
    format: Option<Option<FreshFilesystem>>,
    /// What stands on the stick, for example "office safe"; the server asks
    /// for it by this name
    #[arg(long, value_name = "NAME", value_parser = name::<32>)]
    label: Bounded<32>,
    /// Whoever has the stick has the key
    #[arg(long)]
    no_pin: bool,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput stick make`.
///
/// # Errors
/// When the device is no stick, the vault does not open, or the list is full.
pub fn make(options: &MakeOptions) -> Result<()> {
    make_with(options, || new_pin(options.unlock.pin_stdin))
}

/// Runs `stayput stick make` with a PIN that was typed or read before.
///
/// # Errors
/// As [`make`].
pub fn make_with_pin(options: &MakeOptions, pin: &ask::Pin) -> Result<()> {
    make_with(options, || {
        must_be_usable(pin)?;
        warn_of_the_keyboard(pin);
        Ok(pin.clone())
    })
}

fn make_with(options: &MakeOptions, pin: impl FnOnce() -> Result<ask::Pin>) -> Result<()> {
    let device = options.device.as_path();
    let stick = must_be_a_stick(device)?;
    must_not_hold_the_vault(device)?;
    let fresh = match options.format {
        Some(asked) => Some(Fresh::check(device, asked)?),
        None => must_be_readable(device).map(|()| None)?,
    };
    let mut unlocked = unlock(&options.unlock)?;
    let named = [options.device.clone()];
    let volumes = fresh.as_ref().map_or(&named[..], Fresh::volumes);
    let before = match own_keys(volumes, &unlocked) {
        Err(problem) if fresh.is_some() && problem.exit != Exit::Refused => Vec::new(),
        found => found?,
    };
    if !before.is_empty() {
        println!("It is a stick of this server already; its key file is renewed.");
    }
    // Before anything is written.
    if list_without(&unlocked, &before).sticks.is_full() {
        return Err(Problem::refused(
            format!(
                "This server has {MAX_STICKS} sticks already, more than anybody can keep safe."
            ),
            "Renew one of them: stayput stick list",
        ));
    }
    let pin = if options.no_pin {
        ask::Pin::default()
    } else {
        pin()?
    };
    let formatted = match fresh {
        Some(fresh) => {
            fresh.confirm()?;
            doubt(&mut unlocked, &before)?;
            Some(fresh.format()?)
        }
        None => None,
    };
    let device = formatted.as_deref().unwrap_or(device);
    let header = unlocked.vault.header();
    let (label, now) = (options.label.clone(), clock::now());
    let (file, way_key) = StickFile::make(header, unlocked.keys(), label, now, &pin);
    // Another command may have made it meanwhile: what is replaced is what it holds now.
    let mut replaced = before;
    replaced.extend(own_keys(&[device.to_owned()], &unlocked)?);
    // A person was asked, or it took a while to format it. As long as it is open, the kernel
    // gives its name to no other one.
    let _held = File::open(device).map_err(|error| not_written(device, &error))?;
    must_still_be(&stick, device)?;
    doubt(&mut unlocked, &replaced)?;
    let id = file.info.stick_id;
    // The vault knows a way key before a stick has it.
    note(&mut unlocked, &file, &way_key)?;
    if let Err(problem) = put(device, &unlocked, &file, &pin) {
        unlocked.change_ways(|_, ways| ways.forget_stick(id))?;
        return Err(problem);
    }
    remember(&mut unlocked, &replaced, &file)?;
    let beside = ways_copies::write_beside(&unlocked);
    println!(
        "The stick \"{}\" is ready: both copies were read back, and they open this server.",
        options.label
    );
    let known = [&*options.label, &*unlocked.vault.header().server_name];
    println!("{}", explain_pin(&pin, &known));
    tell_what_it_counts_for(&mut unlocked, &id)?;
    println!("Keep it in another place than the server. Take it out now.");
    beside
}

/// Refuses the disk that holds the vault, as on a server that starts from a USB
/// disk: a stick that stays in the server protects nothing.
fn must_not_hold_the_vault(device: &Path) -> Result<()> {
    let vault = open_vault_read_only()?;
    let device = &device.canonicalize().unwrap_or_else(|_| device.to_owned());
    let on_it = stick::plugged_in().into_iter().any(|stick| {
        let whole = Path::new("/dev").join(&*stick.disk);
        let has = stick.volumes.iter().any(|volume| volume == device) || whole == *device;
        has && stick.disk == *vault.disk()
    });
    if !on_it {
        return Ok(());
    }
    Err(Problem::refused(
        format!("{} is on the disk that holds the vault.", device.display()),
        "Use a stick that can be kept in another place.",
    ))
}

/// Ids of the keys of this server that it holds already. A kernel that cannot read it
/// cannot write it either. A key that this vault does not know is not written over.
fn own_keys(volumes: &[PathBuf], unlocked: &Unlocked) -> Result<Vec<StickId>> {
    let (ways, header, keys) = (unlocked.ways()?, unlocked.vault.header(), unlocked.keys());
    let mut found = Vec::new();
    for volume in volumes {
        match stick::read(volume, header) {
            Ok(file) => {
                let known = renewal::without_pin(&file, &ways, header, keys);
                known.map_err(|error| would_be_lost(volume, error))?;
                found.push(file.info.stick_id);
            }
            Err(error @ (StickError::NoDriver(_) | StickError::NotAllowed)) => {
                return Err(not_read(volume, error));
            }
            Err(_) => {}
        }
        let copy = stick::read_ways(volume, &header.server_id);
        let copy = copy.and_then(|bytes| WaysCopy::parse(&bytes, &header.server_id).ok());
        match copy.map(|copy| copy.compared_with_all(keys)) {
            Some(KeyOfCopy::Later) => return Err(would_be_lost(volume, StickError::Later)),
            Some(KeyOfCopy::Other) => return Err(would_be_lost(volume, StickError::OtherKey)),
            Some(KeyOfCopy::Known) | None => {}
        }
    }
    Ok(found)
}

/// What is on it is perhaps the only place that has this master key.
pub(super) fn would_be_lost(device: &Path, error: StickError) -> Problem {
    let next = match error {
        StickError::Later => ADOPTING,
        _ => {
            "Nothing was written there. Where backups of that key may be needed, keep it and use \
             another stick; else remove its folder stayput first."
        }
    };
    Problem::refused(format!("{}: {error}", device.display()), next)
}

pub(super) fn not_written(device: &Path, error: &io::Error) -> Problem {
    let next = match error.kind() {
        io::ErrorKind::Unsupported => COMPLETE_KERNEL,
        io::ErrorKind::AlreadyExists => ADOPTING,
        _ => "Is the stick full or write-protected? Try another one.",
    };
    Problem::failed(format!("{}: {error}", device.display()), next)
}

/// Offers a PIN and asks for one, twice; `from_stdin` reads it from standard input.
///
/// # Errors
/// When there is none, it cannot be used, or the two differ.
pub fn new_pin(from_stdin: bool) -> Result<ask::Pin> {
    if !from_stdin {
        offer_pin();
    }
    let pin = ask::pin("New PIN or passphrase for the stick: ", from_stdin)?;
    must_be_usable(&pin)?;
    warn_of_the_keyboard(&pin);
    if !from_stdin && *pin != *ask::pin("The same once more: ", false)? {
        return Err(Problem::new(
            Exit::Usage,
            "The two are not the same. Nothing was changed.",
            "Run the command again.",
        ));
    }
    Ok(pin)
}

/// Refuses a PIN that nobody could type at the prompt.
///
/// # Errors
/// What is wrong with it.
pub fn must_be_usable(pin: &[u8]) -> Result<()> {
    if pin.is_empty() {
        return Err(Problem::new(
            Exit::Usage,
            "No PIN was given. Nothing was changed.",
            "Give one, or say --no-pin: whoever has the stick then has the key.",
        ));
    }
    if !can_be_typed(pin) {
        return Err(Problem::new(
            Exit::Usage,
            "This PIN has signs that nobody sees, or blanks at its ends: nobody would type it \
             like that at the prompt. Nothing was changed.",
            UnusablePassphrase::CannotBeTyped.advice(),
        ));
    }
    Ok(())
}

/// Writes the stick, and reads it again as a boot would.
fn put(device: &Path, unlocked: &Unlocked, file: &StickFile, pin: &[u8]) -> Result<()> {
    let header = unlocked.vault.header();
    let copy = WaysCopy::of(header, &unlocked.ways()?);
    stick::write(device, file, &copy).map_err(|error| not_written(device, &error))?;
    let found = stick::read_copies(device, header).map_err(|error| not_read(device, error))?;
    let opens = found.file == *file && found.file.open(header, pin).is_ok();
    if opens && found.both_whole {
        return Ok(());
    }
    Err(Problem::failed(
        format!(
            "{} does not give back what was written to it.",
            device.display()
        ),
        "The stick is broken: use another one.",
    ))
}

/// The list as it is, without the sticks with these ids.
fn list_without(unlocked: &Unlocked, sticks: &[StickId]) -> StickList {
    let mut list = unlocked.proven.sticks.draft();
    list.sticks.retain(|known| !sticks.contains(&known.id));
    list
}

fn note(unlocked: &mut Unlocked, file: &StickFile, way_key: &UnsealedWayKey) -> Result<()> {
    let key = unlocked.master_key().clone();
    let (id, generation) = (file.info.stick_id, file.generation);
    let has_room = unlocked
        .change_ways(|header, ways| ways.note_stick(header, &key, id, way_key, generation))?;
    match has_room {
        true => Ok(()),
        false => Err(ways_copies::no_room()),
    }
}

fn remember(unlocked: &mut Unlocked, replaced: &[StickId], file: &StickFile) -> Result<()> {
    // A person was asked meanwhile, and the stick took its time.
    unlocked.read_again()?;
    let mut list = list_without(unlocked, replaced);
    let info = &file.info;
    // There is room: it was looked for before anything was written.
    let _ = list.sticks.push(info.known(file.generation, info.made));
    unlocked.set_sticks(list)?;
    unlocked.change_ways(|_, ways| replaced.iter().for_each(|id| ways.forget_stick(*id)))?;
    unlocked.log(EventKind::StickMade {
        stick: info.label.clone(),
    })
}
