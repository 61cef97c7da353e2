//! `stayput stick list`: the sticks that were made for this server.

use serde_json::{Value, json};

use crate::admin::json;
use crate::admin::problem::Result;
use crate::admin::timestamp::rfc3339;
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::printable::Printable;
use crate::vault::{KnownStick, PlaceInWords, StickList, Ways};

#[derive(clap::Args, Clone, Debug)]
pub struct ListOptions {
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput stick list`.
///
/// # Errors
/// When the vault does not open.
pub fn list(options: &ListOptions, for_scripts: bool) -> Result<()> {
    let unlocked = unlock(&options.unlock)?;
    let list = &unlocked.proven.sticks;
    let kept = |stick: &KnownStick| unlocked.place(stick.kept.as_ref());
    let ways = unlocked.ways()?;
    if for_scripts {
        json::print(document(list, &ways, kept));
        return Ok(());
    }
    if list.sticks.is_empty() {
        println!("No backup stick was made for this server. Make two, and keep them apart:");
        println!("  stayput stick make DEVICE --label NAME");
    }
    for stick in &list.sticks {
        println!("{}", line(stick, &kept(stick)));
        let generation = unlocked.vault.header().generation;
        if file_of(stick, &ways).is_some_and(|file| file < generation) {
            println!(
                "  It was not plugged in since the key was replaced. Plug it in: stayput stick renew"
            );
        }
    }
    if list.sticks.len() == 1 {
        println!("One stick is none: a second one in another place helps when this one breaks.");
    }
    Ok(())
}

fn line(stick: &KnownStick, kept: &str) -> String {
    let pin = if stick.has_pin { "PIN" } else { "NO PIN" };
    let verified = stick
        .verified
        .map_or("not tried yet, or not since a reset".into(), |at| {
            format!("verified {}", rfc3339(at))
        });
    let kept = match kept {
        "" => String::new(),
        place => format!(", kept: {}", Printable(place)),
    };
    format!(
        "{:<32} {pin:<6} made {}, {verified}{kept}",
        Printable(&stick.label).to_string(),
        rfc3339(stick.made)
    )
}

/// Generation of the master key in the stick's own file; `None` where the vault does not
/// know it.
fn file_of(stick: &KnownStick, ways: &Ways) -> Option<u32> {
    let known = ways.stick(stick.id)?;
    (known.file > 0).then_some(known.file)
}

fn document(list: &StickList, ways: &Ways, kept: impl Fn(&KnownStick) -> PlaceInWords) -> Value {
    let stick = |stick: &KnownStick| {
        json!({
            "id": stick.hex_id(),
            "label": stick.label,
            "has_pin": stick.has_pin,
            "generation": stick.generation,
            "file_generation": file_of(stick, ways),
            "made_at": rfc3339(stick.made),
            "verified_at": stick.verified.map(rfc3339),
            "kept": kept(stick),
        })
    };
    let sticks: Vec<Value> = list.sticks.iter().map(stick).collect();
    json!({ "sticks": sticks })
}

/// A document with every field.
#[cfg(test)]
pub fn example() -> Value {
    let stick = KnownStick {
        id: [0xab; 8],
        label: "office".try_into().unwrap(),
        has_pin: true,
        generation: 1,
        made: 1_700_000_000,
        verified: Some(1_700_000_000),
        kept: None,
    };
    let list = StickList {
        sticks: [stick].into_iter().collect(),
        code: None,
    };
    let key = crate::keys::MasterKey::generate();
    let header = crate::vault::Header::of_a_new_server(&key);
    let way_key = crate::keys::UnsealedWayKey {
        key: crate::keys::WayKey::random(),
        made_in: 1,
    };
    let mut ways = Ways::default();
    assert!(ways.note_stick(&header, &key, [0xab; 8], &way_key, 1));
    document(&list, &ways, |_| "bank safe".try_into().unwrap())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_without_a_pin_stands_out() {
        let stick = KnownStick {
            id: [0xab; 8],
            label: "office".try_into().unwrap(),
            has_pin: false,
            generation: 1,
            made: 1_700_000_000,
            verified: None,
            kept: None,
        };
        let text = line(&stick, "bank");
        assert!(text.contains("NO PIN"), "{text}");
        assert!(text.contains("not since a reset, kept: bank"), "{text}");
        let hostile = KnownStick {
            label: "a\x1b[2J\nb".try_into().unwrap(),
            ..stick.clone()
        };
        let text = line(&hostile, "c\nd");
        assert!(text.starts_with("a\\u001b[2J\\u000ab "), "{text}");
        assert!(text.ends_with("kept: c\\u000ad"), "{text}");
        let list = StickList {
            sticks: [stick].into_iter().collect(),
            code: None,
        };
        let json = document(&list, &Ways::default(), |_| "bank".try_into().unwrap());
        assert_eq!(json["sticks"][0]["file_generation"], Value::Null);
        assert_eq!(json["sticks"][0]["id"], "abababababababab");
        assert_eq!(json["sticks"][0]["verified_at"], Value::Null);
    }
}
