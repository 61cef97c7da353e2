//! `stayput rekey`: the next master key, after a stick or a passphrase was lost. Nobody
//! is asked for a passphrase, and no other stick is needed.

mod adopt;
mod status;
mod staying;

use std::path::PathBuf;

use crate::admin::key_release;
use crate::admin::output;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::unlock::{UnlockOptions, Unlocked, unlock};
use crate::admin::ways_copies::{self, PluggedStick};
use crate::admin::ways_in::{WaysIn, confirm_removal};
use crate::environment::{NextSlots, slots_for_next_key};
use crate::sys::clock;
use crate::vault::{NextGeneration, NextRecords, Policy, SlotTable, StickList, Ways};
use staying::{Staying, Without};

#[derive(clap::Args, Clone, Debug)]
pub struct RekeyOptions {
    /// A stick that was lost, by its label or id: it opens this server no more. It can be
    /// given more than once
    #[arg(long, value_name = "LABEL|ID")]
    without_stick: Vec<String>,
    /// A person whose passphrase is to open this server no more. It can be given more
    /// than once
    #[arg(long, value_name = "NAME")]
    without_passphrase: Vec<String>,
    /// The paper with the recovery code was lost: it opens this server no more
    #[arg(long)]
    without_code: bool,
    /// Change nothing: say which ways in are still as they were before the last new key
    #[arg(long, conflicts_with_all = ["without_stick", "without_passphrase", "without_code"])]
    status: bool,
    /// The vault here is an old copy, from an image of the disk for one: give it the later
    /// key that this stick has (for example /dev/sdb1)
    #[arg(long, value_name = "DEVICE",
          conflicts_with_all = ["without_stick", "without_code", "status", "stick", "passphrase", "code"])]
    adopt: Option<PathBuf>,
    /// Do not ask; given twice, not even when nothing else is left
    #[arg(long, action = clap::ArgAction::Count)]
    yes: u8,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput rekey`.
///
/// # Errors
/// When the vault does not open, there is no such stick or person, a place cannot be
/// taken over, or the vault cannot be written.
pub fn run(options: &RekeyOptions) -> Result<()> {
    if let Some(device) = &options.adopt {
        return adopt::run(device, options);
    }
    let unlocked = unlock(&options.unlock)?;
    if options.status {
        return status::print(unlocked);
    }
    let without = Without {
        sticks: &options.without_stick,
        people: &options.without_passphrase,
        code: options.without_code,
    };
    let of = (unlocked.vault.header(), unlocked.master_key());
    let (slots, list) = (slots_of(&unlocked)?, unlocked.proven.sticks.draft());
    let stays = Staying::of(slots, list, unlocked.ways()?, without, of)?;
    let next = NextGeneration::of(unlocked.vault.header(), unlocked.keys());
    let next = next.ok_or_else(too_many_keys)?;
    for left_out in &stays.left_out {
        println!("{}", left_out.in_words());
    }
    let records = prepare(stays, &unlocked, &next)?;
    let mut unlocked = put_in_force(unlocked, &next, &records, options.yes)?;
    tell_the_rest(&mut unlocked)
}

/// The slots of a server that was not reset.
fn slots_of(unlocked: &Unlocked) -> Result<Box<SlotTable>> {
    unlocked.slots()?.ok_or_else(|| {
        Problem::refused(
            "This server was reset: no place opens it. Nothing was changed.",
            "Enrol the place first: stayput enroll",
        )
    })
}

/// Everything that is made for the next key, before anything is written.
struct Prepared {
    slots: SlotTable,
    list: StickList,
    ways: Ways,
    /// Where it changes too.
    policy: Option<Policy>,
}

impl Prepared {
    fn for_vault(&self) -> NextRecords<'_> {
        NextRecords {
            slots: &self.slots,
            ways: &self.ways,
            sticks: &self.list,
            policy: self.policy.as_ref(),
            at: (clock::now(), clock::boot_id()),
        }
    }
}

fn prepare(stays: Staying, unlocked: &Unlocked, next: &NextGeneration) -> Result<Prepared> {
    let old = (unlocked.vault.header(), unlocked.master_key());
    let NextSlots { table, lost_places } = slots_for_next_key(
        &stays.slots,
        old,
        (&next.header, next.key()),
        |done, all| {
            if done == 0 {
                println!("Enrolling a place for it: {all} combinations.");
                output::flush();
            }
        },
    );
    if let Some(place) = lost_places.first() {
        return Err(Problem::refused(
            format!("What was enrolled of \"{place}\" cannot be read. Nothing was changed."),
            "Enrol it anew first: stayput enroll",
        ));
    }
    let people = (
        table.passphrases.slots().len(),
        stays.slots.passphrases.slots().len(),
    );
    if people.0 != people.1 {
        return Err(Problem::refused(
            "A passphrase was not made by this server. Nothing was changed.",
            "stayput passphrase list calls it unknown; take it away: stayput passphrase remove",
        ));
    }
    let ways = next.ways(&stays.ways, old);
    Ok(Prepared {
        list: next.sticks(&stays.list, &ways, old),
        slots: table,
        ways,
        policy: None,
    })
}

/// Asks, then puts the next key in force. What is counted as left is what opens by the
/// next key, not by the one of now.
fn put_in_force(
    mut unlocked: Unlocked,
    next: &NextGeneration,
    records: &Prepared,
    yes: u8,
) -> Result<Unlocked> {
    let left = WaysIn::counted(
        (&next.header, next.key()),
        &records.list,
        &records.ways,
        &records.slots,
    );
    let lost = (!left.survive_a_reset()).then_some(&left);
    confirm_removal("Replace the master key now?", lost, yes)?;
    unlocked.rekey(next, &records.for_vault())?;
    println!(
        "The master key was replaced: it is number {} of this server.",
        next.keys.generation()
    );
    Ok(unlocked)
}

fn too_many_keys() -> Problem {
    Problem::new(
        Exit::Refused,
        "This server has had as many master keys as it can keep. Nothing was changed.",
        "What was encrypted under the oldest has to be encrypted anew first; ask for help.",
    )
}

/// What the new key does not do by itself.
fn tell_the_rest(unlocked: &mut Unlocked) -> Result<()> {
    // Backups are signed with another key from now on.
    let released = key_release::apply_keep(unlocked.keys(), &unlocked.proven.policy);
    let beside = ways_copies::write_beside(unlocked);
    let plugged = ways_copies::renew_plugged(unlocked);
    let renewed = plugged.as_deref().unwrap_or_default();
    ways_copies::tell(renewed);
    println!(
        "Passphrases, sticks and the code that stay open this server as before. A stick's own \
         file is renewed\nwhen it is plugged in: stayput stick renew. Until then it needs this \
         server's vault, or what\nanother stick has.{}",
        after(renewed)
    );
    if unlocked.proven.policy.mariadb.is_some() {
        println!(
            "MariaDB KEEPS THE KEYS THAT ITS FILES ARE WRITTEN WITH. Whoever has what was lost, and \
             a copy of this\nserver's vault of before or the PIN of the lost stick, still reads \
             those files, today's too."
        );
    }
    println!("Whose way in is still as it was: stayput rekey --status");
    beside.and(released).and(plugged.map(drop))
}

fn after(plugged: &[PluggedStick]) -> &'static str {
    match plugged.iter().any(|stick| stick.failed.is_none()) {
        true => "",
        false => " Do that soon.",
    }
}
