//! `stayput reset`: destroys the key on this disk, on the running server.

mod announcement;
mod report;

use crate::admin::ask;
use crate::admin::key_destruction::destroy_keys;
use crate::admin::mariadb;
use crate::admin::mariadb_service::is_enabled;
use crate::admin::open_vault::{open_vault_read_only, vault_conf};
use crate::admin::problem::{Problem, Result};
use crate::stick::PluggedKeys;
use crate::sys::power;
use crate::theft::{ResetCause, WayBack};
use crate::vault::locate::reset_target;
use crate::vault::{Destroyed, VaultError};
use announcement::{WITHOUT_HEADER, announce, announce_again, key_files_left, on_disk};
use report::{report, report_sticks};

#[derive(clap::Args, Clone, Debug)]
pub struct ResetOptions {
    /// Say what would be destroyed, and destroy nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for the server's name
    #[arg(long)]
    yes: bool,
    /// Switch the server off afterwards
    #[arg(long)]
    power_off: bool,
}

/// Runs `stayput reset`.
///
/// # Errors
/// When somebody says no, and when something was not destroyed.
pub fn run(options: &ResetOptions) -> Result<()> {
    let keys = match open_vault_read_only() {
        Ok(vault) => {
            // Nobody knows which sticks are left: the last one may be in.
            let again = vault.slots().is_err_and(VaultError::may_be_a_reset);
            let keys = match again {
                true => PluggedKeys::default(),
                false => PluggedKeys::beside(&vault),
            };
            // No key is asked for: whoever is root could overwrite the disk as well.
            let sticks = vault.sticks_that_open().unwrap_or_default();
            let is_safe = match again {
                true => announce_again(),
                false => announce(&keys, vault.header(), &sticks) == WayBack::Listed,
            };
            let name = vault.header().server_name.clone();
            // Where it is a file, an alarm can write it while a person is asked.
            drop(vault);
            if options.dry_run {
                keys
            } else {
                let called = format!("the server's name ({name})");
                confirm(options, &name, &called, is_safe)?;
                where_they_sit(keys)
            }
        }
        Err(problem) => {
            // Whose vault it is is lost, not where everything stands.
            reset_target(&vault_conf()?).map_err(|_| problem)?;
            print!("{WITHOUT_HEADER}{}", on_disk());
            if !options.dry_run {
                confirm(options, "destroy", "the word destroy", false)?;
            }
            PluggedKeys::default()
        }
    };
    if options.dry_run {
        println!("Nothing was destroyed.");
        return Ok(());
    }

    let done = destroy_keys(ResetCause::Owner, &keys, true);
    let stopped = match is_enabled() {
        true => mariadb::stop::stop_mariadb(),
        false => Ok(()),
    };
    let destroyed = done.destroyed.map_err(|error| {
        Problem::failed(
            format!("The disk took nothing of it: {error}"),
            "Run the command again; if it fails again, destroy the disk.",
        )
    });
    if let Ok(destroyed) = &destroyed {
        print!("{}", report(*destroyed, done.verified));
    }
    print!("{}", report_sticks(&done.wiped));
    if let Err(error) = done.doubted {
        println!(
            "The list may still count a wiped stick as verified: {error}\n\
             Before you rely on a stick: stayput stick verify"
        );
    }
    if let Err(error) = done.noted {
        println!("The vault's log was not written: {error}");
    }
    if let Err(problem) = &stopped {
        println!(
            "MariaDB still runs, with its keys in memory: {}",
            problem.what
        );
    }
    print!("{}", key_files_left());
    // Last: it may take long, and on a disk that dies for ever.
    mariadb::enable::destroy_for_reset();
    if options.power_off {
        println!("Switching off.");
        power::switch_off();
    }
    destroyed.and_then(is_complete).and(stopped)
}

/// What cannot be overwritten by running the command again.
fn is_complete(destroyed: Destroyed) -> Result<()> {
    match destroyed {
        Destroyed {
            failed: 0,
            state: Ok(_),
            ..
        } => Ok(()),
        _ => Err(Problem::failed(
            "The disk did not take all of it (see above).",
            "Run the command again; if it fails again, destroy the disk.",
        )),
    }
}

/// A person was asked: a stick that was named may have been pulled out and put back.
fn where_they_sit(named: PluggedKeys) -> PluggedKeys {
    if named.volumes().next().is_none() {
        return named;
    }
    match open_vault_read_only() {
        Ok(vault) => named.where_they_sit(&PluggedKeys::beside(&vault)),
        Err(_) => named,
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
