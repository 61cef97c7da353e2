//! `stayput reset`: destroys the key on this disk, on the running server.

mod announcement;
mod looking;
mod report;

use std::thread::sleep;
use std::time::Duration;

use crate::admin::ask;
use crate::admin::child_work::{ChildWork, NoAnswer};
use crate::admin::key_destruction::{destroy_keys, take_keys};
use crate::admin::mariadb::disable::key_files_left;
use crate::admin::mariadb::enable::DESTROY_CLEAR;
use crate::admin::mariadb::stop::{STOP_ENCRYPTED, stop_within};
use crate::admin::problem::{Problem, Result};
use crate::stick::PluggedKeys;
use crate::sys::{hangup, memory, power};
use crate::theft::ResetCause;
use crate::vault::Destroyed;
use announcement::{NOT_LOOKED, NOT_READ_IN_TIME, UNSEEN, WITHOUT_HEADER, announcement, on_disk};
use looking::{LOOK_TAKES, Seen, look};
use report::report;

pub use announcement::ON_DATABASE_DISK;
pub use looking::LOOK_AT_VAULT;

#[derive(clap::Args, Clone, Debug)]
pub struct ResetOptions {
    /// Say what would be destroyed, and destroy nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for the server's name
    #[arg(long)]
    yes: bool,
    /// Switch the server off afterwards, 6 minutes after the reset began at the latest
    #[arg(long)]
    power_off: bool,
}

/// How long the key is waited for. A disk that is well takes a second; one that dies and
/// answers after all is not cut off.
const TAKES_AT_MOST: Duration = Duration::from_mins(2);

/// How long the key is waited for where the disk has not let the vault be read. The work goes
/// on afterwards, unless the server is switched off.
const TAKES_UNREAD: Duration = Duration::from_secs(15);

/// How long the second look at the sticks may take: the owner has said yes.
const LOOKS_AGAIN: Duration = Duration::from_secs(10);

/// How long MariaDB gets to write its pages to the disk.
const STOPS_WITHIN: Duration = Duration::from_mins(2);

/// Time for everything before the server is switched off: an original in the clear of some
/// gigabytes is overwritten in less.
const SWITCHED_OFF_AFTER: Duration = Duration::from_mins(5);

/// Switches the server off, whatever hangs in the command by then.
pub const SWITCH_OFF: ChildWork<()> = ChildWork::new("switch-off-later", |_| {
    // The command may be gone, with the network.
    let _ = hangup::outlive();
    let _ = memory::read_in();
    sleep(SWITCHED_OFF_AFTER);
    power::switch_off();
});

/// Runs `stayput reset`.
///
/// # Errors
/// When somebody says no, and when something was not destroyed.
pub fn run(options: &ResetOptions) -> Result<()> {
    // From here on nothing of this program is read from a disk that hangs.
    let _ = memory::read_in();
    let seen = look(LOOK_TAKES);
    // A look that has failed says nothing about the disk.
    let hangs = matches!(seen, Err(NoAnswer::InTime(_)));
    let plugged = match seen {
        Ok(seen) => agreed(options, seen?)?,
        Err(_) => {
            let why = if hangs { NOT_READ_IN_TIME } else { NOT_LOOKED };
            print!("{why}{UNSEEN}{}", on_disk());
            agreed_unseen(options)?
        }
    };
    if options.dry_run {
        println!("Nothing was destroyed.");
        return Ok(());
    }
    if options.power_off
        && let Err(errno) = SWITCH_OFF.start(&[])
    {
        println!("If a disk hangs, nothing switches the server off: {errno}");
    }
    let plugged = where_they_sit(plugged);
    let limit = match hangs && !options.power_off {
        true => TAKES_UNREAD,
        false => TAKES_AT_MOST,
    };
    let done = destroy_keys(limit, ResetCause::Owner, &plugged);
    if done.is_err() {
        take_keys(|why| println!("{why}"));
    }
    let stopped = stop_within(STOPS_WITHIN, &STOP_ENCRYPTED);
    let destroyed = match done {
        Ok(done) => {
            print!("{}", report(&done));
            let why = |error: String| format!("The disk took nothing of it: {error}");
            done.destroyed.map_err(|error| not_complete(why(error)))
        }
        Err(NoAnswer::InTime(_)) => Err(not_complete(UNKNOWN)),
        Err(NoAnswer::AtAll) => Err(not_complete(NOT_STARTED)),
    };
    if let Err(problem) = &stopped {
        println!(
            "MariaDB still runs, with its keys in memory: {}",
            problem.what
        );
    }
    print!("{}", key_files_left());
    // Last: it may take long.
    if let Err(why) = DESTROY_CLEAR.pass_on() {
        println!("NOT DESTROYED: what may lie in the clear on this disk ({why}).");
    }
    if options.power_off {
        println!("Switching off.");
        power::switch_off();
    }
    destroyed.and_then(is_complete).and(stopped)
}

const UNKNOWN: &str = "A disk does not answer: nobody knows whether the key on it is destroyed, \
                       and the keys on sticks.";

const NOT_STARTED: &str = "What destroys the keys could not run, or was ended: nobody knows what it \
                           has done. The keys in memory were taken.";

fn not_complete(what: impl Into<String>) -> Problem {
    Problem::failed(
        what,
        "Run the command again; if it fails again, destroy the disk.",
    )
}

/// What cannot be overwritten by running the command again.
fn is_complete(destroyed: Destroyed) -> Result<()> {
    match destroyed {
        Destroyed {
            failed: 0,
            state: Ok(_),
            ..
        } => Ok(()),
        _ => Err(not_complete("The disk did not take all of it (see above).")),
    }
}

/// Says what will be destroyed, and asks. Returns this server's keys on sticks, which go too.
fn agreed(options: &ResetOptions, seen: Seen) -> Result<PluggedKeys> {
    let vault = match seen {
        Seen::Vault(vault) => vault,
        Seen::WithoutHeader => {
            print!("{WITHOUT_HEADER}{}", on_disk());
            return agreed_unseen(options);
        }
    };
    print!("{}", announcement(&vault, &on_disk()));
    // Nobody knows which sticks are left: the last one may be in.
    let plugged = match vault.again {
        true => PluggedKeys::default(),
        false => vault.plugged,
    };
    if options.dry_run {
        return Ok(plugged);
    }
    let called = format!("the server's name ({})", vault.name);
    // Nothing is lost by doing it again.
    let is_safe = vault.again || vault.way_back;
    confirm(options, &vault.name, &called, Some(is_safe))?;
    Ok(plugged)
}

/// Asks where nobody knows whose vault it is, and so which sticks are its.
fn agreed_unseen(options: &ResetOptions) -> Result<PluggedKeys> {
    if !options.dry_run {
        confirm(options, "destroy", "the word destroy", None)?;
    }
    Ok(PluggedKeys::default())
}

/// A person was asked: a stick that was named may have been pulled out and put back.
fn where_they_sit(named: PluggedKeys) -> PluggedKeys {
    if named.volumes().next().is_none() {
        return named;
    }
    match look(LOOKS_AGAIN) {
        Ok(Ok(Seen::Vault(now))) => named.where_they_sit(&now.plugged),
        _ => named,
    }
}

/// `called`: what the word to be typed is. `is_safe`: whether the data is not lost by it, where
/// that is known.
fn confirm(options: &ResetOptions, word: &str, called: &str, is_safe: Option<bool>) -> Result<()> {
    if options.yes && is_safe == Some(true) {
        return Ok(());
    }
    if options.yes && is_safe.is_none() {
        return Err(Problem::refused(
            "Nobody knows what opens this server afterwards; --yes does not do that.",
            "Run the command without --yes.",
        ));
    }
    if options.yes {
        return Err(Problem::refused(
            "Without a recovery code or a verified stick in another place the data would be lost \
             for ever; --yes does not do that.",
            "Verify a stick and take it out, or run the command without --yes.",
        ));
    }
    if ask::line(&format!("Type {called} to reset it: "))? == word.trim() {
        return Ok(());
    }
    Err(Problem::refused(
        format!("That is not {called}."),
        "Nothing was destroyed.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_cannot_lose_the_data_for_ever() {
        let options = ResetOptions {
            dry_run: false,
            yes: true,
            power_off: false,
        };
        let confirmed = |is_safe| confirm(&options, "clinic", "a name", is_safe);
        assert!(confirmed(Some(true)).is_ok());
        assert!(confirmed(Some(false)).is_err());
        let unseen = confirmed(None).unwrap_err();
        assert!(unseen.what.contains("Nobody knows"), "{unseen}");
    }
}
