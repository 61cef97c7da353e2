//! Writes the documents of a package: manual pages, completions for shells, and the
//! bill of materials. What they say comes from the command line that the admin command
//! reads, and from Cargo.lock, so that it cannot be another one.

mod bill_of_materials;
mod completions;
mod manual;
mod toolchain;

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

/// What went wrong, in words.
type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "Usage: stayput-documents FOLDER TARGET DATE
FOLDER is made, TARGET is the programs' (x86_64-unknown-linux-gnu), DATE stands in the \
manual pages (2026-01-31).";

fn main() -> Result {
    let words: Vec<String> = env::args().skip(1).collect();
    let [folder, target, date] = words.as_slice() else {
        return Err(USAGE.into());
    };
    let folder = PathBuf::from(folder);
    fs::create_dir_all(&folder)?;
    manual::write(&folder, date)?;
    completions::write(&folder)?;
    bill_of_materials::write(&folder, target)
}
