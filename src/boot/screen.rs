//! The prompt on all consoles: hidden until it is needed, then one
//! conversation that everybody sees.

use core::fmt::Display;

use super::console::Consoles;
use super::line::Typed;
use super::words::{PROMPT, Printable};
use crate::keys::CODE_GROUPS;
use crate::sys::kmsg::QuietConsole;

/// What the next line that is typed will be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Asking {
    #[default]
    Command,
    /// The PIN of the stick with this label.
    Pin(heapless::String<32>),
    /// The server's name, to confirm a reset.
    ServerName,
    /// What a person remembers.
    Passphrase,
    /// The one that is to be changed.
    PresentPassphrase,
    NewPassphrase,
    NewPassphraseAgain,
    /// This group of the recovery code, from 1.
    CodeGroup(usize),
}

impl Asking {
    /// Whether what is typed may be seen, on the screen or in the record of a
    /// serial line.
    fn is_shown(&self) -> bool {
        matches!(self, Self::Command | Self::ServerName)
    }
}

#[derive(Default)]
pub struct Screen {
    pub consoles: Consoles,
    open: bool,
    hinted: bool,
    asking: Asking,
    quiet: Option<QuietConsole>,
}

impl Screen {
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// One line, once, before there is a prompt; keys are heard from then on.
    pub fn hint(&mut self, hint: &impl Display) {
        if !self.hinted {
            self.hinted = true;
            self.consoles.open_new();
            self.consoles.print(&format!("\n{hint}\n"));
        }
    }

    /// Shows the banner; kernel messages stay off the consoles from now on.
    pub fn open(&mut self, banner: &impl Display) {
        self.quiet = QuietConsole::begin();
        self.consoles.open_new();
        self.consoles.set_echo(true);
        self.open = true;
        self.consoles.print(&banner.to_string());
    }

    /// A console that has turned up gets to see where things stand.
    pub fn open_new_consoles(&mut self, banner: &impl Display) {
        if self.open && self.consoles.open_new() {
            self.consoles.print(&banner.to_string());
        }
    }

    /// Says something and asks again.
    pub fn say(&mut self, text: &impl Display) {
        if self.open {
            self.consoles.print(&format!("\n{text}\n"));
            self.ask();
        }
    }

    /// What the next line will be, and asks for it.
    pub fn ask_for(&mut self, asking: Asking) {
        self.expect(asking);
        if !self.asking.is_shown() {
            self.consoles.print("\n");
        }
        self.ask();
    }

    /// The next line will be a command.
    pub fn ask_for_command(&mut self) {
        self.expect(Asking::Command);
    }

    fn expect(&mut self, asking: Asking) {
        // What was typed in answer to another question is no part of this one.
        if !self.asking.is_shown() {
            self.consoles.forget_typed();
        }
        self.consoles.set_echo(asking.is_shown());
        self.asking = asking;
    }

    pub fn asking(&self) -> &Asking {
        &self.asking
    }

    pub fn typed(&mut self) -> Vec<Typed> {
        self.consoles.read()
    }

    /// The last words before the boot goes on.
    pub fn close(&mut self, words: &impl Display) {
        if self.open {
            self.consoles.print(&format!("\n{words}\n"));
            self.open = false;
            self.quiet = None;
        }
    }

    fn ask(&mut self) {
        match &self.asking {
            Asking::Command => self.consoles.ask(PROMPT),
            Asking::ServerName => self.consoles.ask("Name of this server: "),
            Asking::Pin(label) => {
                let question = format!("PIN of stick \"{}\": ", Printable(label));
                self.consoles.ask(&question);
            }
            Asking::Passphrase => self.consoles.ask("Passphrase: "),
            Asking::PresentPassphrase => self.consoles.ask("Present passphrase: "),
            Asking::NewPassphrase => self.consoles.ask("New passphrase: "),
            Asking::NewPassphraseAgain => self.consoles.ask("The same once more: "),
            Asking::CodeGroup(group) => {
                let question = format!("Group {group} of {CODE_GROUPS}: ");
                self.consoles.ask(&question);
            }
        }
    }
}
