//! `stayput sheet`: the page for the drawer, for whoever stands in front of the locked
//! server. No secret is on it.

mod content;
mod html;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::admin::durable::write_durably;
use crate::admin::open_vault::open_vault_read_only;
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::{UnlockOptions, unlock};
use content::{KeptAt, Sheet};

#[derive(clap::Args, Clone, Debug)]
pub struct SheetOptions {
    /// As a web page, for a browser that prints it
    #[arg(long)]
    html: bool,
    /// Write it into this file, on a mounted stick for one
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Name the sticks and where they are kept: whoever reads the page then knows too
    #[arg(long)]
    with_places: bool,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput sheet`.
///
/// # Errors
/// When there is no vault, or the file cannot be written; with places also when the
/// vault does not open.
pub fn run(options: &SheetOptions) -> Result<()> {
    let sheet = match options.with_places {
        true => with_places(&options.unlock)?,
        false => {
            let vault = open_vault_read_only()?;
            Sheet::of(&vault.header().server_name, &[])
        }
    };
    let text = match options.html {
        true => html::page(&sheet),
        false => sheet.text(),
    };
    let Some(path) = &options.to else {
        print!("{text}");
        return Ok(());
    };
    must_be_a_file_to_be(path)?;
    write_durably(path, text.as_bytes()).map_err(|error| Problem::of_file(path, &error))?;
    // On a stick with vfat there are no owners.
    let _ = fs::set_permissions(path, Permissions::from_mode(0o600));
    println!("{}: written", path.display());
    Ok(())
}

/// Without the stick the page would lie on the server; a device's own file would be
/// replaced.
fn must_be_a_file_to_be(path: &Path) -> Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Problem::refused(
            format!("{} is not there. Nothing was written.", folder.display()),
            "Is the stick mounted?",
        ));
    }
    if folder.is_some_and(is_nothing_mounted) {
        return Err(Problem::refused(
            format!(
                "Nothing is mounted at {}: the page would lie on the server. Nothing was written.",
                path.parent().unwrap_or(path).display()
            ),
            "Mount the stick first, or name another file.",
        ));
    }
    if path.exists() && !path.is_file() {
        return Err(Problem::refused(
            format!("{} is no file. Nothing was written.", path.display()),
            "Name a file, such as /media/stick/stayput.txt.",
        ));
    }
    Ok(())
}

/// Whether this folder is one for sticks, and lies on the server's own disk.
fn is_nothing_mounted(folder: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
    let for_sticks = ["/media", "/mnt", "/run/media"];
    let is_for_sticks = for_sticks.iter().any(|place| folder.starts_with(place));
    match (
        device(folder),
        device(Path::new("/")),
        device(Path::new("/run")),
    ) {
        (Ok(folder), Ok(root), Ok(run)) => is_for_sticks && [root, run].contains(&folder),
        _ => false,
    }
}

fn with_places(options: &UnlockOptions) -> Result<Sheet> {
    let unlocked = unlock(options)?;
    let list = &unlocked.proven.sticks;
    let generation = unlocked.vault.header().generation;
    let sticks = list.sticks.iter();
    let sticks = sticks.filter(|stick| stick.generation == generation);
    let mut kept: Vec<KeptAt> = sticks
        .map(|stick| KeptAt {
            what: format!("Stick \"{}\"", stick.label),
            place: unlocked.place(stick.kept.as_ref()).as_str().to_owned(),
        })
        .collect();
    if let Some(code) = list.code_of(generation) {
        kept.push(KeptAt {
            what: "Recovery code".into(),
            place: unlocked.place(code.kept.as_ref()).as_str().to_owned(),
        });
    }
    Ok(Sheet::of(&unlocked.vault.header().server_name, &kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_that_is_not_mounted_gets_no_page() {
        let folder = tempfile::tempdir().unwrap();
        let told = |path: &Path| must_be_a_file_to_be(path).map_err(|problem| problem.what);
        assert_eq!(told(&folder.path().join("sheet.txt")), Ok(()));
        assert_eq!(told(Path::new("sheet.txt")), Ok(()));
        let unmounted = folder.path().join("usb/sheet.txt");
        assert!(told(&unmounted).unwrap_err().contains("is not there"));
        assert!(!folder.path().join("usb").exists());
        // The folder is there, and the stick is not.
        assert!(
            told(Path::new("/mnt/sheet.txt"))
                .unwrap_err()
                .contains("Nothing is mounted")
        );
        // The stick's own device.
        assert!(
            told(Path::new("/dev/null"))
                .unwrap_err()
                .contains("is no file")
        );
    }
}
