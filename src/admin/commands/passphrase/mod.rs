//! `stayput passphrase`: what people remember to open the locked server.

mod add;
mod change;
mod list;
mod remove;

use crate::admin::ask;
use crate::admin::guessing_time::{explain_passphrase, is_very_weak};
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::suggested_secret::{offer_passphrase, warn_of_the_keyboard};
use crate::admin::unlock::Unlocked;
use crate::vault::{SlotTable, check_passphrase};
#[cfg(test)]
pub use list::example;

/// What `stayput passphrase` can be asked for.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum PassphraseCommand {
    /// Give a person a passphrase that opens this server at its prompt
    Add(add::AddOptions),
    /// Put a new passphrase in place of a person's old one
    Change(change::ChangeOptions),
    /// Take a person's passphrase away
    Remove(remove::RemoveOptions),
    /// Show who has a passphrase
    List(list::ListOptions),
}

impl PassphraseCommand {
    /// Whether it prints a document for scripts.
    pub fn has_document(&self) -> bool {
        matches!(self, Self::List(_))
    }
}

/// # Errors
/// What the command says.
pub fn run(command: &PassphraseCommand, for_scripts: bool) -> Result<()> {
    match command {
        PassphraseCommand::Add(options) => add::add(options),
        PassphraseCommand::Change(options) => change::change(options),
        PassphraseCommand::Remove(options) => remove::remove(options),
        PassphraseCommand::List(options) => list::list(options, for_scripts),
    }
}

/// Offers a new passphrase to this person, asks for one, and tells how long guessing it
/// takes.
fn new_passphrase(unlocked: &Unlocked, person: &str, from_stdin: bool) -> Result<ask::Pin> {
    if !from_stdin {
        offer_passphrase();
    }
    let passphrase = ask::passphrase("New passphrase: ", from_stdin)?;
    check_passphrase(&passphrase).map_err(|error| {
        Problem::new(
            Exit::Usage,
            format!("{error} Nothing was changed."),
            error.advice(),
        )
    })?;
    if !from_stdin && *passphrase != *ask::passphrase("The same once more: ", false)? {
        return Err(Problem::new(
            Exit::Usage,
            "The two are not the same. Nothing was changed.",
            "Run the command again.",
        ));
    }
    let known = [person, unlocked.vault.header().server_name.as_str()];
    println!("{}", explain_passphrase(&passphrase, &known));
    warn_of_the_keyboard(&passphrase);
    if is_very_weak(&passphrase, &known) {
        ask::confirm("Take it all the same?", from_stdin)?;
    }
    Ok(passphrase)
}

/// The table of slots, which holds the passphrases.
fn slots_of(unlocked: &Unlocked) -> Result<Box<SlotTable>> {
    unlocked.slots()?.ok_or_else(|| {
        Problem::refused(
            "No place opens this server any more. Passphrases that there were are gone.",
            "Make a place its home first (stayput enroll), then add passphrases again.",
        )
    })
}

/// The slots after a person was asked: they may be others by then.
fn slots_now(unlocked: &mut Unlocked) -> Result<Box<SlotTable>> {
    unlocked.read_again()?;
    slots_of(unlocked)
}
