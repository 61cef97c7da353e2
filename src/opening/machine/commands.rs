//! Handles typed lines: the commands of the menu, and answers to questions.

use super::Machine;
use super::answers::{AfterLocating, WayBackPurpose};
use crate::environment::Observed;
use crate::opening::act::{Act, PowerAction};
use crate::opening::dialogue::{Question, Typed, TypedLine, TypedMeaning};
use crate::opening::menu::Command;
use crate::opening::messages::{Message, Reason};
use crate::theft::ResetCause;

impl Machine {
    /// Somebody typed. Before the prompt is open, that opens it.
    pub(super) fn typed(&mut self, typed: Typed) {
        self.dialogue.last_typed = Some(self.turn.now);
        if !self.prompt.is_open {
            return self.open_prompt();
        }
        match self.dialogue.meaning(typed) {
            TypedMeaning::Command(command) => self.command(command),
            TypedMeaning::Nothing => self.say(Message::Nothing),
            TypedMeaning::NoSuchCommand => self.say(Message::NoSuchCommand),
            TypedMeaning::Cancelled => self.cancel(),
            TypedMeaning::DeadKey => self.say(Message::DeadKey {
                is_hidden: !self.dialogue.question.is_shown(),
            }),
            TypedMeaning::Answer(line) => self.answer(line),
        }
    }

    /// Handles the answer to the open question.
    fn answer(&mut self, line: TypedLine) {
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

    /// The open question was cancelled.
    fn cancel(&mut self) {
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
            Command::Reboot => self.power(PowerAction::Restart),
            Command::PowerOff => self.power(PowerAction::Off),
            Command::Help => self.say(Message::Help),
            Command::Reset => self.offer_reset(),
            Command::Remember => self.remember_later(),
            Command::Mend => self.mend(),
            Command::Passphrase => self.ask_for_passphrase(),
            Command::Code => self.ask_for_code(),
            Command::Change => self.ask_to_change(),
            Command::Continue => self.continue_without_vault(),
        }
    }

    /// Where the vault is lost only the running system can make it anew. Whoever
    /// has the disk could start it so anyway. With a vault the policy decides.
    fn continue_without_vault(&mut self) {
        match self.reason() {
            Reason::NoVault(error) if error.is_lost() => {}
            reason @ Reason::NoVault(_) => return self.say(Message::ReasonAndAdvice(reason)),
            _ => return self.say(Message::PolicyDecides),
        }
        self.act(Act::StopAsking);
        self.start_without_keys();
    }

    fn power(&mut self, power: PowerAction) {
        self.note_locked();
        self.act(Act::Power(power));
    }

    /// Looks for everything again: the disk, the machine, the place, the
    /// sticks.
    fn retry(&mut self) {
        self.observations.observed = Observed::default();
        self.act(Act::ObserveMachine);
        self.find_vault(AfterLocating::Nothing);
        self.prompt.said = None;
        self.act(Act::ForgetSticks);
        self.say(Message::LookingAgain);
    }

    /// Offers a reset: asks for the server's name as a confirmation.
    fn offer_reset(&mut self) {
        match self.reason() {
            Reason::NoVault(error) => self.say(Message::Vault(error)),
            Reason::WasReset(_) => self.say(Message::ResetAlready),
            _ => self.ask_way_back(WayBackPurpose::Offer),
        }
    }

    /// Does the reset where the server's name was typed.
    fn confirm_reset(&mut self, typed: &TypedLine) {
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
