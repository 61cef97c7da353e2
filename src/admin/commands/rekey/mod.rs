//! `stayput rekey`: the next master key, after a stick or a passphrase was lost. Nobody
//! is asked for a passphrase, and no other stick is needed.

mod status;

use crate::admin::key_release;
use crate::admin::named_stick::named_stick;
use crate::admin::output;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::unlock::{UnlockOptions, Unlocked, unlock};
use crate::admin::ways_copies::{self, PluggedStick};
use crate::admin::ways_in::{WaysIn, confirm_removal};
use crate::environment::{NextSlots, slots_for_next_key};
use crate::sys::clock;
use crate::vault::{NextGeneration, NextRecords, SlotTable, StickList, Ways};

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
    let mut unlocked = unlock(&options.unlock)?;
    if options.status {
        return status::print(&unlocked);
    }
    let what_stays = what_stays(options, &unlocked)?;
    let next = NextGeneration::of(unlocked.vault.header(), unlocked.keys());
    let next = next.ok_or_else(too_many_keys)?;
    for line in what_stays.in_words() {
        println!("{line}");
    }
    let records = prepare(&what_stays, &unlocked, &next)?;
    let left = WaysIn::counted(&unlocked, &what_stays.list, &what_stays.slots);
    let lost = (!left.survive_a_reset()).then_some(&left);
    confirm_removal("Replace the master key now?", lost, options.yes)?;
    unlocked.rekey(&next, &records.for_vault())?;
    println!(
        "The master key was replaced: it is number {} of this server.",
        next.keys.generation()
    );
    tell_the_rest(&mut unlocked)
}

/// The ways in that get the next key, and those that were left out because the vault does
/// not have their way keys.
struct WhatStays {
    slots: Box<SlotTable>,
    list: StickList,
    ways: Ways,
    /// Labels of sticks that open this server now, and will not.
    unknown_sticks: Vec<String>,
    /// The code opens this server now, and will not.
    is_code_unknown: bool,
}

fn what_stays(options: &RekeyOptions, unlocked: &Unlocked) -> Result<WhatStays> {
    let slots = unlocked.slots()?.ok_or_else(|| {
        Problem::refused(
            "This server was reset: no place opens it. Nothing was changed.",
            "Enrol the place first: stayput enroll",
        )
    })?;
    let (header, key) = (unlocked.vault.header(), unlocked.master_key());
    let mut stays = WhatStays {
        slots,
        list: unlocked.proven.sticks.draft(),
        ways: unlocked.ways()?,
        unknown_sticks: Vec::new(),
        is_code_unknown: false,
    };
    for which in &options.without_stick {
        let id = named_stick(&stays.list, which)?.id;
        stays.list.sticks.retain(|known| known.id != id);
        stays.ways.forget_stick(id);
    }
    for name in &options.without_passphrase {
        stays.slots.passphrases.remove(name)?;
    }
    if options.without_code {
        stays.list.code = None;
        stays.ways.code = None;
    }
    // What the list has forgotten has no business to open the next key.
    let listed = |id| stays.list.sticks.iter().any(|stick| stick.id == id);
    stays.ways.sticks.retain(|way| listed(way.id));
    let known = |id| stays.ways.way_key_of_stick(header, key, id).is_some();
    let unknown = stays.list.sticks.iter().filter(|stick| !known(stick.id));
    stays.unknown_sticks = unknown.map(|stick| stick.label.to_string()).collect();
    stays.is_code_unknown = stays.list.code_of(header.generation).is_some()
        && stays.ways.way_key_of_code(header, key).is_none();
    Ok(stays)
}

impl WhatStays {
    /// What will open no more although nobody has named it.
    fn in_words(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for label in &self.unknown_sticks {
            lines.push(format!(
                "The stick \"{label}\" was not used since the vault was made anew: it will open \
                 this server no more.\nPlug it in first, and run: stayput stick verify"
            ));
        }
        if self.is_code_unknown {
            lines.push(
                "The recovery code was not used since the vault was made anew: it will open this \
                 server no more.\nMake another one afterwards: stayput code --new"
                    .into(),
            );
        }
        lines
    }
}

/// Everything that is made for the next key, before anything is written.
struct Prepared {
    slots: SlotTable,
    list: StickList,
    ways: Ways,
}

impl Prepared {
    fn for_vault(&self) -> NextRecords<'_> {
        NextRecords {
            slots: &self.slots,
            ways: &self.ways,
            sticks: &self.list,
            at: (clock::now(), clock::boot_id()),
        }
    }
}

fn prepare(stays: &WhatStays, unlocked: &Unlocked, next: &NextGeneration) -> Result<Prepared> {
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
    })
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
    let plugged = ways_copies::renew_plugged(unlocked)?;
    ways_copies::tell(&plugged);
    println!(
        "Passphrases, sticks and the code that stay open this server as before. A stick's own \
         file is renewed\nwhen it is plugged in: stayput stick renew. Until then it needs this \
         server's vault, or what\nanother stick has.{}",
        after(&plugged)
    );
    if unlocked.proven.policy.mariadb.is_some() {
        println!(
            "MariaDB KEEPS THE KEYS THAT ITS FILES ARE WRITTEN WITH. Whoever has what was lost, and \
             a copy of this\nserver's vault of before or the PIN of the lost stick, still reads \
             those files, today's too."
        );
    }
    println!("Whose way in is still as it was: stayput rekey --status");
    beside.and(released)
}

fn after(plugged: &[PluggedStick]) -> &'static str {
    match plugged.iter().any(|stick| stick.failed.is_none()) {
        true => "",
        false => " Do that soon.",
    }
}
