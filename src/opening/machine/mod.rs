//! A boot as a story: what happens goes in, what is to be done comes out.
//!
//! At each turn it tries a combination if one has answered, draws its
//! conclusions about the place, shows what there is to say, looks for sticks,
//! and starts the system without the keys where the owner wants that. All times
//! are counted from the stage's start.

mod answers;
mod changing;
mod commands;
mod entering;
mod recovery;
mod releasing;
mod resetting;

use core::time::Duration;
use std::borrow::Cow;

use log::Level;

use super::act::{Act, Attempt, End, Event, Tried, Unless};
use super::assessment::{Progress, Show, Situation};
use super::dialogue::{Dialogue, Question};
use super::entries::WrongEntries;
use super::messages::{Banner, Message, Reason};
use super::places::Places;
use super::snapshot::Snapshot;
use crate::environment::{Observed, answered};
use crate::stick::StickError;
use crate::theft::Finding;
use crate::vault::{
    Answered, Entered, EnvironmentSlot, EventKind, LocateError, LockedBecause, VaultError,
};
use answers::{AfterFinding, Pending};
use recovery::Recovery;

/// Somebody who typed so recently is still there.
const STILL_THERE: Duration = Duration::from_secs(60);

/// The decisions of one run of the boot stage.
pub struct Machine {
    /// The kernel's random id of this boot.
    boot_id: [u8; 16],
    vault: Result<Box<Snapshot>, LocateError>,
    places: Places,
    around: Around,
    concluded: Concluded,
    entries: WrongEntries,
    dialogue: Dialogue,
    prompt: Prompt,
    recovery: Recovery,
    turn: Turn,
}

/// What is known of the machine and the place.
#[derive(Default)]
struct Around {
    observed: Observed,
    /// Since when enough neighbours and parts of the machine answer.
    enough_since: Option<Duration>,
    /// The place opened the server, and a factor has another value.
    has_changed: bool,
}

/// What followed from it so far.
#[derive(Default)]
struct Concluded {
    finding: Option<Finding>,
    /// The system may start without the keys when nobody is there.
    goes_on: bool,
    /// This boot's [`EventKind::Locked`] is in the log.
    noted_locked: bool,
    /// The slots were destroyed, and nothing shows it: what was found before
    /// is not read again.
    feigned: bool,
}

/// What the consoles show.
#[derive(Default)]
struct Prompt {
    is_open: bool,
    hinted: bool,
    /// What was last said about why it is there.
    said: Option<Reason>,
}

/// The event that is being answered.
#[derive(Default)]
struct Turn {
    now: Duration,
    acts: Vec<Act>,
    /// What was asked for, and why.
    pending: Option<Pending>,
}

impl Machine {
    /// Nothing is known yet; the first event is [`Event::Vault`].
    pub fn new(boot_id: [u8; 16]) -> Self {
        Self {
            boot_id,
            vault: Err(LocateError::NoPartition),
            places: Places::default(),
            around: Around::default(),
            concluded: Concluded::default(),
            entries: WrongEntries::default(),
            dialogue: Dialogue::default(),
            prompt: Prompt::default(),
            recovery: Recovery::default(),
            turn: Turn::default(),
        }
    }

    /// Takes in what happened at `now`; returns what is to be done, in order.
    pub fn on(&mut self, event: Event<'_>, now: Duration) -> Vec<Act> {
        self.turn.now = now;
        match event {
            Event::Tick => self.tick(),
            Event::DisksChanged if self.vault.is_err() => {
                self.find_vault(AfterFinding::Nothing);
            }
            Event::DisksChanged => {}
            Event::ConsolesChanged => {
                if let Some(reason) = &self.prompt.said {
                    let banner = self.banner(reason);
                    self.act(Act::ShowOnNewConsoles(banner));
                }
            }
            Event::Answers(answers) => self.around.observed.note_answers(answers),
            Event::Parts(observed) => self.around.observed.note_all(&observed),
            Event::Typed(typed) => self.typed(typed),
            Event::Sticks { gone, news } => self.sticks(&gone, news),
            Event::StickRead(stick, read) => self.stick_read(stick, read),
            Event::Entries(earlier) => self.entries.remember(earlier, now),
            answer => self.answered(answer),
        }
        std::mem::take(&mut self.turn.acts)
    }

    /// Does what [`Act::Try`] asks for; it takes as long as one scrypt.
    pub fn attempt(&mut self, attempt: &Attempt) -> Tried {
        let observed = &self.around.observed;
        let slots = self.vault.as_ref().ok().and_then(|found| {
            let slots = found.slots().ok()?;
            Some((&found.header, slots))
        });
        match attempt {
            Attempt::Place => Tried::Place(
                slots.and_then(|(header, slots)| self.places.try_one(header, slots, observed)),
            ),
            Attempt::Passphrase(typed) => {
                Tried::Passphrase(slots.map_or(Entered::Wrong, |(header, slots)| {
                    slots.passphrases.enter(header, typed)
                }))
            }
            Attempt::Pin(pin) => Tried::Stick(match (&self.dialogue.stick, &self.vault) {
                (Some(waiting), Ok(found)) => waiting.file.open(&found.header, pin),
                _ => Err(StickError::Unreadable),
            }),
        }
    }

    /// What the vault says, where it was found.
    pub fn vault(&self) -> Option<&Snapshot> {
        self.vault.as_deref().ok()
    }

    /// The place that was enrolled first.
    pub fn home(&self) -> Option<&EnvironmentSlot> {
        self.vault()?.home()
    }

    pub fn observed(&self) -> &Observed {
        &self.around.observed
    }

    /// What is certain about the place, as far as something was done about it.
    pub fn finding(&self) -> Option<Finding> {
        self.concluded.finding
    }

    /// Whether a combination waits to be tried.
    pub fn has_next(&self) -> bool {
        let observed = &self.around.observed;
        let slots = self.vault().and_then(|found| found.slots().ok());
        slots.is_some_and(|slots| self.places.has_next(slots, observed))
    }

    /// When a turn is due though nothing else happens.
    pub fn next(&self, now: Duration) -> Option<Duration> {
        if self.has_next() {
            return Some(now);
        }
        let typed = self.dialogue.last_typed.map(|at| at + STILL_THERE);
        let leaves = typed.filter(|at| self.concluded.goes_on && *at > now);
        let forgets = self.dialogue.change.as_ref().map(|change| change.until);
        let changes = self.progress_at(now).next_change();
        [changes, leaves, forgets].into_iter().flatten().min()
    }

    // Called from everywhere, and too long to be copied there.
    #[inline(never)]
    fn act(&mut self, act: Act) {
        self.turn.acts.push(act);
    }

    /// An act whose answer is waited for.
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
    fn note(&mut self, kind: EventKind, unless: Unless) {
        self.act(Act::Note { kind, unless });
    }

    fn ask_for(&mut self, question: Question) {
        self.dialogue.question = question.clone();
        self.act(Act::Ask(question));
    }

    /// The next line will be a command; whatever was asked for is over.
    fn expect_command(&mut self) {
        self.dialogue.question = Question::Command;
        self.act(Act::Expect(Question::Command));
    }

    fn tick(&mut self) {
        self.give_up_change();
        if self.has_next() {
            self.ask(Act::Try(Attempt::Place), Pending::Place);
        } else {
            self.judge();
        }
    }

    /// Acts on a finding, once for each.
    fn judge(&mut self) {
        let now = self.turn.now;
        if self.situation().is_some_and(|at| at.could_be_foreign()) {
            // A person who looks again does not begin a new wait.
            self.around.enough_since.get_or_insert(now);
        }
        match self.progress().finding() {
            // Without the vault nothing is known and nothing can be written.
            Some(finding) if self.vault.is_ok() && self.concluded.finding != Some(finding) => {
                let plugged = finding == Finding::Foreign;
                self.ask(Act::ReadTheft { plugged }, Pending::Theft(finding));
            }
            _ => self.show(),
        }
    }

    fn situation(&self) -> Option<Situation<'_>> {
        let observed = &self.around.observed;
        Some(self.vault()?.situation(observed))
    }

    fn progress(&self) -> Progress {
        self.progress_at(self.turn.now)
    }

    #[inline(never)]
    fn progress_at(&self, now: Duration) -> Progress {
        match (self.situation(), &self.vault) {
            (Some(situation), Ok(found)) => situation.progress(
                now,
                found.theft_policy().wait(),
                self.around
                    .enough_since
                    .map(|since| now.saturating_sub(since)),
                self.has_next(),
            ),
            _ => Progress::without_vault(now),
        }
    }

    /// Why the server is not open, as far as is known.
    #[inline(never)]
    fn reason(&self) -> Reason {
        match (self.situation(), &self.vault) {
            (Some(situation), _) => situation.reason(self.concluded.finding),
            (None, Err(error)) => Reason::NoVault(*error),
            (None, Ok(_)) => Reason::Looking,
        }
    }

    /// Opens the prompt when it is due, says so when the reason changes, and
    /// goes on with what can only be done when it is open.
    fn show(&mut self) {
        let progress = self.progress();
        match progress.show() {
            _ if self.prompt.is_open => {}
            Show::Prompt => {}
            Show::Nothing => return self.go_on_locked(),
            Show::Hint => {
                if !std::mem::replace(&mut self.prompt.hinted, true) {
                    self.act(Act::Hint);
                }
                return self.go_on_locked();
            }
        }
        if progress.finding().is_some() {
            self.note_locked();
        }
        // Something is about to be known: what was said holds until then.
        if !progress.to_try || self.prompt.said.is_none() {
            self.open_prompt();
        }
        // Without the vault a stick cannot be told from others: it is looked
        // at when the vault is there.
        if self.vault.is_ok() {
            self.act(Act::LookForSticks);
        } else {
            self.go_on_locked();
        }
    }

    /// Opens it, or says the reason where it has changed.
    fn open_prompt(&mut self) {
        let reason = if self.has_next() {
            Reason::Looking
        } else {
            self.reason()
        };
        if self.prompt.said.as_ref() == Some(&reason) {
            return;
        }
        self.log(Level::Warn, format!("locked: {reason}"));
        if self.prompt.is_open {
            self.say(Message::Reason(reason.clone()));
        } else {
            self.prompt.is_open = true;
            let banner = self.banner(&reason);
            self.act(Act::OpenPrompt(banner));
        }
        self.prompt.said = Some(reason);
    }

    fn banner(&self, reason: &Reason) -> String {
        let found = self.vault();
        let banner = Banner {
            server: found.map(|found| found.header.server_name.as_str()),
            reason,
            ways_in: found.map(Snapshot::ways_in).unwrap_or_default(),
        };
        banner.to_string()
    }

    /// Starts the system without the keys where the policy says so, the wait is
    /// over, and nobody is at the prompt.
    fn go_on_locked(&mut self) {
        let now = self.turn.now;
        let is_due = self.concluded.goes_on && now >= self.progress().wait;
        if !is_due || self.dialogue.is_somebody_there(now, STILL_THERE) {
            return;
        }
        self.act(Act::StopAsking);
        self.note_locked();
        self.note(EventKind::WentOnLocked, Unless::KindThisBoot);
        self.log(Level::Warn, "the system starts without the keys");
        self.act(Act::Close(Message::WithoutDatabase));
        self.act(Act::End(End::WithoutKeys));
    }

    /// Writes into the vault's log that the server stayed locked: once a boot,
    /// however often the stage is started in it.
    fn note_locked(&mut self) {
        let because = match self.reason() {
            Reason::Silent { .. } => LockedBecause::PlaceSilent,
            Reason::NotRecognised | Reason::NotYetRecognised => LockedBecause::NotRecognised,
            Reason::WasReset(_) => LockedBecause::Reset,
            Reason::Fault(VaultError::PepperDamaged) => LockedBecause::PepperDamaged,
            Reason::Fault(VaultError::Altered) => LockedBecause::Altered,
            Reason::Fault(_) | Reason::NoVault(_) | Reason::Looking => return,
        };
        if std::mem::replace(&mut self.concluded.noted_locked, true) {
            return;
        }
        let observed = &self.around.observed;
        let answered = self
            .home()
            .map_or_else(Answered::default, |home| answered(home, observed));
        let locked = EventKind::Locked { because, answered };
        self.note(locked, Unless::KindThisBoot);
    }
}

#[cfg(test)]
mod tests;
