//! What the stage does when the server may have been stolen: what `theft`
//! decides, on the disk first and on the screen afterwards.

use std::time::{Duration, Instant};

use super::{Entry, Stage};
use crate::boot::line::Line;
use crate::boot::screen::Asking;
use crate::environment::KeyServers;
use crate::keys::MasterKey;
use crate::locked::words::Reason;
use crate::reset::Reset;
use crate::stick::PluggedKeys;
use crate::sys::clock;
use crate::theft::{Decision, Finding, ResetCause, TheftState, Then, WayBack, decide};
use crate::vault::locate::{self, LocateError};
use crate::vault::{Destroyed, EventKind, ProvenRecords};

/// Somebody who typed so recently is still there.
const STILL_THERE: Duration = Duration::from_secs(60);

impl Stage {
    /// Acts on a finding, once for each.
    pub(super) fn judge(&mut self) {
        self.note_answers();
        let Some(finding) = self.progress().finding() else {
            return;
        };
        // Without the vault nothing is known and nothing can be written.
        if self.found.is_err() || self.acted_on == Some(finding) {
            return;
        }
        let decision = self.decide(finding);
        // Only now: the screen says what is on the disk.
        self.acted_on = Some(finding);
        self.goes_on = matches!(decision, Ok(Then::AskThenGoOn));
        match decision {
            Ok(Then::Reset(cause)) => self.reset(cause),
            Ok(Then::Withhold(cause)) => self.withhold(cause),
            Ok(Then::Open | Then::Ask | Then::AskThenGoOn) => {}
            Err(error) => log::error!("the finding was not written: {error}"),
        }
    }

    /// Asks the state machine, and writes what it says before anything else.
    fn decide(&self, finding: Finding) -> Result<Then, LocateError> {
        let mut vault = locate::open(&self.place)?;
        // Nothing follows from a state that cannot be read.
        let Ok(state) = vault.state() else {
            return Ok(Then::Ask);
        };
        let policy = vault.unproven_policy().unwrap_or_default();
        let policy = policy.as_claimed().theft;
        let way_back = match finding {
            Finding::Foreign => self.way_back(),
            _ => WayBack::None,
        };
        let boot_id = clock::boot_id();
        let decision = decide(&state, &policy, finding, boot_id, way_back);
        if let Some(TheftState::Suspect { strikes, boot_id }) = decision.write {
            vault.strike(strikes, boot_id)?;
            let of = policy.strikes;
            log::warn!("a foreign place: strike {strikes} of {of}");
            let strike = EventKind::Strike { strikes, of };
            // The strike counts, noted or not.
            if let Err(error) = vault.append(clock::now(), boot_id, strike) {
                log::warn!("the vault's log was not written: {error}");
            }
        }
        Ok(decision.then)
    }

    /// Whether a stick that is not plugged in, or a recovery code, opens this
    /// server. The list is not proven: whoever wrote a wrong one could destroy
    /// the pepper as well.
    pub(super) fn way_back(&self) -> WayBack {
        let Ok(found) = &self.found else {
            return WayBack::None;
        };
        self.plugged_keys().map_or(WayBack::None, |keys| {
            keys.way_back(&found.header, &found.sticks)
        })
    }

    fn plugged_keys(&self) -> Option<PluggedKeys> {
        let found = self.found.as_ref().ok()?;
        Some(PluggedKeys::find(
            &found.header,
            Some(&found.partition.disk),
        ))
    }

    pub(super) fn withhold(&mut self, cause: ResetCause) {
        log::error!("not reset: no code, and no stick but those plugged in, is listed as verified");
        self.note_once_a_boot(EventKind::ResetWithheld { cause });
    }

    /// Destroys what this server has, and says so.
    pub(super) fn reset(&mut self, cause: ResetCause) {
        let wipe = self.way_back() == WayBack::Listed;
        let destroyed = self.destroy(cause, wipe);
        match &destroyed {
            Ok(destroyed) if destroyed.failed == 0 => log::warn!("reset, {cause}"),
            Ok(destroyed) => log::error!("reset, but {} blocks failed", destroyed.failed),
            Err(error) => log::error!("the reset failed: {error}"),
        }
        self.waiting = None;
        self.entry = Entry::default();
        self.feigned = false;
        self.recovery.forget();
        // One that was left opens the server all the same, and is asked again.
        self.sticks.forget();
        self.find_vault();
        self.screen.ask_for_command();
        let reason = self.reason();
        self.screen.say(&format!("{reason}\n{}", reason.advice()));
        // A prompt that was not open yet shows all of it.
        self.said = self.screen.is_open().then_some(reason);
    }

    /// The pepper, the slots, what was released, and, where `wipe` says so, the
    /// keys on the sticks that are plugged in.
    pub(super) fn destroy(&self, cause: ResetCause, wipe: bool) -> Result<Destroyed, LocateError> {
        let reset = Reset {
            cause,
            plugged: &self.plugged_keys().unwrap_or_default(),
            wipe,
        };
        let mut vault = locate::open(&self.place);
        // Nothing runs yet that would read the released files.
        let done = reset.destroy(vault.as_mut().map_err(|error| *error), || ());
        if let Err(error) = done.noted {
            log::warn!("the vault's log was not written: {error}");
        }
        done.destroyed
    }

    /// Somebody wants the reset: asks for the server's name.
    pub(super) fn offer_reset(&mut self) {
        match self.reason() {
            Reason::NoVault(error) => return self.screen.say(&error),
            Reason::WasReset(_) => return self.screen.say(&"This server was reset already."),
            _ => {}
        }
        let lost = match self.way_back() {
            WayBack::Listed => "",
            WayBack::None => {
                "\nNo recovery code, and no verified stick but those plugged in, is listed. Without \
                 a\nstick that opens it, the data is lost for ever."
            }
        };
        self.screen.consoles.print(&format!(
            "\nA reset destroys the key on this disk: from then on only a backup stick or the\n\
             recovery code opens this server.{lost}\nType the server's name to go on, or press Escape.\n"
        ));
        self.screen.ask_for(Asking::ServerName);
    }

    /// The name that was typed to confirm it.
    pub(super) fn confirm_reset(&mut self, typed: &Line) {
        self.screen.ask_for_command();
        let Ok(found) = &self.found else {
            return self.screen.say(&"Nothing was changed.");
        };
        if typed.trim_ascii() == found.header.server_name.trim().as_bytes() {
            self.reset(ResetCause::Prompt);
        } else {
            self.screen
                .say(&"That is not the server's name. Nothing was changed.");
        }
    }

    /// The server has opened: strikes do not count any more, and a state that
    /// somebody else wrote is put right.
    pub(super) fn settle(&self, key: &MasterKey, proven: &ProvenRecords) {
        let ProvenRecords { state, policy, .. } = proven;
        let boot_id = clock::boot_id();
        let home = Finding::AtHome;
        let Decision { write, .. } = decide(state, &policy.theft, home, boot_id, WayBack::None);
        if write.is_none() && proven.state_proven {
            return;
        }
        let settled = locate::open(&self.place).and_then(|mut vault| {
            vault.arm(key)?;
            if !proven.state_proven {
                log::warn!("the theft state was not written by this server; it is mended");
                vault.append(clock::now(), boot_id, EventKind::StateMended)?;
            }
            Ok(())
        });
        if let Err(error) = settled {
            log::warn!("the theft state was not written: {error}");
        }
    }

    /// Whether the system shall start without the keys now: the policy says
    /// so, the wait is over, and nobody is at the prompt.
    pub(super) fn starts_locked(&self) -> bool {
        let wait = self.progress().wait;
        let typed = self.last_typed.map(|at| at.elapsed());
        let somebody = self.waiting.is_some() || typed.is_some_and(|since| since < STILL_THERE);
        self.goes_on && self.figures.since_start() >= wait && !somebody
    }

    /// The last words of a boot without the keys.
    pub(super) fn start_locked(&mut self) {
        self.neighbours = None;
        self.servers = KeyServers::default();
        self.note_locked();
        self.note_once_a_boot(EventKind::WentOnLocked);
        log::warn!("the system starts without the keys");
        self.screen
            .close(&"The system starts, without the database.");
    }

    /// Notes a reset that a power cut interrupted and that was finished when
    /// the vault was opened.
    pub(super) fn note_finished_reset(&self) {
        let Ok(found) = &self.found else { return };
        let TheftState::Reset { cause, time } = found.state else {
            return;
        };
        let reset = EventKind::Reset { cause, begun: time };
        let same = reset.clone();
        self.note_unless(reset, move |event| event.kind == same);
    }

    /// When somebody typed last.
    pub(super) fn somebody_is_there(&mut self) {
        self.last_typed = Some(Instant::now());
    }
}
