//! The ways to the neighbours and key servers that answer now: will they be there at
//! the next boot, before the system has a network? Pure; [`look`] gathers.

mod look;

use core::net::IpAddr;

use super::check_result::{CheckResult, Severity};
use crate::admin::initramfs::{ImageNetwork, InitramfsFacts};
use crate::vault::{FactorCounts, Group, Thresholds};

pub use look::look;

/// What is known of the place that opens this server.
pub struct WaysFacts {
    /// A way for each neighbour and key server that is as it was enrolled.
    pub ways: Vec<Way>,
    /// How many factors are as they were enrolled.
    pub same: FactorCounts,
    /// How many are needed.
    pub need: Thresholds,
}

/// How one station is reached now.
#[derive(Clone, Debug)]
pub struct Way {
    /// The factor's name.
    pub label: String,
    /// The group that it counts for.
    pub group: Group,
    /// What it is reached over.
    pub over: Over,
    /// The address that the boot stage would have on the way.
    pub address: StageAddress,
}

/// What a station is reached over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// A wired card, or a bridge or bond of such, whose cards the boot stage asks on.
    Card,
    /// One of these, which a boot has only where its initramfs makes it: a VLAN, a
    /// tunnel, a wireless network, a bridge of containers.
    Interfaces(Vec<String>),
}

/// The address that the boot stage has towards a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageAddress {
    /// A neighbour answers without one.
    NotNeeded,
    /// This one is set while the server is locked.
    Enrolled(IpAddr, Held),
    /// None is enrolled that leads there.
    None,
}

/// Who has an enrolled address now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Its card, for good.
    Fixed,
    /// Its card, for a time.
    Lent,
    /// Nobody who answers.
    Nobody,
    /// Another station.
    Another,
}

/// Judges whether enough of what opens the server now is reached at the next boot, by
/// every kernel that may start next. Pure.
pub fn judge(facts: Option<&WaysFacts>, initramfs: &InitramfsFacts) -> Vec<CheckResult> {
    let Some(facts) = facts else {
        return Vec::new();
    };
    let next = initramfs.kernels.iter().filter(|kernel| kernel.is_next);
    let images = next.filter_map(|kernel| kernel.image.as_ref().ok());
    let networks: Vec<&ImageNetwork> = images.map(|image| &image.network).collect();
    let lost = |way: &Way| {
        let mut reasons = networks.iter().filter_map(|network| lost(way, network));
        reasons.next()
    };
    let gone: Vec<(&Way, String)> = facts
        .ways
        .iter()
        .filter_map(|way| Some((way, lost(way)?)))
        .collect();
    let mut results: Vec<CheckResult> = gone
        .iter()
        .map(|(way, why)| of_lost_way(way, why, is_enough(facts, &gone, way.group)))
        .collect();
    let sets_addresses = networks.iter().all(|network| network.gives_addresses());
    if networks.is_empty() || !sets_addresses {
        results.extend(uncertain_addresses(&facts.ways));
    }
    results
}

/// Why a boot with this network does not reach the station.
fn lost(way: &Way, network: &ImageNetwork) -> Option<String> {
    match (&way.over, way.address) {
        (Over::Interfaces(names), _) if !names.iter().any(|name| network.makes(name)) => {
            let names = names.join(", ");
            Some(format!("over {names}, which the initramfs does not make"))
        }
        _ if network.gives_addresses() => None,
        (_, StageAddress::NotNeeded) => None,
        (Over::Interfaces(names), _) => {
            let names = names.join(", ");
            Some(format!(
                "over {names}, which has no address in the initramfs"
            ))
        }
        (Over::Card, StageAddress::None) => {
            Some("from an address that the locked server does not have".into())
        }
        (Over::Card, StageAddress::Enrolled(address, Held::Another)) => Some(format!(
            "from the address {address}, which another station has now"
        )),
        (Over::Card, StageAddress::Enrolled(..)) => None,
    }
}

/// Whether a group has as many as it needs without what is gone.
fn is_enough(facts: &WaysFacts, gone: &[(&Way, String)], group: Group) -> bool {
    let gone = gone.iter().filter(|(way, _)| way.group == group).count();
    usize::from(facts.same.of(group).count) >= usize::from(facts.need.of(group)) + gone
}

fn of_lost_way(way: &Way, why: &str, is_enough: bool) -> CheckResult {
    let (severity, next) = match is_enough {
        true => (Severity::Warning, "The place opens without it."),
        false => (
            Severity::Wrong,
            "Enrol what answers on a wired card (stayput enroll), with --address for key \
             servers; or have the initramfs set the network up: \"The network\" in \
             docs/architecture.md.",
        ),
    };
    let what = format!(
        "{} answers now {why}: at the next boot it is not reached.",
        way.label
    );
    CheckResult::new("ways", severity, what, next)
}

/// Addresses that somebody else may have at the next boot. The boot stage asks for
/// each of them first, and uses none that another station has.
fn uncertain_addresses(ways: &[Way]) -> Vec<CheckResult> {
    let mut known: Vec<IpAddr> = Vec::new();
    let mut results = Vec::new();
    for way in ways {
        let (StageAddress::Enrolled(address, held), Over::Card) = (way.address, &way.over) else {
            continue;
        };
        let what = match held {
            Held::Lent => "is only lent to it (DHCP)",
            Held::Nobody => "is not the one that its card has now",
            Held::Fixed | Held::Another => continue,
        };
        if known.contains(&address) {
            continue;
        }
        known.push(address);
        results.push(CheckResult::new(
            "ways",
            Severity::Warning,
            format!(
                "The address {address}, from which the locked server asks its key servers, \
                 {what}: another station that has it at the next boot keeps them from answering."
            ),
            "Reserve it for this server in the router, or give the card a fixed one; then: \
             stayput enroll --refresh",
        ));
    }
    results
}

#[cfg(test)]
mod tests;
