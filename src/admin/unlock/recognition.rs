//! Which enrolled place this is: observes the surroundings and tries each place.

use std::time::Instant;

use crate::environment::{
    Arrangements, Cards, Comparison, KeyServers, LIVE_NETWORK_WAIT, Observed, Patience, compare,
    is_asked, observe_place,
};
use crate::keys::MasterKey;
use crate::opening::places::{PlaceOpened, Places};
use crate::sys::interface;
use crate::vault::{Header, SlotTable};

/// What the surroundings say about one enrolled place.
pub struct Recognition {
    /// `None` where the place does not open the vault.
    pub key: Option<MasterKey>,
    /// The place that opened it; else the one that was enrolled first.
    pub place: String,
    /// What is as enrolled and what is not; only where the place opens the vault.
    pub comparison: Option<Comparison>,
    /// How many factors the place needs.
    pub need: crate::vault::Thresholds,
    /// What answered.
    pub observed: Observed,
    /// Everybody of all places has answered, rightly or not.
    pub all_answered: bool,
    /// What was tried of it.
    pub places: Places,
}

impl Recognition {
    /// Why somebody was not asked who did not answer, in words: cards that were left
    /// down, or nothing could be sent.
    pub fn unasked(&self) -> Option<String> {
        let is_complete = match &self.comparison {
            Some(compared) => {
                let mut missing = compared.silent.iter().chain(&compared.not_asked);
                !missing.any(is_asked)
            }
            None => self.all_answered,
        };
        if is_complete {
            return None;
        }
        let is_asked = self.observed.not_asked().is_empty();
        cards_left_down().or_else(|| (!is_asked).then(|| NOT_ASKED.into()))
    }
}

/// The network cards that are switched off, in words.
pub fn cards_left_down() -> Option<String> {
    let down = interface::wired_and_down();
    let (cards, are) = match &down[..] {
        [] => return None,
        [_] => ("card", "is"),
        _ => ("cards", "are"),
    };
    let names = down.join(", ");
    Some(format!(
        "Network {cards} {names} {are} switched off: who is behind that was not asked."
    ))
}

/// Observes the surroundings and tries every enrolled place.
pub fn recognise(
    header: &Header,
    slots: &SlotTable,
    cards: Cards,
    patience: Patience,
) -> Option<Recognition> {
    let mut places = Places::of(slots);
    let mut found: Option<PlaceOpened> = None;
    let labels = slots
        .environments
        .iter()
        .flat_map(|slot| slot.factors.iter().map(|factor| &factor.label));
    let mut try_all = |observed: &Observed, arrangements| {
        if found.is_none() {
            found = places.try_all(header, slots, observed, arrangements);
        }
        // Never enough: what has changed is to be named too.
        false
    };
    let servers = KeyServers::of(&slots.environments, Instant::now());
    let observed = observe_place(labels, servers, cards, patience, |observed| {
        try_all(observed, Arrangements::Enrolled)
    });
    try_all(&observed, Arrangements::All);
    recognition(header, slots, found, observed, places)
}

/// Tries `arrangements` with what answers on the network cards that are up; those that
/// are down stay down.
pub fn recognise_on_live_links(
    header: &Header,
    slots: &SlotTable,
    arrangements: Arrangements,
) -> Option<Recognition> {
    let labels = slots
        .environments
        .iter()
        .flat_map(|slot| slot.factors.iter().map(|factor| &factor.label));
    let servers = KeyServers::of(&slots.environments, Instant::now());
    let patience = Patience::until_all_answer(LIVE_NETWORK_WAIT);
    let observed = observe_place(labels, servers, Cards::LeftDown, patience, |_| false);
    let mut places = Places::of(slots);
    let found = places.try_all(header, slots, &observed, arrangements);
    recognition(header, slots, found, observed, places)
}

fn recognition(
    header: &Header,
    slots: &SlotTable,
    found: Option<PlaceOpened>,
    observed: Observed,
    places: Places,
) -> Option<Recognition> {
    let (at, key) = found.map_or((0, None), |opened| (opened.at, Some(opened.key)));
    let slot = slots.environments.get(at)?;
    Some(Recognition {
        place: slot.name.to_string(),
        comparison: key
            .as_ref()
            .and_then(|key| compare(header, slot, key, &observed).ok()),
        need: slot.need,
        key,
        all_answered: slots.environments.iter().all(|slot| {
            let mut asked = slot.factors.iter().map(|factor| &factor.label);
            asked.all(|label| !is_asked(label) || observed.value(label).is_some())
        }),
        observed,
        places,
    })
}

/// Why a neighbour was not asked.
const NOT_ASKED: &str = "Not all neighbours could be asked: no wired card that is up has a \
                         carrier, or sending is not allowed.";
