//! What people type to get in: a passphrase, or the recovery code; and what a
//! wrong entry of any kind costs.

use std::time::Instant;

use super::{Entry, Found, Stage};
use crate::boot::line::Line;
use crate::boot::screen::Asking;
use crate::keys::{CodeError, MasterKey, TypedCode};
use crate::locked::prompt::pause_after;
use crate::locked::words::Reason;
use crate::theft::{ResetCause, UnderDuress, WayBack, attempts_used_up, under_duress};
use crate::vault::locate;
use crate::vault::{Entered, EventKind, OpenedBy, PersonName, VaultError, wrong_entries};

impl Stage {
    pub(super) fn ask_for_passphrase(&mut self) {
        if self.takes_passphrases() {
            self.screen.ask_for(Asking::Passphrase);
        }
    }

    /// Whether a passphrase can be entered; else it is said why not.
    pub(super) fn takes_passphrases(&mut self) -> bool {
        match self.found.as_ref().map(|found| found.slots.as_ref()) {
            Ok(Ok(slots)) if !slots.passphrases.is_empty() => {
                self.remember_wrong_entries();
                return true;
            }
            Ok(Ok(_)) => self.screen.say(&"This server has no passphrases."),
            Ok(Err(error)) => {
                let words = format!("{error}\nPassphrases do not open it.");
                self.screen.say(&words);
            }
            Err(error) => {
                let error = *error;
                self.screen.say(&error);
            }
        }
        false
    }

    /// True when it opened the server.
    pub(super) fn passphrase(&mut self, typed: &Line) -> bool {
        let Some((key, name)) = self.try_passphrase(typed) else {
            return false;
        };
        self.screen.ask_for_command();
        self.open(&key, OpenedBy::Passphrase { name })
    }

    /// The key, and whose passphrase it is. A wrong one is answered and
    /// counted, whatever it was asked for.
    pub(super) fn try_passphrase(&mut self, typed: &Line) -> Option<(MasterKey, PersonName)> {
        let Ok(Found {
            slots: Ok(slots),
            header,
            ..
        }) = &self.found
        else {
            self.cannot_enter();
            return None;
        };
        self.screen.consoles.print("Checking ...\n");
        let passphrases = &slots.passphrases;
        let unwrap = &mut self.figures.unwrap;
        let entered = unwrap.time(|| passphrases.enter(header, typed));
        if let Entered::Opened { key, name } = entered {
            return Some((key, name));
        }
        self.tell_wrong_entry(EventKind::WrongPassphrase, "The passphrase is wrong.");
        self.count_wrong_entry();
        // Behind the whole answer: it falls into the pause in which nobody can
        // type the next one, and nothing that is typed is shown anyway.
        if matches!(entered, Entered::Duress) {
            self.reset_unseen();
        }
        None
    }

    /// What the entry was for has gone meanwhile.
    pub(super) fn cannot_enter(&mut self) {
        self.entry = Entry::default();
        self.screen.ask_for_command();
        let reason = self.reason();
        self.screen.say(&reason);
    }

    pub(super) fn ask_for_code(&mut self) {
        if let Reason::NoVault(error) = self.reason() {
            return self.screen.say(&error);
        }
        self.remember_wrong_entries();
        self.screen.consoles.print(
            "\nThe recovery code has 9 groups of 8 letters. Type one group, or all, then Enter;\n\
             it is not shown. Escape ends it.",
        );
        self.entry.code = Some(TypedCode::default());
        self.screen.ask_for(Asking::CodeGroup(1));
    }

    /// One group or more; true when it opened the server.
    pub(super) fn code_group(&mut self, typed: &Line) -> bool {
        let (Some(entering), Ok(found)) = (&mut self.entry.code, &self.found) else {
            self.cannot_enter();
            return false;
        };
        // What cannot be a code is no guess at one: it is typed again.
        if let Err(error) = entering.push(typed) {
            let group = entering.next_group().unwrap_or(1);
            self.screen.consoles.print(&format!("{error}\n"));
            self.screen.ask_for(Asking::CodeGroup(group));
            return false;
        }
        if let Some(group) = entering.next_group() {
            self.screen.ask_for(Asking::CodeGroup(group));
            return false;
        }
        let code = entering.finish(&found.header.server_id.0);
        let (accepted, current) = match &code {
            Ok(code) => (
                found.header.accepts(&code.key),
                code.may_be_of(found.header.generation),
            ),
            Err(_) => (false, true),
        };
        self.entry.code = None;
        self.screen.ask_for_command();
        match code {
            Ok(code) if accepted => return self.open(&code.key, OpenedBy::Code),
            Err(CodeError::Newer) => self.screen.say(&CodeError::Newer),
            // Right in itself, and its key is not the one that is in use.
            Ok(_) if !current => self
                .screen
                .say(&"This code is too old: the key was replaced since."),
            Ok(_) => self.wrong_code(CodeError::Wrong),
            Err(error) => self.wrong_code(error),
        }
        false
    }

    fn wrong_code(&mut self, error: CodeError) {
        self.tell_wrong_entry(EventKind::WrongCode, &error.to_string());
        self.count_wrong_entry();
    }

    /// Whether it is too early for the next entry; then that is said.
    pub(super) fn must_wait(&mut self) -> bool {
        let left = self.next_entry.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let seconds = left.as_secs() + 1;
        self.screen
            .say(&format!("Wait {seconds} s, then type it again."));
        true
    }

    /// Wrong entries of earlier boots slow this one down as well. Asked for
    /// when somebody is to enter something: a boot at home reads no log.
    pub(super) fn remember_wrong_entries(&mut self) {
        let events = locate::look(&self.place).and_then(|vault| Ok(vault.events()?));
        let earlier = events.map_or(0, |events| wrong_entries(&events));
        if earlier > self.wrong_entries {
            self.wrong_entries = earlier;
            self.next_entry = Instant::now() + pause_after(earlier);
        }
    }

    /// Says that an entry was wrong, and how long the next one has to wait.
    pub(super) fn tell_wrong_entry(&mut self, event: EventKind, words: &str) {
        // In the log the lock comes before what was tried on it.
        self.note_locked();
        // On the disk before it is said: the next boot goes on counting.
        self.note(event);
        self.wrong_entries = self.wrong_entries.saturating_add(1);
        let pause = pause_after(self.wrong_entries);
        self.next_entry = Instant::now() + pause;
        log::warn!("a wrong entry at the prompt");
        let seconds = pause.as_secs();
        self.screen
            .say(&format!("{words} Try again in {seconds} s."));
    }

    /// As many wrong entries as the policy allows end in a reset.
    pub(super) fn count_wrong_entry(&mut self) {
        let Ok(found) = &self.found else {
            return;
        };
        let was_reset = matches!(found.slots, Err(VaultError::WasReset));
        if was_reset || !attempts_used_up(&found.policy, self.wrong_entries) {
            return;
        }
        match self.way_back() {
            WayBack::Listed => self.reset(ResetCause::WrongEntries),
            WayBack::None => self.withhold(ResetCause::WrongEntries),
        }
    }

    /// The passphrase for duress was entered: the same destruction, of which
    /// neither the screen nor the kernel's log says anything before the next
    /// boot. What is kept in memory goes on looking as it did, and opens
    /// nothing.
    fn reset_unseen(&mut self) {
        let elsewhere = self.way_back();
        let Ok(found) = &mut self.found else { return };
        // The limit of wrong entries was reached, and that is on the screen.
        let Ok(slots) = &mut found.slots else { return };
        let anywhere = found.sticks.way_back(found.header.generation, &[]);
        let cause = ResetCause::Duress;
        match under_duress(elsewhere, anywhere) {
            UnderDuress::Withhold => self.note_once_a_boot(EventKind::ResetWithheld { cause }),
            UnderDuress::Destroy { plugged_sticks } => {
                slots.make_useless();
                self.feigned = true;
                // A disk that does not take it is told of by the next boot.
                let _ = self.destroy(cause, plugged_sticks);
            }
        }
    }
}
