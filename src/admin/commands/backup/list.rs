//! `stayput backup list`: the backups of this server that are in a place.

use serde_json::{Value, json};

use super::{FromOptions, look};
use crate::admin::backup::{Found, State, Summary, newest, size};
use crate::admin::json;
use crate::admin::problem::Result;
use crate::admin::timestamp::rfc3339;
use crate::backup::Method;
use crate::printable::Printable;

/// Runs `stayput backup list`.
///
/// # Errors
/// When the place cannot be read, or the manifests' key is not in memory.
pub fn list(options: &FromOptions, for_scripts: bool) -> Result<()> {
    let looked = look(&options.from)?;
    let made = newest(&looked.keys)?.map_or(0, |newest| newest.number);
    if for_scripts {
        json::print(document(&looked.found, made));
        return Ok(());
    }
    for one in &looked.found {
        println!("{}", line(one));
    }
    let whole = looked.found.iter();
    let whole = whole.filter(|one| matches!(one.state, State::Whole(_)));
    match whole.map(|one| one.number).max() {
        None => println!("No backup here is whole and of this server's key of now."),
        Some(here) if here < made => {
            println!("The newest here is number {here}; this server has made number {made}.");
        }
        Some(_) => {}
    }
    Ok(())
}

fn line(one: &Found) -> String {
    let told = match &one.state {
        State::Whole(summary) | State::Earlier(summary) => {
            let label = match summary.label.as_str() {
                "" => String::new(),
                label => format!(", \"{}\"", Printable(label)),
            };
            let earlier = match one.state {
                State::Earlier(_) => ", made before the master key was replaced",
                _ => "",
            };
            format!(
                "{:>8}  {:<8} {} tables, {} rows{label}{earlier}",
                size(summary.bytes),
                method(summary.method),
                summary.tables,
                summary.rows
            )
        }
        State::Unfinished => "unfinished: it is being written, or that was interrupted".into(),
        State::Damaged(why) => format!("DAMAGED: {}", Printable(why)),
    };
    format!("{:>6}  {}  {told}", one.number, Printable(&one.name))
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Physical => "physical",
        Method::Dump => "dump",
    }
}

fn document(found: &[Found], made: u64) -> Value {
    let backups: Vec<Value> = found.iter().map(entry).collect();
    json!({ "newest_made": made, "backups": backups })
}

fn entry(one: &Found) -> Value {
    let (state, why, summary) = match &one.state {
        State::Whole(summary) => ("whole", None, Some(summary)),
        State::Earlier(summary) => ("earlier", None, Some(summary)),
        State::Unfinished => ("unfinished", None, None),
        State::Damaged(why) => ("damaged", Some(why), None),
    };
    let of = |value: fn(&Summary) -> Value| summary.map_or(Value::Null, value);
    json!({
        "number": one.number,
        "name": one.name,
        "state": state,
        "why": why,
        "made_at": of(|summary| rfc3339(summary.made).into()),
        "bytes": of(|summary| summary.bytes.into()),
        "method": of(|summary| method(summary.method).into()),
        "tables": of(|summary| summary.tables.into()),
        "rows": of(|summary| summary.rows.into()),
        "generation": of(|summary| summary.generation.into()),
        "mariadb_version": of(|summary| summary.mariadb_version.clone().into()),
        "label": of(|summary| summary.label.clone().into()),
    })
}

#[cfg(test)]
pub fn examples() -> [Found; 4] {
    let summary = Summary {
        made: 1_764_274_500,
        bytes: 412_000_000,
        method: Method::Physical,
        tables: 34,
        rows: 51_234,
        generation: 1,
        mariadb_version: "10.11.19-MariaDB".into(),
        label: "before the update".into(),
    };
    let found = |number, state| Found {
        name: crate::backup::folder_name(number, 1_764_274_500),
        number,
        state,
    };
    [
        found(11, State::Damaged("it has no manifest".into())),
        found(12, State::Whole(summary.clone())),
        found(13, State::Unfinished),
        found(9, State::Earlier(summary)),
    ]
}

/// A document with every field.
#[cfg(test)]
pub fn example() -> Value {
    document(&examples(), 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_backup_stands_out_and_its_words_are_harmless() {
        let [damaged, whole, unfinished, earlier] = examples().map(|one| line(&one));
        assert!(
            damaged.ends_with("DAMAGED: it has no manifest"),
            "{damaged}"
        );
        let tables = "412 MB  physical 34 tables, 51234 rows, \"before the update\"";
        assert!(whole.ends_with(tables), "{whole}");
        assert!(unfinished.contains("unfinished"), "{unfinished}");
        assert!(earlier.contains("before the master key"), "{earlier}");
        let hostile = Found {
            state: State::Damaged("a\x1b[2J".into()),
            ..examples()[0].clone()
        };
        assert!(line(&hostile).ends_with("a\\u001b[2J"));
    }
}
