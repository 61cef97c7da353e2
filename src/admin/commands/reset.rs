//! `stayput reset`: destroys the key on this disk, on the running server.

use std::time::Duration;

use crate::admin::ask;
use crate::admin::key_destruction::destroy_keys;
use crate::admin::mariadb;
use crate::admin::mariadb::disable::{key_files_on_disk, not_destroyed};
use crate::admin::mariadb_service::is_enabled;
use crate::admin::open_vault::{open_vault_read_only, vault_conf};
use crate::admin::problem::{Problem, Result};
use crate::admin::time_limit::within;
use crate::printable::Printable;
use crate::stick::{PluggedKeys, Wiped};
use crate::sys::power;
use crate::theft::{ResetCause, WayBack};
use crate::vault::locate::reset_target;
use crate::vault::{Destroyed, Discarded, Header, StickList, Unproven, VaultError, Written};

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
            let sticks = vault.unproven_sticks().unwrap_or_default();
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

const WITHOUT_HEADER: &str = "\
The vault's header is lost: nothing says any more whose vault it is, and no stick opens it.
A reset destroys what is left of it, the pepper and all slots, and the keys in memory.
Not destroyed: sticks, backups, copies of this disk.
";

/// How long is waited for what lies on the database's disk. MariaDB may be asked where that
/// is; a disk that dies takes minutes, or hangs for ever.
const LOOKS_WITHIN: Duration = Duration::from_secs(5);

const NOT_TOLD_IN_TIME: &str = "\
What lies beside the database could not be told within 5 s. It may be a clear copy, which is
destroyed after the keys where it can be.
";

const NO_KEY_FILES_IN_TIME: &str = "\
Whether keys of the database lie in files of their own could not be told within 5 s.
";

/// What a reset does to what lies on the disks beside the vault. The key waits for none of
/// them.
fn on_disk() -> String {
    told_in_time(LOOKS_WITHIN, NOT_TOLD_IN_TIME, mariadb::enable::in_a_reset) + &key_files_left()
}

/// The owner's key files, which may lie on any disk.
fn key_files_left() -> String {
    let look = || not_destroyed(&key_files_on_disk());
    told_in_time(LOOKS_WITHIN, NO_KEY_FILES_IN_TIME, look)
}

fn told_in_time(
    limit: Duration,
    else_say: &str,
    look: impl FnOnce() -> String + Send + 'static,
) -> String {
    within(limit, look).unwrap_or_else(|| else_say.into())
}

fn announce(keys: &PluggedKeys, header: &Header, sticks: &Unproven<StickList>) -> WayBack {
    let sticks = sticks.as_claimed();
    print!("{}", announcement(keys, header, sticks, &on_disk()));
    keys.way_back(header, sticks)
}

/// Destroys once more what a reset may have left. True: nothing is lost by it.
fn announce_again() -> bool {
    print!("{}", announcement_again(&on_disk()));
    true
}

fn announcement_again(on_disk: &str) -> String {
    let stops = match is_enabled() {
        true => "Then MariaDB is stopped. The database itself stays as it is, encrypted.\n",
        false => "",
    };
    format!(
        "This server was reset before. Destroyed once more is what may be left of the pepper \
         and the slots, and\nthe keys that were released into memory. No stick is wiped: the \
         last one that opens this server may be\nplugged in.\n{stops}{on_disk}"
    )
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

/// What a reset will destroy, and what it will not.
fn announcement(keys: &PluggedKeys, header: &Header, sticks: &StickList, on_disk: &str) -> String {
    let mut text = String::from(
        "A reset destroys, in this order:\n\
         - the pepper and all slots: no place and no passphrase opens this server any more\n\
         - the keys that were released into memory\n",
    );
    for (volume, info) in keys.found() {
        text += &format!(
            "- the key of this server on the stick {} (\"{}\")\n",
            volume.display(),
            info.label
        );
    }
    for disk in keys.silent() {
        text += &format!(
            "NOT what may be on the stick {}: it does not answer\n",
            disk.display()
        );
    }
    if is_enabled() {
        text += "Then MariaDB is stopped. The database itself stays as it is, encrypted.\n";
    }
    text += on_disk;
    text += "Not destroyed: sticks that are not plugged in, backups, copies of this disk.\n";
    match keys.way_back(header, sticks) {
        WayBack::Listed => {
            text += "Afterwards one of these opens the server:\n";
            let elsewhere = sticks.sticks.iter();
            for stick in elsewhere.filter(|stick| keys.leave_a_way_in(header, stick)) {
                // Not proven: it must not write over the screen.
                text += &format!("  the stick {}\n", Printable(&stick.label));
            }
            if sticks.code_of(header.generation).is_some() {
                text += "  the recovery code\n";
            }
            text += "Where they are kept: stayput stick list\n";
        }
        WayBack::None => {
            text += "NO RECOVERY CODE AND NO VERIFIED STICK IS LISTED THAT IS NOT PLUGGED IN. \
                     Without another\nstick of this server the data is then lost for ever.\n";
        }
    }
    text
}

/// What was destroyed, what was not, and what nobody can know.
fn report(destroyed: Destroyed, verified: Option<Duration>) -> String {
    let mut text = String::new();
    if let Some(after) = verified {
        text += &format!(
            "The pepper was overwritten and read back after {} ms.\n",
            after.as_millis()
        );
    }
    if destroyed.failed > 0 {
        text += &format!(
            "NOT DESTROYED: {} blocks of the disk did not take it. Destroy the disk.\n",
            destroyed.failed
        );
    } else {
        text += "Pepper and slots are destroyed.\n";
    }
    match destroyed.state {
        Ok(Written::Twice) => {}
        Ok(Written::Once) => text += "The disk begins to fail: that it was reset stands once.\n",
        Err(error) => text += &format!("The vault does not say that it was reset: {error}\n"),
    }
    text += match destroyed.discarded {
        Discarded::Securely => "The disk says that it has erased every copy of the pepper.\n",
        Discarded::Plainly => {
            "The disk was told to forget the pepper. Flash memory may still hold a copy that\n\
             only its maker can read.\n"
        }
        Discarded::No => {
            "The disk cannot be told to forget. A magnetic disk holds nothing of it any more;\n\
             flash memory (SSD, SD card) may still hold a copy.\n"
        }
    };
    text
}

/// What became of the sticks, also where the disk took nothing.
fn report_sticks(wiped: &Wiped) -> String {
    let mut text = String::new();
    if wiped.wiped > 0 {
        text += &format!("Keys on plugged sticks destroyed: {}.\n", wiped.wiped);
    }
    if wiped.left > 0 {
        text += &format!(
            "NOT DESTROYED: the keys on {} plugged sticks.\n",
            wiped.left
        );
    }
    for device in &wiped.unwiped {
        let device_name = device.display();
        text += &match wiped.swapped.contains(device) {
            false => format!(
                "NOT WIPED: {device_name} takes no writes, or does not answer, or the server's \
                 disk could not\nnote the reset. Destroy it, or keep it safe.\n"
            ),
            true => format!(
                "NOT WIPED: {device_name} is another stick by now, and nothing was changed on it. \
                 The one that\nwas there still opens this server: destroy it, or keep it safe.\n"
            ),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{KnownCode, KnownStick};

    fn text(failed: u32, discarded: Discarded, wiped: Wiped) -> String {
        let destroyed = Destroyed {
            failed,
            discarded,
            state: Ok(Written::Twice),
            is_gone: failed == 0,
        };
        report(destroyed, Some(Duration::from_millis(87))) + &report_sticks(&wiped)
    }

    #[test]
    fn a_reset_says_what_it_could_not_destroy() {
        let all = text(0, Discarded::Securely, Wiped::default());
        assert!(all.contains("after 87 ms") && !all.contains("NOT"), "{all}");
        assert!(!all.contains("may still hold"), "{all}");
        let wiped = Wiped {
            wiped: 1,
            left: 2,
            unwiped: vec!["/dev/sdb1".into(), "/dev/sdc1".into()],
            swapped: vec!["/dev/sdb1".into()],
        };
        let part = text(3, Discarded::No, wiped);
        assert!(part.contains("NOT DESTROYED: 3 blocks"), "{part}");
        assert!(part.contains("NOT DESTROYED: the keys on 2"), "{part}");
        assert!(
            part.contains("NOT WIPED: /dev/sdc1 takes no writes"),
            "{part}"
        );
        let swapped = "NOT WIPED: /dev/sdb1 is another stick by now, and nothing was changed";
        assert!(part.contains(swapped), "{part}");
        assert!(
            part.contains("flash memory (SSD, SD card) may still"),
            "{part}"
        );
    }

    #[test]
    fn a_reset_says_which_stick_opens_afterwards_or_that_none_does() {
        let header = Header::of_a_new_server(&crate::keys::MasterKey::generate());
        let keys = PluggedKeys::default();
        let mut list = StickList::default();
        let announcement = |keys: &PluggedKeys, header: &Header, list: &StickList| {
            announcement(keys, header, list, "")
        };
        let none = announcement(&keys, &header, &list);
        assert!(none.contains("lost for ever"), "{none}");
        let stick = KnownStick {
            id: [1; 8],
            label: "office\u{1b}[2J".try_into().unwrap(),
            has_pin: true,
            generation: 1,
            made: 0,
            verified: Some(1),
            kept: None,
        };
        list.sticks.extend([stick]);
        let one = announcement(&keys, &header, &list);
        assert!(one.contains("the stick office\\u001b"), "{one}");
        assert!(!one.contains("lost for ever"), "{one}");
        let code = StickList {
            code: Some(KnownCode {
                generation: 1,
                verified: 1,
                kept: None,
            }),
            ..StickList::default()
        };
        let code = announcement(&keys, &header, &code);
        assert!(code.contains("the recovery code\n"), "{code}");
    }

    #[test]
    fn a_reset_names_the_key_file_that_it_leaves() {
        let header = Header::of_a_new_server(&crate::keys::MasterKey::generate());
        let left = not_destroyed(&["/etc/mysql/mariadb.keys".into()]);
        let list = StickList::default();
        let first = announcement(&PluggedKeys::default(), &header, &list, &left);
        let again = announcement_again(&left);
        let told = "NOT DESTROYED: the keys of the database in /etc/mysql/mariadb.keys\n";
        for text in [first, again] {
            assert!(text.contains(told), "{text}");
        }
    }

    #[test]
    fn a_second_reset_says_that_it_wipes_no_stick() {
        let text = announcement_again("");
        assert!(text.contains("No stick is wiped"), "{text}");
        assert!(text.lines().all(|line| line.len() < 120), "{text}");
    }

    #[test]
    fn a_disk_that_hangs_holds_up_no_reset() {
        let (_answers, hangs) = std::sync::mpsc::channel::<String>();
        let look = move || hangs.recv().unwrap_or_default();
        let told = told_in_time(Duration::from_millis(10), NOT_TOLD_IN_TIME, look);
        assert!(told.contains("could not be told"), "{told}");
        let told = told_in_time(Duration::from_secs(60), "", || "a copy".into());
        assert_eq!(told, "a copy");
    }

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
