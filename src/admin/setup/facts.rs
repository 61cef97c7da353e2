//! What is there already of a server that is set up. It is looked at, not remembered:
//! nothing is written down about how far a run came.

use core::net::{IpAddr, SocketAddr};

use crate::admin::commands::check;
use crate::admin::commands::init::{ExistingVault, unnamed_vaults};
use crate::admin::mariadb::{Dependence, Ends, System, find_original, refuse_clear_memory};
use crate::admin::mariadb_service;
use crate::admin::names::SETUP_PLACE;
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::{Problem, ProblemKind, Result};
use crate::admin::program;
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::environment::{
    address_of, count_by_group, observe_machine, select_parts, server_address,
};
use crate::stick::{PluggedKeys, StickId};
use crate::theft::OnStrikes;
use crate::vault::{KnownStick, MAX_FACTORS, PlaceInWords, SealedPlace, ServerName, StickList};

/// What is there of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `None` where there is no vault yet.
    pub vault: Option<FoundVault>,
    /// Vaults that were used and stand here, where no vault.conf names any.
    pub unnamed: Vec<ExistingVault>,
    /// Why a database may need a key that only a lost vault had; `None` where none does.
    pub needs_lost_key: Option<String>,
    pub database: Database,
    /// Memory could get onto the disk in clear: the first way in which it could.
    pub clear_memory: Option<String>,
    /// Every kernel starts with the boot stage, and the units are in place.
    pub is_installed: bool,
    /// MariaDB is stopped, and waits for somebody who releases its keys.
    pub waits_for_release: bool,
    /// Parts of this machine that would be enrolled.
    pub parts: u8,
}

/// A vault that opened here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundVault {
    pub name: ServerName,
    /// A place is enrolled.
    pub has_place: bool,
    /// The neighbours that are asked there.
    pub neighbours: Vec<IpAddr>,
    /// Its key servers.
    pub key_servers: Vec<SocketAddr>,
    /// Backup sticks of the present key that were seen to open it.
    pub sticks: Vec<FoundStick>,
    /// Some are listed that were not, or not since a reset: it may have wiped them.
    pub has_untried_sticks: bool,
    /// The recovery code was typed back.
    pub has_code: bool,
    /// The owner wants the key destroyed after too many strikes, and that is not in force.
    pub wants_reset: bool,
    /// It is in force.
    pub resets: bool,
    /// The code, or a verified stick that is not plugged in here.
    pub has_way_back_elsewhere: bool,
}

/// A verified backup stick on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundStick {
    pub label: String,
    /// Where it is kept, as its owner has said.
    pub kept: Option<PlaceInWords>,
    /// It is in this server now.
    pub is_plugged: bool,
}

/// How far MariaDB is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// MariaDB is not installed.
    Absent,
    Clear,
    /// A run of `mariadb enable` has not ended, or nobody can tell.
    Interrupted,
    /// It is encrypted with keys from the vault.
    Encrypted,
}

impl Facts {
    /// Looks at this server.
    ///
    /// # Errors
    /// When there is a vault that cannot be read or does not open here.
    pub fn gather() -> Result<Self> {
        let place = match vault_conf() {
            Ok(place) => Some(place),
            Err(problem) if problem.kind == ProblemKind::NotThere => None,
            Err(problem) => return Err(problem),
        };
        let (vault, gives_keys) = match &place {
            Some(_) => found_vault().map(|(vault, gives)| (Some(vault), gives))?,
            None => (None, false),
        };
        Ok(Self {
            unnamed: match vault {
                Some(_) => Vec::new(),
                None => unnamed_vaults(None),
            },
            needs_lost_key: match vault {
                Some(_) => None,
                None => Dependence::seen(None).why(),
            },
            vault,
            database: database(gives_keys),
            clear_memory: refuse_clear_memory(&System::here())
                .err()
                .map(|problem| problem.what),
            is_installed: place.is_some_and(|place| check::is_installed(&place)),
            waits_for_release: mariadb_service::waits_for_release(),
            parts: count_by_group(&select_parts(&observe_machine(), MAX_FACTORS / 2).chosen)
                .machine,
        })
    }
}

/// What opens the vault has no options here: each step is tried where the server belongs.
/// One that was reset opens nowhere before a place is enrolled anew.
fn elsewhere(problem: Problem) -> Problem {
    match problem.kind {
        ProblemKind::Locked => Problem {
            next: "Run the command where the server belongs. If it is there, or this is to be its \
                   place: stayput enroll with --stick DEVICE, --code or --passphrase; then run the \
                   command again."
                .into(),
            ..problem
        },
        _ => problem,
    }
}

/// The vault, and whether its policy gives MariaDB keys.
fn found_vault() -> Result<(FoundVault, bool)> {
    let unlocked = unlock(&UnlockOptions::default()).map_err(elsewhere)?;
    let header = unlocked.vault.header();
    let policy = &unlocked.proven.policy;
    let list = &unlocked
        .proven
        .sticks
        .draft()
        .backed_by(&unlocked.ways()?, header.generation);
    let slots = unlocked.slots()?;
    let places = slots.iter().flat_map(|slots| slots.environments.iter());
    let places: Vec<_> = places.filter(|place| place.name != SETUP_PLACE).collect();
    let labels = || {
        let factors = places.iter().flat_map(|place| place.factors.iter());
        factors.map(|factor| &factor.label)
    };
    let plugged = PluggedKeys::beside(&unlocked.vault).ids();
    let generation = header.generation;
    let has_code = list.code_of(generation).is_some();
    let mut sticks = list.sticks.iter();
    let is_elsewhere = sticks.any(|stick| stick.opens_without(generation, &plugged));
    let found = FoundVault {
        name: header.server_name.clone(),
        has_place: !places.is_empty(),
        neighbours: labels().filter_map(address_of).collect(),
        key_servers: labels().filter_map(|label| server_address(label)).collect(),
        sticks: verified_sticks(list, generation, &plugged, |kept| {
            unlocked.place(Some(kept))
        }),
        has_untried_sticks: has_untried(list, generation),
        has_code,
        wants_reset: policy.wants_reset && policy.theft.on_strikes == OnStrikes::Halt,
        resets: policy.theft.on_strikes == OnStrikes::Reset,
        has_way_back_elsewhere: has_code || is_elsewhere,
    };
    Ok((found, policy.mariadb.is_some()))
}

fn verified_sticks(
    list: &StickList,
    generation: u32,
    plugged: &[StickId],
    place: impl Fn(&SealedPlace) -> PlaceInWords,
) -> Vec<FoundStick> {
    let sticks = list.sticks.iter();
    let sticks = sticks.filter(|stick| stick.opens_without(generation, &[]));
    let found = |stick: &KnownStick| FoundStick {
        label: stick.label.as_str().to_owned(),
        kept: stick.kept.as_ref().map(&place),
        is_plugged: plugged.contains(&stick.id),
    };
    sticks.map(found).collect()
}

fn has_untried(list: &StickList, generation: u32) -> bool {
    let mut sticks = list.sticks.iter();
    sticks.any(|stick| stick.generation == generation && stick.verified.is_none())
}

fn database(gives_keys: bool) -> Database {
    match find_original() {
        // What cannot be told is for `mariadb enable` to find out.
        Err(_) => Database::Interrupted,
        Ok(Some(original)) if original.ends == Ends::Run => Database::Interrupted,
        Ok(_) if mariadb_service::is_enabled() && gives_keys => Database::Encrypted,
        Ok(_) if mariadb_service::is_enabled() => Database::Interrupted,
        Ok(_) if program::find("mariadbd").is_some() => Database::Clear,
        Ok(_) => Database::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::problem::Exit;

    #[test]
    fn a_stick_that_a_reset_may_have_wiped_is_not_made_yet() {
        let stick = |label: &str, generation, verified| KnownStick {
            id: [1; 8],
            label: label.try_into().unwrap(),
            has_pin: true,
            generation,
            made: 0,
            verified,
            kept: None,
        };
        let list = |sticks: &[KnownStick]| StickList {
            sticks: sticks.iter().cloned().collect(),
            code: None,
        };
        let (good, old) = (stick("bank", 2, Some(5)), stick("attic", 1, None));
        let both = list(&[stick("office", 2, None), good.clone(), old.clone()]);
        let found = verified_sticks(&both, 2, &[], |_| PlaceInWords::new());
        assert_eq!(
            found.iter().map(|s| &*s.label).collect::<Vec<_>>(),
            ["bank"]
        );
        assert!(has_untried(&both, 2));
        assert!(!has_untried(&list(&[good, old]), 2));
    }

    #[test]
    fn run_elsewhere_names_only_options_that_there_are() {
        let locked = Problem::new(
            Exit::Locked,
            "Not recognised.",
            "Use --passphrase or --code.",
        );
        let told = elsewhere(locked);
        let way = "stayput enroll with --stick DEVICE, --code or --passphrase";
        assert!(told.next.contains(way), "{told}");
        let other = elsewhere(Problem::failed("EIO", "Check the disk."));
        assert_eq!(other.next, "Check the disk.");
    }
}
