//! What scenarios on a [`FastMachine`] look at, in one place.

use std::time::Instant;

use crate::{FastMachine, Place, Result, seconds};

/// The network card's flags and addresses, as `ip` shows them.
pub fn card(machine: &mut FastMachine) -> Result<String> {
    machine
        .shell("ip addr show dev eth0 | sed 's/ mtu .*//'")?
        .success()
}

/// The same of all of them. Not whether a cable leads anywhere: of a card that was
/// put up that shows only after a while.
pub fn cards(machine: &mut FastMachine) -> Result<String> {
    machine
        .shell(
            "ip addr show | sed -n '/^[0-9]*: lo:/d; /valid_lft/d; s/ mtu .*//; \
             s/ tentative//; s/NO-CARRIER,//; p'",
        )?
        .success()
}

/// The lines that stayput wrote to the kernel log.
pub fn log(machine: &mut FastMachine) -> Result<String> {
    machine
        .shell("dmesg | grep -o 'stayput: .*'")
        .map(|output| output.text)
}

/// Milliseconds to the release from the moment at which the last neighbour or
/// key server that was needed had answered.
///
/// # Panics
/// When the log has no figures.
fn from_the_last_answer(machine: &mut FastMachine) -> Result<u64> {
    let log = log(machine)?;
    let figures = log
        .lines()
        .find_map(|line| line.split_once("released after "));
    let (_, figures) = figures.expect("the figures");
    let figure = |name: &str| {
        let (_, number) = figures.split_once(name)?;
        let end = number.find(|c: char| !c.is_ascii_digit())?;
        number[..end].parse().ok()
    };
    let named = |name: &str| figure(name).unwrap_or_else(|| panic!("no {name}in {figures}"));
    let all: u64 = figure("").expect("the whole time");
    let asking = named("neighbours ").max(figure("tang ").unwrap_or(0));
    Ok(all - named("vault ") - asking)
}

/// It opens by itself, soon after what it needed came to life at `since`.
///
/// # Panics
/// When it takes longer than it may, by the clock here or by its own figures.
pub fn opens_soon_after(since: Instant, machine: &mut FastMachine) -> Result {
    machine.wait_for_release()?;
    let took = since.elapsed();
    assert!(took < seconds(8), "with what emulation adds: {took:?}");
    let milliseconds = from_the_last_answer(machine)?;
    assert!(milliseconds < 2000, "{milliseconds} ms");
    assert_released(machine)
}

/// The released tmpfs is there, and only root and the database get in.
///
/// # Panics
/// When it is not so.
pub fn assert_released(machine: &mut FastMachine) -> Result {
    let mount = machine
        .shell("grep ' /run/stayput ' /proc/mounts")?
        .success()?;
    for word in ["nosuid", "nodev", "noexec"] {
        assert!(mount.contains(word), "{mount}");
    }
    let owner = machine.shell("stat -c '%a %u' /run/stayput")?.success()?;
    assert_eq!(owner, "750 0\n");
    Ok(())
}

/// Nothing was released: no tmpfs, or nothing in it.
///
/// # Panics
/// When it is not so.
pub fn assert_locked(machine: &mut FastMachine) -> Result {
    let content = machine.shell("ls -A /run/stayput 2>/dev/null; pidof stayput-boot")?;
    let only_the_stage = content.text.lines().count() == 1;
    assert!(
        content.ok() && only_the_stage,
        "the stage runs and nothing is released: {content}"
    );
    Ok(())
}

/// The clinic's server, switched on at a place that leads to the prompt.
///
/// # Errors
/// No prompt.
pub fn locked_at(place: &Place) -> Result<FastMachine> {
    let mut machine = FastMachine::clinic()?;
    machine.boot_at(place)?;
    machine.wait_for_prompt()?;
    Ok(machine)
}

/// Boots, and sees it halt in the prompt and stay there.
pub fn stays_locked(machine: &mut FastMachine, place: &Place) -> Result {
    machine.boot_at(place)?;
    machine.wait_for_prompt()?;
    assert_locked(machine)?;
    machine
        .console()
        .expect_silence_about("accepted", seconds(5))?;
    assert_locked(machine)
}

/// A station of this place is reached by TCP from the initramfs.
///
/// # Panics
/// When it does not answer within ten seconds.
pub fn reaches(machine: &mut FastMachine, place: &Place, ip: &str) -> Result {
    place.greet_at(7500)?;
    let call = format!(
        "i=0; until nc -w 5 {ip} 7500 </dev/null 2>/dev/null; do \
         [ $i != 30 ] || exit 1; sleep 0.3; i=$((i+1)); done"
    );
    assert_eq!(machine.shell(&call)?.text, "hello\n");
    Ok(())
}
