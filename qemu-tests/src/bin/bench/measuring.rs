//! One boot, measured by the marks that it leaves in the kernel's log: the
//! kernel's own clock, the same for all that is compared.

use std::thread::sleep;
use std::time::Duration;

use qemu_tests::{Failure, Machine, Result, minutes, seconds};

use crate::images::Images;
use crate::subjects::{Subject, What};

/// A timed boot.
#[derive(Clone, Debug)]
pub struct Boot {
    /// stayput: from its start until the keys are in memory. Another program:
    /// from the start mark until its volume is there. Nothing: as `in_all`.
    /// Where a stick is plugged in meanwhile: since the kernel saw it.
    pub to_the_key: Duration,
    /// From the start mark to the end mark: how long the boot waits.
    pub in_all: Duration,
    /// What stayput itself logged about its time.
    pub own: Option<String>,
    /// With dracut: when each unit of its chain was there, since systemd's start mark.
    pub units: Vec<(String, Duration)>,
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
    boot(&said, subject.what.waits_for_a_stick())
        .ok_or_else(|| Failure::new(format!("a mark is missing in:\n{said}")))
}

fn boot(said: &str, waits_for_a_stick: bool) -> Option<Boot> {
    let start = mark(said, "bench: start")?;
    let in_all = mark(said, "bench: end")?.checked_sub(start)?;
    let own = rest_of_line(said, "bench: own stayput: ").map(str::to_string);
    let volume = match rest_of_line(said, "bench: volume ") {
        Some(at) => Some(Duration::from_micros(at.parse().ok()?)),
        None => None,
    };
    let to_the_key = if waits_for_a_stick {
        let plugged = stamp(rest_of_line(said, "bench: plugged ")?)?;
        let there = volume.or_else(|| stamp(rest_of_line(said, "bench: released ")?))?;
        there.checked_sub(plugged)?
    } else {
        match (&own, volume) {
            (Some(own), _) => Duration::from_millis(released_after(own)?),
            (None, Some(at)) => at.checked_sub(start)?,
            (None, None) => in_all,
        }
    };
    Some(Boot {
        to_the_key,
        in_all,
        own,
        units: units(said, start),
    })
}

/// From lines "bench: unit NAME BEGAN THERE", in microseconds. A unit that was not
/// there has no numbers, or 0.
fn units(said: &str, start: Duration) -> Vec<(String, Duration)> {
    let lines = said.split("bench: unit ").skip(1);
    let unit = |line: &str| {
        let mut words = line.lines().next()?.split_whitespace();
        let name = words.next()?.to_string();
        let there = words.nth(1)?.parse().ok().filter(|at| *at != 0)?;
        let since = Duration::from_micros(there).checked_sub(start)?;
        Some((name, since))
    };
    lines.filter_map(unit).collect()
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
    let mut said = String::new();
    if subject.what.waits_for_a_stick() {
        said += &wait_until_it_waits(subject.what, &mut machine)?;
        subject.plug(&mut machine)?;
    }
    let console = machine.console();
    let has = format!("bench: has {}\r\n", subject.what.result());
    for awaited in [last, "\n"] {
        said += &console.wait_for(awaited, minutes(3))?;
    }
    if !said.contains(&has) {
        // The sampler may have ended first.
        said += &console.wait_for(&has, minutes(1))?;
    }
    Ok(said)
}

/// What it said until then.
fn wait_until_it_waits(what: What, machine: &mut Machine) -> Result<String> {
    let (mark, settles) = match what {
        What::StickAtThePrompt => ("stayput> ", seconds(0)),
        // It says nothing while it waits.
        _ => ("bench: start", seconds(8)),
    };
    let said = machine.console().wait_for(mark, minutes(3))?;
    sleep(settles);
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
    stamp(before[before.rfind('[')?..].trim_end().strip_suffix(']')?)
}

/// From "[    4.25".
fn stamp(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_prefix('[')?.trim().parse().ok()?;
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
    fn a_stick_is_timed_from_when_the_kernel_saw_it() {
        let said = format!(
            "{SAID}[   12.1] bench: plugged [    9.500000\r\n\
             [   12.1] bench: released [   11.000000\r\n"
        );
        let key = |text: &str, waits| Some(boot(text, waits)?.to_the_key);
        assert_eq!(key(&said, true), Some(Duration::from_millis(1500)));
        assert_eq!(key(&said, false), Some(Duration::from_millis(7)));
        assert_eq!(key(SAID, true), None);
        let volume = format!("{said}[   12.1] bench: volume 10500000\r\n");
        assert_eq!(key(&volume, true), Some(Duration::from_secs(1)));
    }

    #[test]
    fn units_that_were_there_are_told_since_the_start() {
        let said = "bench: unit sysroot.mount 5000000 6000000\r\n\
                    bench: unit stayput-boot.service  \r\nbench: unit a.target 0 0\r\n";
        let found = units(said, Duration::from_secs(4));
        assert_eq!(found, [("sysroot.mount".into(), Duration::from_secs(2))]);
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
