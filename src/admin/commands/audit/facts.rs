//! How a server is set up, as plain data.

use std::collections::BTreeSet;

use serde::Serialize;

use super::data::DataFacts;
use super::stick_in::StartsWithStick;
use crate::environment::{Strength, strength};
use crate::theft::{OnAlarm, TheftPolicy};
use crate::vault::{
    EventKind, Group, KnownStick, LoggedEvent, SlotTable, StickList, Thresholds, VaultError,
};

/// What the vault is kept on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Medium {
    /// It keeps copies of its own making: SSD, SD card, USB stick.
    Flash,
    /// Overwriting reaches the only copy.
    Magnetic,
    /// The system does not tell, or it is a disk of a virtual machine.
    Unknown,
}

/// What was found of the enrolled neighbours' hardware addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Leaked {
    /// Number of neighbours whose address stands in some file.
    pub neighbours: u8,
    /// Number of files with such an address.
    pub files: usize,
    /// Not everything could be searched.
    pub incomplete: bool,
}

/// The places that open the vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnrolledPlaces {
    /// What each of them needs.
    Open(Vec<Thresholds>),
    /// The server was reset: none does.
    Destroyed,
    /// They cannot be read: whether one does is not known.
    Unreadable,
}

/// The watch that runs, whatever the policy wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningWatch {
    /// What it does when it is sure.
    pub on_alarm: OnAlarm,
    /// It compares with what was enrolled, and not with what it found.
    pub enrolled: bool,
    /// Number of neighbours, or key servers, that it watches.
    pub neighbours: u8,
}

/// What is known of a set-up.
#[derive(Clone, Debug)]
pub struct SetupFacts {
    /// How the data stands on the disk.
    pub data: DataFacts,
    /// The places that open the vault.
    pub places: EnrolledPlaces,
    /// Neighbours of the first place.
    pub neighbours: u8,
    /// Key servers of the first place.
    pub servers: u8,
    /// What the weakest combination of the weakest place holds.
    pub strength: Strength,
    /// Backup sticks on the proven list.
    pub sticks: usize,
    /// How many of them have no PIN.
    pub without_pin: usize,
    /// Sticks without a PIN that were taken off the list, as far as the log goes back,
    /// and neither listed again nor wiped. They open this server all the same.
    pub removed_without_pin: usize,
    /// At how many starts a stick with the key was in.
    pub stick_in: StartsWithStick,
    /// The log tells of everything since the vault was made. It is a ring.
    pub log_is_whole: bool,
    /// The recovery code is listed, or the log says that it was shown.
    pub code: bool,
    /// A stick was seen to open this server, or its recovery code typed back.
    pub verified: bool,
    /// Passphrases, those for duress too.
    pub passphrases: usize,
    /// The proven theft policy.
    pub theft: TheftPolicy,
    /// `None` where no watch runs.
    pub watch: Option<RunningWatch>,
    /// What the vault's disk is.
    pub medium: Medium,
    /// Secure Boot is on; `None` where the firmware has none.
    pub secure_boot: Option<bool>,
    /// `None` where the disk was not searched.
    pub leaked: Option<Leaked>,
}

/// Whether no event is missing, from the first on.
fn is_whole(events: &[LoggedEvent]) -> bool {
    !events.is_empty()
        && (1..)
            .zip(events)
            .all(|(number, event)| event.number == number)
}

/// Each stick once, however often it was found and removed.
fn removed_without_pin(listed: &[KnownStick], events: &[LoggedEvent]) -> usize {
    let mut out_there = BTreeSet::new();
    for event in events {
        if let EventKind::OpenStickRemoved { id, destroyed, .. } = &event.kind {
            match destroyed {
                true => out_there.remove(id),
                false => out_there.insert(id),
            };
        }
    }
    listed.iter().for_each(|stick| {
        out_there.remove(&stick.id);
    });
    out_there.len()
}

impl SetupFacts {
    /// The facts that the vault tells; its log where that can be read. The others are set to the worst case.
    pub fn of(
        slots: Result<&SlotTable, VaultError>,
        sticks: &StickList,
        theft: TheftPolicy,
        events: Option<&[LoggedEvent]>,
    ) -> Self {
        let log_is_whole = events.is_some_and(is_whole);
        let events = events.unwrap_or_default();
        let places = match slots {
            Ok(slots) => {
                EnrolledPlaces::Open(slots.environments.iter().map(|slot| slot.need).collect())
            }
            Err(VaultError::WasReset) => EnrolledPlaces::Destroyed,
            Err(_) => EnrolledPlaces::Unreadable,
        };
        let slots = slots.ok();
        let logged = |is: fn(&EventKind) -> bool| events.iter().filter(move |one| is(&one.kind));
        let count = |group| {
            let slot = slots.and_then(|slots| slots.environments.first());
            let factors = slot.map_or(&[][..], |slot| &slot.factors);
            let some = factors.iter().filter(|factor| factor.group == group);
            some.count().try_into().unwrap_or(u8::MAX)
        };
        let all = slots.map_or(&[][..], |slots| &slots.environments);
        let StickList { sticks, code } = sticks;
        Self {
            data: DataFacts::default(),
            places,
            neighbours: count(Group::Neighbours),
            servers: count(Group::Servers),
            strength: all
                .iter()
                .map(|slot| strength(slot))
                .min()
                .unwrap_or(Strength::Soft),
            sticks: sticks.len(),
            without_pin: sticks.iter().filter(|stick| !stick.has_pin).count(),
            removed_without_pin: removed_without_pin(sticks, events),
            stick_in: StartsWithStick::of(events),
            log_is_whole,
            code: code.is_some()
                || logged(|kind| matches!(kind, EventKind::CodeShown))
                    .next()
                    .is_some(),
            verified: code.is_some() || sticks.iter().any(|stick| stick.verified.is_some()),
            passphrases: slots.map_or(0, |slots| slots.passphrases.slots().len()),
            theft,
            watch: None,
            medium: Medium::Unknown,
            secure_boot: None,
            leaked: None,
        }
    }

    /// For each group the lowest number of factors that a place needs.
    pub(super) fn weakest(&self) -> Option<Thresholds> {
        let EnrolledPlaces::Open(places) = &self.places else {
            return None;
        };
        let least = |of: fn(&Thresholds) -> u8| places.iter().map(of).min();
        Some(Thresholds {
            machine: least(|need| need.machine)?,
            neighbours: least(|need| need.neighbours)?,
            servers: least(|need| need.servers)?,
        })
    }

    /// How many of the `need` addresses a thief has to guess: the disk itself may tell
    /// some.
    pub(super) fn left_to_guess(&self, need: u8) -> u8 {
        let told = self.leaked.map_or(0, |leaked| leaked.neighbours);
        need.saturating_sub(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ring_that_has_lost_its_first_events_is_not_whole() {
        let event = |number| LoggedEvent {
            number,
            time: 0,
            boot_id: [0; 16],
            kind: EventKind::CodeShown,
        };
        assert!(is_whole(&[1, 2, 3].map(event)));
        assert!(!is_whole(&[2, 3].map(event)));
        assert!(!is_whole(&[1, 3].map(event)));
        assert!(!is_whole(&[]));
    }

    #[test]
    fn removed_stick_counts_once_until_it_is_back_or_wiped() {
        let removed = |id, destroyed| LoggedEvent {
            number: 1,
            time: 0,
            boot_id: [0; 16],
            kind: EventKind::OpenStickRemoved {
                stick: "office".try_into().unwrap(),
                id: [id; 8],
                destroyed,
            },
        };
        let listed = |id| KnownStick {
            id: [id; 8],
            label: "office".try_into().unwrap(),
            has_pin: false,
            generation: 1,
            made: 0,
            verified: Some(1),
            kept: None,
        };
        let out =
            |events: &[LoggedEvent], sticks: &[KnownStick]| removed_without_pin(sticks, events);
        let twice = [removed(1, false), removed(1, false), removed(2, false)];
        assert_eq!(out(&twice, &[]), 2);
        assert_eq!(out(&twice, &[listed(1)]), 1, "it was found again");
        assert_eq!(out(&twice, &[listed(3)]), 2, "that is another one");
        let [first, ..] = twice;
        assert_eq!(out(&[first, removed(1, true)], &[]), 0, "it was wiped");
    }
}
