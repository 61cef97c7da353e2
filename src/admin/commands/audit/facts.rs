//! How a server is set up, as plain data.

use serde::Serialize;

use crate::environment::{Strength, strength};
use crate::theft::TheftPolicy;
use crate::vault::{Group, SlotTable, StickList, Thresholds};

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

/// What is known of a set-up.
#[derive(Clone, Debug)]
pub struct SetupFacts {
    /// What each enrolled place needs; `None` where no place opens the vault.
    pub places: Option<Vec<Thresholds>>,
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
    /// A stick was seen to open this server, or its recovery code typed back.
    pub verified: bool,
    /// Passphrases, those for duress too.
    pub passphrases: usize,
    /// The proven theft policy.
    pub theft: TheftPolicy,
    /// What the vault's disk is.
    pub medium: Medium,
    /// Secure Boot is on; `None` where the firmware has none.
    pub secure_boot: Option<bool>,
    /// A clear copy of the database is on the disk.
    pub clear_copy: bool,
    /// `None` where the disk was not searched.
    pub leaked: Option<Leaked>,
}

impl SetupFacts {
    /// The facts that the vault tells. The others are set to the worst case.
    pub fn of(slots: Option<&SlotTable>, sticks: &StickList, theft: TheftPolicy) -> Self {
        let places = slots.map(|slots| slots.environments.iter().map(|slot| slot.need).collect());
        let count = |group| {
            let slot = slots.and_then(|slots| slots.environments.first());
            let factors = slot.map_or(&[][..], |slot| &slot.factors);
            let some = factors.iter().filter(|factor| factor.group == group);
            some.count().try_into().unwrap_or(u8::MAX)
        };
        let all = slots.map_or(&[][..], |slots| &slots.environments);
        let StickList { sticks, code } = sticks;
        Self {
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
            verified: code.is_some() || sticks.iter().any(|stick| stick.verified.is_some()),
            passphrases: slots.map_or(0, |slots| slots.passphrases.slots().len()),
            theft,
            medium: Medium::Unknown,
            secure_boot: None,
            clear_copy: false,
            leaked: None,
        }
    }

    /// For each group the lowest number of factors that a place needs.
    pub(super) fn weakest(&self) -> Option<Thresholds> {
        let places = self.places.as_deref()?;
        let least = |of: fn(&Thresholds) -> u8| places.iter().map(of).min();
        Some(Thresholds {
            machine: least(|need| need.machine)?,
            neighbours: least(|need| need.neighbours)?,
            servers: least(|need| need.servers)?,
        })
    }

    /// Whether the disk itself tells a thief as many addresses as are needed.
    pub(super) fn gives_the_place_away(&self, need: u8) -> bool {
        self.leaked.is_some_and(|leaked| leaked.neighbours >= need)
    }
}
