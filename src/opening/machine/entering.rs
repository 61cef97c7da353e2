//! Entries that may open the server: a PIN, a passphrase or the recovery code;
//! and what a wrong one costs.

use log::Level;

use super::Machine;
use super::answers::{Pending, WayBackPurpose};
use crate::keys::{CodeError, MasterKey, TypedCode};
use crate::opening::act::{Act, Attempt, Repeat};
use crate::opening::dialogue::{Question, TypedLine, WaitingStick};
use crate::opening::messages::{Message, Reason};
use crate::stick::{Stick, StickError, StickFile};
use crate::vault::{CodeRefused, EventKind, OpenedBy, PassphraseOutcome, VaultError};

impl Machine {
    /// Handles sticks that were pulled out or plugged in.
    pub(super) fn sticks(&mut self, gone: &[Stick], news: Vec<Stick>) {
        for stick in gone {
            self.recovery.forget_stick(stick);
            self.dialogue.being_read.end(stick);
            let waiting = self.dialogue.stick.as_ref();
            if waiting.is_some_and(|waiting| waiting.stick == *stick) {
                self.dialogue.stick = None;
                self.expect_command();
                self.say(Message::StickPulled);
            }
        }
        if news.is_empty() {
            return self.go_on_locked();
        }
        if let Err(error) = self.vault {
            self.dialogue.has_passed_over = true;
            return self.say(match error.is_lost() {
                true => Message::StickWithoutVault,
                false => Message::ReasonAndAdvice(Reason::NoVault(error)),
            });
        }
        self.act(Act::CountEntries);
        for stick in news {
            let now = self.turn.now;
            self.dialogue.being_read.begin(stick.clone(), now);
            self.act(Act::ReadStick(stick));
        }
    }

    /// Says that a stick does not answer. Should it answer later, it is heard all
    /// the same.
    pub(super) fn give_up_sticks(&mut self) {
        if self.dialogue.being_read.fall_silent(self.turn.now) {
            self.log(Level::Warn, "a stick does not answer");
            self.say(Message::StickSilent);
        }
    }

    /// Tells of a stick that is not even a disk.
    pub(super) fn stick_without_driver(&mut self, module: &'static str) {
        self.log(Level::Warn, format!("no driver for a stick: {module}"));
        self.say(Message::StickWithoutDriver(module));
    }

    /// Asks for the PIN of a stick, or tells what is wrong with it.
    pub(super) fn stick_read(&mut self, stick: Stick, read: Result<Box<StickFile>, StickError>) {
        // It may have been pulled out meanwhile.
        if !self.dialogue.being_read.end(&stick) {
            return;
        }
        match read {
            Ok(file) => {
                self.log(Level::Info, "a stick of this server was plugged in");
                self.dialogue.forget_entry();
                let pin = file.info.has_pin();
                let label = file.info.label.clone();
                self.dialogue.stick = Some(WaitingStick { stick, file });
                match pin {
                    true => self.ask_for(Question::Pin(label)),
                    false => self.ask(Act::Try(Attempt::Pin(TypedLine::default())), Pending::Stick),
                }
            }
            Err(error) => {
                self.log(Level::Warn, format!("stick {}: {error}", stick.disk));
                self.say(Message::Stick(error));
            }
        }
    }

    /// Makes an attempt with what was typed.
    pub(super) fn check(&mut self, attempt: Attempt, pending: Pending) {
        self.act(Act::Print(Message::Checking));
        self.ask(Act::Try(attempt), pending);
    }

    pub(super) fn pin(&mut self, pin: TypedLine) {
        // The stick keeps waiting until the disk is there.
        if let Err(error) = self.vault {
            return self.say(Message::Vault(error));
        }
        self.check(Attempt::Pin(pin), Pending::Stick);
    }

    pub(super) fn stick_tried(&mut self, tried: Result<MasterKey, StickError>) {
        let Some(waiting) = &self.dialogue.stick else {
            return;
        };
        let label = waiting.file.info.label.clone();
        match tried {
            Ok(key) => {
                self.expect_command();
                self.open(key, OpenedBy::Stick { label });
            }
            Err(StickError::WrongPin) => {
                let wrong = EventKind::WrongPin { stick: label };
                self.wrong_entry(wrong, |pause| Message::WrongPin { pause }, false);
            }
            Err(error) => {
                self.dialogue.stick = None;
                self.expect_command();
                self.say(Message::Stick(error));
            }
        }
    }

    pub(super) fn ask_for_passphrase(&mut self) {
        if self.takes_passphrases() {
            self.ask_for(Question::Passphrase);
        }
    }

    /// Whether a passphrase can be entered; otherwise tells why not.
    pub(super) fn takes_passphrases(&mut self) -> bool {
        let slots = self.vault.as_ref().map(|found| found.slots());
        let message = match slots {
            Ok(Ok(slots)) if !slots.passphrases.is_empty() => {
                self.act(Act::CountEntries);
                return true;
            }
            Ok(Ok(_)) => Message::NoPassphrases,
            Ok(Err(error)) => Message::PassphrasesGone(error),
            Err(error) => Message::Vault(*error),
        };
        self.say(message);
        false
    }

    /// Tries a passphrase, to open the server or to be changed. A wrong one is
    /// answered and counted the same way for both.
    pub(super) fn passphrase(&mut self, typed: TypedLine, for_change: bool) {
        if self.vault().is_none_or(|found| found.slots.is_err()) {
            return self.cannot_enter();
        }
        let pending = Pending::Passphrase { for_change };
        self.check(Attempt::Passphrase(typed), pending);
    }

    pub(super) fn passphrase_tried(&mut self, entered: PassphraseOutcome, for_change: bool) {
        let duress = match entered {
            PassphraseOutcome::Opened { key, name } if for_change => {
                return self.begin_change(key, name);
            }
            PassphraseOutcome::Opened { key, name } => {
                self.expect_command();
                return self.open(key, OpenedBy::Passphrase { name });
            }
            PassphraseOutcome::Duress => true,
            PassphraseOutcome::Wrong => false,
        };
        let wrong = EventKind::WrongPassphrase;
        self.wrong_entry(wrong, |pause| Message::WrongPassphrase { pause }, duress);
    }

    /// Tells that an entry is not possible any more, for example because the
    /// disk has gone.
    pub(super) fn cannot_enter(&mut self) {
        self.dialogue.forget_entry();
        self.expect_command();
        let reason = self.reason();
        self.say(Message::Reason(reason));
    }

    pub(super) fn ask_for_code(&mut self) {
        if let Reason::NoVault(error) = self.reason() {
            return self.say(Message::Vault(error));
        }
        self.act(Act::CountEntries);
        self.act(Act::Print(Message::CodeBegins));
        self.dialogue.code = Some(TypedCode::default());
        self.ask_for(Question::CodeGroup(1));
    }

    /// Adds one group of the code or more; tries the code once it is complete.
    pub(super) fn code_group(&mut self, typed: &TypedLine) {
        let (Some(code), Ok(found)) = (&mut self.dialogue.code, &self.vault) else {
            return self.cannot_enter();
        };
        // What cannot be part of a code does not count as a wrong entry.
        if let Err(error) = code.push(typed) {
            let group = code.next_group().unwrap_or(1);
            self.act(Act::Print(Message::GroupAgain(error)));
            return self.ask_for(Question::CodeGroup(group));
        }
        if let Some(group) = code.next_group() {
            return self.ask_for(Question::CodeGroup(group));
        }
        let header = &found.header;
        let code = code.finish(&header.server_id.0);
        let opened = code.map(|code| found.ways.as_claimed().key_of_code(header, &code));
        self.dialogue.code = None;
        self.expect_command();
        match opened {
            Ok(Ok(key)) => self.open(key, OpenedBy::Code),
            Ok(Err(CodeRefused::Wrong)) => self.wrong_code(CodeError::Wrong),
            // Its letters are right: whoever has the paper is told what is wrong.
            Ok(Err(refused)) => self.say(Message::CodeRefused(refused)),
            Err(error @ (CodeError::Newer | CodeError::Older)) => {
                self.say(Message::CodeOfAnotherVersion(error));
            }
            Err(error) => self.wrong_code(error),
        }
    }

    fn wrong_code(&mut self, error: CodeError) {
        let message = |pause| Message::WrongCode { error, pause };
        self.wrong_entry(EventKind::WrongCode, message, false);
    }

    /// Handles a wrong entry: it is noted, counted and answered, in this order.
    /// The policy's limit leads to a reset. A duress passphrase gets the same
    /// answer, and its destruction comes after that, during the pause before
    /// the next entry.
    fn wrong_entry(
        &mut self,
        event: EventKind,
        message: impl FnOnce(u64) -> Message,
        duress: bool,
    ) {
        // In the log, that the server is locked comes before the wrong entry.
        self.note_locked();
        // On the disk before it is on the screen: the next boot continues the
        // count.
        self.note(event, Repeat::Always);
        let pause = self.entries.add(self.turn.now);
        self.log(Level::Warn, "a wrong entry at the prompt");
        self.say(message(pause));
        let used_up = self.vault().is_some_and(|found| {
            let was_reset = matches!(found.slots, Err(VaultError::WasReset));
            !was_reset && self.entries.are_used_up(&found.theft_policy())
        });
        if used_up {
            self.ask_way_back(WayBackPurpose::UsedUp { duress });
        } else if duress {
            self.under_duress();
        }
    }
}
