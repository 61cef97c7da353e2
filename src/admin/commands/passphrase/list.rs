//! `stayput passphrase list`.

use serde_json::{Value, json};

use super::slots_of;
use crate::admin::json;
use crate::admin::problem::Result;
use crate::admin::timestamp::rfc3339;
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::printable::Printable;
use crate::vault::{Passphrase, PassphraseSlot};

#[derive(clap::Args, Clone, Debug)]
pub struct ListOptions {
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput passphrase list`. A passphrase for duress is named as one:
/// whoever sees the list has the key already, and the owner must not take it for
/// a way in.
///
/// # Errors
/// When the vault does not open.
pub fn list(options: &ListOptions, for_scripts: bool) -> Result<()> {
    let unlocked = unlock(&options.unlock)?;
    let slots = slots_of(&unlocked)?;
    let (header, key) = (unlocked.vault.header(), unlocked.master_key());
    let slots = slots.passphrases.slots().iter();
    let people: Vec<_> = slots.map(|slot| (slot, slot.kind(header, key))).collect();
    if for_scripts {
        json::print(document(&people));
        return Ok(());
    }
    if people.is_empty() {
        println!("Nobody has a passphrase. Give a person one: stayput passphrase add NAME");
    }
    for (slot, kind) in people {
        println!("{}", line(slot, kind));
    }
    Ok(())
}

fn word(kind: Option<Passphrase>) -> &'static str {
    match kind {
        Some(Passphrase::Opens) => "opens",
        Some(Passphrase::Duress) => "DURESS",
        None => "unknown",
    }
}

fn line(slot: &PassphraseSlot, kind: Option<Passphrase>) -> String {
    let changed = match slot.changed == slot.made {
        true => String::new(),
        false => format!(", changed {}", rfc3339(slot.changed)),
    };
    format!(
        "{:<32} {:<7} made {}{changed}",
        Printable(&slot.name).to_string(),
        word(kind),
        rfc3339(slot.made)
    )
}

fn document(people: &[(&PassphraseSlot, Option<Passphrase>)]) -> Value {
    let person = |(slot, kind): &(&PassphraseSlot, Option<Passphrase>)| {
        json!({
            "name": slot.name,
            "kind": word(*kind).to_lowercase(),
            "made_at": rfc3339(slot.made),
            "changed_at": rfc3339(slot.changed),
        })
    };
    let people: Vec<Value> = people.iter().map(person).collect();
    json!({ "people": people })
}

#[cfg(test)]
pub use tests::example;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;
    use crate::vault::{Header, SlotTable};

    fn two_people() -> (Header, MasterKey, SlotTable) {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let mut table = SlotTable::default();
        for (name, kind) in [("Halima", Passphrase::Opens), ("x", Passphrase::Duress)] {
            let (name, words) = (name.try_into().unwrap(), name.as_bytes());
            table
                .add_passphrase(&header, &key, name, kind, words, 1_700_000_000)
                .unwrap();
        }
        (header, key, table)
    }

    #[test]
    fn one_for_duress_is_not_taken_for_a_way_in() {
        let (header, key, table) = two_people();
        let slots = table.passphrases.slots().iter();
        let people: Vec<_> = slots.map(|slot| (slot, slot.kind(&header, &key))).collect();
        let text = line(people[0].0, people[0].1);
        assert!(text.contains("opens   made 2023-11-14T22:13:20Z"), "{text}");
        assert!(line(people[1].0, people[1].1).contains("DURESS"));
        let json = document(&people);
        assert_eq!(json["people"][0]["kind"], "opens");
        assert_eq!(json["people"][1]["kind"], "duress");
    }

    /// A document with every field.
    pub fn example() -> Value {
        let (.., table) = two_people();
        let slots = table.passphrases.slots().iter();
        let people: Vec<_> = slots.map(|slot| (slot, None)).collect();
        document(&people)
    }
}
