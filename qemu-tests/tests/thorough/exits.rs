//! However the stage ends, it leaves the machine as it found it.

use qemu_tests::{FastMachine, Filesystem, Place, Result, Stick, seconds};

use qemu_tests::seen::{assert_locked, assert_released, card};

#[test]
fn a_killed_stage_leaves_the_machine_as_it_was() -> Result {
    const SOCKETS: &str = "cat /sys/bus/usb/devices/usb*/authorized_default | sort -u";
    const DEVICES: &str = "for device in /sys/bus/usb/devices/*-*; do \
                           [ ! -e $device/devnum ] || cat $device/authorized; done | sort -u";
    const TERMINAL: &str = "stty -a -F /dev/ttyS0 2>/dev/null";
    let place = Place::elsewhere()?;
    let mut machine = FastMachine::clinic()?;
    // As usbcore.authorized_default=0 does it; the driver is loaded without these words.
    let closed = b"#!/bin/sh\nfor bus in /sys/bus/usb/devices/usb*; do\n\
                   echo 0 >$bus/authorized_default; done\n";
    machine.put("/scripts/init-top/closed", 0o755, closed.to_vec());
    machine.boot_to_shell_at(&place)?;
    let before = card(&mut machine)?;
    assert_eq!(machine.shell(SOCKETS)?.text, "0\n");
    machine.boot_at(&place)?;
    machine.wait_for_prompt()?;
    let waiting = card(&mut machine)?;
    assert_ne!(waiting, before, "it asks the neighbours");
    machine.plug(&FastMachine::clinics_stick_with_pin()?)?;
    machine.console().wait_for("PIN of stick", seconds(60))?;
    assert_eq!(machine.shell(DEVICES)?.text, "1\n");
    assert_eq!(machine.shell(SOCKETS)?.text, "0\n", "each by itself");
    let terminal = machine.shell(TERMINAL)?.text;
    assert!(terminal.contains(" -icanon "), "{terminal}");
    machine.shell("kill -9 $(pidof stayput-boot)")?.success()?;
    machine.wait_for_prompt()?;
    for neighbour in Place::home_neighbours() {
        place.replace(&neighbour)?;
    }
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    assert_eq!(card(&mut machine)?, before);
    assert_eq!(machine.shell(SOCKETS)?.text, "0\n");
    assert_eq!(machine.shell(DEVICES)?.text, "0\n", "nor is the stick used");
    let terminal = machine.shell(TERMINAL)?.text;
    for word in ["isig", "icanon", "echo"] {
        let mut words = terminal.split_whitespace();
        assert!(words.any(|is| is == word), "{word}: {terminal}");
    }
    machine.shell("echo '<4>a word from the kernel' >/dev/kmsg")?;
    machine
        .console()
        .wait_for("a word from the kernel", seconds(20))?;
    Ok(())
}

#[test]
fn an_initramfs_without_the_stage_starts_without_the_database() -> Result {
    let mut machine = FastMachine::clinic()?;
    let removed = b"#!/bin/sh\nrm /usr/lib/stayput/stayput-boot\n";
    machine.put("/scripts/init-top/removed", 0o755, removed.to_vec());
    machine.boot_at(&Place::home()?)?;
    machine
        .console()
        .wait_for("made without the boot stage", seconds(60))?;
    machine
        .console()
        .wait_for("the boot stage has ended", seconds(20))?;
    assert_eq!(machine.shell("ls -A /run/stayput 2>/dev/null")?.text, "");
    Ok(())
}

#[test]
fn a_message_in_between_does_not_lose_what_was_typed() -> Result {
    let place = Place::elsewhere()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_at(&place)?;
    machine.wait_for_prompt()?;
    machine.console().type_text("stat")?;
    let empty = Stick::partitioned(Filesystem::Ext4)?;
    machine.plug(&empty)?;
    machine
        .console()
        .wait_for("This stick has no key on it.", seconds(30))?;
    machine.console().wait_for("stayput> stat", seconds(20))?;
    machine.console().type_line("us")?;
    machine.console().wait_for("connected: eth0", seconds(20))?;
    assert_locked(&mut machine)
}

#[test]
fn a_stick_is_only_read_at_the_prompt() -> Result {
    let place = Place::elsewhere()?;
    for filesystem in [Filesystem::Vfat, Filesystem::Ext4] {
        let stick = Stick::partitioned(filesystem)?;
        let original = FastMachine::clinics_stick()?;
        for name in original.list("stayput")? {
            let path = format!("stayput/{name}");
            stick.write(&path, &original.read(&path)?)?;
        }
        let before = std::fs::read(stick.image())?;
        let mut machine = FastMachine::clinic()?;
        machine.boot_at(&place)?;
        machine.wait_for_prompt()?;
        machine.plug(&stick)?;
        machine.wait_for_release()?;
        machine.power_cut();
        assert!(std::fs::read(stick.image())? == before, "{filesystem:?}");
    }
    Ok(())
}

#[test]
fn a_pin_given_up_is_asked_for_again_and_logged() -> Result {
    let place = Place::elsewhere()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_at(&place)?;
    machine.wait_for_prompt()?;
    machine.plug(&FastMachine::clinics_stick_with_pin()?)?;
    let question = "PIN of stick \"Otieno\": ";
    machine.console().wait_for(question, seconds(30))?;
    machine.console().type_line("0000")?;
    machine
        .console()
        .wait_for("The PIN is wrong. Try again in 1 s.", seconds(60))?;
    machine.console().wait_for(question, seconds(20))?;
    machine.console().type_text("\x1b")?;
    machine.wait_for_prompt()?;
    machine.console().type_line("retry")?;
    machine.console().wait_for(question, seconds(30))?;
    std::thread::sleep(seconds(1));
    machine.console().type_line("4711-0815")?;
    machine.wait_for_release()?;
    let told = machine.shell("stayput log")?.success()?;
    let story = [
        "Stayed locked",
        "Wrong PIN for the stick \"Otieno\"",
        "Opened with the stick \"Otieno\"",
    ];
    let places: Vec<_> = story.iter().map(|line| told.find(line)).collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{told}"
    );
    assert_eq!(told.matches("Stayed locked").count(), 1, "{told}");
    Ok(())
}

#[test]
fn a_stick_is_verified_and_found_out_when_half_of_it_is_broken() -> Result {
    let mut machine = FastMachine::clinic()?;
    machine.boot_to_shell_at(&Place::elsewhere()?)?;
    let stick = FastMachine::clinics_stick_with_pin()?;
    let id = machine.plug(&stick)?;
    machine.wait_for_device("/dev/sda1")?;
    let wrong = machine.shell("echo 0000 | stayput stick verify /dev/sda1 --pin-stdin")?;
    assert_eq!(wrong.status, 3, "{wrong}");
    let verify = "echo 4711-0815 | stayput stick verify /dev/sda1 --pin-stdin";
    machine.shell(verify)?.success()?;
    let list = "echo 4711-0815 | stayput --json stick list --stick /dev/sda1 --pin-stdin";
    let list = machine.shell(list)?.success()?;
    assert!(list.contains("\"label\": \"Otieno\""), "{list}");
    assert!(list.contains("\"has_pin\": true"), "{list}");
    machine.unplug(&id)?;
    machine.shell("while [ -e /dev/sda ]; do sleep 0.1; done")?;

    let names = stick.list("stayput")?;
    let copy = names.iter().find(|name| name.ends_with("-copy.key"));
    stick.write(&format!("stayput/{}", copy.unwrap()), b"gone")?;
    machine.plug(&stick)?;
    machine.wait_for_device("/dev/sda1")?;
    let half = machine.shell(verify)?;
    assert_eq!(half.status, 1, "{half}");
    assert!(half.text.contains("damaged or missing"), "{half}");
    let disk = machine.shell("stayput stick make /dev/vda1 --label no --no-pin")?;
    assert_eq!(disk.status, 4, "a disk of the server is no stick: {disk}");
    Ok(())
}
