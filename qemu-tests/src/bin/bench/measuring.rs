//! One boot, measured by the marks that it leaves in the kernel's log: the
//! kernel's own clock, the same for all that is compared.

use std::time::Duration;

use qemu_tests::{Failure, Result, minutes};

use crate::images::Images;
use crate::subjects::Subject;

/// A timed boot.
#[derive(Clone, Debug)]
pub struct Boot {
    /// stayput: from its start until the keys are in memory. Another program:
    /// from the start mark until its volume is there. Nothing: as `in_all`.
    pub to_the_key: Duration,
    /// From the start mark to the end mark: how long the boot waits.
    pub in_all: Duration,
    /// What stayput itself logged about its time.
    pub own: Option<String>,
}

/// The most memory that was in use at one time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// How much less was available than at the start mark, in kB.
    pub system_kb: u64,
    /// The most that the boot stage held, in kB; 0 where there is none.
    pub stage_kb: u64,
}

pub fn time(subject: &Subject, images: &Images) -> Result<Boot> {
    let said = console_of(subject, images, "", "bench: has ")?;
    let boot = || {
        let start = mark(&said, "bench: start")?;
        let in_all = mark(&said, "bench: end")?.checked_sub(start)?;
        let own = rest_of_line(&said, "bench: own stayput: ").map(str::to_string);
        let to_the_key = match (&own, rest_of_line(&said, "bench: volume ")) {
            (Some(own), _) => Duration::from_millis(released_after(own)?),
            (None, Some(at)) => Duration::from_micros(at.parse().ok()?).checked_sub(start)?,
            (None, None) => in_all,
        };
        Some(Boot {
            to_the_key,
            in_all,
            own,
        })
    };
    boot().ok_or_else(|| Failure::new(format!("a mark is missing in:\n{said}")))
}

/// In a boot of its own: looking all the time takes time.
pub fn memory(subject: &Subject, images: &Images) -> Result<Memory> {
    let said = console_of(subject, images, "bench.memory", "bench: memory ")?;
    rest_of_line(&said, "bench: memory ")
        .and_then(memory_of)
        .ok_or_else(|| Failure::new(format!("no memory was reported in:\n{said}")))
}

/// Boots it and gives all that the console said, to the line that starts with
/// `last`. Fails when the boot did not end as it should.
fn console_of(subject: &Subject, images: &Images, words: &str, last: &str) -> Result<String> {
    let mut machine = subject.switch_on(images, words)?;
    let console = machine.console();
    let has = format!("bench: has {}\r\n", subject.what.result());
    let mut said = String::new();
    for awaited in [last, "\n"] {
        said += &console.wait_for(awaited, minutes(3))?;
    }
    if !said.contains(&has) {
        // The sampler may have ended first.
        said += &console.wait_for(&has, minutes(1))?;
    }
    Ok(said)
}

/// Milliseconds in "released after 7 ms: ...".
fn released_after(own: &str) -> Option<u64> {
    let (number, _) = own.strip_prefix("released after ")?.split_once(' ')?;
    number.parse().ok()
}

/// The kernel's time stamp on the line with this mark.
fn mark(said: &str, mark: &str) -> Option<Duration> {
    let before = &said[..said.find(mark)?];
    let stamp = &before[before.rfind('[')? + 1..];
    let seconds: f64 = stamp.trim_end().strip_suffix(']')?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn rest_of_line<'a>(said: &'a str, begin: &str) -> Option<&'a str> {
    let (_, rest) = said.split_once(begin)?;
    rest.lines().next().map(str::trim_end)
}

/// From "1234 kB, stage 567 kB".
fn memory_of(text: &str) -> Option<Memory> {
    let (system, stage) = text.strip_suffix(" kB")?.split_once(" kB, stage ")?;
    Some(Memory {
        system_kb: system.parse().ok()?,
        stage_kb: stage.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "[    4.250000] bench: start\r\n\
        Please unlock disk bench: [   12.000001] bench: end\r\n\
        [   12.100000] bench: own stayput: released after 7 ms: vault 1\r\n\
        [   12.200000] bench: has volume\r\n\
        [   12.300000] bench: memory 1234 kB, stage 567 kB\r\n";

    #[test]
    fn a_mark_is_found_also_behind_a_question_on_the_same_line() {
        assert_eq!(
            mark(SAID, "bench: start"),
            Some(Duration::from_millis(4250))
        );
        assert_eq!(
            mark(SAID, "bench: end"),
            Some(Duration::from_micros(12_000_001))
        );
        assert_eq!(mark(SAID, "bench: never"), None);
    }

    #[test]
    fn what_was_logged_and_what_was_sampled_is_read() {
        assert_eq!(
            rest_of_line(SAID, "bench: own stayput: "),
            Some("released after 7 ms: vault 1")
        );
        assert_eq!(released_after("released after 7 ms: vault 1"), Some(7));
        assert_eq!(released_after("released"), None);
        let memory = rest_of_line(SAID, "bench: memory ")
            .and_then(memory_of)
            .unwrap();
        assert_eq!((memory.system_kb, memory.stage_kb), (1234, 567));
        assert!(memory_of("-3 kB, stage 0 kB").is_none());
    }
}
