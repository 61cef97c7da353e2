//! `stayput reset`: destroys the key on this disk, on the running server.

mod announcement;
mod looking;
mod report;

use std::thread::sleep;
use std::time::Duration;

use crate::admin::ask;
use crate::admin::child_work::ChildWork;
use crate::admin::key_destruction::{destroy_keys, take_keys};
use crate::admin::mariadb::disable::key_files_left;
use crate::admin::mariadb::enable::DESTROY_CLEAR;
use crate::admin::mariadb::stop::{STOP_ENCRYPTED, stop_within};
use crate::admin::problem::{Problem, Result};
use crate::stick::PluggedKeys;
use crate::sys::{hangup, memory, power};
use crate::theft::ResetCause;
use crate::vault::Destroyed;
use announcement::{NOT_READ_IN_TIME, WITHOUT_HEADER, announcement, on_disk};
use looking::{Seen, look};
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

/// The same for a disk that has not let the vault be read. The work goes on afterwards, unless
/// the server is switched off.
const TAKES_UNREAD: Duration = Duration::from_secs(15);

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
    let seen = look();
    let is_read = seen.is_ok();
    let plugged = match seen {
        Ok(seen) => agreed(options, seen?)?,
        Err(_) => {
            print!("{NOT_READ_IN_TIME}{}", on_disk());
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
    let limit = match is_read || options.power_off {
        true => TAKES_AT_MOST,
        false => TAKES_UNREAD,
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
        Err(_) => Err(not_complete(UNKNOWN)),
    };
    if let Err(problem) = &stopped {
        println!(
            "MariaDB still runs, with its keys in memory: {}",
            problem.what
        );
    }
    print!("{}", key_files_left());
    // Last: it may take long.
    if let Err(errno) = DESTROY_CLEAR.pass_on() {
        println!("NOT DESTROYED: what may lie in the clear on this disk ({errno}).");
    }
    if options.power_off {
        println!("Switching off.");
        power::switch_off();
    }
    destroyed.and_then(is_complete).and(stopped)
}

const UNKNOWN: &str = "A disk does not answer: nobody knows whether the key on it is destroyed, \
                       and the keys on sticks.";

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
    confirm(options, &vault.name, &called, is_safe)?;
    Ok(where_they_sit(plugged))
}

/// Asks where nobody knows whose vault it is, and so which sticks are its.
fn agreed_unseen(options: &ResetOptions) -> Result<PluggedKeys> {
    if !options.dry_run {
        confirm(options, "destroy", "the word destroy", false)?;
    }
    Ok(PluggedKeys::default())
}

/// A person was asked: a stick that was named may have been pulled out and put back.
fn where_they_sit(named: PluggedKeys) -> PluggedKeys {
    if named.volumes().next().is_none() {
        return named;
    }
    match look() {
        Ok(Ok(Seen::Vault(now))) => named.where_they_sit(&now.plugged),
        _ => named,
    }
}

/// `called`: what the word to be typed is. `is_safe`: the data is not lost by it.
fn confirm(options: &ResetOptions, word: &str, called: &str, is_safe: bool) -> Result<()> {
    if options.yes && is_safe {
        return Ok(());
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
        assert!(confirm(&options, "clinic", "a name", true).is_ok());
        assert!(confirm(&options, "clinic", "a name", false).is_err());
    }
}
