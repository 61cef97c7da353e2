//! What answers around this server, and which of it would be enrolled.

use core::net::IpAddr;

use super::neighbours::{self, MAX_UNNAMED, Proposal, Station};
use crate::admin::systemd;
use crate::environment::{
    Cards, FactorSelection, KeyServers, LIVE_NETWORK_WAIT, NeighbourSelection, Observed, Patience,
    UnsuitableNeighbour, count_by_group, neighbour_label, note_latecomers, observe_place,
    select_factors,
};
use crate::vault::{Label, Value};

/// What answers around this server, and which of it would be enrolled.
pub struct Survey {
    pub observed: Observed,
    pub stations: Vec<Station>,
    /// Not proposed, because they seem to be virtual.
    pub left_out: Vec<Station>,
    pub choice: FactorSelection,
    /// Not taken, because others seem steadier.
    pub surplus: Vec<Label>,
}

impl Survey {
    /// Asks the stations that were `named`, else all that are found.
    pub fn seen(named: &[IpAddr]) -> Self {
        let proposal = neighbours::stations(named);
        let labels = labels_of(&proposal.stations);
        let mut observed = observe_place(
            labels.iter(),
            KeyServers::default(),
            Cards::PutUp,
            Patience::until_all_answer(LIVE_NETWORK_WAIT).and_second_answers(),
            |_| false,
        );
        if let Some(started) = systemd::start_finished() {
            note_latecomers(&mut observed, started);
        }
        let is_named = !named.is_empty();
        let answer = |address| {
            let value = observed.value(&neighbour_label(address))?;
            value.as_slice().try_into().ok()
        };
        let Proposal { stations, left_out } = neighbours::with_answers(proposal, is_named, answer);
        let mut choice = select_factors(&observed, &labels_of(&stations));
        let mut surplus = Vec::new();
        if !is_named {
            let (kept, others) = steadiest(&choice.neighbours);
            choice = select_factors(&observed, &kept);
            surplus = others;
        }
        Self {
            observed,
            stations,
            left_out,
            choice,
            surplus,
        }
    }
}

/// A station that is there, for an owner who says which are always there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundStation {
    pub address: IpAddr,
    /// What it is, for people; empty where nothing is known.
    pub description: String,
    pub fitness: Fitness,
}

/// What speaks for a station, or against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fitness {
    /// It is among those that are taken where the owner names none.
    Usual,
    /// It can be enrolled.
    Possible,
    /// It seems to be a virtual machine. It can be enrolled where it is always there.
    Virtual,
    /// It cannot be enrolled: why not.
    Unsuitable(UnsuitableNeighbour),
}

/// What an owner can choose from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundStations {
    /// Those that answered or were left out, the steadiest first.
    pub stations: Vec<FoundStation>,
    /// Parts of this machine that would be enrolled beside them.
    pub parts: u8,
}

/// The stations that are there.
pub fn found_stations() -> FoundStations {
    let seen = Survey::seen(&[]);
    let fitness = |label: &Label| {
        let mut neighbours = seen.choice.neighbours.iter();
        let (_, _, selection) = neighbours.find(|(of, ..)| of == label)?;
        match selection {
            NeighbourSelection::Taken => Some(Fitness::Usual),
            NeighbourSelection::Silent => None,
            NeighbourSelection::Unsuitable(why) => Some(Fitness::Unsuitable(*why)),
        }
    };
    let found = |station: &Station, fitness| FoundStation {
        address: station.address,
        description: station.description(),
        fitness,
    };
    let answering = seen.stations.iter().filter_map(|station| {
        let label = neighbour_label(station.address);
        let is_surplus = seen.surplus.contains(&label);
        let possible = is_surplus.then_some(Fitness::Possible);
        Some(found(station, possible.or_else(|| fitness(&label))?))
    });
    let left_out = seen.left_out.iter();
    let left_out = left_out.map(|station| found(station, Fitness::Virtual));
    let (mut stations, unsuitable): (Vec<FoundStation>, Vec<_>) = answering
        .chain(left_out)
        .partition(|station| !matches!(station.fitness, Fitness::Unsuitable(_)));
    stations.extend(unsuitable);
    FoundStations {
        stations,
        parts: count_by_group(&seen.choice.chosen).machine,
    }
}

fn labels_of(stations: &[Station]) -> Vec<Label> {
    let addresses = stations.iter().map(|station| station.address);
    addresses.map(neighbour_label).collect()
}

type Answer = (Label, Option<Value>, NeighbourSelection);

/// Of the stations that answered and can be enrolled the first ones, as many as are
/// taken where the owner names none, and the labels of the others.
fn steadiest(answers: &[Answer]) -> (Vec<Label>, Vec<Label>) {
    let mut taken = 0;
    let labels = answers.iter().map(|(label, _, selection)| {
        taken += usize::from(*selection == NeighbourSelection::Taken);
        let is_surplus = *selection == NeighbourSelection::Taken && taken > MAX_UNNAMED;
        (label.clone(), is_surplus)
    });
    let (surplus, kept): (Vec<_>, Vec<_>) = labels.partition(|(_, is_surplus)| *is_surplus);
    let labels = |of: Vec<(Label, bool)>| of.into_iter().map(|(label, _)| label).collect();
    (labels(kept), labels(surplus))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_five_that_answered_are_taken_not_the_first_asked() {
        let answer = |n: u8| {
            let selection = match n {
                0..4 => NeighbourSelection::Silent,
                _ => NeighbourSelection::Taken,
            };
            (neighbour_label([10, 0, 0, n].into()), None, selection)
        };
        let answers: Vec<Answer> = (0..11).map(answer).collect();
        let (kept, surplus) = steadiest(&answers);
        assert_eq!(kept.len(), 9, "four are silent, five are taken");
        assert_eq!(
            kept[..],
            answers[..9].iter().map(|a| a.0.clone()).collect::<Vec<_>>()
        );
        let last = [9, 10].map(|n| neighbour_label([10, 0, 0, n].into()));
        assert_eq!(surplus, last);
    }
}
