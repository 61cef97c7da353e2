//! What the watch compares with, and what it shall do: learnt at its start.

use std::time::Instant;

use crate::admin::open_vault::open_vault;
use crate::admin::problem::{Problem, Result};
use crate::environment::{
    KeyServers, ON_A_LIVE_NETWORK, Observed, Watched, look_around_quietly, neighbour_label,
};
use crate::keys::MasterKey;
use crate::opening::places::Places;
use crate::theft::WatchPolicy;
use crate::vault::{EnvironmentSlot, Group, Header, Label, SlotTable};

/// What is known of this place and of the owner's wishes.
pub struct Learnt {
    pub policy: WatchPolicy,
    pub watched: Watched,
    /// The place opened the vault: `watched` is what was enrolled, and the
    /// policy is proven. Otherwise it is what stands here, and the policy is
    /// believed as it stands: whoever wrote a wrong one on the disk could stop
    /// the database or destroy the pepper as well, or delete the watch.
    pub enrolled: bool,
}

/// Opens the vault by the place, notes what is needed, and drops the key. Of
/// the interfaces none is put up for it.
///
/// # Errors
/// When the vault cannot be read, or was changed without the key.
pub fn learn() -> Result<Learnt> {
    let vault = open_vault()?;
    let slots = vault.slots().ok();
    let unproven = vault.unproven_policy().unwrap_or_default();
    let unproven = unproven.as_claimed();
    let (labels, need) = match &slots {
        Some(slots) => asked_for(slots),
        // After a reset the policy alone knows whom to ask. All that are found
        // must then change.
        None => {
            let addresses = unproven.neighbours.iter();
            let labels = addresses.map(|address| neighbour_label(*address));
            (labels.collect(), u8::MAX)
        }
    };
    let places = slots
        .as_deref()
        .map_or(&[][..], |slots| &slots.environments);
    let servers = KeyServers::of(places, Instant::now());
    let observed = look_around_quietly(labels.iter(), servers, ON_A_LIVE_NETWORK);
    let opened = slots
        .as_ref()
        .and_then(|slots| open_by_place(vault.header(), slots, &observed));
    let Some((slot, key)) = opened else {
        return Ok(Learnt {
            policy: unproven.theft.watch,
            watched: Watched::as_found(labels.iter(), need, &observed),
            enrolled: false,
        });
    };
    let altered = |what: String| Problem::failed(what, "Use a backup stick to open it.");
    let proven = vault
        .prove(&key)
        .map_err(|error| altered(error.to_string()))?;
    let watched = Watched::enrolled(vault.header(), slot, &key)
        .map_err(|_| altered("The enrolled values are damaged.".into()))?;
    Ok(Learnt {
        policy: proven.policy.theft.watch,
        watched,
        enrolled: true,
    })
}

/// The neighbours and key servers of all places, and the least of the
/// neighbours that one of them needs.
fn asked_for(slots: &SlotTable) -> (Vec<Label>, u8) {
    let factors = slots.environments.iter().flat_map(|slot| &slot.factors);
    let place = factors.filter(|factor| factor.group != Group::Machine);
    let labels = place.map(|factor| factor.label.clone()).collect();
    let need = slots.environments.iter().map(|slot| slot.need.place);
    (labels, need.min().unwrap_or(1).max(1))
}

fn open_by_place<'a>(
    header: &Header,
    slots: &'a SlotTable,
    observed: &Observed,
) -> Option<(&'a EnvironmentSlot, MasterKey)> {
    let opened = Places::of(slots).try_all(header, slots, observed)?;
    Some((slots.environments.get(opened.at)?, opened.key))
}
