//! Which stations bind the server to its place: what is shown of those around, and what is
//! typed below.

use super::{TRIES, no_answer, not_understood, until_right};
use crate::admin::commands::enroll::{Fitness, FoundStation, FoundStations, found_stations};
use crate::admin::problem::Result;
use crate::admin::setup::answers::Neighbours;
use crate::columns::{COLUMNS, folded};
use crate::environment::most_neighbours;
use crate::printable::Printable;

/// Asks which are always there, beside so many key servers.
///
/// # Errors
/// When the person ends it, or nobody is there.
pub fn ask(key_servers: usize) -> Result<Neighbours> {
    println!("Which stations are always here, also at night and after a power cut?");
    for _ in 0..TRIES {
        println!("Looking around ...");
        let offer = Offer::of(found_stations(), key_servers);
        print!("{}", offer.list());
        if let Some(chosen) = until_right(offer.question(), |typed| offer.chosen(typed))? {
            return Ok(chosen);
        }
    }
    Err(no_answer())
}

/// What can be chosen. Pure.
struct Offer {
    stations: Vec<FoundStation>,
    /// The most that can be enrolled.
    most: usize,
    has_servers: bool,
}

impl Offer {
    fn of(found: FoundStations, key_servers: usize) -> Self {
        let servers = key_servers.try_into().unwrap_or(u8::MAX);
        Self {
            stations: found.stations,
            most: most_neighbours(found.parts, servers).into(),
            has_servers: key_servers > 0,
        }
    }

    fn usual(&self) -> impl Iterator<Item = &FoundStation> {
        let stations = self.stations.iter();
        stations.filter(|station| station.fitness == Fitness::Usual)
    }

    fn can_be_chosen(&self) -> bool {
        self.stations.iter().any(is_fit)
    }

    fn question(&self) -> &'static str {
        match (self.can_be_chosen(), self.has_servers) {
            (false, false) => "Connect the server to its network, then press Enter: ",
            (false, true) => "Connect the server to its network, then press Enter; or none: ",
            (true, false) => "Enter: those with a star; or numbers such as 1 3; or again: ",
            (true, true) => {
                "Enter: those with a star; or numbers such as 1 3; or none (the key servers \
                 alone); or again: "
            }
        }
    }

    fn list(&self) -> String {
        let mut text = String::new();
        let mut number = 0;
        for station in &self.stations {
            let star = match station.fitness {
                Fitness::Usual => "*",
                _ => " ",
            };
            let mut what = Printable(&station.description).to_string();
            let shown = match &station.fitness {
                Fitness::Unsuitable(why) => {
                    what = format!("cannot be taken: {why}");
                    String::new()
                }
                _ => {
                    number += 1;
                    number.to_string()
                }
            };
            if station.fitness == Fitness::Virtual {
                what += " (only if it is always there)";
            }
            let address = station.address.to_string();
            let line = format!("  {star} {shown:>2}  {address:<26} {what}");
            for line in folded(line.trim_end(), COLUMNS, &" ".repeat(34)) {
                text += &line;
                text.push('\n');
            }
        }
        if !self.can_be_chosen() && !self.has_servers {
            text += "  Nobody answers who could bind the server to this place. A stolen server \
                     would open\n  anywhere.\n";
        }
        text
    }

    /// What was typed below the list; `None`: look again.
    fn chosen(&self, typed: &str) -> Result<Option<Neighbours>> {
        let named = |stations: Vec<&FoundStation>| {
            let addresses = stations.into_iter().map(|station| station.address);
            Neighbours::Named(addresses.collect())
        };
        match typed {
            "again" => return Ok(None),
            "none" if self.has_servers => return Ok(Some(Neighbours::None)),
            "" if self.usual().count() == 0 => return Ok(None),
            "" => return Ok(Some(named(self.usual().collect()))),
            _ => {}
        }
        let words = typed.split([' ', ',']).filter(|word| !word.is_empty());
        let stations = words.map(|word| {
            let at: usize = word.parse().ok()?;
            self.stations
                .iter()
                .filter(|s| is_fit(s))
                .nth(at.checked_sub(1)?)
        });
        let mut stations: Vec<&FoundStation> =
            stations.collect::<Option<_>>().ok_or_else(|| {
                not_understood("Type the numbers in front of the stations, for example: 1 3")
            })?;
        stations.sort_by_key(|station| station.address);
        stations.dedup();
        match stations.len() <= self.most {
            true => Ok(Some(named(stations))),
            false => Err(not_understood(&format!(
                "{} stations can be taken here at most: choose the steadiest.",
                self.most
            ))),
        }
    }
}

fn is_fit(station: &FoundStation) -> bool {
    !matches!(station.fitness, Fitness::Unsuitable(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::UnsuitableNeighbour::LocallyAdministered;

    fn offer(fitness: &[Fitness], key_servers: usize) -> Offer {
        let stations = fitness.iter().enumerate();
        let stations = stations.map(|(at, fitness)| FoundStation {
            address: [192, 168, 1, at as u8 + 1].into(),
            description: "router".into(),
            fitness: fitness.clone(),
        });
        let found = FoundStations {
            stations: stations.collect(),
            parts: 4,
        };
        Offer::of(found, key_servers)
    }

    fn named(last: &[u8]) -> Option<Option<Neighbours>> {
        let addresses = last.iter().map(|last| [192, 168, 1, *last].into());
        Some(Some(Neighbours::Named(addresses.collect())))
    }

    #[test]
    fn stations_are_chosen_by_their_numbers() {
        let offer = offer(&[Fitness::Usual, Fitness::Possible, Fitness::Usual], 0);
        let typed = |typed| offer.chosen(typed).ok();
        assert_eq!(typed(""), named(&[1, 3]));
        assert_eq!(typed("2"), named(&[2]));
        assert_eq!(typed("3, 2 2"), named(&[2, 3]));
        assert_eq!(typed("again"), Some(None));
        for wrong in ["4", "0", "all", "1 x", "none"] {
            assert_eq!(typed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn key_servers_alone_are_an_answer_and_said_to_be_one() {
        for fitness in [&[][..], &[Fitness::Usual]] {
            let offer = offer(fitness, 1);
            assert_eq!(offer.chosen("none").ok(), Some(Some(Neighbours::None)));
            assert!(offer.question().contains("none"));
            assert!(
                !offer.list().contains("anywhere"),
                "the key server binds it"
            );
        }
    }

    #[test]
    fn virtual_router_can_be_named_and_a_random_one_is_told_of() {
        let random = Fitness::Unsuitable(LocallyAdministered);
        let offer = offer(&[random, Fitness::Virtual], 0);
        let list = offer.list();
        assert!(list.contains("cannot be taken"), "{list}");
        assert!(list.contains("1  192.168.1.2"), "{list}");
        assert!(!list.contains("anywhere"), "{list}");
        assert_eq!(offer.chosen("").ok(), Some(None), "nobody is usual");
        assert_eq!(offer.chosen("1").ok(), named(&[2]));
        assert_eq!(offer.chosen("2").ok(), None);
        for line in list.lines() {
            assert!(line.chars().count() < 80, "{line}");
        }
    }

    #[test]
    fn where_nobody_answers_that_is_said() {
        let offer = offer(&[], 0);
        assert!(offer.list().contains("anywhere"));
        assert!(!offer.question().contains("none"));
    }

    #[test]
    fn more_than_can_be_enrolled_are_asked_about_again() {
        let offer = offer(&vec![Fitness::Possible; 12], 0);
        let told = offer.chosen("1 2 3 4 5 6 7 8 9 10 11 12").unwrap_err();
        assert!(told.next.contains("at most"), "{told}");
        assert!(offer.chosen("1 2 3 4 5").is_ok());
    }
}
