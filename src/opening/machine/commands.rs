//! What people type at the prompt, and the words of its menu.

use super::Machine;
use super::answers::{AfterFinding, Why};
use crate::environment::Observed;
use crate::opening::act::{Act, Power};
use crate::opening::dialogue::{Line, Meaning, Question, Typed};
use crate::opening::menu::Command;
use crate::opening::messages::{Message, Reason};
use crate::theft::ResetCause;

impl Machine {
    /// Whoever types before the prompt is there does not want to wait.
    pub(super) fn typed(&mut self, typed: Typed) {
        self.dialogue.last_typed = Some(self.turn.now);
        if !self.prompt.is_open {
            return self.open_prompt();
        }
        match self.dialogue.meaning(typed) {
            Meaning::Command(command) => self.command(command),
            Meaning::Nothing => self.say(Message::Nothing),
            Meaning::NoSuchCommand => self.say(Message::NoSuchCommand),
            Meaning::Left => self.leave(),
            Meaning::Answer(line) => self.answer(line),
        }
    }

    /// The answer to the open question.
    fn answer(&mut self, line: Line) {
        let question = self.dialogue.question.clone();
        if question.is_an_entry()
            && let Some(seconds) = self.entries.wait(self.turn.now)
        {
            return self.say(Message::Wait { seconds });
        }
        match question {
            Question::Command => {}
            Question::Pin(_) => self.pin(line),
            Question::ServerName => self.confirm_reset(&line),
            Question::Passphrase => self.passphrase(line, false),
            Question::PresentPassphrase => self.passphrase(line, true),
            Question::NewPassphrase => self.new_passphrase(line),
            Question::NewPassphraseAgain => self.new_passphrase_again(&line),
            Question::CodeGroup(_) => self.code_group(&line),
        }
    }

    /// Somebody does not answer the open question.
    fn leave(&mut self) {
        let message = match self.dialogue.question {
            Question::Pin(_) => {
                self.dialogue.stick = None;
                Message::NoPin
            }
            Question::Passphrase | Question::CodeGroup(_) => Message::NothingEntered,
            Question::ServerName
            | Question::PresentPassphrase
            | Question::NewPassphrase
            | Question::NewPassphraseAgain => Message::NothingChanged,
            Question::Command => Message::Nothing,
        };
        self.dialogue.forget_entry();
        self.expect_command();
        self.say(message);
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Status => {
                let reason = self.reason();
                self.act(Act::ShowStatus(reason));
            }
            Command::Retry => self.retry(),
            Command::Reboot => self.power(Power::Restart),
            Command::PowerOff => self.power(Power::Off),
            Command::Help => self.say(Message::Help),
            Command::Reset => self.offer_reset(),
            Command::Remember => self.remember_later(),
            Command::Mend => self.mend(),
            Command::Passphrase => self.ask_for_passphrase(),
            Command::Code => self.ask_for_code(),
            Command::Change => self.ask_to_change(),
        }
    }

    fn power(&mut self, power: Power) {
        self.note_locked();
        self.act(Act::Power(power));
    }

    /// Everything anew: the disk, the machine, the place, the sticks.
    fn retry(&mut self) {
        self.around.observed = Observed::default();
        self.act(Act::LookAtParts);
        self.find_vault(AfterFinding::Nothing);
        self.prompt.said = None;
        self.act(Act::ForgetSticks);
        self.say(Message::LookingAgain);
    }

    /// Somebody wants the reset: asks for the server's name.
    fn offer_reset(&mut self) {
        match self.reason() {
            Reason::NoVault(error) => self.say(Message::Vault(error)),
            Reason::WasReset(_) => self.say(Message::ResetAlready),
            _ => self.ask_way_back(Why::Offer),
        }
    }

    /// The name that was typed to confirm it.
    fn confirm_reset(&mut self, typed: &Line) {
        self.expect_command();
        let Some(found) = self.vault() else {
            return self.say(Message::NothingChanged);
        };
        if typed.trim_ascii() == found.header.server_name.trim().as_bytes() {
            self.reset(ResetCause::Prompt);
        } else {
            self.say(Message::NotTheName);
        }
    }
}
