//! `stayput passphrase remove`.

use super::slots_of;
use crate::admin::names::name;
use crate::admin::problem::Result;
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::admin::ways_in::{WaysIn, confirm_removal};
use crate::vault::{EventKind, Passphrase, PersonName};

#[derive(clap::Args, Clone, Debug)]
pub struct RemoveOptions {
    /// Whose it is
    #[arg(value_parser = name::<32>)]
    name: PersonName,
    /// Do not ask; given twice, not even when it is the last way in
    #[arg(long, action = clap::ArgAction::Count)]
    yes: u8,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput passphrase remove`.
///
/// # Errors
/// When the vault does not open, or the person has no passphrase.
pub fn remove(options: &RemoveOptions) -> Result<()> {
    let mut unlocked = unlock(&options.unlock)?;
    let mut slots = slots_of(&unlocked)?;
    let name = options.name.clone();
    let mut left = WaysIn::of(&unlocked, &unlocked.proven.sticks)?;
    let (header, key) = (unlocked.vault.header(), unlocked.master_key());
    let opens = slots
        .passphrases
        .slots()
        .iter()
        .any(|slot| slot.name == name && slot.kind(header, key) == Some(Passphrase::Opens));
    slots.passphrases.remove(&name)?;
    left.passphrases -= usize::from(opens);
    let lost = (opens && left.is_none()).then_some(&left);
    let question = format!("Take the passphrase of \"{name}\" away?");
    confirm_removal(&question, lost, options.yes)?;
    unlocked.replace_slots(&slots)?;
    unlocked.log(EventKind::PassphraseRemoved { name })?;
    println!(
        "The passphrase of \"{}\" is removed. It opens nothing but copies of the disk that were \
         made\nbefore.",
        options.name
    );
    Ok(())
}
