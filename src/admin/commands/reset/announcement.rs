//! What a reset says before it destroys anything.

use crate::admin::child_work::ChildWork;
use crate::admin::mariadb::disable::{LOOKS_WITHIN, key_files_left};
use crate::admin::mariadb::enable::in_a_reset;
use crate::admin::mariadb_service::is_enabled;
use crate::printable::Printable;
use crate::stick::PluggedKeys;
use crate::theft::WayBack;
use crate::vault::{Header, StickList};

use super::looking::SeenVault;

pub const WITHOUT_HEADER: &str = "\
The vault's header is lost: nothing says any more whose vault it is, and no stick opens it.
A reset destroys what is left of it, the pepper and all slots, and the keys in memory.
Not destroyed: sticks, backups, copies of this disk.
";

pub const NOT_READ_IN_TIME: &str = "\
The vault was not read within 30 s: its disk does not answer.
";

pub const NOT_LOOKED: &str = "\
The vault was not read: the program that looks at it could not run, or was ended.
";

/// Behind either of them.
pub const UNSEEN: &str = "\
What opens this server afterwards cannot be told.
A reset takes the keys out of memory. The pepper and all slots are destroyed if the disk answers
again before the server is switched off; whether they were is then seen at the next start.
Not destroyed: sticks, backups, copies of this disk.
";

const NOT_TOLD_IN_TIME: &str = "\
What lies beside the database could not be told within 5 s. It may be a clear copy, which is
destroyed after the keys where it can be.
";

/// What a reset does to what lies on the database's disk. MariaDB may be asked where that is.
pub const ON_DATABASE_DISK: ChildWork<String> = ChildWork::new("look-beside-database", |_| {
    let stops = match is_enabled() {
        true => "Then MariaDB is stopped. The database itself stays as it is, encrypted.\n",
        false => "",
    };
    stops.to_owned() + &in_a_reset()
});

/// What a reset does to what lies on the disks beside the vault. The key waits for none of
/// them.
pub fn on_disk() -> String {
    let told = ON_DATABASE_DISK.within(LOOKS_WITHIN, &[]);
    told.unwrap_or_else(|_| NOT_TOLD_IN_TIME.into()) + &key_files_left()
}

/// What a reset will destroy, and what it will not.
pub fn announcement(seen: &SeenVault, on_disk: &str) -> String {
    if seen.again {
        return announcement_again(on_disk);
    }
    destroyed(&seen.plugged, on_disk) + &seen.afterwards
}

/// Destroys once more what a reset may have left.
fn announcement_again(on_disk: &str) -> String {
    format!(
        "This server was reset before. Destroyed once more is what may be left of the pepper \
         and the slots, and\nthe keys that were released into memory. No stick is wiped: the \
         last one that opens this server may be\nplugged in.\n{on_disk}"
    )
}

fn destroyed(keys: &PluggedKeys, on_disk: &str) -> String {
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
    text += on_disk;
    text += "Not destroyed: sticks that are not plugged in, backups, copies of this disk.\n";
    text
}

/// What opens the server afterwards.
pub fn opens_afterwards(keys: &PluggedKeys, header: &Header, sticks: &StickList) -> String {
    match keys.way_back(header, sticks) {
        WayBack::Listed => {
            let mut text = String::from("Afterwards one of these opens the server:\n");
            let elsewhere = sticks.sticks.iter();
            for stick in elsewhere.filter(|stick| keys.leave_a_way_in(header, stick)) {
                // Not proven: it must not write over the screen.
                text += &format!("  the stick {}\n", Printable(&stick.label));
            }
            if sticks.code_of(header.generation).is_some() {
                text += "  the recovery code\n";
            }
            text + "Where they are kept: stayput stick list\n"
        }
        WayBack::None => "NO RECOVERY CODE AND NO VERIFIED STICK IS LISTED THAT IS NOT PLUGGED \
                          IN. Without another\nstick of this server the data is then lost for \
                          ever.\n"
            .into(),
    }
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
        let none = opens_afterwards(&keys, &header, &list);
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
        let one = opens_afterwards(&keys, &header, &list);
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
        let code = opens_afterwards(&keys, &header, &code);
        assert!(code.contains("the recovery code\n"), "{code}");
    }

    #[test]
    fn a_reset_names_the_key_file_that_it_leaves() {
        let told = "NOT DESTROYED: the keys of the database in /etc/mysql/mariadb.keys\n";
        let first = destroyed(&PluggedKeys::default(), told);
        let again = announcement_again(told);
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
}
