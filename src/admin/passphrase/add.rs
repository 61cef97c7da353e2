//! `stayput passphrase add`.

use super::{new_passphrase, person, problem, slots_of};
use crate::admin::ways_in::WaysIn;
use crate::admin::{Problem, Result, UnlockOptions, unlock};
use crate::sys::clock;
use crate::vault::{EventKind, Passphrase, PersonName};

#[derive(clap::Args, Clone, Debug)]
pub struct AddOptions {
    /// Whose it is; stands in the log when it opens the server
    #[arg(value_parser = person)]
    name: PersonName,
    /// Entered under duress it looks like a wrong one, and destroys the key on
    /// this disk; only a stick or the recovery code then opens the server
    #[arg(long)]
    duress: bool,
    #[command(flatten)]
    unlock: UnlockOptions,
}

pub fn add(options: &AddOptions) -> Result<()> {
    let mut unlocked = unlock(&options.unlock)?;
    let mut slots = slots_of(&unlocked)?;
    let left = WaysIn::of(&unlocked, &unlocked.proven.sticks)?;
    if options.duress && !left.survive_a_reset() {
        return Err(Problem::refused(
            "No backup stick is verified and no recovery code is written down: this passphrase \
             would lose the data for ever.",
            "First make a stick (stayput stick make) or write the code down (stayput code).",
        ));
    }
    let kind = match options.duress {
        true => Passphrase::Duress,
        false => Passphrase::Opens,
    };
    let words = new_passphrase(options.unlock.passphrase_stdin)?;
    let (header, key) = (unlocked.vault.header(), unlocked.master_key());
    let name = options.name.clone();
    slots
        .add_passphrase(header, key, name.clone(), kind, &words, clock::now())
        .map_err(problem)?;
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
