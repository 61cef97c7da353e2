//! What a boot with these observations would do: the boot stage's own decisions,
//! run on a simulated clock. Nothing is written.

use core::time::Duration;

use super::without::Without;
use crate::environment::Observed;
use crate::opening::Machine;
use crate::opening::act::{Act, AttemptOutcome, Event, TheftRecords};
use crate::opening::host::Host;
use crate::opening::messages::{Message, WaysIn};
use crate::opening::snapshot::Snapshot;
use crate::printable::Printable;
use crate::theft::{Assessment, ResetCause, TheftPolicy, TheftState};
use crate::vault::{
    Destroyed, Discarded, EventKind, Header, LocateError, Policy, StickList, Unproven, VaultError,
    Ways, Written,
};

/// How the boot ends.
#[derive(Debug)]
pub enum Forecast {
    /// The place of this name opens it.
    Opens(String),
    /// No place opens it.
    Locked(LockedForecast),
}

/// What the prompt shows and what follows.
#[derive(Debug, Default)]
pub struct LockedForecast {
    /// How long after the boot stage's start the prompt opens, and its whole text.
    prompt: (Duration, String),
    /// What is certain, and since when.
    finding: Option<(Duration, Assessment)>,
    /// What the prompt says after that, if it changes.
    says_then: Option<String>,
    /// The number of strikes after a strike, and the limit; `None` without one.
    strike: Option<(u8, u8)>,
    ends: Ends,
    sticks: Vec<String>,
    ways_in: WaysIn,
}

/// What follows when nobody does anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ends {
    #[default]
    InThePrompt,
    WithoutKeys,
    Reset(ResetCause),
    Withheld,
}

/// A boot in memory.
struct Rehearsal {
    machine: Machine,
    now: Duration,
    header: Header,
    state: Result<TheftState, VaultError>,
    policy: Option<Unproven<Policy>>,
    theft: TheftPolicy,
    sticks: Option<Unproven<StickList>>,
    ways: Unproven<Ways>,
    opens: Option<String>,
    prompt_open: bool,
    locked: LockedForecast,
}

/// Forecasts a boot with this vault and these observations. Backup sticks count
/// as not plugged in. Each combination that is tried costs one scrypt.
pub fn forecast(found: Snapshot, observed: Observed) -> Forecast {
    let generation = found.header.generation;
    let listed = found.listed().into_iter().flat_map(|list| &list.sticks);
    let listed = listed.filter(|stick| stick.generation == generation);
    let locked = LockedForecast {
        sticks: listed.map(|stick| stick.label.to_string()).collect(),
        ways_in: found.ways_in(),
        ..LockedForecast::default()
    };
    let mut rehearsal = Rehearsal {
        // No boot has this id.
        machine: Machine::new([0; 16]),
        now: Duration::ZERO,
        header: found.header.clone(),
        state: found.state,
        theft: found.theft_policy(),
        policy: found.policy.clone(),
        sticks: found.sticks.clone(),
        ways: found.ways.clone(),
        opens: None,
        prompt_open: false,
        locked,
    };
    rehearsal.tell(Event::Vault(Ok(Box::new(found))));
    rehearsal.tell(Event::Parts(Box::new(observed)));
    rehearsal.run()
}

impl Host for Rehearsal {
    fn hear(&mut self, event: Event<'_>) -> Vec<Act> {
        let acts = self.machine.on(event, self.now);
        if self.locked.finding.is_none() {
            self.locked.finding = self.machine.assessment().map(|finding| (self.now, finding));
        }
        acts
    }

    /// Answers the machine as if the act were done. Acts that need a person at the
    /// prompt do not occur.
    fn perform(&mut self, act: Act) -> Option<Event<'static>> {
        let answer = match act {
            Act::Try(attempt) => {
                let tried = self.machine.attempt(&attempt);
                if let AttemptOutcome::Place(Some(opened)) = tried {
                    // The key is dropped at once.
                    let slots = self.machine.vault()?.slots().ok()?;
                    let slot = slots.environments.get(opened.at)?;
                    self.opens = Some(slot.name.to_string());
                    return None;
                }
                Event::Tried(tried)
            }
            Act::ReadTheft { .. } => Event::Theft(Ok(TheftRecords {
                state: self.state,
                policy: Unproven::new(self.theft),
                plugged: Vec::new(),
            })),
            Act::LookForSticks => Event::Sticks {
                gone: Vec::new(),
                news: Vec::new(),
            },
            Act::Strike { strikes, of, .. } => {
                self.locked.strike = Some((strikes, of));
                Event::Struck(Ok(()))
            }
            Act::FindPluggedKeys => Event::PluggedKeys(Vec::new()),
            Act::Destroy { cause, .. } => {
                self.locked.ends = Ends::Reset(cause);
                self.state = Ok(TheftState::Reset { cause, time: 0 });
                Event::Destroyed {
                    destroyed: Ok(Destroyed {
                        failed: 0,
                        discarded: Discarded::Securely,
                        state: Ok(Written::Twice),
                        is_gone: true,
                    }),
                    unwiped: Vec::new(),
                }
            }
            Act::FindVault => Event::Vault(self.vault_after_the_reset()),
            Act::OpenPrompt(banner) => {
                self.prompt_open = true;
                self.locked.prompt = (self.now, banner);
                return None;
            }
            Act::Say(message @ (Message::Reason(_) | Message::ReasonAndAdvice(_)))
                if self.prompt_open =>
            {
                self.locked.says_then = Some(message.to_string());
                return None;
            }
            Act::Note { kind, .. } => {
                match kind {
                    EventKind::WentOnLocked => self.locked.ends = Ends::WithoutKeys,
                    EventKind::ResetWithheld { .. } => self.locked.ends = Ends::Withheld,
                    _ => {}
                }
                return None;
            }
            _ => return None,
        };
        Some(answer)
    }
}

impl Rehearsal {
    fn run(mut self) -> Forecast {
        let mut next = Some(Duration::ZERO);
        while let Some(now) = next {
            self.now = now;
            self.tell(Event::Tick);
            if let Some(place) = self.opens {
                return Forecast::Opens(place);
            }
            next = match self.locked.ends {
                Ends::WithoutKeys => None,
                _ => self.machine.next(now),
            };
        }
        Forecast::Locked(self.locked)
    }

    fn vault_after_the_reset(&self) -> Result<Box<Snapshot>, LocateError> {
        Ok(Box::new(Snapshot {
            header: self.header.clone(),
            slots: Err(VaultError::WasReset),
            state: self.state,
            policy: self.policy.clone(),
            sticks: self.sticks.clone(),
            ways: self.ways.clone(),
        }))
    }
}

fn word(finding: Assessment) -> &'static str {
    match finding {
        Assessment::AtHome => "at_home",
        Assessment::Absent => "absent",
        Assessment::Foreign => "foreign",
        Assessment::ChangedMachine => "changed_machine",
        Assessment::KeyServerLost => "key_server_lost",
        Assessment::Damaged => "damaged",
    }
}

impl LockedForecast {
    /// What follows when nobody does anything, in a sentence.
    fn conclusion(&self) -> &'static str {
        match self.ends {
            Ends::Reset(_) => "The key on the disk is destroyed: a reset.",
            Ends::Withheld => {
                "A reset is due and withheld: neither a verified stick nor a recovery code is \
                 listed."
            }
            Ends::WithoutKeys => {
                "The system starts without the database, if nobody is at the prompt."
            }
            Ends::InThePrompt => "The server stays in the prompt.",
        }
    }

    fn opening(&self) -> Vec<String> {
        let sticks = self.sticks.iter();
        let mut ways: Vec<String> = sticks
            .map(|label| format!("the stick \"{}\"", Printable(label)))
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
        let (after, prompt) = &self.prompt;
        let mut text = format!(
            "The server stays locked. {} s after the start of the boot stage its screen says:\n\
             {prompt}\n\n",
            after.as_secs()
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

fn in_words(finding: Assessment) -> &'static str {
    match finding {
        Assessment::AtHome => "at home",
        Assessment::Absent => "the place is silent",
        Assessment::Foreign => "the place is foreign",
        Assessment::ChangedMachine => "the machine has changed",
        Assessment::KeyServerLost => "a key server is lost",
        Assessment::Damaged => "no place can open the vault",
    }
}

impl Forecast {
    /// The forecast for people.
    pub fn text(&self, without: &[Without], strangers: bool) -> String {
        let names: Vec<String> = without.iter().map(ToString::to_string).collect();
        let head = match (names.join(", "), strangers) {
            (names, _) if names.is_empty() => "As it is now".into(),
            (names, true) => format!("With others in place of: {names}"),
            (names, false) => format!("Without: {names}"),
        };
        let forecast = match self {
            Self::Opens(place) => format!(
                "The server opens by itself, as \"{}\". No prompt is shown.\n",
                Printable(place)
            ),
            Self::Locked(locked) => locked.text(),
        };
        format!("{head}. Nothing is changed by this.\n{forecast}")
    }

    /// The forecast for scripts: docs/json.md.
    pub fn document(&self, without: &[Without], strangers: bool) -> serde_json::Value {
        let without: Vec<String> = without.iter().map(ToString::to_string).collect();
        let (opens, place, locked) = match self {
            Self::Opens(place) => (true, Some(place), None),
            Self::Locked(locked) => (false, None, Some(locked)),
        };
        let locked = locked.map(|locked| {
            serde_json::json!({
                "prompt_after_seconds": locked.prompt.0.as_secs(),
                "prompt": locked.prompt.1,
                "finding": locked.finding.map(|(_, finding)| word(finding)),
                "finding_after_seconds": locked.finding.map(|(after, _)| after.as_secs()),
                "says_then": locked.says_then,
                "strikes": locked.strike.map(|(strikes, _)| strikes),
                "strike_limit": locked.strike.map(|(_, of)| of),
                "then": match locked.ends {
                    Ends::InThePrompt => "ask",
                    Ends::WithoutKeys => "start_without_keys",
                    Ends::Reset(_) => "reset",
                    Ends::Withheld => "reset_withheld",
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
mod tests;
#[cfg(test)]
pub use tests::{clinic, example};
