//! `stayput stick remove`: takes a stick off the list that is lost or retired.

use super::doubt;
use crate::admin::named_stick::named_stick;
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::{UnlockOptions, Unlocked, unlock};
use crate::admin::ways_copies;
use crate::admin::ways_in::{WaysIn, confirm_removal};
use crate::stick::PluggedKeys;
use crate::vault::{EventKind, KnownStick};

#[derive(clap::Args, Clone, Debug)]
pub struct RemoveOptions {
    /// The stick's label, or the id that `stick list --json` shows
    #[arg(value_name = "LABEL|ID")]
    which: String,
    /// Destroy the key on it as well; it must be plugged in
    #[arg(long)]
    wipe: bool,
    /// Do not ask; given twice, not even when nothing else is left
    #[arg(long, action = clap::ArgAction::Count)]
    yes: u8,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput stick remove`.
///
/// # Errors
/// When the vault does not open, or no such stick is listed.
pub fn remove(options: &RemoveOptions) -> Result<()> {
    let mut unlocked = unlock(&options.unlock)?;
    let mut list = unlocked.proven.sticks.draft();
    let stick = named_stick(&list, &options.which)?.clone();
    list.sticks.retain(|known| known.id != stick.id);
    if options.wipe {
        where_it_sits(&unlocked, &stick)?;
    }
    let left = WaysIn::of(&unlocked, &list)?;
    let is_lost = takes_the_last(&stick, unlocked.vault.header().generation, &left);
    let lost = is_lost.then_some(&left);
    let question = format!("Take the stick \"{}\" off the list?", stick.label);
    confirm_removal(&question, lost, options.yes)?;
    unlocked.read_again()?;
    if options.wipe {
        let plugged = where_it_sits(&unlocked, &stick)?;
        doubt(&mut unlocked, &[stick.id])?;
        if plugged.wipe().left > 0 {
            return Err(Problem::failed(
                "The key on the stick could not be destroyed. It stays on the list, and is no \
                 way back any more.",
                "Is it write-protected, or broken? Destroy it, then run this again without --wipe.",
            ));
        }
    }
    let mut list = unlocked.proven.sticks.draft();
    list.sticks.retain(|known| known.id != stick.id);
    // The log comes first: it must know of a stick that the list has forgotten.
    unlocked.log(removal(&stick, options.wipe))?;
    unlocked.set_sticks(list)?;
    unlocked.change_ways(|_, ways| ways.forget_stick(stick.id))?;
    let beside = ways_copies::write_beside(&unlocked);
    println!("The stick \"{}\" is off the list.", stick.label);
    if options.wipe {
        println!("Its key was overwritten and removed. Flash memory may still hold a copy.");
    }
    let protection = match stick.has_pin {
        true => "Only its PIN protects it.",
        false => "It has no PIN.",
    };
    println!(
        "A stick that is out there still opens this server, and so does every copy of it, until \
         the\nmaster key is replaced (stayput rekey). {protection}"
    );
    beside
}

/// The keys on it. A person is asked between two looks: it is known by its id, and what has
/// its place by then is another one.
fn where_it_sits(unlocked: &Unlocked, stick: &KnownStick) -> Result<PluggedKeys> {
    let plugged = PluggedKeys::beside(&unlocked.vault).only(&stick.id);
    let is_there = plugged.volumes().next().is_some();
    match is_there {
        true => Ok(plugged),
        false => Err(Problem::refused(
            format!("The stick \"{}\" is not plugged in.", stick.label),
            "Nothing was changed. Plug it in, or leave out --wipe.",
        )),
    }
}

/// Whether nothing that survives a reset is left without it. One that was not tried since a
/// reset may open all the same: what is taken away counts in doubt, what is left does not.
fn takes_the_last(stick: &KnownStick, generation: u32, left: &WaysIn) -> bool {
    stick.generation == generation && !left.survive_a_reset()
}

/// What the log keeps of it: a stick without a PIN stays a way in for whoever has it,
/// and the list does not tell of it any more.
fn removal(stick: &KnownStick, is_wiped: bool) -> EventKind {
    let label = stick.label.clone();
    match stick.has_pin {
        true => EventKind::StickRemoved { stick: label },
        false => EventKind::OpenStickRemoved {
            stick: label,
            id: stick.id,
            destroyed: is_wiped,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stick(has_pin: bool, verified: Option<u64>) -> KnownStick {
        KnownStick {
            id: [1; 8],
            label: "office".try_into().unwrap(),
            has_pin,
            generation: 1,
            made: 0,
            verified,
            kept: None,
        }
    }

    #[test]
    fn the_last_stick_is_warned_of_verified_or_not() {
        let left = |code| WaysIn {
            sticks: 0,
            code,
            passphrases: 1,
        };
        for verified in [Some(1), None] {
            let stick = stick(true, verified);
            assert!(takes_the_last(&stick, 1, &left(false)), "{verified:?}");
            assert!(!takes_the_last(&stick, 1, &left(true)));
            assert!(!takes_the_last(&stick, 2, &left(false)), "an earlier key");
        }
    }

    #[test]
    fn the_log_keeps_a_stick_without_a_pin_that_still_opens() {
        let open = |destroyed| {
            let id = [1; 8];
            let stick = "office".try_into().unwrap();
            EventKind::OpenStickRemoved {
                stick,
                id,
                destroyed,
            }
        };
        assert_eq!(removal(&stick(false, None), false), open(false));
        assert_eq!(removal(&stick(false, None), true), open(true));
        let closed = removal(&stick(true, None), false);
        assert!(matches!(closed, EventKind::StickRemoved { .. }));
    }
}
