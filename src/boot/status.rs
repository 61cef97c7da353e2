//! The text of the command `status`: what the server observes, so that a person
//! finds the missing cable or router. Pure but for [`Status::of`].

use core::fmt::{self, Display, Formatter};

use crate::environment::{Observed, answered};
use crate::opening::messages::{Reason, Tally};
use crate::sys::interface;
use crate::vault::{EnvironmentSlot, FactorCounts, Group, Thresholds};

/// Stations that do not answer, and cards, are named up to so many: with all that a place
/// can have, the screen holds it. Somebody looks for one of them.
const MOST_SILENT: usize = 5;

/// Stations that answer, up to so many.
const MOST_ANSWERING: usize = 3;

/// A network card, and whether it has a carrier.
struct NetworkCard {
    name: interface::InterfaceName,
    connected: bool,
}

/// Which factors of a place have answered. Whether an answer is right is not
/// shown: that would tell a thief which guess is right.
struct PlaceTally {
    answered: FactorCounts,
    need: Thresholds,
    /// Each neighbour and key server: its group, its address, and whether it
    /// answers.
    around: Vec<(Group, String, bool)>,
}

/// What the command `status` shows.
pub struct Status<'a> {
    reason: &'a Reason,
    place: Option<PlaceTally>,
    cards: Vec<NetworkCard>,
}

impl<'a> Status<'a> {
    /// The status with the reason, the home's factors, and the network cards as
    /// they are now.
    pub fn of(reason: &'a Reason, home: Option<&EnvironmentSlot>, observed: &Observed) -> Self {
        let cards = interface::wired()
            .into_iter()
            .map(|name| NetworkCard {
                connected: interface::has_carrier(&name),
                name,
            })
            .collect();
        Self {
            reason,
            place: home.map(|home| PlaceTally::of(home, observed)),
            cards,
        }
    }
}

impl PlaceTally {
    fn of(home: &EnvironmentSlot, observed: &Observed) -> Self {
        let around = home
            .factors
            .iter()
            .filter(|factor| factor.group != Group::Machine)
            .map(|factor| {
                let name = factor.label.split_once(' ').map_or("", |(_, name)| name);
                let answers = observed.value(&factor.label).is_some();
                (factor.group, name.to_owned(), answers)
            });
        Self {
            answered: answered(home, observed),
            need: home.need,
            around: around.collect(),
        }
    }
}

impl Display for Status<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}", self.reason, self.reason.advice())?;
        if let Some(place) = &self.place {
            place.fmt(f)?;
        }
        if self.cards.is_empty() {
            return f.write_str("No network card was found.");
        }
        f.write_str("Network cards:")?;
        for (heading, connected) in [
            ("NO CABLE, or the other end is off", false),
            ("connected", true),
        ] {
            let cards = self.cards.iter().filter(|card| card.connected == connected);
            let cards = named(cards.map(|card| card.name.as_str()), MOST_SILENT);
            if !cards.is_empty() {
                write!(f, "\n  {heading}: {cards}")?;
            }
        }
        Ok(())
    }
}

impl Display for PlaceTally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { answered, need, .. } = self;
        let machine = Tally::of(Group::Machine, *answered, *need);
        writeln!(f, "Machine: {machine}")?;
        for (group, heading) in [
            (Group::Neighbours, "Neighbours"),
            (Group::Servers, "Key servers"),
        ] {
            if group == Group::Servers && answered.servers.of == 0 {
                continue;
            }
            let tally = Tally::of(group, *answered, *need).under_a_heading();
            writeln!(f, "{heading}: {tally}")?;
            for (heading, answers, most) in [
                ("SILENT", false, MOST_SILENT),
                ("answering", true, MOST_ANSWERING),
            ] {
                let stations = self.around.iter();
                let stations = stations.filter(|(of, _, says)| (*of, *says) == (group, answers));
                let stations = named(stations.map(|(_, name, _)| name.as_str()), most);
                if !stations.is_empty() {
                    writeln!(f, "  {heading}: {stations}")?;
                }
            }
        }
        Ok(())
    }
}

/// Names, at most `most` of them, and how many more there are.
fn named<'a>(names: impl Iterator<Item = &'a str>, most: usize) -> String {
    let names: Vec<&str> = names.collect();
    let shown = names[..most.min(names.len())].join(", ");
    match names.len().checked_sub(most) {
        None | Some(0) => shown,
        Some(more) => format!("{shown}, and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::{COLUMNS, in_columns};
    use crate::vault::Count;

    #[test]
    fn a_technician_finds_the_cable_and_the_silent_router() {
        let status = Status {
            reason: &Reason::NotRecognised,
            place: Some(PlaceTally {
                answered: FactorCounts {
                    machine: Count { count: 4, of: 5 },
                    neighbours: Count { count: 1, of: 2 },
                    servers: Count { count: 0, of: 1 },
                },
                need: Thresholds {
                    machine: 3,
                    neighbours: 2,
                    servers: 1,
                },
                around: vec![
                    (Group::Neighbours, "10.0.0.1".into(), false),
                    (Group::Neighbours, "10.0.0.2".into(), true),
                    (Group::Servers, "10.0.0.5:80".into(), false),
                ],
            }),
            cards: vec![
                NetworkCard {
                    name: "eth0".try_into().unwrap(),
                    connected: false,
                },
                NetworkCard {
                    name: "eth1".try_into().unwrap(),
                    connected: true,
                },
            ],
        };
        let text = status.to_string();
        for line in [
            "Machine: 4 of 5 parts are there, 3 are needed.",
            "Neighbours: 1 of 2 answers, 2 are needed.",
            "  SILENT: 10.0.0.1",
            "  answering: 10.0.0.2",
            "Key servers: 0 of 1 answers, 1 is needed.",
            "  SILENT: 10.0.0.5:80",
            "  NO CABLE, or the other end is off: eth0",
            "  connected: eth1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let none = Status {
            reason: &Reason::Looking,
            place: None,
            cards: vec![],
        };
        assert!(none.to_string().ends_with("No network card was found."));
    }

    #[test]
    fn status_of_the_largest_place_is_one_screen() {
        let stations = |group, of: u8, silent: u8, name: fn(u8) -> String| {
            (0..of).map(move |at| (group, name(at), at >= silent))
        };
        let around = stations(Group::Neighbours, 16, 12, |at| {
            format!("fe80::9a3f:12ff:fe4b:{at:04x}")
        });
        let servers = stations(Group::Servers, 8, 6, |at| {
            format!("[2001:db8:1111:2222:3333:4444:5555:{at:04x}]:8080")
        });
        let need = Thresholds {
            machine: 8,
            neighbours: 16,
            servers: 8,
        };
        let counted = |count, of| Count { count, of };
        let answered = FactorCounts {
            machine: counted(8, 8),
            neighbours: counted(4, 16),
            servers: counted(2, 8),
        };
        let card = |at: u8| NetworkCard {
            name: format!("enp{at}s0f0np0").as_str().try_into().unwrap(),
            connected: at.is_multiple_of(2),
        };
        let text = Status {
            reason: &Reason::Silent { answered, need },
            place: Some(PlaceTally {
                answered,
                need,
                around: around.chain(servers).collect(),
            }),
            cards: (0..16).map(card).collect(),
        }
        .to_string();
        let shown = in_columns(&text);
        assert!(shown.lines().count() <= 24, "more than one screen: {shown}");
        let fits = |line: &str| line.chars().count() <= COLUMNS;
        assert!(shown.lines().all(fits), "a line is too long: {shown}");
        for told in ["fe4b:0004, and 7 more", "5555:0004]:8080, and 1 more"] {
            assert!(text.contains(told), "{told}\n{text}");
        }
    }
}
