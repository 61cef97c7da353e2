//! The ways to the neighbours and key servers that answer now: will they be there at
//! the next boot, before the system has a network? Pure; [`look`] gathers.

mod look;

use core::net::IpAddr;

use super::check_result::{CheckResult, Severity};
use crate::admin::initramfs::{Addressing, ImageNetwork, InitramfsFacts};
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
    /// Number of wired cards in the server.
    pub cards: usize,
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
    /// These wired cards, or a bridge or bond of them: the boot stage asks on the cards.
    /// They are not named where no address is needed.
    Cards(Vec<String>),
    /// One of these, which a boot has only where its initramfs makes it: a VLAN, a
    /// bond that the switch joins by LACP, a tunnel, a wireless network, a bridge of
    /// containers.
    Interfaces(Vec<String>),
}

impl Over {
    /// The names of the interfaces.
    fn names(&self) -> &[String] {
        match self {
            Self::Cards(names) | Self::Interfaces(names) => names,
        }
    }
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

/// Whether a station is reached at a boot. The later one is the graver.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Reached,
    /// Something gives an address, perhaps to another one than these interfaces.
    NotKnown(String),
    /// Not, and why.
    Lost(String),
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
    let mut gone: Vec<(&Way, String)> = Vec::new();
    let mut results = Vec::new();
    for way in &facts.ways {
        let reached = networks
            .iter()
            .map(|network| reach(way, network, facts.cards));
        match reached.max().unwrap_or(Reach::Reached) {
            Reach::Reached => {}
            Reach::NotKnown(interfaces) => results.push(of_unknown_way(way, &interfaces)),
            Reach::Lost(why) => gone.push((way, why)),
        }
    }
    let lost = gone.iter();
    results
        .extend(lost.map(|(way, why)| of_lost_way(way, why, is_enough(facts, &gone, way.group))));
    let is_given_one = |way: &&Way| {
        let mut networks = networks.iter();
        networks.len() > 0
            && networks.all(|network| addressing(way, network, facts.cards) == Addressing::Sure)
    };
    let on_their_own = facts.ways.iter().filter(|way| !is_given_one(way));
    results.extend(uncertain_addresses(on_their_own));
    results
}

/// Whether a boot with this network reaches the station; the server has so many cards.
fn reach(way: &Way, network: &ImageNetwork, cards: usize) -> Reach {
    let names = way.over.names();
    let listed = names.join(", ");
    let why = match (&way.over, way.address) {
        (Over::Interfaces(_), _) if !names.iter().any(|name| network.makes(name)) => {
            return Reach::Lost(format!("over {listed}, which the initramfs does not make"));
        }
        (_, StageAddress::NotNeeded) => return Reach::Reached,
        (Over::Interfaces(_), StageAddress::None) => {
            format!("over {listed}, which has no address in the initramfs")
        }
        (Over::Cards(_), StageAddress::None) => {
            "from an address that the locked server does not have".into()
        }
        (_, StageAddress::Enrolled(address, Held::Another)) => {
            format!("from the address {address}, which another station has now")
        }
        (_, StageAddress::Enrolled(..)) => return Reach::Reached,
    };
    match addressing(way, network, cards) {
        Addressing::Sure => Reach::Reached,
        Addressing::NotKnown => Reach::NotKnown(listed),
        Addressing::None => Reach::Lost(why),
    }
}

/// Whether the initramfs gives an address to what leads to the station.
fn addressing(way: &Way, network: &ImageNetwork, cards: usize) -> Addressing {
    let names = way.over.names().iter();
    let best = names.map(|name| network.addressing(name)).min();
    match best.unwrap_or(Addressing::None) {
        // There is no other card that it could be meant for.
        Addressing::NotKnown if cards == 1 && matches!(way.over, Over::Cards(_)) => {
            Addressing::Sure
        }
        best => best,
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

fn of_unknown_way(way: &Way, interfaces: &str) -> CheckResult {
    let what = format!(
        "{} answers now over {interfaces}. Whether it is reached at the next boot is not known: the \
         initramfs gives an address to an interface that it does not name.",
        way.label
    );
    let next = "Name the interface in the script, or in ip= (ip=:::::eth0:dhcp); or enrol an \
                address that is free: stayput enroll --address";
    CheckResult::new("ways", Severity::Warning, what, next)
}

/// Addresses that somebody else may have at the next boot. The boot stage asks for
/// each of them first, and uses none that another station has.
fn uncertain_addresses<'a>(ways: impl Iterator<Item = &'a Way>) -> Vec<CheckResult> {
    let mut known: Vec<IpAddr> = Vec::new();
    let mut results = Vec::new();
    for way in ways {
        let StageAddress::Enrolled(address, held) = way.address else {
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
