//! What goes into the package: the documents as the program writes them, and the files
//! that packaging/contents names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files that packaging/contents takes from the project.
fn sources() -> Vec<String> {
    let contents = fs::read_to_string(project().join("packaging/contents")).unwrap();
    let lines = contents.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let sources = lines.map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words.len(), 3, "{line}");
        assert!(["644", "755"].contains(&words[0]), "{line}");
        words[1].to_owned()
    });
    sources
        .filter(|source| !source.starts_with("target/"))
        .collect()
}

#[test]
fn documents_of_the_package_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let written = Command::new(env!("CARGO_BIN_EXE_stayput-documents"))
        .arg(folder.path())
        .args([&target, "2026-01-31"])
        .current_dir(project())
        .status()
        .unwrap();
    assert!(written.success());
    for path in [
        "share/man/man8/stayput-init.8",
        "share/bash-completion/completions/stayput",
    ] {
        assert!(folder.path().join(path).is_file(), "{path}");
    }
    let bill = fs::read_to_string(folder.path().join("sbom.cdx.json")).unwrap();
    for library in ["\"rust-std\"", "\"glibc\"", "\"nix\""] {
        assert!(bill.contains(library), "{library}");
    }
}

#[test]
fn each_file_in_the_contents_is_there_once() {
    let sources = sources();
    for (index, source) in sources.iter().enumerate() {
        assert!(project().join(source).is_file(), "{source}");
        assert!(!sources[..index].contains(source), "{source}");
    }
}

/// Hooks are compared in stayput's own tests, which know what each one is for.
#[test]
fn every_document_is_in_the_contents() {
    let sources = sources();
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(project().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(path),
                false => {
                    let path = path.display().to_string();
                    assert!(sources.contains(&path), "{path}");
                }
            }
        }
    }
}
