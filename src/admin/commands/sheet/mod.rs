//! `stayput sheet`: the page for the drawer, for whoever stands in front of the locked
//! server. No secret is on it.

mod content;
mod html;

use std::path::PathBuf;

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
    write_durably(path, text.as_bytes()).map_err(|error| Problem::of_file(path, &error))?;
    println!("{}: written", path.display());
    Ok(())
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
