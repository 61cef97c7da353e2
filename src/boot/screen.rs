//! The prompt on all consoles. It is hidden until it is needed; then all
//! consoles show the same.

use core::fmt::Display;
use std::time::Instant;

use super::console::Consoles;
use crate::columns::in_columns;
use crate::opening::dialogue::{Question, Typed};
use crate::sys::kmsg::QuietConsole;

/// The prompt, on all consoles.
#[derive(Default)]
pub struct Screen {
    /// The consoles.
    pub consoles: Consoles,
    open: bool,
    question: Question,
    quiet: Option<QuietConsole>,
}

impl Screen {
    /// Shows one line before the prompt opens; keys are read from then on.
    pub fn hint(&mut self, hint: &dyn Display) {
        self.consoles.open_new();
        self.print(&format!("\n{hint}\n"));
    }

    /// Opens the prompt with its banner; kernel messages stay off the consoles
    /// from then on.
    pub fn open(&mut self, banner: &dyn Display) {
        self.quiet = QuietConsole::begin();
        self.consoles.open_new();
        self.consoles.set_echo(true);
        self.open = true;
        self.print(&banner.to_string());
    }

    /// Shows the banner on consoles that have appeared.
    pub fn open_new_consoles(&mut self, banner: &dyn Display) {
        if self.open && self.consoles.open_new() {
            self.print(&banner.to_string());
        }
    }

    /// Prints a text and asks the open question again.
    #[inline(never)]
    pub fn say(&mut self, text: &dyn Display) {
        if self.open {
            self.print(&format!("\n{text}\n"));
            self.ask();
        }
    }

    /// Opens a question and asks it.
    pub fn ask_for(&mut self, question: Question) {
        self.expect(question);
        if !self.question.is_shown() {
            self.consoles.print("\n");
        }
        self.ask();
    }

    /// Opens a question. The next text that is printed asks it.
    pub fn expect(&mut self, question: Question) {
        // A line begun for a secret must not become part of another answer.
        if !self.question.is_shown() {
            self.consoles.forget_typed();
        }
        self.consoles.set_echo(question.is_shown());
        self.question = question;
    }

    /// Reads what was typed.
    pub fn typed(&mut self) -> Vec<Typed> {
        self.consoles.read(Instant::now())
    }

    /// Prints a last text and closes the prompt.
    pub fn close(&mut self, text: &dyn Display) {
        if self.open {
            self.print(&format!("\n{text}\n"));
            self.open = false;
            self.quiet = None;
        }
    }

    #[inline(never)]
    fn print(&mut self, text: &str) {
        self.consoles.print(&in_columns(text));
    }

    fn ask(&mut self) {
        self.consoles.ask(&self.question.to_string());
    }
}
