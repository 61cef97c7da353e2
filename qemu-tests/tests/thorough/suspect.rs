//! What the scenarios of theft begin with.

use qemu_tests::{FastMachine, Filesystem, Place, Result, Stick};

/// The clinic's server with its owner's wishes, off.
pub fn clinic_with(policy: &str) -> Result<FastMachine> {
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_networked_shell_at(&Place::home()?)?;
    let set = format!("stayput policy {policy} && sync");
    machine.shell(&set)?.success()?;
    Ok(machine)
}

/// The same with an office stick that the server has seen to open it.
pub fn clinic_with_office_stick(policy: &str) -> Result<(FastMachine, Stick)> {
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_networked_shell_at(&Place::home()?)?;
    let stick = make_office_stick(&mut machine, None)?;
    let set = format!("stayput policy {policy} && sync");
    machine.shell(&set)?.success()?;
    Ok((machine, stick))
}

/// Makes it in a shell of the server, has it verified, and takes it out again.
pub fn make_office_stick(machine: &mut FastMachine, pin: Option<&str>) -> Result<Stick> {
    machine.put_card_up()?;
    let stick = Stick::partitioned(Filesystem::Vfat)?;
    let id = machine.plug(&stick)?;
    machine.wait_for_device("/dev/sda1")?;
    let (pin, make, verify) = match pin {
        Some(pin) => (pin, "--pin-stdin", "--pin-stdin"),
        None => ("", "--no-pin", ""),
    };
    for command in [
        format!("echo '{pin}' | stayput stick make /dev/sda1 --label office {make}"),
        format!("echo '{pin}' | stayput stick verify /dev/sda1 {verify}"),
    ] {
        machine.shell(&command)?.success()?;
    }
    machine.unplug(&id)?;
    machine.shell("while [ -e /dev/sda ]; do sleep 0.1; done")?;
    Ok(stick)
}

/// Waits until a line of the kernel log has these words.
pub fn wait_for_log(machine: &mut FastMachine, line: &str) -> Result {
    let wait = format!(
        "i=0; until dmesg | grep -q '{line}'; do \
         [ $i != 180 ] || {{ dmesg | grep stayput; exit 1; }}; sleep 0.5; i=$((i+1)); done"
    );
    machine.shell(&wait)?.success()?;
    Ok(())
}
