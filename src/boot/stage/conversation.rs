//! What people do at the prompt: plug in sticks and type.

use super::{Entry, Stage, Waiting};
use crate::boot::line::{Line, Typed};
use crate::boot::prompt::Command;
use crate::boot::screen::Asking;
use crate::boot::status::Status;
use crate::boot::words::Help;
use crate::environment::observe_machine;
use crate::stick::{self, StickError};
use crate::sys::power;
use crate::vault::{EventKind, OpenedBy};

impl Stage {
    /// Looks at sticks that were plugged in; asks for a PIN or says what is
    /// wrong with one.
    pub(super) fn judge_sticks(&mut self) {
        // Without the vault a stick cannot be told from others: it is looked
        // at when the vault is there.
        if self.found.is_err() {
            return;
        }
        let news = self.sticks.news();
        let sticks = &self.sticks;
        self.recovery.forget_sticks(|stick| sticks.is_in(stick));
        if let Some(waiting) = &self.waiting
            && !self.sticks.is_in(&waiting.stick)
        {
            self.waiting = None;
            self.screen.ask_for_command();
            self.screen.say(&"The stick was pulled out.");
        }
        if !news.is_empty() {
            self.remember_wrong_entries();
        }
        let Ok(found) = &self.found else {
            return;
        };
        for stick in news {
            match stick::read_any(&stick, &found.header) {
                Ok(file) => {
                    log::info!("a stick of this server was plugged in");
                    self.entry = Entry::default();
                    if file.info.has_pin() {
                        self.screen.ask_for(Asking::Pin(file.info.label.clone()));
                    }
                    self.waiting = Some(Waiting { stick, file });
                }
                Err(error) => {
                    log::warn!("stick {}: {error}", stick.disk);
                    self.screen.say(&error);
                }
            }
        }
    }

    pub(super) fn try_stick_without_pin(&mut self) -> bool {
        match &self.waiting {
            Some(waiting) if !waiting.file.info.has_pin() => self.try_stick(b""),
            _ => false,
        }
    }

    fn try_stick(&mut self, pin: &[u8]) -> bool {
        let (Some(waiting), Ok(found)) = (&self.waiting, &mut self.found) else {
            return false;
        };
        let label = waiting.file.info.label.clone();
        let file = &waiting.file;
        let header = &found.header;
        let result = self.figures.unwrap.time(|| file.open(header, pin));
        match result {
            Ok(key) => {
                self.screen.ask_for_command();
                if self.open(&key, OpenedBy::Stick { label }) {
                    return true;
                }
                self.waiting = None;
            }
            Err(StickError::WrongPin) if file.info.has_pin() => {
                self.tell_wrong_entry(EventKind::WrongPin { stick: label }, "The PIN is wrong.");
                self.count_wrong_entry();
            }
            Err(error) => {
                self.waiting = None;
                self.screen.ask_for_command();
                self.screen.say(&error);
            }
        }
        false
    }

    /// What somebody has typed; true when it opened the server.
    pub(super) fn answer(&mut self, typed: Typed) -> bool {
        match (self.screen.asking(), typed) {
            (Asking::ServerName, Typed::Line(line)) => self.confirm_reset(&line),
            (Asking::ServerName, Typed::Cancel) => {
                self.screen.ask_for_command();
                self.screen.say(&"Nothing was changed.");
            }
            (Asking::Passphrase, Typed::Line(line)) if !line.is_empty() => {
                return !self.must_wait() && self.passphrase(&line);
            }
            (Asking::CodeGroup(_), Typed::Line(line)) if !line.is_empty() => {
                return !self.must_wait() && self.code_group(&line);
            }
            (Asking::PresentPassphrase, Typed::Line(line)) if !line.is_empty() => {
                if !self.must_wait() {
                    self.present_passphrase(&line);
                }
            }
            (Asking::NewPassphrase, Typed::Line(line)) if !line.is_empty() => {
                self.new_passphrase(&line);
            }
            (Asking::NewPassphraseAgain, Typed::Line(line)) if !line.is_empty() => {
                self.same_passphrase_again(&line);
            }
            (Asking::Passphrase | Asking::CodeGroup(_), _) => {
                self.entry = Entry::default();
                self.screen.ask_for_command();
                self.screen.say(&"Nothing was entered.");
            }
            (Asking::PresentPassphrase | Asking::NewPassphrase | Asking::NewPassphraseAgain, _) => {
                self.entry = Entry::default();
                self.screen.ask_for_command();
                self.screen.say(&"Nothing was changed.");
            }
            (_, Typed::Line(line)) if self.waiting.is_some() && !line.is_empty() => {
                return !self.must_wait() && self.pin(&line);
            }
            _ if self.waiting.is_some() => {
                self.waiting = None;
                self.screen.ask_for_command();
                self.screen
                    .say(&"No PIN. Type retry to use the stick after all.");
            }
            (_, Typed::Line(line)) => return self.command(&line),
            (_, Typed::Cancel) => self.screen.say(&""),
        }
        false
    }

    fn pin(&mut self, pin: &Line) -> bool {
        self.screen.consoles.print("Checking ...\n");
        self.try_stick(pin)
    }

    /// True when it opened the server.
    fn command(&mut self, line: &Line) -> bool {
        match Command::parse(line) {
            Some(Command::Status) => {
                let reason = self.reason();
                let slots = self.found.as_ref().ok().map(|found| &found.slots);
                let home = slots.and_then(|slots| slots.as_ref().ok()?.environments.first());
                let status = Status::of(&reason, home.map(Box::as_ref), &self.observed);
                self.screen.say(&status);
            }
            Some(Command::Retry) => self.retry(),
            Some(Command::Reboot) => {
                self.note_locked();
                power::restart();
            }
            Some(Command::PowerOff) => {
                self.note_locked();
                power::switch_off();
            }
            Some(Command::Help) => self.screen.say(&Help),
            Some(Command::Reset) => self.offer_reset(),
            Some(Command::Remember) => self.remember_later(),
            Some(Command::Mend) => return self.mend(),
            Some(Command::Passphrase) => self.ask_for_passphrase(),
            Some(Command::Code) => self.ask_for_code(),
            Some(Command::Change) => self.ask_to_change(),
            None if line.is_empty() => self.screen.say(&""),
            None => self
                .screen
                .say(&"Type one of the words of the menu, or its digit."),
        }
        false
    }

    /// Everything anew: the disk, the machine, the place, the sticks.
    fn retry(&mut self) {
        self.observed = observe_machine();
        self.find_vault();
        self.sticks.forget();
        self.said = None;
        self.screen.say(&"Looking again ...");
    }
}
