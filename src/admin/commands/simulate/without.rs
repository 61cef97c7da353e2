//! Takes observations away, as `--without` names them. Pure.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use crate::environment::{Candidates, Observed, neighbour_label, server_address};
use crate::vault::{Factor, Group, Label, SlotTable, Value, kind_of};

/// One factor, or all of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Without {
    Place,
    Machine,
    Part(Label),
    /// The key servers with this address.
    Server(IpAddr),
}

impl FromStr for Without {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(address) = text.strip_prefix("neighbour:") {
            let address: IpAddr = address
                .parse()
                .map_err(|_| "after neighbour: comes an address")?;
            return Ok(Self::Part(neighbour_label(address)));
        }
        if let Some(address) = text.strip_prefix("tang:") {
            return address
                .parse()
                .map(Self::Server)
                .map_err(|_| "after tang: comes the address of a key server");
        }
        match text {
            "place" => Ok(Self::Place),
            "machine" => Ok(Self::Machine),
            label => Label::try_from(label)
                .map(Self::Part)
                .map_err(|_| "no part has so long a name"),
        }
    }
}

impl fmt::Display for Without {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place => f.write_str("place"),
            Self::Machine => f.write_str("machine"),
            Self::Part(label) => f.write_str(label),
            Self::Server(address) => write!(f, "tang:{address}"),
        }
    }
}

impl Without {
    fn names(&self, factor: &Factor) -> bool {
        match self {
            // Key servers stand there as well.
            Self::Place => factor.group != Group::Machine,
            Self::Machine => factor.group == Group::Machine,
            Self::Part(label) => factor.label == *label,
            Self::Server(ip) => server_address(&factor.label).is_some_and(|at| at.ip() == *ip),
        }
    }

    /// Whether such a factor is enrolled. A whole kind always counts as enrolled.
    pub fn is_enrolled(&self, slots: &SlotTable) -> bool {
        matches!(self, Self::Place | Self::Machine)
            || factors(slots).any(|factor| self.names(factor))
    }
}

fn factors(slots: &SlotTable) -> impl Iterator<Item = &Factor> {
    slots.environments.iter().flat_map(|slot| &slot.factors)
}

/// The observations without these factors. With `strangers` another value takes
/// the place of each factor that is taken away, whether it answers now or not.
pub fn taken_away(
    around: &Observed,
    slots: &SlotTable,
    without: &[Without],
    strangers: bool,
) -> Observed {
    let mut gone: Vec<Label> = Vec::new();
    for slot in &slots.environments {
        let candidates = Candidates::of(slot, around);
        let factors = slot.factors.iter().enumerate();
        let named = factors.filter(|(_, factor)| without.iter().any(|all| all.names(factor)));
        for (at, factor) in named {
            // A part is observed under the name of where it is plugged in.
            let is_it = |(label, value): &(&Label, &Value)| {
                kind_of(label) == kind_of(&factor.label) && Some(*value) == candidates.value(at)
            };
            let part = around.iter().find(is_it).map(|(label, _)| label);
            let part = part.filter(|_| factor.group == Group::Machine);
            let label = part.unwrap_or(&factor.label);
            if !gone.contains(label) {
                gone.push(label.clone());
            }
        }
    }
    let mut left = Observed::default();
    for (label, value) in around.iter().filter(|(label, _)| !gone.contains(label)) {
        left.note(label, value);
    }
    if strangers {
        for (label, number) in gone.iter().zip(1..) {
            // A locally administered address, which is never enrolled, and no
            // serial number.
            let stranger = [2, b'o', b't', b'h', b'e', number];
            left.note(label, &Value::from_slice(&stranger).expect("six bytes fit"));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::commands::simulate::forecast::clinic;

    #[test]
    fn people_name_what_is_missing_as_status_does() {
        let parse = |text: &str| text.parse::<Without>();
        assert_eq!(parse("place"), Ok(Without::Place));
        assert_eq!(parse("machine"), Ok(Without::Machine));
        let router = Without::Part("arp 192.168.77.1".try_into().unwrap());
        assert_eq!(parse("neighbour:192.168.77.1"), Ok(router.clone()));
        assert_eq!(parse("arp 192.168.77.1"), Ok(router));
        assert_eq!(
            parse("tang:10.0.0.9"),
            Ok(Without::Server([10, 0, 0, 9].into()))
        );
        assert!(parse("neighbour:router").is_err() && parse("tang:box").is_err());
        assert!(parse(&"x".repeat(65)).is_err());
    }

    #[test]
    fn only_what_is_named_goes_and_strangers_have_other_values() {
        let clinic = clinic();
        let around = clinic.at_home();
        let all = around.iter().count();
        let left = |without: &[&str], strangers| {
            let without: Vec<Without> = without.iter().map(|text| text.parse().unwrap()).collect();
            taken_away(&around, &clinic.slots, &without, strangers)
        };
        assert_eq!(left(&[], true).iter().count(), all);
        let one = left(&["neighbour:10.0.0.1"], false);
        assert_eq!(one.iter().count(), all - 1);
        assert!(one.value("arp 10.0.0.1").is_none());
        let disk = left(&["disk 1"], false);
        assert!(disk.value("disk 0000:00:04.0").is_none());
        assert_eq!(disk.iter().count(), all - 1);
        assert_eq!(left(&["place", "machine"], false).iter().count(), 0);
        let others = left(&["place", "machine"], true);
        assert_eq!(others.iter().count(), all);
        for (label, value) in others.iter() {
            assert_ne!(around.value(label), Some(value), "{label}");
        }
        let unknown: Without = "arp 10.9.9.9".parse().unwrap();
        assert!(!unknown.is_enrolled(&clinic.slots));
        assert!(Without::Place.is_enrolled(&SlotTable::default()));
    }
}
