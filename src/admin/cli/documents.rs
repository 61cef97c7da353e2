//! Every document that a command prints for scripts, held against docs/json.md and the
//! rules that stand there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::admin::commands::{
    audit, backup, check, log, mariadb, passphrase, policy, simulate, status, stick,
};
use crate::admin::json::SCHEMA;

/// Each command's document with every field that it can have.
fn documents() -> [(&'static str, Value); 10] {
    [
        ("status", status::example()),
        ("check", check::example()),
        ("simulate", simulate::example()),
        ("log", log::example()),
        ("audit", audit::example()),
        ("stick list", stick::example()),
        ("passphrase list", passphrase::example()),
        ("policy", policy::example()),
        ("backup list", backup::example()),
        ("mariadb progress", mariadb::example()),
    ]
}

const DESCRIBED: &str = include_str!("../../../docs/json.md");

/// Whose values are words of ours, from a list that the document gives.
const ENUMS: [&str; 19] = [
    "who",
    "kind",
    "verdict",
    "threat",
    "status",
    "because",
    "cause",
    "alarm",
    "on_alarm",
    "ends",
    "finding",
    "then",
    "medium",
    "without_keys",
    "on_failure",
    "on_strikes",
    "keep",
    "state",
    "method",
];

fn is_snake_case(word: &str) -> bool {
    let mut letters = word.chars();
    letters.next().is_some_and(|c| c.is_ascii_lowercase())
        && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_time(key: &str) -> bool {
    key == "at" || key == "since" || key.ends_with("_at")
}

/// Calls `each` with every key and its value, however deep.
fn walk(value: &Value, each: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                each(key, value);
                walk(value, each);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| walk(value, each)),
        _ => {}
    }
}

#[test]
fn keys_and_words_of_every_document_are_snake_case() {
    for (command, document) in documents() {
        assert!(document.is_object(), "{command}");
        walk(&document, &mut |key, value| {
            assert!(is_snake_case(key), "{command}: {key}");
            if let (true, Some(word)) = (ENUMS.contains(&key), value.as_str()) {
                assert!(is_snake_case(word), "{command}: {key}: {word}");
            }
        });
    }
}

#[test]
fn every_time_is_utc_as_rfc_3339_says_it() {
    let mut times = 0;
    for (command, document) in documents() {
        walk(&document, &mut |key, value| {
            if !is_time(key) || value.is_null() {
                return;
            }
            times += 1;
            let text = value.as_str().unwrap_or_default();
            let read = humantime::parse_rfc3339(text);
            assert!(
                read.is_ok() && text.ends_with('Z'),
                "{command}: {key}: {value}"
            );
        });
    }
    assert!(times > 40);
}

/// What docs/json.md says below this heading, up to the next one.
fn section(heading: &str) -> &'static str {
    let start = format!("\n## {heading}\n");
    let (_, below) = DESCRIBED.split_once(&start).expect(heading);
    below.split("\n## ").next().unwrap_or(below)
}

/// The section with the fields of this key's value, where it is not the command's own.
fn shared_section(key: &str, value: &Value) -> Option<&'static str> {
    match key {
        "event" => Some(section("stayput log")),
        "error" => Some(section("Errors")),
        "need" | "same" | "answered" | "factors" if value.is_object() => Some(section("Groups")),
        _ => None,
    }
}

/// The keys and the words from lists that the section does not tell of.
fn undescribed(value: &Value, section: &str) -> Vec<String> {
    let tells_of = |word: &str| section.contains(&format!("`{word}`"));
    let mut missing = Vec::new();
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let word = value.as_str().filter(|_| ENUMS.contains(&key.as_str()));
                let words = [key.as_str()].into_iter().chain(word);
                missing.extend(words.filter(|word| !tells_of(word)).map(str::to_owned));
                let below = shared_section(key, value).unwrap_or(section);
                missing.extend(undescribed(value, below));
            }
        }
        Value::Array(values) => {
            missing.extend(values.iter().flat_map(|value| undescribed(value, section)));
        }
        _ => {}
    }
    missing
}

#[test]
fn every_field_and_word_is_described_at_its_command() {
    for (command, document) in documents() {
        let missing = undescribed(&document, section(&format!("stayput {command}")));
        assert!(missing.is_empty(), "{command}: {missing:?}");
    }
}

/// The path of every key with the type of its value, a line each. Objects with a `kind`
/// have it in their path; of a word from a list the word itself stands there.
fn shape(path: &str, value: &Value, lines: &mut BTreeSet<String>) {
    let kind = match value.get("kind").and_then(Value::as_str) {
        Some(kind) => format!("({kind})"),
        None => String::new(),
    };
    let path = format!("{path}{kind}");
    let key = path.rsplit('.').next().unwrap_or_default();
    let of = match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(_) => "number".into(),
        Value::String(word) if ENUMS.contains(&key) => format!("`{word}`"),
        Value::String(_) => "string".into(),
        Value::Array(_) => "array".into(),
        Value::Object(_) => "object".into(),
    };
    lines.insert(format!("{path} {of}"));
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                shape(&format!("{path}.{key}"), value, lines);
            }
        }
        Value::Array(values) => {
            for value in values {
                shape(&format!("{path}[]"), value, lines);
            }
        }
        _ => {}
    }
}

#[test]
fn no_field_goes_or_changes_without_a_new_schema() {
    let name = format!("tests/vectors/json-{SCHEMA}.txt");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
    let text = fs::read_to_string(path).expect(&name);
    let promised: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    let mut printed = BTreeSet::new();
    for (command, document) in documents() {
        shape(command, &document, &mut printed);
    }
    let list = |lines: Vec<&String>| {
        let lines: Vec<&str> = lines.into_iter().map(String::as_str).collect();
        lines.join("\n")
    };
    let gone = list(promised.difference(&printed).collect());
    assert!(gone.is_empty(), "gone, so SCHEMA has to grow:\n{gone}");
    let new = list(printed.difference(&promised).collect());
    assert!(new.is_empty(), "new, and belongs into {name}:\n{new}");
}

#[test]
fn every_kind_of_error_is_described() {
    use crate::admin::problem::ProblemKind::*;
    for kind in [
        Failed,
        Usage,
        Locked,
        Refused,
        NotAllowed,
        NotThere,
        NotReadable,
        NotKept,
    ] {
        let word = serde_json::to_value(kind).unwrap();
        let word = word.as_str().unwrap();
        assert!(DESCRIBED.contains(&format!("| `{word}` |")), "{word}");
    }
}
