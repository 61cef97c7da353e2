//! `stayput rekey --status`: whose way in is as it was before the last new key.

use crate::admin::problem::Result;
use crate::admin::unlock::Unlocked;
use crate::keys::MasterKey;
use crate::printable::Printable;
use crate::vault::{Header, SlotTable, StickList, Ways};

/// One way in.
struct Row {
    name: String,
    /// Generation in which its way key was made; `None` where the vault does not have it.
    made_in: Option<u32>,
    /// Generation of the key that a stick's own file has.
    file: Option<u32>,
    /// What makes a new way key.
    remedy: &'static str,
}

/// Prints it.
///
/// # Errors
/// When the vault cannot be read.
pub fn print(mut unlocked: Unlocked) -> Result<()> {
    // Who has opened it by typing a passphrase is to see it as it is afterwards.
    let renewed = unlocked.renew_way();
    let slots = unlocked.slots()?.unwrap_or_default();
    let list = unlocked.proven.sticks.draft();
    let of = (unlocked.vault.header(), unlocked.master_key());
    let rows = rows(&slots, &list, &unlocked.ways()?, of);
    for line in in_words(&rows, unlocked.vault.header().generation) {
        println!("{line}");
    }
    renewed
}

fn rows(
    slots: &SlotTable,
    list: &StickList,
    ways: &Ways,
    (header, key): (&Header, &MasterKey),
) -> Vec<Row> {
    let mut rows = Vec::new();
    for person in slots.passphrases.slots() {
        rows.push(Row {
            name: format!("passphrase of {}", Printable(&person.name)),
            made_in: person.made_in(header, key),
            file: None,
            // The same for everybody: whoever reads the list sees of nobody that theirs is
            // one for duress, and none of those is typed as a way in.
            remedy: "change it: stayput passphrase change NAME",
        });
    }
    for stick in &list.sticks {
        // Of two the older one counts, until the stick was read back with the other.
        let kept = ways.way_keys_of_stick(header, key, stick.id).into_iter();
        rows.push(Row {
            name: format!("stick \"{}\"", Printable(&stick.label)),
            made_in: kept.map(|kept| kept.made_in).min(),
            file: ways.stick(stick.id).map(|way| way.file),
            remedy: "plug it in: stayput stick verify",
        });
    }
    if list.code.is_some() || ways.code.is_some() {
        let kept = ways.way_key_of_code(header, key);
        rows.push(Row {
            name: "recovery code".into(),
            made_in: kept.map(|(_, kept)| kept.made_in),
            file: None,
            remedy: "make another one: stayput code --new",
        });
    }
    rows
}

fn in_words(rows: &[Row], generation: u32) -> Vec<String> {
    let mut lines = vec![format!("This server's master key is number {generation}.")];
    if generation == 1 {
        lines.push("It was never replaced.".into());
        return lines;
    }
    for Row {
        name,
        made_in,
        file,
        remedy,
    } in rows
    {
        let mut state = match made_in {
            None => format!("does not get the next key; {remedy}"),
            Some(made_in) if *made_in < generation => {
                format!("as it was under key {made_in}; {remedy}")
            }
            Some(_) => "new".into(),
        };
        if file.is_some_and(|file| file < generation) {
            state += "; its own file is old: stayput stick renew";
        }
        lines.push(format!("  {name:<40} {state}"));
    }
    let oldest = rows.iter().filter_map(|row| row.made_in).min();
    lines.extend(oldest.map(|oldest| what_it_means(oldest, generation)));
    lines
}

/// For whom somebody may have copied the disk, besides finding what was lost.
fn what_it_means(oldest: u32, generation: u32) -> String {
    if oldest == generation {
        return "Sticks, backups and copies of the disk that were made before the last of them was \
                new still have\nthis key wrapped for the old ones. Where the disk may have been \
                copied before: replace the key once\nmore, stayput rekey"
            .into();
    }
    let under = match oldest + 1 == generation {
        true => format!("key {oldest} was"),
        false => format!("one of the keys {oldest} to {} was", generation - 1),
    };
    format!(
        "Whoever has found something while {under} in force, and has a copy of this server's disk \
         of that\ntime, could use what is as it was on a later copy of the disk."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Passphrase;

    fn row(name: &str, made_in: Option<u32>, file: Option<u32>) -> Row {
        Row {
            name: name.into(),
            made_in,
            file,
            remedy: "somehow",
        }
    }

    #[test]
    fn what_is_as_before_is_named_with_what_to_do() {
        let rows = [
            row("halima", Some(2), None),
            row("otieno", Some(1), None),
            row("office", Some(2), Some(1)),
            row("bank", None, Some(2)),
        ];
        let said = in_words(&rows, 2);
        let of = |name: &str| said.iter().find(|line| line.contains(name)).unwrap();
        assert!(of("halima").ends_with(" new"));
        assert!(of("otieno").contains("as it was under key 1; somehow"));
        assert!(of("office").contains("its own file is old"));
        assert!(of("bank").contains("does not get the next key"));
        assert!(said.last().unwrap().contains("while key 1 was in force"));
        // Copies outside the vault still have the key wrapped for the old ones.
        let said = in_words(&rows[..1], 2);
        assert!(said.last().unwrap().contains("replace the key once"));
        // Then all are of the key before: what was found earlier reaches nothing.
        let said = in_words(&rows[..1], 3);
        assert!(said.last().unwrap().contains("while key 2 was in force"));
    }

    #[test]
    fn a_key_that_was_never_replaced_leaves_nothing_to_do() {
        let said = in_words(&[row("halima", Some(1), None)], 1);
        assert!(said.last().unwrap().contains("never"), "{said:?}");
    }

    #[test]
    fn the_list_tells_of_nobody_that_theirs_is_for_duress() {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let mut slots = SlotTable::default();
        for (name, kind) in [
            ("halima", Passphrase::Opens),
            ("otieno", Passphrase::Duress),
        ] {
            let (person, words) = (name.try_into().unwrap(), name.as_bytes());
            slots
                .add_passphrase(&header, &key, person, kind, words, 5)
                .unwrap();
        }
        let later = Header {
            generation: 2,
            check: Header::check_value(&key, &header.server_id, 2),
            ..header.clone()
        };
        slots.passphrases = slots
            .passphrases
            .under_next_key((&header, &key), (&later, &key));
        let list = StickList::default();
        let rows = rows(&slots, &list, &Ways::default(), (&later, &key));
        let said = in_words(&rows, 2);
        let of = |name: &str| said.iter().find(|line| line.contains(name)).unwrap();
        assert_eq!(of("halima").replace("halima", "otieno"), *of("otieno"));
        assert!(of("otieno").ends_with("passphrase change NAME"));
    }
}
