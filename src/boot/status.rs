//! What `status` shows: what the server sees, so that a person finds the
//! cable or the router that is missing. Pure but for [`Status::of`].

use core::fmt::{self, Display, Formatter};

use crate::environment::{Observed, answered};
use crate::locked::words::Reason;
use crate::sys::interface;
use crate::vault::{Answered, EnvironmentSlot, Group, Thresholds};

/// One network card, and whether its cable leads anywhere.
struct Card {
    name: interface::Name,
    connected: bool,
}

/// A place, and what has answered. Whether an answer is the enrolled one is
/// not said: that would tell a thief when a guess is right.
struct Place {
    answered: Answered,
    need: Thresholds,
    neighbours: Vec<(String, bool)>,
}

pub struct Status<'a> {
    reason: &'a Reason,
    place: Option<Place>,
    cards: Vec<Card>,
}

impl<'a> Status<'a> {
    pub fn of(reason: &'a Reason, home: Option<&EnvironmentSlot>, observed: &Observed) -> Self {
        let cards = interface::wired()
            .into_iter()
            .map(|name| Card {
                connected: interface::has_carrier(&name),
                name,
            })
            .collect();
        Self {
            reason,
            place: home.map(|home| Place::of(home, observed)),
            cards,
        }
    }
}

impl Place {
    fn of(home: &EnvironmentSlot, observed: &Observed) -> Self {
        let neighbours = home
            .factors
            .iter()
            .filter(|factor| factor.group == Group::Place)
            .map(|factor| {
                let name = factor.label.rsplit(' ').next().unwrap_or_default();
                (name.to_owned(), observed.value(&factor.label).is_some())
            });
        Self {
            answered: answered(home, observed),
            need: home.need,
            neighbours: neighbours.collect(),
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

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { answered, need, .. } = self;
        writeln!(
            f,
            "Machine: {} of {} parts are there, {} are needed.",
            answered.machine, answered.machine_of, need.machine
        )?;
        writeln!(
            f,
            "Neighbours: {} of {} answer, {} are needed.",
            answered.place, answered.place_of, need.place
        )?;
        for (name, answers) in &self.neighbours {
            let says = if *answers { "answers" } else { "SILENT" };
            writeln!(f, "  {name:<16} {says}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_technician_finds_the_cable_and_the_silent_router() {
        let status = Status {
            reason: &Reason::NotRecognised,
            place: Some(Place {
                answered: Answered {
                    machine: 4,
                    machine_of: 5,
                    place: 1,
                    place_of: 2,
                },
                need: Thresholds {
                    machine: 3,
                    place: 2,
                },
                neighbours: vec![("10.0.0.1".into(), false), ("10.0.0.2".into(), true)],
            }),
            cards: vec![
                Card {
                    name: "eth0".try_into().unwrap(),
                    connected: false,
                },
                Card {
                    name: "eth1".try_into().unwrap(),
                    connected: true,
                },
            ],
        };
        let text = status.to_string();
        for line in [
            "Machine: 4 of 5 parts are there, 3 are needed.",
            "Neighbours: 1 of 2 answer, 2 are needed.",
            "  10.0.0.1         SILENT",
            "  10.0.0.2         answers",
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
