//! The ground that the other scenarios stand on: a machine starts, its
//! network is the place's, sticks come and go.

use qemu_tests::{
    FastMachine, Filesystem, Hardware, Neighbour, Place, Result, Stick, UsbController, UsbModel,
    seconds,
};

/// Asks who has an address without having one itself, as the boot stage does.
fn who_has(machine: &mut FastMachine, ip: &str) -> Result<String> {
    machine.shell("ip link set eth0 up; sleep 0.2")?;
    Ok(machine
        .shell(&format!("arping -I eth0 -D -c 3 -w 3 {ip}"))?
        .text)
}

#[test]
fn each_neighbour_answers_with_its_own_address() -> Result {
    let home = Place::home()?;
    let mut machine = FastMachine::blank()?;
    machine.boot_to_shell_at(&home)?;
    for neighbour in Place::home_neighbours() {
        let said = who_has(&mut machine, &neighbour.ip)?;
        assert!(said.contains(&neighbour.mac), "{said}");
    }
    home.replace(&Neighbour::new("192.168.77.2", "00:1b:21:00:00:99"))?;
    let said = who_has(&mut machine, "192.168.77.2")?;
    assert!(said.contains("00:1b:21:00:00:99"), "{said}");
    home.remove("192.168.77.2")?;
    let said = who_has(&mut machine, "192.168.77.2")?;
    assert!(!said.contains("00:1b:21"), "{said}");
    Ok(())
}

#[test]
fn the_machine_is_made_of_the_parts_that_were_chosen() -> Result {
    let mut machine = FastMachine::blank()?;
    machine.boot_to_shell_at(&Place::empty()?)?;
    let Hardware {
        uuid,
        system_serial,
        board_serial,
        disk_serial,
        nic_mac,
        ..
    } = machine.hardware.clone();
    let seen = machine.shell(
        "cd /sys/class/dmi/id && cat product_uuid product_serial board_serial \
         /sys/block/vda/serial /sys/class/net/eth0/address",
    )?;
    let expected = [uuid, system_serial, board_serial, disk_serial, nic_mac].join("\n");
    // The disk's serial has no newline of its own.
    let text = seen.success()?.replace(&machine.hardware.nic_mac, "");
    for part in expected
        .lines()
        .filter(|part| **part != machine.hardware.nic_mac)
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    Ok(())
}

#[test]
fn a_stick_comes_and_goes_on_every_kind_of_socket() -> Result {
    let mut machine = FastMachine::blank()?;
    machine.boot_to_shell_at(&Place::empty()?)?;
    let sockets = [
        (UsbController::Xhci, UsbModel::Storage, Filesystem::Vfat),
        (UsbController::Ehci, UsbModel::Storage, Filesystem::Ext4),
        (UsbController::Xhci, UsbModel::Uas, Filesystem::Ext4),
    ];
    for (controller, model, filesystem) in sockets {
        let stick = Stick::partitioned(filesystem)?;
        stick.write("stayput/note.txt", b"from the host")?;
        let id = machine.machine()?.plug(&stick, controller, model)?;
        machine
            .shell(
                "i=0; until [ -e /dev/sd?1 ] || [ $i = 100 ]; do sleep 0.1; i=$((i+1)); done; \
                 mount /dev/sd?1 /mnt && cat /mnt/stayput/note.txt && \
                 echo 'from the guest' >/mnt/answer.txt && umount /mnt",
            )?
            .success()?;
        machine.unplug(&id)?;
        machine
            .shell("i=0; while ls /dev/sd* >/dev/null 2>&1 && [ $i != 100 ]; do sleep 0.1; i=$((i+1)); done; ! ls /dev/sd*")?
            .success()?;
        assert_eq!(stick.read("answer.txt")?, b"from the guest\n");
        assert!(stick.list("stayput")?.iter().any(|name| name == "note.txt"));
    }
    Ok(())
}

#[test]
fn what_must_not_be_said_is_noticed_and_what_is_missing_too() -> Result {
    let mut machine = FastMachine::blank()?;
    machine.boot_to_shell_at(&Place::empty()?)?;
    machine.shell("echo a canary >/dev/console")?;
    machine.console().wait_for("a canary", seconds(10))?;
    assert!(
        machine
            .console()
            .expect_silence_about("a canary", seconds(0))
            .is_err()
    );
    let missing = machine
        .console()
        .wait_for("never said", seconds(1))
        .unwrap_err();
    assert!(missing.to_string().contains("a canary"), "{missing}");
    Ok(())
}
