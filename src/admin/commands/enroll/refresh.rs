//! `stayput enroll --refresh`: takes over what has changed at the enrolled
//! place.

use std::time::Instant;

use super::key_servers::{KeyRotation, check_rotation};
use super::{forget_words_for_login, make_slot, neighbours, prove_it_opens};
use crate::admin::ask;
use crate::admin::names::SETUP_PLACE;
use crate::admin::own_addresses::{AddressChange, address_changes, current_addresses};
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::Unlocked;
use crate::admin::watch_service;
use crate::environment::{
    Cards, KeyServers, LIVE_NETWORK_WAIT, Margin, Observed, Patience, RefreshOutcome,
    RefreshedPlace, address_of, compare, observe_place, refresh,
};
use crate::vault::{EnvironmentSlot, EventKind, Group, KeyServer, MAX_SERVERS, SlotTable, Value};

const ANEW: &str = "To choose a place anew: stayput enroll";

/// Takes over what has changed at this place; `yes` answers the question.
///
/// # Errors
/// When this place is not an enrolled one, or somebody says no.
pub fn run(mut unlocked: Unlocked, yes: bool) -> Result<()> {
    let nothing = || Problem::refused("No place opens this server any more.", ANEW);
    let mut table = unlocked.slots()?.ok_or_else(nothing)?;
    println!("Looking around ...");
    let places = table.environments.iter();
    let labels = places.flat_map(|slot| slot.factors.iter().map(|factor| &factor.label));
    let asked = KeyServers::of(&table.environments, Instant::now());
    let patience = Patience::until_all_answer(LIVE_NETWORK_WAIT).and_second_answers();
    let mut observed = observe_place(labels, asked, Cards::PutUp, patience, |_| false);
    let at = this_place(&unlocked, &table, &observed)?;
    let slot = &table.environments[at];
    let mut now = refresh(slot, &values(&unlocked, slot)?, &observed);
    let servers = new_keys(slot, &mut now, &mut observed, yes)?;
    let addresses = current_addresses(slot);
    let changes = address_changes(&slot.addresses, &addresses);
    tell(&slot.name, &now, &changes);
    if now.updated() == 0 && changes.is_empty() {
        println!("Nothing that answers has changed.");
        return Ok(());
    }
    if now.is_elsewhere() {
        return Err(Problem::refused(
            "None of the enrolled neighbours is here: this is another place.",
            ANEW,
        ));
    }
    ask::confirm("Take the place as it is now?", yes)?;
    let (id, name, need) = (table.next_id, slot.name.clone(), slot.need);
    // The combinations do not depend on the server's own addresses.
    if now.updated() > 0 {
        let mut slot = make_slot(&unlocked, id, &name, &now.chosen, need)?;
        slot.servers = servers;
        prove_it_opens(&unlocked, &slot, &observed)?;
        *table.environments[at] = slot;
        table.next_id = id.saturating_add(1);
    }
    table.environments[at].addresses = addresses;
    unlocked.replace_slots(&table)?;
    let changed = now.updated().saturating_add(changes.len() as u8);
    unlocked.log(EventKind::Refreshed {
        place: name,
        changed,
    })?;
    if !Margin::of(&now.same_afterwards(), need).is_used_up {
        forget_words_for_login();
    }
    // It would go on comparing with the values from before.
    watch_service::UNIT.start_anew();
    println!("The place is enrolled as it is now.");
    Ok(())
}

type Servers = heapless::Vec<KeyServer, MAX_SERVERS>;

/// Takes over the new keys of the key servers that have rotated theirs.
fn new_keys(
    slot: &EnvironmentSlot,
    now: &mut RefreshedPlace,
    observed: &mut Observed,
    yes: bool,
) -> Result<Servers> {
    let mut servers = slot.servers.clone();
    for server in &mut servers {
        match check_rotation(server, yes)? {
            KeyRotation::Same => {}
            KeyRotation::Kept(why) => {
                println!(
                    "Key server {}: kept as it was enrolled: {why}.",
                    server.address
                );
            }
            KeyRotation::Rotated(new) => {
                let new_value = new.chosen(Group::Servers, &slot.name);
                observed.note(&new_value.label, &new_value.value);
                now.update(&new_value.label, &new_value.value);
                *server = new.server;
            }
        }
    }
    Ok(servers)
}

fn values(unlocked: &Unlocked, slot: &EnvironmentSlot) -> Result<Vec<Value>> {
    let values = slot.enrolled_values(unlocked.vault.header(), unlocked.master_key());
    values.map(|values| values.to_vec()).map_err(|_| {
        Problem::failed(
            "What was enrolled cannot be read.",
            "Nothing was changed. To choose a place anew: stayput enroll",
        )
    })
}

/// The index of the enrolled place that is most like this one.
fn this_place(unlocked: &Unlocked, table: &SlotTable, observed: &Observed) -> Result<usize> {
    let (header, key) = (unlocked.vault.header(), unlocked.master_key());
    let same = |slot: &EnvironmentSlot| {
        compare(header, slot, key, observed).map_or(0, |found| {
            let counts = Group::ALL.map(|group| found.same.of(group).count);
            counts.into_iter().map(u16::from).sum()
        })
    };
    let places = table.environments.iter().enumerate();
    places
        .filter(|(_, slot)| slot.name != SETUP_PLACE)
        .max_by_key(|(_, slot)| same(slot))
        .map(|(at, _)| at)
        .ok_or_else(|| Problem::refused("No place is enrolled yet.", "Run: stayput enroll"))
}

fn tell(name: &str, now: &RefreshedPlace, changes: &[AddressChange]) {
    println!("\nThe place \"{name}\":");
    let mut same = 0;
    for (factor, (label, outcome)) in now.chosen.iter().zip(&now.outcomes) {
        match outcome {
            RefreshOutcome::Unchanged => same += 1,
            RefreshOutcome::Updated if address_of(label).is_some() => {
                let shown = neighbours::shown(&factor.value);
                println!("  {label} ({shown}): changed, taken as it is now");
            }
            RefreshOutcome::Updated => println!("  {label}: changed, taken as it is now"),
            RefreshOutcome::Moved => println!(
                "  {label}: another of the neighbours has this address now, taken as it is"
            ),
            RefreshOutcome::Silent => println!("  {label}: no answer, kept as it was enrolled"),
            RefreshOutcome::Unsuitable(reason) => {
                println!("  {label}: changed, but kept as it was enrolled: {reason}");
            }
        }
    }
    for change in changes {
        println!("  the address of this server: {change}: taken as it is now");
    }
    println!("  as enrolled: {same} others");
}
