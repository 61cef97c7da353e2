//! The power goes while the vault is written: at any moment, with any part of
//! what the disk was not told to flush lost. At home the server then opens, by
//! itself or with the office stick, and never is nothing left that opens it.

use std::path::PathBuf;

use qemu_tests::seen::assert_released;
use qemu_tests::{FastMachine, Place, Result, Scratch, Seeded, Stick, WriteLog, minutes};

use crate::suspect::{clinic_with_office_stick, wait_for_log};

/// Power cuts in each scenario; `STAYPUT_CUTS` asks for more.
fn cuts() -> usize {
    let more = std::env::var("STAYPUT_CUTS").ok();
    more.and_then(|text| text.parse().ok()).unwrap_or(7)
}

/// A server, and its disk as it is before something is written to it.
struct Before {
    machine: FastMachine,
    stick: Stick,
    scratch: Scratch,
}

impl Before {
    fn new(policy: &str) -> Result<Self> {
        let (machine, stick) = clinic_with_office_stick(policy)?;
        Ok(Self {
            machine,
            stick,
            scratch: Scratch::new()?,
        })
    }

    fn kept(&self) -> PathBuf {
        self.scratch.join("before.img")
    }

    /// From here on the writes are recorded.
    fn record(&mut self) -> Result {
        self.machine.power_cut();
        std::fs::copy(self.machine.disk(), self.kept())?;
        self.machine.record_writes_to = Some(self.scratch.join("writes"));
        Ok(())
    }

    /// Cuts the power, on a disk that keeps nothing but what it had to.
    fn lose_what_was_not_flushed(&mut self) -> Result {
        let log = self.end_of_record()?;
        std::fs::copy(self.kept(), self.machine.disk())?;
        log.cut_off_unflushed(self.machine.disk())
    }

    fn end_of_record(&mut self) -> Result<WriteLog> {
        self.machine.power_cut();
        self.machine.record_writes_to = None;
        WriteLog::read(&self.scratch.join("writes"))
    }

    /// Cuts the power at moments of what was recorded, and looks what is left
    /// at home. Gives how often the place opened the server by itself.
    fn cut_and_go_home(&mut self, seed: u64) -> Result<usize> {
        let log = self.end_of_record()?;
        let mut random = Seeded::new(seed);
        let home = Place::home()?;
        let mut by_itself = 0;
        for cut in 0..cuts() {
            let requests = match cut {
                0 => log.requests(),
                _ => random.below(log.requests()),
            };
            std::fs::copy(self.kept(), self.machine.disk())?;
            log.cut(self.machine.disk(), requests, &mut random)?;
            self.machine.boot_at(&home)?;
            let seen = self.machine.console().wait_for_any(
                &[
                    "fast-init: the boot stage has ended",
                    "This server was reset",
                ],
                minutes(2),
            );
            let (seen, _) = seen.map_err(|failure| {
                let of = log.requests();
                qemu_tests::Failure::new(format!(
                    "seed {seed}, cut {cut} after {requests} of {of} requests: {failure}"
                ))
            })?;
            if seen == 0 {
                by_itself += 1;
            } else {
                self.machine.plug(&self.stick)?;
                self.machine.wait_for_release()?;
            }
            assert_released(&mut self.machine)?;
        }
        Ok(by_itself)
    }
}

#[test]
fn power_cuts_during_a_strike_never_lock_the_owner_out() -> Result {
    let mut before = Before::new("--wait 5")?;
    before.record()?;
    let elsewhere = Place::elsewhere()?;
    before.machine.boot_at(&elsewhere)?;
    let judged = "This server does not recognise this place.";
    before.machine.console().wait_for(judged, minutes(2))?;
    // Nothing that was not flushed is left: the strike counts all the same.
    before.lose_what_was_not_flushed()?;
    before.machine.boot_at(&elsewhere)?;
    wait_for_log(&mut before.machine, "strike 2 of 3")?;
    let by_itself = before.cut_and_go_home(1)?;
    assert_eq!(by_itself, cuts(), "a strike closes nothing");
    Ok(())
}

#[test]
fn power_cuts_during_a_reset_leave_the_old_key_or_the_stick() -> Result {
    let mut before = Before::new("--wait 5 --strikes 1 --on-strikes reset --stick-kept bank")?;
    before.record()?;
    before.machine.boot_at(&Place::elsewhere()?)?;
    let reset = "This server was reset";
    before.machine.console().wait_for(reset, minutes(2))?;
    let by_itself = before.cut_and_go_home(2)?;
    assert!(by_itself < cuts(), "the whole reset was replayed as well");
    Ok(())
}

#[test]
fn power_cuts_while_remembering_a_place_leave_a_way_in() -> Result {
    let mut before = Before::new("--wait 5")?;
    let home = Place::home()?;
    before.machine.boot_to_shell_at(&home)?;
    before
        .machine
        .shell("stayput reset --yes && sync")?
        .success()?;
    before.record()?;
    before.machine.boot_at(&home)?;
    before.machine.wait_for_prompt()?;
    before.machine.console().type_line("remember")?;
    before.machine.plug(&before.stick)?;
    before.machine.wait_for_release()?;
    let by_itself = before.cut_and_go_home(3)?;
    assert!(by_itself > 0, "all of it was replayed as well");
    Ok(())
}
