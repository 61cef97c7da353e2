//! Changing a passphrase at the prompt: the present one, then the new one
//! twice. It opens nothing.

use core::fmt::Display;

use subtle::ConstantTimeEq;

use super::{Stage, find};
use crate::boot::line::Line;
use crate::boot::screen::Asking;
use crate::boot::words::Printable;
use crate::keys::MasterKey;
use crate::sys::clock;
use crate::vault::locate;
use crate::vault::{EventKind, PersonName, usable};

/// Whose passphrase is changed, until the new one was typed twice.
pub(super) struct Changing {
    key: MasterKey,
    name: PersonName,
    /// What was typed the first time.
    new: Line,
}

impl Stage {
    pub(super) fn ask_to_change(&mut self) {
        if self.takes_passphrases() {
            self.screen.ask_for(Asking::PresentPassphrase);
        }
    }

    pub(super) fn present_passphrase(&mut self, typed: &Line) {
        if let Some((key, name)) = self.try_passphrase(typed) {
            let new = Line::default();
            self.entry.change = Some(Changing { key, name, new });
            self.screen.ask_for(Asking::NewPassphrase);
        }
    }

    pub(super) fn new_passphrase(&mut self, typed: &Line) {
        let Some(changing) = &mut self.entry.change else {
            return self.cannot_enter();
        };
        if let Err(error) = usable(typed) {
            let words = format!("{error} {}", error.advice());
            return self.screen.say(&words);
        }
        changing.new = typed.clone();
        self.screen.ask_for(Asking::NewPassphraseAgain);
    }

    pub(super) fn same_passphrase_again(&mut self, typed: &Line) {
        let Some(changing) = self.entry.change.take() else {
            return self.cannot_enter();
        };
        self.screen.ask_for_command();
        if !bool::from(changing.new.ct_eq(typed)) {
            return self
                .screen
                .say(&"The two are not the same. Nothing was changed.");
        }
        self.screen.consoles.print("Changing ...\n");
        let words = match self.change(&changing) {
            Ok(()) => format!(
                "The passphrase of \"{}\" is changed. The old one opens nothing but copies of\n\
                 the disk that were made before. The server is still locked.",
                Printable(&changing.name)
            ),
            Err(words) => words,
        };
        self.screen.say(&words);
    }

    /// What `stayput passphrase change` does; else why it was not done. The
    /// slots are sealed under a new pepper then, and read anew.
    fn change(&mut self, changing: &Changing) -> Result<(), String> {
        fn nothing<E: Display>(error: E) -> String {
            format!("{error} Nothing was changed.")
        }
        let Changing { key, name, new } = changing;
        // In the log the lock comes before what was done to it.
        self.note_locked();
        let mut vault = locate::open(&self.place).map_err(nothing)?;
        vault.prove(key).map_err(nothing)?;
        let mut slots = vault.slots().map_err(nothing)?;
        slots
            .passphrases
            .change(vault.header(), key, name, new, clock::now())
            .map_err(nothing)?;
        let replaced = vault.replace_slots(key, &slots);
        // A vault in a file is unmounted before it is opened again.
        drop(vault);
        self.found = find(&self.place);
        replaced.map_err(|error| {
            log::error!("the passphrase was not changed: {error}");
            format!("{error}\nThe old passphrase is still in force, or the new one: try both.")
        })?;
        log::warn!("a passphrase was changed at the prompt");
        let name = name.clone();
        self.note_opening(key, EventKind::PassphraseChanged { name });
        Ok(())
    }
}
