//! How it stands with the database, for people.

use super::Status;
use crate::admin::mariadb::{self, KeptCopy, KeySupply};
use crate::admin::one_screen::Item;
use crate::admin::one_screen::Urgency::{Never, Now, Soon};

impl Status<'_> {
    /// Where its keys come from, and what of it lies beside it.
    pub(super) fn database_items(&self) -> Vec<Item> {
        let mut items = Vec::from_iter(self.key_supply_item());
        match &self.original {
            Ok(None) => {}
            Ok(Some(original)) => {
                let name = match original.is_clear_copy() {
                    true => "CLEAR COPY",
                    false => "MariaDB",
                };
                let text = format!("{name}: {}\n  {}", original.what(), original.next());
                items.push(Item::new(Soon, text));
            }
            Err(error) => {
                items.push(Item::new(Now, format!("CLEAR COPY: perhaps; {error}.")));
            }
        }
        match &self.copies {
            Ok(copies) => items.extend(copies.iter().map(kept_copy)),
            // It was told with the original.
            Err(_) if self.original.is_err() => {}
            Err(error) => {
                items.push(Item::new(Now, format!("CLEAR COPY: perhaps; {error}.")));
            }
        }
        if mariadb::disable::is_under_way() {
            let text = "MariaDB: `stayput mariadb disable` was begun and has not ended.\n  \
                        Run it again: it puts back first what it has begun.";
            items.push(Item::new(Now, text));
        }
        if let Some(path) = mariadb::enable::rehearsal_left_behind() {
            let text = format!(
                "Rehearsal: one was interrupted; its encrypted copy takes room in {}.\n  \
                 To remove it: stayput mariadb enable --undo",
                path.display()
            );
            items.push(Item::new(Soon, text));
        }
        items
    }

    /// How old the newest backup is, and which sticks may be pulled out.
    pub(super) fn backup_items(&self) -> Vec<Item> {
        let newest = self.backup.sentence(self.now);
        let newest = newest.map(|text| match self.backup.is_too_old(self.now) {
            true => Item::new(
                Soon,
                format!("{text}\n  To make one: stayput backup --to PLACE"),
            ),
            false => Item::new(Never, text),
        });
        let sticks = self.backup_sticks.iter();
        let sticks = sticks.map(|stick| match stick.is_well() {
            true => Item::new(Never, stick.sentence()),
            false => Item::new(Soon, stick.sentence()),
        });
        newest.into_iter().chain(sticks).collect()
    }

    /// Where MariaDB takes its keys from.
    fn key_supply_item(&self) -> Option<Item> {
        if let Some(path) = &self.key_file {
            let text = format!(
                "MariaDB: its keys are in {}; whoever takes the server can read the \
                 database.\n  To have stayput keep them: stayput mariadb enable",
                path.display()
            );
            return Some(Item::new(Soon, text));
        }
        let is_told = matches!(self.original, Ok(Some(_)));
        Some(match &self.keys {
            KeySupply::Whole => Item::new(Never, "MariaDB: gets its keys from here."),
            // It is told below what became of it.
            KeySupply::None | KeySupply::Unused if is_told => return None,
            KeySupply::None if self.policy().is_none() => return None,
            KeySupply::None => Item::new(Soon, "MariaDB: not set up. Run: stayput mariadb enable"),
            KeySupply::Unused => Item::new(
                Soon,
                "MariaDB: NOT ENCRYPTED with keys from here. The vault gives it keys, and nothing \
                 takes them.\n  To encrypt it: stayput mariadb enable. To leave it clear: stayput \
                 mariadb disable --clear",
            ),
            KeySupply::Broken(missing) => {
                let next = match is_told {
                    true => "The next line says what to do.",
                    false => "stayput check says more; stayput mariadb enable puts it back.",
                };
                let text = format!(
                    "MariaDB: its keys from here do not all reach it: {}.\n  {next}",
                    missing.join("; ")
                );
                Item::new(Now, text)
            }
        })
    }
}

fn kept_copy(copy: &KeptCopy) -> Item {
    let name = match copy.is_clear() {
        true => "CLEAR COPY",
        false => "Kept copy",
    };
    Item::new(Soon, format!("{name}: {}\n  {}", copy.what(), copy.next()))
}
