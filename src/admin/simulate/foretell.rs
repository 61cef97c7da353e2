//! What a boot that sees this would do, by the boot stage's own judgement and
//! in its own words. Pure.

use core::time::Duration;

use super::without::Without;
use crate::environment::{Matcher, Observed};
use crate::locked::Situation;
use crate::locked::judging::{PROMPT_AFTER, Show};
use crate::locked::words::{Banner, Reason, WaysIn};
use crate::theft::{Decision, Finding, TheftPolicy, TheftState, Then, decide};
use crate::vault::{Header, SlotTable, StickList, VaultError};

/// What the boot stage reads from the vault.
pub struct Server<'a> {
    pub header: &'a Header,
    pub slots: Result<&'a SlotTable, VaultError>,
    pub state: TheftState,
    pub policy: TheftPolicy,
    pub sticks: StickList,
}

/// How the boot ends.
#[derive(Debug)]
pub enum Future {
    /// The place of this name opens it.
    Opens(String),
    Locked(Locked),
}

#[derive(Debug)]
pub struct Locked {
    /// How long after the boot stage's start the prompt opens.
    prompt_after: Duration,
    /// The prompt's whole text.
    prompt: String,
    /// What is certain after the wait, and what is said then if it is
    /// something else.
    finding: Option<(Duration, Finding)>,
    says_then: Option<String>,
    /// How many strikes there are then, and the limit, where one is counted.
    strike: Option<(u8, u8)>,
    then: Then,
    sticks: Vec<String>,
    ways_in: WaysIn,
}

/// Tries every combination, at the cost of one scrypt for each.
fn opens(server: &Server, observed: &Observed) -> Option<String> {
    let slots = server.slots.ok()?;
    let opened = slots.environments.iter().find(|slot| {
        let mut matcher = Matcher::new(slot);
        while matcher.has_next(slot, observed) {
            // The key is dropped at once.
            if matcher.try_next(server.header, slot, observed).is_some() {
                return true;
            }
        }
        false
    });
    opened.map(|slot| slot.name.to_string())
}

pub fn foretell(server: &Server, observed: &Observed) -> Future {
    if let Some(place) = opens(server, observed) {
        return Future::Opens(place);
    }
    let situation = Situation {
        slots: server.slots,
        state: server.state,
        observed,
    };
    let wait = server.policy.wait();
    let at = |since: Duration| situation.progress(since, wait, Some(since), false);
    let prompt_after = match at(Duration::ZERO).show() {
        Show::Prompt => Duration::ZERO,
        Show::Nothing | Show::Hint => PROMPT_AFTER,
    };
    let reason = situation.reason(None);
    let generation = server.header.generation;
    let ways_in = WaysIn::of(server.slots.ok(), &server.sticks, generation);
    let banner = Banner {
        server: Some(&server.header.server_name),
        reason: &reason,
        ways_in,
    };
    let found_at_once = at(Duration::ZERO).finding();
    let finding = match found_at_once {
        Some(finding) => Some((Duration::ZERO, finding)),
        None => at(wait).finding().map(|finding| (wait, finding)),
    };
    let (mut strike, mut then) = (None, Then::Ask);
    if let Some((_, finding)) = finding {
        // No boot has this id: it is a boot to come.
        let way_back = server.sticks.way_back(generation, &[]);
        let decision = decide(&server.state, &server.policy, finding, [0; 16], way_back);
        let Decision { write, then: what } = decision;
        strike = write
            .map(|state| state.strikes())
            .filter(|strikes| *strikes > 0)
            .map(|strikes| (strikes, server.policy.strikes));
        then = what;
    }
    let says_then = match then {
        Then::Reset(cause) => {
            let reason = Reason::WasReset(cause);
            Some(format!("{reason}\n{}", reason.advice()))
        }
        _ => {
            let reason_then = situation.reason(finding.map(|(_, finding)| finding));
            (reason_then != reason).then(|| reason_then.to_string())
        }
    };
    let sticks = server.sticks.sticks.iter();
    let sticks = sticks.filter(|stick| stick.generation == generation);
    Future::Locked(Locked {
        prompt_after,
        prompt: banner.to_string(),
        finding,
        says_then,
        strike,
        then,
        sticks: sticks.map(|stick| stick.label.to_string()).collect(),
        ways_in,
    })
}

fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::AtHome => "at-home",
        Finding::Absent => "absent",
        Finding::Foreign => "foreign",
        Finding::ChangedMachine => "changed-machine",
        Finding::Damaged => "damaged",
    }
}

impl Locked {
    /// What follows when nobody does anything, in a sentence.
    fn conclusion(&self) -> String {
        match (self.then, self.strike) {
            (Then::Reset(_), _) => "The key on the disk is destroyed: a reset.".into(),
            (Then::Withhold(_), _) => "A reset is due and withheld: neither a verified stick \
                                       nor a recovery code is listed."
                .into(),
            (Then::AskThenGoOn, _) => "The system starts without the database, if nobody is at \
                                       the prompt."
                .into(),
            (Then::Ask | Then::Open, _) => "The server stays in the prompt.".into(),
        }
    }

    fn opening(&self) -> Vec<String> {
        let sticks = self.sticks.iter();
        let mut ways: Vec<String> = sticks
            .map(|label| format!("the stick \"{}\"", label.escape_debug()))
            .collect();
        if self.ways_in.passphrase {
            ways.push("a person's passphrase".into());
        }
        if self.ways_in.code {
            ways.push("the recovery code".into());
        }
        ways
    }

    fn text(&self) -> String {
        let Self { prompt, .. } = self;
        let mut text = format!(
            "The server stays locked. {} s after the start of the boot stage its screen says:\n\
             {prompt}\n\n",
            self.prompt_after.as_secs()
        );
        if let Some((after, finding)) = self.finding {
            text += &match after.as_secs() {
                0 => format!("Known at once: {}.", in_words(finding)),
                seconds => format!("After {seconds} s: {}.", in_words(finding)),
            };
            text += &match self.strike {
                Some((strikes, of)) => format!(" Strike {strikes} of {of} is counted.\n"),
                None => " No strike is counted.\n".into(),
            };
        }
        if let Some(says) = &self.says_then {
            text += &format!("Then it says:\n\n{says}\n\n");
        }
        text += &format!("{}\n", self.conclusion());
        text += &match self.opening()[..] {
            [] => "NOTHING IS LISTED THAT OPENS IT. Make a stick: stayput stick make\n".into(),
            ref ways => format!("What opens it: {}.\n", ways.join(", ")),
        };
        text
    }
}

fn in_words(finding: Finding) -> &'static str {
    match finding {
        Finding::AtHome => "at home",
        Finding::Absent => "the place is silent",
        Finding::Foreign => "the place is foreign",
        Finding::ChangedMachine => "the machine has changed",
        Finding::Damaged => "no place can open the vault",
    }
}

impl Future {
    pub fn text(&self, without: &[Without], strangers: bool) -> String {
        let names: Vec<String> = without.iter().map(ToString::to_string).collect();
        let head = match (names.join(", "), strangers) {
            (names, _) if names.is_empty() => "As it is now".into(),
            (names, true) => format!("With others in place of: {names}"),
            (names, false) => format!("Without: {names}"),
        };
        let future = match self {
            Self::Opens(place) => format!(
                "The server opens by itself, as \"{}\". No prompt is shown.\n",
                place.escape_debug()
            ),
            Self::Locked(locked) => locked.text(),
        };
        format!("{head}. Nothing is changed by this.\n{future}")
    }

    pub fn json(&self, without: &[Without], strangers: bool) -> serde_json::Value {
        let without: Vec<String> = without.iter().map(ToString::to_string).collect();
        let (opens, place, locked) = match self {
            Self::Opens(place) => (true, Some(place), None),
            Self::Locked(locked) => (false, None, Some(locked)),
        };
        let locked = locked.map(|locked| {
            serde_json::json!({
                "prompt_after": locked.prompt_after.as_secs(),
                "prompt": locked.prompt,
                "finding": locked.finding.map(|(_, finding)| word(finding)),
                "finding_after": locked.finding.map(|(after, _)| after.as_secs()),
                "says_then": locked.says_then,
                "strikes": locked.strike.map(|(strikes, _)| strikes),
                "strike_limit": locked.strike.map(|(_, of)| of),
                "then": match locked.then {
                    Then::Open | Then::Ask => "ask",
                    Then::AskThenGoOn => "start-without-keys",
                    Then::Reset(_) => "reset",
                    Then::Withhold(_) => "reset-withheld",
                },
                "sticks": locked.sticks,
                "passphrase": locked.ways_in.passphrase,
                "code": locked.ways_in.code,
            })
        });
        serde_json::json!({
            "without": without,
            "strangers": strangers,
            "opens": opens,
            "place": place,
            "locked": locked,
        })
    }
}

#[cfg(test)]
#[path = "foretell_tests.rs"]
mod tests;
#[cfg(test)]
pub use tests::clinic;
