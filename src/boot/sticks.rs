//! The sticks that are plugged in, and what is known of them. Each is read by a
//! child, so that one that hangs holds nobody up but itself.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::opening::act::Event;
use crate::stick::{self, FoundKey, PluggedKeys, Reading, Stick, StickError};
use crate::sys::child::wait_for;
use crate::sys::sysfs;
use crate::vault::Header;

/// How long a reset waits for sticks that are just being read. Whoever plugs one
/// in at that moment could as well have done so a moment later.
const READS_WITHIN: Duration = Duration::from_secs(1);

/// A driver is loaded and takes its device in less.
const DRIVERS_WITHIN: Duration = Duration::from_secs(3);

/// One that was told of, for as long as it stays in.
struct Known {
    stick: Stick,
    reading: Option<Reading>,
    /// What the last reading of it said; the key where it has one of this server.
    found: Option<Result<FoundKey, StickError>>,
    /// The volumes behind that key are still being read.
    rest: Option<Reading>,
    /// The keys on these.
    more: Vec<FoundKey>,
    /// The machine waits to hear it.
    is_asked_for: bool,
}

impl Known {
    /// Begins to read it; one that is being read is not read twice, which would
    /// leave one child more behind each time that somebody looks again.
    fn read(&mut self, header: &Header) {
        if self.reading.is_some() || self.rest.is_some() {
            return;
        }
        match Reading::begin(&self.stick, header) {
            Ok(reading) => {
                self.reading = Some(reading);
                self.found = None;
                self.more.clear();
            }
            Err(errno) => {
                log::error!("{} cannot be read: {errno}", self.stick.disk);
                self.found = Some(Err(StickError::Unreadable));
            }
        }
    }

    /// Hears what its child says.
    fn go_on(&mut self) {
        if let Some(found) = self.reading.as_mut().and_then(Reading::go_on) {
            let reading = self.reading.take();
            self.rest = reading.filter(|_| found.is_ok());
            self.found = Some(found);
        }
        while let Some(said) = self.rest.as_mut().and_then(Reading::go_on) {
            match said {
                Ok(key) => self.more.push(key),
                Err(_) => self.rest = None,
            }
        }
    }

    /// The child that is heard.
    fn child(&self) -> Option<BorrowedFd<'_>> {
        self.reading
            .as_ref()
            .or(self.rest.as_ref())
            .map(Reading::as_fd)
    }

    /// What the machine is told, once.
    fn answer(&mut self) -> Option<Event<'static>> {
        if self.reading.is_some() || !self.is_asked_for {
            return None;
        }
        let read = match self.found.as_ref()? {
            Ok(key) => Ok(key.file.clone()),
            Err(error) => Err(*error),
        };
        self.is_asked_for = false;
        Some(Event::StickRead(self.stick.clone(), read))
    }
}

/// A module that a stick waits for.
#[derive(Default)]
struct Lacking {
    /// Since when.
    module: Option<(&'static str, Instant)>,
    is_told: bool,
}

impl Lacking {
    /// What is to be told `now`, once it has waited for [`DRIVERS_WITHIN`].
    fn tell(&mut self, missing: Option<&'static str>, now: Instant) -> Option<&'static str> {
        if self.module.map(|(module, _)| module) != missing {
            *self = Self {
                module: missing.map(|module| (module, now)),
                is_told: false,
            };
        }
        let (module, since) = self.module?;
        if self.is_told || now.saturating_duration_since(since) < DRIVERS_WITHIN {
            return None;
        }
        self.is_told = true;
        Some(module)
    }
}

#[derive(Default)]
pub struct Sticks {
    known: Vec<Known>,
    /// Those that the machine was told of.
    told: Vec<Stick>,
    /// They are all looked at again.
    again: bool,
    /// The module that one waits for.
    lacking: Lacking,
    /// The disk that the vault is on; it may look like a stick and is none.
    own_disk: Option<sysfs::Name>,
}

impl Sticks {
    pub fn leave_out(&mut self, disk: &sysfs::Name) {
        self.own_disk = Some(disk.clone());
    }

    /// Sticks that were pulled out since the last call, and those that came or
    /// show new volumes.
    pub fn changes(&mut self) -> (Vec<Stick>, Vec<Stick>) {
        let plugged = self.plugged_in();
        self.known.retain(|known| plugged.contains(&known.stick));
        let again = std::mem::take(&mut self.again);
        changes(&mut self.told, plugged, again)
    }

    fn plugged_in(&self) -> Vec<Stick> {
        let mut plugged = stick::plugged_in();
        plugged.retain(|stick| Some(&stick.disk) != self.own_disk.as_ref());
        plugged
    }

    /// Everything that is plugged in will be news again.
    pub fn forget(&mut self) {
        self.again = true;
    }

    /// Begins to read a stick; [`Sticks::answers`] has what came of it.
    pub fn read(&mut self, stick: Stick, header: &Header) {
        let known = self.known(stick);
        known.is_asked_for = true;
        known.read(header);
    }

    fn known(&mut self, stick: Stick) -> &mut Known {
        let at = self.known.iter().position(|known| known.stick == stick);
        let at = at.unwrap_or_else(|| {
            self.known.push(Known {
                stick,
                reading: None,
                found: None,
                rest: None,
                more: Vec::new(),
                is_asked_for: false,
            });
            self.known.len() - 1
        });
        &mut self.known[at]
    }

    /// What a stick that is not even a disk waits for, told once.
    pub fn missing_driver(&mut self) -> Option<&'static str> {
        self.lacking.tell(stick::missing_driver(), Instant::now())
    }

    /// What has come of those that the machine has asked for.
    pub fn answers(&mut self) -> Vec<Event<'static>> {
        self.known.iter_mut().for_each(Known::go_on);
        self.known.iter_mut().filter_map(Known::answer).collect()
    }

    /// The children that are heard.
    pub fn children(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.known.iter().filter_map(Known::child)
    }

    /// This server's keys on the sticks that are plugged in: what is known of
    /// them, and what a moment's waiting adds to it.
    pub fn plugged_keys(&mut self, header: &Header) -> PluggedKeys {
        let plugged = self.plugged_in();
        self.known.retain(|known| plugged.contains(&known.stick));
        for stick in plugged {
            let known = self.known(stick);
            if known.found.is_none() {
                known.read(header);
            }
        }
        let until = Instant::now() + READS_WITHIN;
        loop {
            self.known.iter_mut().for_each(Known::go_on);
            let is_due = |known: &&Known| known.found.is_none() || known.rest.is_some();
            let due = self.known.iter().filter(is_due);
            if !wait_for(due.filter_map(Known::child), until) {
                break;
            }
        }
        self.keys()
    }

    /// What is known of them by now.
    pub fn keys(&self) -> PluggedKeys {
        let mut keys = PluggedKeys::default();
        for known in &self.known {
            match &known.found {
                Some(Ok(key)) => {
                    for key in [key].into_iter().chain(&known.more) {
                        keys.add(&key.volume, &key.file.info);
                    }
                    if known.rest.is_some() {
                        keys.add_silent(&known.stick);
                    }
                }
                Some(Err(_)) => {}
                None => keys.add_silent(&known.stick),
            }
        }
        keys
    }
}

/// Of the sticks that were `told` of, those that are not there any more; and
/// those that nobody was told of, or all of them `again`.
fn changes(told: &mut Vec<Stick>, plugged: Vec<Stick>, again: bool) -> (Vec<Stick>, Vec<Stick>) {
    let mut gone = std::mem::replace(told, plugged.clone());
    let mut news = plugged;
    news.retain(|stick| again || !gone.contains(stick));
    gone.retain(|stick| !told.contains(stick));
    (gone, news)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stick(volume: &str) -> Stick {
        Stick {
            disk: "sda".try_into().unwrap(),
            sequence: "7".try_into().unwrap(),
            volumes: vec![volume.into()],
        }
    }

    #[test]
    fn a_stick_is_news_once_and_again_with_its_partitions() {
        let (bare, whole) = (stick("/dev/sda"), stick("/dev/sda1"));
        let mut told = Vec::new();
        let mut sees = |plugged: &[&Stick]| {
            let plugged = plugged.iter().copied().cloned().collect();
            changes(&mut told, plugged, false)
        };
        assert_eq!(sees(&[&bare]), (vec![], vec![bare.clone()]));
        assert_eq!(sees(&[&bare]), (vec![], vec![]));
        assert_eq!(sees(&[&whole]), (vec![bare.clone()], vec![whole.clone()]));
        // Pulled and put back, it is news again.
        assert_eq!(sees(&[]), (vec![whole.clone()], vec![]));
        assert_eq!(sees(&[&whole]), (vec![], vec![whole.clone()]));
    }

    #[test]
    fn a_missing_driver_is_told_once_and_not_at_once() {
        let start = Instant::now();
        let mut lacking = Lacking::default();
        let mut tell =
            |missing, seconds| lacking.tell(missing, start + Duration::from_secs(seconds));
        assert_eq!(tell(Some("uas"), 0), None);
        assert_eq!(tell(Some("uas"), 2), None);
        assert_eq!(tell(Some("uas"), 3), Some("uas"));
        assert_eq!(tell(Some("uas"), 60), None);
        // It took its time.
        assert_eq!(tell(Some("sd_mod"), 61), None);
        assert_eq!(tell(None, 62), None);
        assert_eq!(tell(Some("uas"), 70), None, "another stick");
        assert_eq!(tell(Some("uas"), 73), Some("uas"));
    }

    #[test]
    fn a_stick_that_is_pulled_while_all_are_looked_at_again_is_gone() {
        let (one, other) = (stick("/dev/sda1"), stick("/dev/sdb1"));
        let mut told = vec![one.clone(), other.clone()];
        let seen = changes(&mut told, vec![other.clone()], true);
        assert_eq!(seen, (vec![one], vec![other]));
    }
}
