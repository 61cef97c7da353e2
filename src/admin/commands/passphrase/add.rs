//! `stayput passphrase add`.

use super::{new_passphrase, slots_now, slots_of};
use crate::admin::names::name;
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::admin::ways_in::WaysIn;
use crate::sys::clock;
use crate::vault::{EventKind, Passphrase, PersonName};

#[derive(clap::Args, Clone, Debug)]
pub struct AddOptions {
    /// Whose it is; stands in the log when it opens the server
    #[arg(value_parser = name::<32>)]
    name: PersonName,
    /// Entered under duress it looks like a wrong one, and destroys the key on
    /// this disk; only a stick or the recovery code then opens the server
    #[arg(long)]
    duress: bool,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Duress where nothing is left afterwards would lose the data.
fn refuse_the_end(kind: Passphrase, left: &WaysIn) -> Result<()> {
    if kind == Passphrase::Opens || left.survive_a_reset() {
        return Ok(());
    }
    Err(Problem::refused(
        "No backup stick is verified and no recovery code is written down: this passphrase \
         would lose the data for ever.",
        "First make a stick (stayput stick make) or write the code down (stayput code).",
    ))
}

/// Runs `stayput passphrase add`.
///
/// # Errors
/// When the vault does not open or has no slot left, or the person has a
/// passphrase already.
pub fn add(options: &AddOptions) -> Result<()> {
    let mut unlocked = unlock(&options.unlock)?;
    // Before anything is asked.
    slots_of(&unlocked)?;
    let left = WaysIn::of(&unlocked, &unlocked.proven.sticks)?;
    let kind = match options.duress {
        true => Passphrase::Duress,
        false => Passphrase::Opens,
    };
    refuse_the_end(kind, &left)?;
    let passphrase = new_passphrase(&unlocked, &options.name, options.unlock.passphrase_stdin)?;
    let mut slots = slots_now(&mut unlocked)?;
    let (header, key) = (unlocked.vault.header(), unlocked.master_key());
    let name = options.name.clone();
    slots.add_passphrase(header, key, name.clone(), kind, &passphrase, clock::now())?;
    unlocked.replace_slots(&slots)?;
    unlocked.log(EventKind::PassphraseAdded { name })?;
    match kind {
        Passphrase::Opens => println!(
            "\"{}\" can open this server at its prompt now: type passphrase there.\nIt goes with a \
             reset; after one, add it again.",
            options.name
        ),
        Passphrase::Duress => println!(
            "Entered at the prompt or to a command it looks like a wrong passphrase, and destroys \
             the\nkey on this disk. A copy of the disk that was made before is not affected."
        ),
    }
    if !left.survive_a_reset() {
        println!(
            "No backup stick is verified and no recovery code is written down: after a reset \
             nothing\nwould open this server. Make one: stayput stick make, or stayput code"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_given_a_passphrase_that_loses_the_data_for_ever() {
        let left = |sticks, code| WaysIn {
            sticks,
            code,
            passphrases: 3,
        };
        for (left, duress) in [
            (left(0, false), false),
            (left(1, false), true),
            (left(0, true), true),
        ] {
            assert!(refuse_the_end(Passphrase::Opens, &left).is_ok());
            let refused = refuse_the_end(Passphrase::Duress, &left);
            assert_eq!(refused.is_ok(), duress, "{left:?}");
        }
    }
}
