//! The text of the command `status`: what the server observes, so that a person
//! finds the missing cable or router. Pure but for [`Status::of`].

use core::fmt::{self, Display, Formatter};

use crate::environment::{Observed, answered};
use crate::opening::messages::{Reason, Tally};
use crate::sys::interface;
use crate::vault::{EnvironmentSlot, FactorCounts, Group, Thresholds};

/// A network card, and whether it has a carrier.
struct NetworkCard {
    name: interface::Name,
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
        for (at, card) in self.cards.iter().enumerate() {
            let line_end = if at == 0 { "" } else { "\n" };
            let cable = if card.connected {
                "connected"
            } else {
                "NO CABLE, or the other end is off"
            };
            write!(f, "{line_end}Network card {}: {cable}.", card.name)?;
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
            for (_, name, answers) in self.around.iter().filter(|(of, ..)| *of == group) {
                let says = if *answers { "answers" } else { "SILENT" };
                writeln!(f, "  {name:<16} {says}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
            "  10.0.0.1         SILENT",
            "  10.0.0.2         answers",
            "Key servers: 0 of 1 answers, 1 is needed.",
            "  10.0.0.5:80      SILENT",
            "Network card eth0: NO CABLE, or the other end is off.",
            "Network card eth1: connected.",
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
}
