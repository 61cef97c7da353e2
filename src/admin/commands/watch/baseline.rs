//! What the watch compares with and what its owner wants of it, read once when
//! it starts.

use std::time::Instant;

use crate::admin::open_vault::open_vault;
use crate::admin::problem::{Problem, Result};
use crate::environment::{
    Arrangements, Cards, KeyServers, LIVE_NETWORK_WAIT, Observed, Patience, WatchedPlace,
    neighbour_label, observe_place,
};
use crate::keys::MasterKey;
use crate::opening::places::Places;
use crate::opening::snapshot::Snapshot;
use crate::sys::clock;
use crate::theft::WatchPolicy;
use crate::vault::{
    EnvironmentSlot, EventKind, Group, Header, Label, LoggedEvent, OpenedBy, SlotTable, Unproven,
};

/// What the watch compares with, and the policy that it follows.
pub struct Baseline {
    /// What follows an alarm, and the times of the watch.
    pub policy: WatchPolicy,
    /// Whom to ask, with the values that they should have.
    pub watched: WatchedPlace,
    /// The place opened the vault: `watched` is what was enrolled, and the
    /// policy is proven. Otherwise it is what stands here, and the policy is
    /// believed as it stands: whoever wrote a wrong one on the disk could stop
    /// the database or destroy the pepper as well, or delete the watch.
    pub enrolled: bool,
    /// Whether what stands here may be taken for the place where it is not.
    pub may_adopt: bool,
}

impl Baseline {
    /// Opens the vault by the place, keeps what the watch needs, and drops the
    /// key. No interface is put up for it.
    ///
    /// # Errors
    /// When the vault cannot be read, or was changed without the key.
    pub fn take() -> Result<Self> {
        let vault = open_vault()?;
        let snapshot = Snapshot::of(&vault);
        let slots = snapshot.slots().ok();
        let (labels, need) = match slots {
            Some(slots) => asked_for(slots),
            // After a reset the policy alone knows whom to ask. All that are
            // found must then change.
            None => (listed_neighbours(&snapshot), u8::MAX),
        };
        let places = slots.map_or(&[][..], |slots| &slots.environments);
        let servers = KeyServers::of(places, Instant::now());
        let patience = Patience::until_all_answer(LIVE_NETWORK_WAIT);
        let observed = observe_place(labels.iter(), servers, Cards::LeftDown, patience, |_| false);
        let opened = slots.and_then(|slots| open_by_place(&snapshot.header, slots, &observed));
        let Some((slot, key)) = opened else {
            return Ok(Self {
                policy: snapshot.theft_policy().watch,
                watched: WatchedPlace::as_found(labels.iter(), need, &observed),
                enrolled: false,
                may_adopt: vault
                    .events()
                    .is_ok_and(|events| may_adopt(&events, clock::boot_id())),
            });
        };
        let altered = |what: String| Problem::failed(what, "Use a backup stick to open it.");
        let proven = vault
            .prove(&key)
            .map_err(|error| altered(error.to_string()))?;
        let watched = WatchedPlace::enrolled(&snapshot.header, slot, &key)
            .map_err(|_| altered("The enrolled values are damaged.".into()))?;
        Ok(Self {
            policy: proven.policy.theft.watch,
            watched,
            enrolled: true,
            may_adopt: false,
        })
    }
}

/// A boot that an enrolled place has opened adopts no other one: the server may
/// have been carried there since, and the watch been started anew.
fn may_adopt(events: &[LoggedEvent], boot_id: [u8; 16]) -> bool {
    let by_place = |event: &LoggedEvent| {
        let EventKind::Released { by, .. } = &event.kind else {
            return false;
        };
        event.boot_id == boot_id && matches!(by, OpenedBy::Environment { .. })
    };
    !events.iter().any(by_place)
}

/// The neighbours that the policy lists; none where it cannot be read.
fn listed_neighbours(snapshot: &Snapshot) -> Vec<Label> {
    let policy = snapshot.policy.as_ref().map(Unproven::as_claimed);
    let addresses = policy.into_iter().flat_map(|policy| &policy.neighbours);
    addresses.map(|address| neighbour_label(*address)).collect()
}

/// The neighbours and key servers of all places, and the lowest number of
/// neighbours that a place needs.
fn asked_for(slots: &SlotTable) -> (Vec<Label>, u8) {
    let factors = slots.environments.iter().flat_map(|slot| &slot.factors);
    let place = factors.filter(|factor| factor.group != Group::Machine);
    let labels = place.map(|factor| factor.label.clone()).collect();
    let need = slots.environments.iter().map(|slot| slot.need.neighbours);
    (labels, need.min().unwrap_or(1).max(1))
}

fn open_by_place<'a>(
    header: &Header,
    slots: &'a SlotTable,
    observed: &Observed,
) -> Option<(&'a EnvironmentSlot, MasterKey)> {
    let opened = Places::of(slots).try_all(header, slots, observed, Arrangements::All)?;
    Some((slots.environments.get(opened.at)?, opened.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{FactorCounts, Thresholds};

    fn released(boot: u8, by: OpenedBy) -> LoggedEvent {
        let kind = EventKind::Released {
            by,
            milliseconds: 300,
        };
        LoggedEvent {
            number: 1,
            time: 1,
            boot_id: [boot; 16],
            kind,
        }
    }

    #[test]
    fn a_server_that_its_place_has_opened_learns_no_thiefs_network() {
        let by_place = || OpenedBy::Environment {
            place: "home".try_into().unwrap(),
            same: FactorCounts::default(),
            need: Thresholds::default(),
        };
        let by_stick = || OpenedBy::Stick {
            label: "office".try_into().unwrap(),
        };
        let this_boot = [2; 16];
        assert!(!may_adopt(&[released(2, by_place())], this_boot));
        // The boot before, and a person who has opened it elsewhere.
        let log = [released(1, by_place()), released(2, by_stick())];
        assert!(may_adopt(&log, this_boot));
        assert!(may_adopt(&[], this_boot));
    }
}
