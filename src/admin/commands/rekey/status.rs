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
pub fn print(unlocked: &Unlocked) -> Result<()> {
    let slots = unlocked.slots()?.unwrap_or_default();
    let list = unlocked.proven.sticks.draft();
    let of = (unlocked.vault.header(), unlocked.master_key());
    let rows = rows(&slots, &list, &unlocked.ways()?, of);
    for line in in_words(&rows, unlocked.vault.header().generation) {
        println!("{line}");
    }
    Ok(())
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
            remedy: "have it typed: stayput rekey --status --passphrase",
        });
    }
    for stick in &list.sticks {
        let kept = ways.way_key_of_stick(header, key, stick.id);
        rows.push(Row {
            name: format!("stick \"{}\"", Printable(&stick.label)),
            made_in: kept.map(|kept| kept.made_in),
            file: ways.stick(stick.id).map(|way| way.file),
            remedy: "plug it in: stayput stick verify",
        });
    }
    if list.code.is_some() {
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
    let mut is_old = false;
    for Row {
        name,
        made_in,
        file,
        remedy,
    } in rows
    {
        let mut state = match made_in {
            None => format!("does not get the next key; {remedy}"),
            Some(made_in) if *made_in < generation => format!("as before; new {remedy}"),
            Some(_) => "new".into(),
        };
        is_old |= *made_in < Some(generation);
        if file.is_some_and(|file| file < generation) {
            state += "; its own file is old: stayput stick renew";
        }
        lines.push(format!("  {name:<40} {state}"));
    }
    if is_old {
        lines.push(
            "Whoever has an old copy of this server's disk and what was lost could use what is as \
             before on a\nlater copy of the disk."
                .into(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(of("otieno").contains("as before; new somehow"));
        assert!(of("office").contains("its own file is old"));
        assert!(of("bank").contains("does not get the next key"));
        assert!(said.last().unwrap().contains("old copy"));
        let said = in_words(&rows[..1], 2);
        assert!(!said.last().unwrap().contains("old copy"));
    }

    #[test]
    fn a_key_that_was_never_replaced_leaves_nothing_to_do() {
        let said = in_words(&[row("halima", Some(1), None)], 1);
        assert!(said.last().unwrap().contains("never"), "{said:?}");
    }
}
