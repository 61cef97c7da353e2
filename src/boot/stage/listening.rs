//! Waiting for something to happen, and taking in what did.

use std::time::Instant;

use super::Stage;
use super::reasons::banner;
use crate::boot::uevent::{Subject, subject};
use crate::boot::wait::wait;
use crate::environment::{Neighbours, observe_machine};

impl Stage {
    /// Sleeps until something happens, then takes in what did.
    pub(super) fn wait(&mut self) {
        let now = Instant::now();
        let ask_due = self.neighbours.as_ref().and_then(Neighbours::next);
        // Who is to be asked does not wait for what is only computed ahead.
        let must_ask = ask_due.is_some_and(|due| due <= now);
        let until = if self.has_next() || must_ask || self.servers.work_ahead(now) {
            Some(now)
        } else {
            let show_due = self.progress().next_change();
            let show_due = show_due.map(|after| self.figures.started() + after);
            let server_due = self.servers.next();
            // Without the vault no stick is judged, nor waited for.
            let stick_due = self.found.as_ref().ok().and_then(|_| self.sticks.next());
            [show_due, ask_due, server_due, stick_due]
                .into_iter()
                .flatten()
                .min()
        };
        wait(
            self.uevents.as_ref(),
            self.neighbours.as_ref(),
            &self.servers,
            &self.screen.consoles,
            until,
        );
        self.screen.consoles.send();
        self.hear_devices();
        self.hear_neighbours();
        self.hear_servers();
    }

    fn hear_servers(&mut self) {
        let said = self.servers.drive(Instant::now());
        if !said.is_empty() {
            self.figures.server_answered();
            self.observed.note_answers(&said);
        }
    }

    pub(super) fn look_at_machine(&mut self) {
        let observed = self.figures.machine.time(observe_machine);
        self.observed.note_all(&observed);
    }

    pub(super) fn hear_neighbours(&mut self) {
        let Some(neighbours) = &mut self.neighbours else {
            return;
        };
        self.observed.note_answers(&neighbours.answers());
        let now = Instant::now();
        if neighbours.ask(now) {
            self.servers.ask_soon(now);
        }
    }

    fn hear_devices(&mut self) {
        let Some(uevents) = &self.uevents else {
            return;
        };
        let mut buffer = [0; 4096];
        let (mut block, mut network, mut terminal) = (false, false, false);
        loop {
            match uevents.receive(&mut buffer).map(|event| event.map(subject)) {
                Ok(Some(Subject::Block)) => block = true,
                Ok(Some(Subject::Network)) => network = true,
                Ok(Some(Subject::Terminal)) => terminal = true,
                Ok(Some(Subject::Other)) => {}
                Ok(None) => break,
                // Events were lost: look at everything.
                Err(_) => {
                    (block, network, terminal) = (true, true, true);
                    break;
                }
            }
        }
        if block && self.found.is_err() {
            self.find_vault();
        }
        if block || network {
            self.look_at_machine();
        }
        if network && let Some(neighbours) = &mut self.neighbours {
            neighbours.ask_soon(Instant::now());
        }
        if terminal && let Some(reason) = &self.said {
            self.screen.open_new_consoles(&banner(&self.found, reason));
        }
    }
}
