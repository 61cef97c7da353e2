//! Sticks that are being read, and how long each may take. One that hangs, as
//! worn or half-plugged ones do, is told of and not waited for.

use core::time::Duration;

use crate::stick::{ANSWERS_WITHIN, Stick};

struct ReadStick {
    stick: Stick,
    /// From here on, since the stage's start, it does not answer.
    silent_at: Duration,
    is_silent: bool,
}

/// Those whose answer is still to come.
#[derive(Default)]
pub struct SticksBeingRead(Vec<ReadStick>);

impl SticksBeingRead {
    pub fn begin(&mut self, stick: Stick, now: Duration) {
        self.end(&stick);
        self.0.push(ReadStick {
            stick,
            silent_at: now + ANSWERS_WITHIN,
            is_silent: false,
        });
    }

    /// It has answered, or was pulled out; whether an answer was still to come.
    pub fn end(&mut self, stick: &Stick) -> bool {
        let before = self.0.len();
        self.0.retain(|read| read.stick != *stick);
        self.0.len() < before
    }

    /// Whether one of them does not answer since the last call.
    pub fn fall_silent(&mut self, now: Duration) -> bool {
        let mut any = false;
        for read in &mut self.0 {
            if !read.is_silent && now >= read.silent_at {
                read.is_silent = true;
                any = true;
            }
        }
        any
    }

    /// When the next one does not answer.
    pub fn next(&self) -> Option<Duration> {
        let waiting = self.0.iter().filter(|read| !read.is_silent);
        waiting.map(|read| read.silent_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stick(disk: &str) -> Stick {
        Stick {
            disk: disk.try_into().unwrap(),
            sequence: "7".try_into().unwrap(),
            volumes: Vec::new(),
        }
    }

    #[test]
    fn each_stick_falls_silent_once() {
        let at = Duration::from_secs;
        let mut reading = SticksBeingRead::default();
        reading.begin(stick("sda"), at(10));
        reading.begin(stick("sdb"), at(12));
        assert_eq!(reading.next(), Some(at(15)));
        assert!(!reading.fall_silent(at(14)));
        assert!(reading.fall_silent(at(15)));
        assert!(!reading.fall_silent(at(16)));
        assert_eq!(reading.next(), Some(at(17)));
        assert!(reading.fall_silent(at(17)));
        assert_eq!(reading.next(), None);
    }

    #[test]
    fn a_stick_that_has_answered_is_not_silent() {
        let at = Duration::from_secs;
        let mut reading = SticksBeingRead::default();
        reading.begin(stick("sda"), at(10));
        assert!(reading.end(&stick("sda")));
        assert!(!reading.fall_silent(at(20)));
        assert!(!reading.end(&stick("sda")), "once");
    }

    #[test]
    fn a_stick_that_is_read_again_has_its_time_anew() {
        let at = Duration::from_secs;
        let mut reading = SticksBeingRead::default();
        reading.begin(stick("sda"), at(10));
        assert!(reading.fall_silent(at(15)));
        reading.begin(stick("sda"), at(20));
        assert_eq!(reading.next(), Some(at(25)));
        assert!(reading.end(&stick("sda")));
        assert_eq!(reading.next(), None);
    }
}
