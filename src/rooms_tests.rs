//! Holds the rooms of docs/architecture.md to their order: imports run
//! downwards only, so there is no circle.

use std::fs;
use std::path::Path;

/// From the lowest floor to the highest. Rooms of one floor know nothing of
/// each other.
const FLOORS: [&[&str]; 8] = [
    &["sys"],
    &["keys"],
    &["theft"],
    &["vault"],
    &["environment", "release", "stick"],
    &["opening", "reset"],
    &["admin", "boot"],
    &["bin"],
];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that a line of code names, `crate::vault::Vault` for one.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    let paths = code.split("crate::").skip(1);
    paths.map(|path| {
        let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
        &path[..end.unwrap_or(path.len())]
    })
}

/// What a file of this room imports from where it must not.
fn upwards(room: &str, text: &str) -> Vec<String> {
    let Some(own) = floor(room) else {
        return Vec::new();
    };
    let higher = |other: &&str| *other != room && floor(other).is_some_and(|floor| floor >= own);
    let lines = text.lines();
    lines
        .flat_map(|line| named(line).filter(higher).map(str::to_owned))
        .collect()
}

fn look(folder: &Path, room: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            look(&path, room, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for other in upwards(room, &text) {
            found.push(format!("{} imports {other}", path.display()));
        }
    }
}

#[test]
fn imports_run_downwards_from_room_to_room() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for room in FLOORS.iter().flat_map(|rooms| rooms.iter()) {
        match src.join(room) {
            folder if folder.is_dir() => look(&folder, room, &mut found),
            _ => {
                let text = fs::read_to_string(src.join(format!("{room}.rs"))).unwrap();
                let others = upwards(room, &text).into_iter();
                found.extend(others.map(|other| format!("{room}.rs imports {other}")));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_room_has_its_floor() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        // What is no room: it belongs to all of them.
        let common = ["lib", "fuzzing", "rooms_tests"];
        assert!(floor(&name).is_some() || common.contains(&&*name), "{name}");
    }
}

#[test]
fn an_import_of_a_higher_room_is_seen() {
    assert_eq!(upwards("vault", "use crate::boot::run;"), ["boot"]);
    assert_eq!(
        upwards("stick", "fn a(b: crate::release::C) {}"),
        ["release"]
    );
    let fine = "use crate::keys::MasterKey;\n/// See [`crate::boot`].\nuse crate::vault::x;";
    assert!(upwards("vault", fine).is_empty());
}
