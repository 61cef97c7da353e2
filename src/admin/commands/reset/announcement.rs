//! What a reset says before it destroys anything.

use std::time::Duration;

use crate::admin::mariadb;
use crate::admin::mariadb::disable::{key_files_on_disk, not_destroyed};
use crate::admin::mariadb_service::is_enabled;
use crate::admin::time_limit::within;
use crate::printable::Printable;
use crate::stick::PluggedKeys;
use crate::theft::WayBack;
use crate::vault::{Header, StickList, Unproven};

pub const WITHOUT_HEADER: &str = "\
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
pub fn on_disk() -> String {
    told_in_time(LOOKS_WITHIN, NOT_TOLD_IN_TIME, mariadb::enable::in_a_reset) + &key_files_left()
}

/// The owner's key files, which may lie on any disk.
pub fn key_files_left() -> String {
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

pub fn announce(keys: &PluggedKeys, header: &Header, sticks: &Unproven<StickList>) -> WayBack {
    let sticks = sticks.as_claimed();
    print!("{}", announcement(keys, header, sticks, &on_disk()));
    keys.way_back(header, sticks)
}

/// Destroys once more what a reset may have left. True: nothing is lost by it.
pub fn announce_again() -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{KnownCode, KnownStick};

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
}
