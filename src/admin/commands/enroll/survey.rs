//! What answers around this server, and which of it would be enrolled.

use core::net::IpAddr;

use super::neighbours::{self, MAX_UNNAMED, Proposal, Station};
use crate::admin::systemd;
use crate::environment::{
    Cards, FactorSelection, KeyServers, LIVE_NETWORK_WAIT, NeighbourSelection, Observed, Patience,
    neighbour_label, note_latecomers, observe_place, select_factors,
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

/// A station that answers and can be enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundStation {
    pub address: IpAddr,
    /// What it is, for people; empty where nothing is known.
    pub description: String,
    /// It is among those that are taken where the owner names none.
    pub is_usual: bool,
}

/// The stations that answer and can be enrolled, the steadiest first.
pub fn found_stations() -> Vec<FoundStation> {
    let seen = Survey::seen(&[]);
    let is_taken = |label: &Label| {
        let mut neighbours = seen.choice.neighbours.iter();
        neighbours.any(|(of, _, selection)| of == label && *selection == NeighbourSelection::Taken)
    };
    let found = seen.stations.iter().filter_map(|station| {
        let label = neighbour_label(station.address);
        let is_usual = is_taken(&label);
        (is_usual || seen.surplus.contains(&label)).then(|| FoundStation {
            address: station.address,
            description: station.description(),
            is_usual,
        })
    });
    found.collect()
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
