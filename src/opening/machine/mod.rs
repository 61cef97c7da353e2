//! The machine that decides a boot: events go in, acts come out.
//!
//! At each turn it tries a combination if one has answered, assesses the place,
//! shows what there is to tell, looks for sticks, and starts the system without
//! the keys where the policy says so. All times are counted from the stage's
//! start.

mod answers;
mod changing;
mod commands;
mod entering;
mod recovery;
mod releasing;
mod resetting;
mod showing;

use core::time::Duration;
use std::borrow::Cow;

use log::Level;

use super::act::{Act, Attempt, AttemptOutcome, Event, Repeat};
use super::assessment::{Progress, REARRANGE_AFTER, Situation};
use super::dialogue::{Dialogue, Question};
use super::entries::WrongEntries;
use super::messages::{Message, Reason};
use super::places::Places;
use super::snapshot::Snapshot;
use crate::environment::{Arrangements, Observed};
use crate::stick::StickError;
use crate::theft::Assessment;
use crate::vault::{EnvironmentSlot, EventKind, LocateError, PassphraseOutcome};
use answers::{AfterLocating, Pending};
use recovery::Recovery;

/// How long after a read of the vault has failed it is read again. A disk that
/// fails may take as long as that for one read.
const READ_AGAIN: Duration = Duration::from_secs(30);

/// How long after typing somebody counts as still there.
const STILL_THERE: Duration = Duration::from_secs(60);

/// The decisions of one run of the boot stage.
pub struct Machine {
    /// The kernel's random id of this boot.
    boot_id: [u8; 16],
    vault: Result<Box<Snapshot>, LocateError>,
    /// When it is read again, where a read has failed.
    read_again: Option<Duration>,
    places: Places,
    observations: Observations,
    conclusions: Conclusions,
    entries: WrongEntries,
    dialogue: Dialogue,
    prompt: Prompt,
    recovery: Recovery,
    turn: Turn,
}

/// What was observed of the machine and the place.
#[derive(Default)]
struct Observations {
    observed: Observed,
    /// Since when the vault is known, whether its slots can be read or not.
    found_since: Option<Duration>,
    /// Since when an enrolled place is asked: its slots were read then for the first time.
    asked_since: Option<Duration>,
    /// Since when what has answered is no enrolled place.
    strange_since: Option<Duration>,
    /// Whether the place opened the server although a factor has changed.
    has_changed: bool,
}

/// What was concluded so far.
#[derive(Default)]
struct Conclusions {
    assessment: Option<Assessment>,
    /// Whether the system starts without the keys when nobody is there.
    goes_on: bool,
    /// Whether this boot's [`EventKind::Locked`] is in the log.
    noted_locked: bool,
    /// Whether the slots were destroyed under duress: the vault is not read
    /// again, so that nothing shows.
    feigned: bool,
    /// When they are to be destroyed again, where the disk took nothing of it.
    destroy_again: Option<Duration>,
}

/// What the consoles show.
#[derive(Default)]
struct Prompt {
    is_open: bool,
    hinted: bool,
    /// The reason that was shown last.
    said: Option<Reason>,
}

/// The event being handled, and the acts so far.
#[derive(Default)]
struct Turn {
    now: Duration,
    acts: Vec<Act>,
    /// The act whose answer is expected.
    pending: Option<Pending>,
}

impl Machine {
    /// A machine that knows nothing yet; its first event is [`Event::Vault`].
    pub fn new(boot_id: [u8; 16]) -> Self {
        Self {
            boot_id,
            vault: Err(LocateError::NoPartition),
            read_again: None,
            places: Places::default(),
            observations: Observations::default(),
            conclusions: Conclusions::default(),
            entries: WrongEntries::default(),
            dialogue: Dialogue::default(),
            prompt: Prompt::default(),
            recovery: Recovery::default(),
            turn: Turn::default(),
        }
    }

    /// Handles an event at `now`; returns the acts to do, in order.
    pub fn on(&mut self, event: Event<'_>, now: Duration) -> Vec<Act> {
        self.turn.now = now;
        match event {
            Event::Tick => self.tick(),
            Event::DisksChanged if self.vault.is_err() => {
                self.find_vault(AfterLocating::Nothing);
            }
            Event::DisksChanged => {}
            Event::ConsolesChanged => {
                if let Some(reason) = &self.prompt.said {
                    let banner = self.banner(reason);
                    self.act(Act::ShowOnNewConsoles(banner));
                }
            }
            Event::Answers(answers) => self.observations.observed.note_answers(answers),
            Event::Parts(observed) => self.observations.observed.note_all(&observed),
            Event::Typed(typed) => self.typed(typed),
            Event::Sticks { gone, news } => self.sticks(&gone, news),
            Event::StickRead(stick, read) => self.stick_read(stick, read),
            Event::StickWithoutDriver(module) => self.stick_without_driver(module),
            Event::Entries(earlier) => self.entries.remember(earlier, now),
            answer => self.answered(answer),
        }
        std::mem::take(&mut self.turn.acts)
    }

    /// Makes the attempt of [`Act::Try`]. Costs one scrypt at most.
    pub fn attempt(&mut self, attempt: &Attempt) -> AttemptOutcome {
        let arrangements = self.arrangements_at(self.turn.now);
        let observed = &self.observations.observed;
        let slots = self.vault.as_ref().ok().and_then(|found| {
            let slots = found.slots().ok()?;
            Some((&found.header, slots))
        });
        let places = &mut self.places;
        match attempt {
            Attempt::Place => {
                AttemptOutcome::Place(slots.and_then(|(header, slots)| {
                    places.try_one(header, slots, observed, arrangements)
                }))
            }
            Attempt::Passphrase(typed) => AttemptOutcome::Passphrase(
                slots.map_or(PassphraseOutcome::Wrong, |(header, slots)| {
                    slots.passphrases.enter(header, typed)
                }),
            ),
            Attempt::Pin(pin) => AttemptOutcome::Stick(match (&self.dialogue.stick, &self.vault) {
                (Some(waiting), Ok(found)) => {
                    let ways = found.ways.as_claimed();
                    waiting.file.open_in(&found.header, ways, pin)
                }
                _ => Err(StickError::Unreadable),
            }),
        }
    }

    /// The snapshot of the vault; `None` while it was not found.
    pub fn vault(&self) -> Option<&Snapshot> {
        self.vault.as_deref().ok()
    }

    /// The place that was enrolled first, where the slots can be read.
    pub fn home(&self) -> Option<&EnvironmentSlot> {
        self.vault()?.home()
    }

    /// The values observed so far.
    pub fn observed(&self) -> &Observed {
        &self.observations.observed
    }

    /// The assessment of the place that was acted on.
    pub fn assessment(&self) -> Option<Assessment> {
        self.conclusions.assessment
    }

    /// Whether a combination waits to be tried at `now`.
    pub fn has_next(&self, now: Duration) -> bool {
        let observed = &self.observations.observed;
        let slots = self.vault().and_then(|found| found.slots().ok());
        let arrangements = self.arrangements_at(now);
        slots.is_some_and(|slots| self.places.has_next(slots, observed, arrangements))
    }

    /// When the next turn is due even if nothing happens.
    pub fn next(&self, now: Duration) -> Option<Duration> {
        if self.has_next(now) {
            return Some(now);
        }
        let typed = self.dialogue.last_typed.map(|at| at + STILL_THERE);
        let goes_on = Some(self.goes_on_at());
        let leaves = [typed, goes_on].into_iter().flatten();
        let leaves = leaves.filter(|at| self.conclusions.goes_on && *at > now);
        let forgets = self.dialogue.change.as_ref().map(|change| change.until);
        let falls_silent = self.dialogue.being_read.next();
        let changes = self.progress_at(now).next_change();
        let again = [self.read_again, self.destroys_again()];
        [changes, forgets, falls_silent]
            .into_iter()
            .chain(again)
            .flatten()
            .chain(leaves)
            .min()
    }

    // Not inlined: it is called from many places and would be copied to each.
    #[inline(never)]
    fn act(&mut self, act: Act) {
        self.turn.acts.push(act);
    }

    /// Orders an act and expects its answer.
    #[inline(never)]
    fn ask(&mut self, act: Act, pending: Pending) {
        self.turn.pending = Some(pending);
        self.act(act);
    }

    #[inline(never)]
    fn say(&mut self, message: Message) {
        self.act(Act::Say(message));
    }

    fn log(&mut self, level: Level, words: impl Into<Cow<'static, str>>) {
        self.act(Act::Log(level, words.into()));
    }

    #[inline(never)]
    fn note(&mut self, kind: EventKind, repeat: Repeat) {
        self.act(Act::Note { kind, repeat });
    }

    fn ask_for(&mut self, question: Question) {
        self.dialogue.question = question.clone();
        self.act(Act::Ask(question));
    }

    /// Expects a command next, and drops the open question.
    fn expect_command(&mut self) {
        self.dialogue.question = Question::Command;
        self.act(Act::Expect(Question::Command));
    }

    fn tick(&mut self) {
        self.give_up_change();
        self.give_up_sticks();
        let is_due = |at: Option<Duration>| at.is_some_and(|due| due <= self.turn.now);
        if is_due(self.destroys_again()) {
            self.conclusions.destroy_again = None;
            self.under_duress();
        } else if is_due(self.read_again) {
            self.read_again = None;
            self.find_vault(AfterLocating::Nothing);
        } else if self.has_next(self.turn.now) {
            self.ask(Act::Try(Attempt::Place), Pending::Place);
        } else {
            self.judge();
        }
    }

    /// Acts on the assessment of the place, once for each that becomes certain.
    fn judge(&mut self) {
        let now = self.turn.now;
        if self.situation().is_some_and(|at| at.could_be_foreign()) {
            // The wait does not start again when a person types `retry`.
            self.observations.strange_since.get_or_insert(now);
        }
        match self.progress().assessment() {
            // Without the vault nothing can be written.
            Some(assessment)
                if self.vault.is_ok() && self.conclusions.assessment != Some(assessment) =>
            {
                let plugged = assessment == Assessment::Foreign;
                self.ask(Act::ReadTheft { plugged }, Pending::Theft(assessment));
            }
            _ => self.show(),
        }
    }

    fn situation(&self) -> Option<Situation<'_>> {
        let observed = &self.observations.observed;
        Some(self.vault()?.situation(observed, &self.places))
    }

    /// What may be tried at `now`. While factors are silent, those that answer have
    /// nothing to wait for but the others: no try delays the one that opens.
    fn arrangements_at(&self, now: Duration) -> Arrangements {
        let all_answered = || self.situation().is_some_and(|at| at.all_answered());
        match now >= REARRANGE_AFTER || all_answered() {
            true => Arrangements::All,
            false => Arrangements::Enrolled,
        }
    }

    /// When the system starts without the keys, where it may. The wait begins when the
    /// vault is known, and anew when its place can be asked.
    fn goes_on_at(&self) -> Duration {
        let Observations {
            asked_since,
            found_since,
            ..
        } = self.observations;
        asked_since.or(found_since).unwrap_or_default() + self.progress().wait
    }

    fn progress(&self) -> Progress {
        self.progress_at(self.turn.now)
    }

    #[inline(never)]
    fn progress_at(&self, now: Duration) -> Progress {
        match (self.situation(), &self.vault) {
            (Some(situation), Ok(found)) => {
                let time_since = |since: Option<Duration>| Some(now.saturating_sub(since?));
                situation.progress(
                    now,
                    time_since(self.observations.asked_since),
                    found.theft_policy().wait(),
                    time_since(self.observations.strange_since),
                    self.has_next(now),
                )
            }
            _ => Progress::without_vault(now),
        }
    }

    /// Why the server is not open.
    #[inline(never)]
    fn reason(&self) -> Reason {
        match (self.situation(), &self.vault) {
            (Some(situation), _) => situation.reason(self.conclusions.assessment),
            (None, Err(error)) => Reason::NoVault(*error),
            (None, Ok(_)) => Reason::Looking,
        }
    }
}

#[cfg(test)]
mod tests;
