//! Which stations around are always there.

use super::{TRIES, no_answer, not_understood, until_right};
use crate::admin::commands::enroll::{FoundStation, found_stations};
use crate::admin::problem::Result;
use crate::admin::setup::answers::{Answers, Neighbours};
use crate::printable::Printable;

pub fn ask_stations(answers: &mut Answers) -> Result<()> {
    println!("Which stations are always here, also at night and after a power cut?");
    for _ in 0..TRIES {
        println!("Looking around ...");
        let found = found_stations();
        print!("{}", list(&found));
        let question = match found.is_empty() {
            true => "Connect the server to its network, then press Enter: ",
            false => "Enter: those with a star; or numbers such as 1 3; or again: ",
        };
        let has_servers = !answers.key_servers.is_empty();
        let chosen = until_right(question, |typed| chosen(typed, &found, has_servers))?;
        if let Some(chosen) = chosen {
            answers.neighbours = chosen;
            return Ok(());
        }
    }
    Err(no_answer())
}

fn list(found: &[FoundStation]) -> String {
    if found.is_empty() {
        return "  Nobody answers. A stolen server would open anywhere.\n".into();
    }
    let lines = found.iter().enumerate().map(|(at, station)| {
        let star = if station.is_usual { "*" } else { " " };
        let address = station.address.to_string();
        let what = Printable(&station.description).to_string();
        format!("  {star} {:>2}  {address:<26} {what}", at + 1)
            .trim_end()
            .to_owned()
            + "\n"
    });
    lines.collect()
}

/// What was typed below the list of stations; `None`: look again. Pure.
fn chosen(typed: &str, found: &[FoundStation], has_servers: bool) -> Result<Option<Neighbours>> {
    let usual = || found.iter().filter(|station| station.is_usual);
    let named = |stations: Vec<&FoundStation>| {
        Neighbours::Named(
            stations
                .into_iter()
                .map(|station| station.address)
                .collect(),
        )
    };
    match typed {
        "again" => return Ok(None),
        "none" if has_servers => return Ok(Some(Neighbours::None)),
        "" if usual().count() == 0 => return Ok(None),
        "" => return Ok(Some(named(usual().collect()))),
        _ => {}
    }
    let words = typed.split([' ', ',']).filter(|word| !word.is_empty());
    let stations = words.map(|word| {
        let at: Option<usize> = word.parse().ok();
        at.and_then(|at| found.get(at.checked_sub(1)?))
    });
    let mut stations: Vec<&FoundStation> = stations.collect::<Option<_>>().ok_or_else(|| {
        not_understood("Type the numbers in front of the stations, for example: 1 3")
    })?;
    stations.sort_by_key(|station| station.address);
    stations.dedup();
    Ok(Some(named(stations)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn station(last: u8, is_usual: bool) -> FoundStation {
        FoundStation {
            address: [192, 168, 1, last].into(),
            description: "router".into(),
            is_usual,
        }
    }

    #[test]
    fn stations_are_chosen_by_their_numbers() {
        let found = [station(1, true), station(2, false), station(3, true)];
        let named = |last: &[u8]| {
            let addresses = last.iter().map(|last| [192, 168, 1, *last].into());
            Some(Neighbours::Named(addresses.collect()))
        };
        let typed = |typed| chosen(typed, &found, false).ok();
        assert_eq!(typed(""), Some(named(&[1, 3])));
        assert_eq!(typed("2"), Some(named(&[2])));
        assert_eq!(typed("3, 2 2"), Some(named(&[2, 3])));
        assert_eq!(typed("again"), Some(None));
        for wrong in ["4", "0", "all", "1 x", "none"] {
            assert_eq!(typed(wrong), None, "{wrong}");
        }
        let alone = chosen("none", &found, true).ok();
        assert_eq!(alone, Some(Some(Neighbours::None)));
        // Nobody answers: it looks again.
        assert_eq!(chosen("", &[], false).ok(), Some(None));
    }

    #[test]
    fn hostile_name_of_a_station_stays_in_its_line() {
        let mut hostile = station(1, true);
        hostile.description = "a\x1b[2J\nb".into();
        assert_eq!(list(&[hostile]).lines().count(), 1);
    }
}
