//! What people type to get in, a PIN, a passphrase or the recovery code, and
//! what a wrong entry of any kind costs.

use log::Level;

use super::Machine;
use super::answers::{Pending, Why};
use crate::keys::{CodeError, MasterKey, TypedCode};
use crate::opening::act::{Act, Attempt, Unless};
use crate::opening::dialogue::{Line, Question, WaitingStick};
use crate::opening::messages::{Message, Reason};
use crate::stick::{Stick, StickError, StickFile};
use crate::vault::{Entered, EventKind, OpenedBy, VaultError};

impl Machine {
    /// Sticks that were pulled out, and those that came.
    pub(super) fn sticks(&mut self, gone: &[Stick], news: Vec<Stick>) {
        for stick in gone {
            self.recovery.forget_stick(stick);
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
        self.act(Act::CountEntries);
        for stick in news {
            self.act(Act::ReadStick(stick));
        }
    }

    /// Asks for the PIN of a stick, or says what is wrong with it.
    pub(super) fn stick_read(&mut self, stick: Stick, read: Result<Box<StickFile>, StickError>) {
        match read {
            Ok(file) => {
                self.log(Level::Info, "a stick of this server was plugged in");
                self.dialogue.forget_entry();
                let pin = file.info.has_pin();
                let label = file.info.label.clone();
                self.dialogue.stick = Some(WaitingStick { stick, file });
                match pin {
                    true => self.ask_for(Question::Pin(label)),
                    false => self.ask(Act::Try(Attempt::Pin(Line::default())), Pending::Stick),
                }
            }
            Err(error) => {
                self.log(Level::Warn, format!("stick {}: {error}", stick.disk));
                self.say(Message::Stick(error));
            }
        }
    }

    /// Stretches what was typed.
    pub(super) fn check(&mut self, attempt: Attempt, pending: Pending) {
        self.act(Act::Print(Message::Checking));
        self.ask(Act::Try(attempt), pending);
    }

    pub(super) fn pin(&mut self, pin: Line) {
        // The stick waits for the disk as well.
        if let Err(error) = self.vault {
            return self.say(Message::Vault(error));
        }
        self.check(Attempt::Pin(pin), Pending::Stick);
    }

    pub(super) fn stick_tried(&mut self, tried: Result<MasterKey, StickError>) {
        let Some(waiting) = &self.dialogue.stick else {
            return;
        };
        let info = &waiting.file.info;
        let (label, has_pin) = (info.label.clone(), info.has_pin());
        match tried {
            Ok(key) => {
                self.expect_command();
                self.open(key, OpenedBy::Stick { label });
            }
            Err(StickError::WrongPin) if has_pin => {
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

    /// Whether a passphrase can be entered; else it is said why not.
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

    /// One that opens, or that is to be changed: a wrong one is answered and
    /// counted the same.
    pub(super) fn passphrase(&mut self, typed: Line, for_change: bool) {
        if self.vault().is_none_or(|found| found.slots.is_err()) {
            return self.cannot_enter();
        }
        let pending = Pending::Passphrase { for_change };
        self.check(Attempt::Passphrase(typed), pending);
    }

    pub(super) fn passphrase_tried(&mut self, entered: Entered, for_change: bool) {
        let duress = match entered {
            Entered::Opened { key, name } if for_change => {
                return self.begin_change(key, name);
            }
            Entered::Opened { key, name } => {
                self.expect_command();
                return self.open(key, OpenedBy::Passphrase { name });
            }
            Entered::Duress => true,
            Entered::Wrong => false,
        };
        let wrong = EventKind::WrongPassphrase;
        self.wrong_entry(wrong, |pause| Message::WrongPassphrase { pause }, duress);
    }

    /// What the entry was for has gone meanwhile.
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

    /// One group or more.
    pub(super) fn code_group(&mut self, typed: &Line) {
        let (Some(code), Ok(found)) = (&mut self.dialogue.code, &self.vault) else {
            return self.cannot_enter();
        };
        // What cannot be a code is no guess at one: it is typed again.
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
        let (accepted, current) = code.as_ref().map_or((false, true), |code| {
            let current = code.may_be_of(header.generation);
            (header.accepts(&code.key), current)
        });
        self.dialogue.code = None;
        self.expect_command();
        match code {
            Ok(code) if accepted => self.open(code.key, OpenedBy::Code),
            Err(CodeError::Newer) => self.say(Message::CodeNewer(CodeError::Newer)),
            Ok(_) if !current => self.say(Message::CodeTooOld),
            Ok(_) => self.wrong_code(CodeError::Wrong),
            Err(error) => self.wrong_code(error),
        }
    }

    fn wrong_code(&mut self, error: CodeError) {
        let message = |pause| Message::WrongCode { error, pause };
        self.wrong_entry(EventKind::WrongCode, message, false);
    }

    /// A wrong entry: noted, counted and answered, in this order, whatever it
    /// was. As many as the policy allows end in a reset. What a passphrase for
    /// `duress` does comes behind the whole answer: it falls into the pause in
    /// which nobody can type the next one.
    fn wrong_entry(
        &mut self,
        event: EventKind,
        message: impl FnOnce(u64) -> Message,
        duress: bool,
    ) {
        // In the log the lock comes before what was tried on it.
        self.note_locked();
        // On the disk before it is said: the next boot goes on counting.
        self.note(event, Unless::Never);
        let pause = self.entries.add(self.turn.now);
        self.log(Level::Warn, "a wrong entry at the prompt");
        self.say(message(pause));
        let used_up = self.vault().is_some_and(|found| {
            let was_reset = matches!(found.slots, Err(VaultError::WasReset));
            !was_reset && self.entries.are_used_up(&found.theft_policy())
        });
        if used_up {
            self.ask_way_back(Why::UsedUp { duress });
        } else if duress {
            self.under_duress();
        }
    }
}
