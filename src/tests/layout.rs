//! Holds all tests to two layouts and to short names: see CONTRIBUTING.md.

use std::fs;
use std::path::{Path, PathBuf};

/// What a name may be long, so that it is read at a glance.
const LONGEST_NAME: usize = 60;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources_of(folders: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders {
        sources(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            &mut found,
        );
    }
    assert!(found.len() > 100);
    found
}

#[test]
fn unit_tests_stand_in_their_file_or_in_a_folder_beside_it() {
    for path in sources_of(&["src"]) {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_beside = name.ends_with("_tests") || text.contains("\n#[path");
        assert!(!is_beside, "{}", path.display());
    }
}

#[test]
fn a_tests_name_is_read_at_a_glance() {
    for path in sources_of(&["src", "qemu-tests/src", "qemu-tests/tests"]) {
        let text = fs::read_to_string(&path).unwrap();
        let names = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("fn "));
        for name in names
            .filter_map(|rest| rest.split_once('('))
            .map(|(name, _)| name)
        {
            assert!(name.len() <= LONGEST_NAME, "{name}, {}", path.display());
        }
    }
}
