//! `stayput passphrase change`.

use super::{new_passphrase, slots_now, slots_of};
use crate::admin::names::name;
use crate::admin::problem::Result;
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::sys::clock;
use crate::vault::{EventKind, PersonName};

#[derive(clap::Args, Clone, Debug)]
pub struct ChangeOptions {
    /// Whose it is
    #[arg(value_parser = name::<32>)]
    name: PersonName,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput passphrase change`. The old passphrase is not asked for, because
/// it may be forgotten. One for duress stays one for duress.
///
/// # Errors
/// When the vault does not open, or the person has no passphrase.
pub fn change(options: &ChangeOptions) -> Result<()> {
    let mut unlocked = unlock(&options.unlock)?;
    // Before anything is asked.
    slots_of(&unlocked)?;
    let passphrase = new_passphrase(&unlocked, &options.name, options.unlock.passphrase_stdin)?;
    let mut slots = slots_now(&mut unlocked)?;
    let (header, key) = (unlocked.vault.header(), unlocked.master_key());
    let name = options.name.clone();
    slots
        .passphrases
        .change(header, key, &name, &passphrase, clock::now())?;
    unlocked.replace_slots(&slots)?;
    unlocked.log(EventKind::PassphraseChanged { name })?;
    println!(
        "The passphrase of \"{}\" is changed. The old one opens nothing but copies of the disk \
         that\nwere made before.",
        options.name
    );
    Ok(())
}
