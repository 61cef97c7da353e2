//! The prompt on all consoles: hidden until it is needed, then one
//! conversation that everybody sees.

use core::fmt::Display;

use super::console::Consoles;
use crate::opening::dialogue::{Question, Typed};
use crate::sys::kmsg::QuietConsole;

#[derive(Default)]
pub struct Screen {
    pub consoles: Consoles,
    open: bool,
    question: Question,
    quiet: Option<QuietConsole>,
}

impl Screen {
    /// One line before there is a prompt; keys are heard from then on.
    pub fn hint(&mut self, hint: &dyn Display) {
        self.consoles.open_new();
        self.consoles.print(&format!("\n{hint}\n"));
    }

    /// Shows the banner; kernel messages stay off the consoles from now on.
    pub fn open(&mut self, banner: &dyn Display) {
        self.quiet = QuietConsole::begin();
        self.consoles.open_new();
        self.consoles.set_echo(true);
        self.open = true;
        self.consoles.print(&banner.to_string());
    }

    /// A console that has turned up gets to see where things stand.
    pub fn open_new_consoles(&mut self, banner: &dyn Display) {
        if self.open && self.consoles.open_new() {
            self.consoles.print(&banner.to_string());
        }
    }

    /// Says something and asks again.
    #[inline(never)]
    pub fn say(&mut self, text: &dyn Display) {
        if self.open {
            self.consoles.print(&format!("\n{text}\n"));
            self.ask();
        }
    }

    /// What the next line will be, and asks for it.
    pub fn ask_for(&mut self, question: Question) {
        self.expect(question);
        if !self.question.is_shown() {
            self.consoles.print("\n");
        }
        self.ask();
    }

    /// What the next line will be. Whatever is said next asks for it.
    pub fn expect(&mut self, question: Question) {
        // What was typed in answer to another question is no part of this one.
        if !self.question.is_shown() {
            self.consoles.forget_typed();
        }
        self.consoles.set_echo(question.is_shown());
        self.question = question;
    }

    pub fn typed(&mut self) -> Vec<Typed> {
        self.consoles.read()
    }

    /// The last words before the boot goes on.
    pub fn close(&mut self, words: &dyn Display) {
        if self.open {
            self.consoles.print(&format!("\n{words}\n"));
            self.open = false;
            self.quiet = None;
        }
    }

    fn ask(&mut self) {
        self.consoles.ask(&self.question.to_string());
    }
}
