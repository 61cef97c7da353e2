//! Every document that a command prints for scripts, held against docs/json.md and the
//! rules that stand there.

use serde_json::Value;

use crate::admin::commands::{
    audit, backup, check, log, passphrase, policy, simulate, status, stick,
};

/// Each command's document with every field that it can have.
fn documents() -> [(&'static str, Value); 9] {
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

#[test]
fn every_field_and_word_is_described() {
    let is_described = |word: &str| DESCRIBED.contains(&format!("`{word}`"));
    for (command, document) in documents() {
        let heading = format!("\n## stayput {command}\n");
        assert!(DESCRIBED.contains(&heading), "{command}");
        walk(&document, &mut |key, value| {
            assert!(is_described(key), "{command}: {key}");
            if let (true, Some(word)) = (ENUMS.contains(&key), value.as_str()) {
                assert!(is_described(word), "{command}: {key}: {word}");
            }
        });
    }
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
    ] {
        let word = serde_json::to_value(kind).unwrap();
        let word = word.as_str().unwrap();
        assert!(DESCRIBED.contains(&format!("| `{word}` |")), "{word}");
    }
}
