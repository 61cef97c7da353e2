//! What a scenario looks at, in one place.

use qemu_tests::{FastMachine, Result};

/// The network card's flags and addresses, as `ip` shows them.
pub fn card(machine: &mut FastMachine) -> Result<String> {
    machine
        .shell("ip addr show dev eth0 | sed 's/ mtu .*//'")?
        .success()
}

/// The lines that stayput wrote to the kernel log.
pub fn log(machine: &mut FastMachine) -> Result<String> {
    machine
        .shell("dmesg | grep -o 'stayput: .*'")
        .map(|output| output.text)
}

/// The released tmpfs is there, and only root and the database get in.
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
pub fn assert_locked(machine: &mut FastMachine) -> Result {
    let content = machine.shell("ls -A /run/stayput 2>/dev/null; pidof stayput-boot")?;
    let only_the_stage = content.text.lines().count() == 1;
    assert!(
        content.ok() && only_the_stage,
        "the stage runs and nothing is released: {content}"
    );
    Ok(())
}
