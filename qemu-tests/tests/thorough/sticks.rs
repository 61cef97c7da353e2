//! Backup sticks in front of the locked server: the right one opens it, every
//! other one gets one clear line and the prompt goes on.

use std::time::Instant;

use qemu_tests::seen::{assert_locked, assert_released, locked_at, opens_soon_after};
use qemu_tests::{
    FastMachine, Filesystem, Place, Result, Stick, UsbController, UsbModel, minutes, seconds,
};

const KEY_DIRECTORY: &str = "stayput";
/// Of the stick "Otieno".
const PIN: &str = "4711-0815";

#[test]
fn a_stick_opens_with_its_pin_alone_which_is_not_shown() -> Result {
    let elsewhere = Place::elsewhere()?;
    let mut machine = locked_at(&elsewhere)?;
    machine.plug(&FastMachine::clinics_stick_with_pin()?)?;
    let question = "PIN of stick \"Otieno\": ";
    machine.console().wait_for(question, seconds(30))?;
    machine.console().type_line("1234-5678")?;
    machine
        .console()
        .wait_for("The PIN is wrong.", seconds(60))?;
    machine.console().wait_for(question, seconds(30))?;
    assert_locked(&mut machine)?;
    // A wrong one slows the next down.
    std::thread::sleep(seconds(3));
    machine.console().type_line(PIN)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)?;
    let console = machine.console().transcript();
    let log = machine.shell("dmesg")?.text;
    for typed in ["1234-5678", PIN] {
        assert!(
            !console.contains(typed) && !log.contains(typed),
            "{console}\n{log}"
        );
    }
    Ok(())
}

/// A stick of another make with the clinic's key files on it.
fn with_the_clinics_key(stick: Stick) -> Result<Stick> {
    let original = FastMachine::clinics_stick()?;
    for name in original.list(KEY_DIRECTORY)? {
        let path = format!("{KEY_DIRECTORY}/{name}");
        stick.write(&path, &original.read(&path)?)?;
    }
    Ok(stick)
}

#[test]
fn a_stick_that_was_in_before_the_start_opens_the_server() -> Result {
    let elsewhere = Place::elsewhere()?;
    let stick = FastMachine::clinics_stick()?;
    let mut machine = FastMachine::clinic()?;
    machine.boot_at(&elsewhere)?;
    machine.plug(&stick)?;
    machine.wait_for_release()?;
    machine.machine()?.reset()?;
    machine.machine()?.wait_for_initramfs(minutes(2))?;
    machine.wait_for_release()?;
    assert_released(&mut machine)
}

#[test]
fn every_kind_of_stick_in_every_kind_of_socket_is_read() -> Result {
    let elsewhere = Place::elsewhere()?;
    let kinds = [
        (
            UsbController::Ehci,
            UsbModel::Storage,
            Stick::whole_disk(Filesystem::Vfat)?,
        ),
        (
            UsbController::Xhci,
            UsbModel::Uas,
            Stick::partitioned(Filesystem::Ext4)?,
        ),
        (
            UsbController::Xhci,
            UsbModel::Storage,
            Stick::whole_disk(Filesystem::Ext4)?,
        ),
    ];
    for (controller, model, stick) in kinds {
        let mut machine = locked_at(&elsewhere)?;
        let stick = with_the_clinics_key(stick)?;
        machine.machine()?.plug(&stick, controller, model)?;
        machine.wait_for_release()?;
        assert_released(&mut machine)?;
    }
    Ok(())
}

#[test]
fn wrong_sticks_get_a_clear_line_and_the_right_one_opens() -> Result {
    let elsewhere = Place::elsewhere()?;
    let mut machine = locked_at(&elsewhere)?;
    let key = FastMachine::clinics_stick()?;
    let names = key.list(KEY_DIRECTORY)?;
    let key_names: Vec<_> = names.iter().filter(|name| name.contains(".key")).collect();
    assert!(!key_names.is_empty(), "{names:?}");

    let holiday_photos = Stick::partitioned(Filesystem::Vfat)?;
    holiday_photos.write("photo.jpg", b"\xff\xd8\xff\xe0 a beach")?;
    let damaged = Stick::partitioned(Filesystem::Vfat)?;
    for name in &key_names {
        let path = format!("{KEY_DIRECTORY}/{name}");
        let mut content = key.read(&path)?;
        // Behind the head with magic, version and server: one bit.
        content[64] ^= 1;
        damaged.write(&path, &content)?;
    }
    for (stick, line) in [
        (holiday_photos, "This stick has no key on it."),
        (Stick::noise()?, "This stick has no filesystem that stayput"),
        (Stick::ntfs()?, "This stick is formatted as NTFS."),
        (Stick::empty()?, "This stick is empty."),
        (damaged, "The key on this stick is damaged."),
    ] {
        let id = machine.plug(&stick)?;
        machine.console().wait_for(line, seconds(30))?;
        machine.wait_for_prompt()?;
        assert_locked(&mut machine)?;
        machine.unplug(&id)?;
    }

    // Good ones, and a kernel without their drivers.
    machine.shell("rmmod exfat && rmmod uas")?.success()?;
    let exfat = machine.plug(&Stick::partitioned(Filesystem::Exfat)?)?;
    machine
        .console()
        .wait_for("no driver for exFAT (module exfat)", seconds(30))?;
    machine.wait_for_prompt()?;
    machine.unplug(&exfat)?;
    let (controller, model) = (UsbController::Xhci, UsbModel::Uas);
    let uas = machine.machine()?.plug(&key, controller, model)?;
    machine
        .console()
        .wait_for("no driver for it (module uas)", seconds(30))?;
    machine.wait_for_prompt()?;
    assert_locked(&mut machine)?;
    machine.unplug(&uas)?;
    machine.plug(&key)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)
}

#[test]
fn one_damaged_copy_on_the_stick_does_no_harm() -> Result {
    let elsewhere = Place::elsewhere()?;
    let mut machine = locked_at(&elsewhere)?;
    let stick = FastMachine::clinics_stick()?;
    let first = stick
        .list(KEY_DIRECTORY)?
        .into_iter()
        .find(|name| name.contains(".key"));
    stick.write(&format!("{KEY_DIRECTORY}/{}", first.unwrap()), b"gone")?;
    machine.plug(&stick)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)
}

#[test]
fn a_stick_pulled_out_at_its_pin_goes_back_to_the_prompt() -> Result {
    let elsewhere = Place::elsewhere()?;
    let mut machine = locked_at(&elsewhere)?;
    let id = machine.plug(&FastMachine::clinics_stick_with_pin()?)?;
    machine
        .console()
        .wait_for("PIN of stick \"Otieno\": ", seconds(30))?;
    machine.unplug(&id)?;
    machine
        .console()
        .wait_for("The stick was pulled out.", seconds(30))?;
    machine.wait_for_prompt()?;
    machine.plug(&FastMachine::clinics_stick()?)?;
    machine.wait_for_release()?;
    assert_released(&mut machine)
}

#[test]
fn only_sticks_of_this_server_open_it_also_exfat_and_fresh_ones() -> Result {
    let elsewhere = Place::elsewhere()?;
    let stick = FastMachine::clinics_stick()?;
    let mut other = FastMachine::blank()?;
    // Busybox calls it otherwise.
    let mkfs = b"#!/bin/sh\nexec mkdosfs \"$@\"\n";
    other.put("/sbin/mkfs.vfat", 0o755, mkfs.to_vec());
    other.boot_to_networked_shell_at(&elsewhere)?;
    other
        .shell("stayput init --name other --disk /dev/vda --yes")?
        .success()?;
    other
        .shell(
            "stayput enroll --yes --machine-need 4 --place-need 3 --neighbour 192.168.77.1 \
             --neighbour 192.168.77.2 --neighbour 192.168.77.3 && sync",
        )?
        .success()?;
    // Two sticks of its own, one of them as large ones are sold, one that was NTFS.
    let (exfat, fresh) = (Stick::partitioned(Filesystem::Exfat)?, Stick::ntfs()?);
    let id = other.plug(&exfat)?;
    other.wait_for_device("/dev/sda1")?;
    other
        .shell("stayput stick make /dev/sda1 --label large --no-pin")?
        .success()?;
    other.unplug(&id)?;
    let format = "stick make /dev/sda --format --label fresh --no-pin";
    let make_fresh = format!(
        "echo yes | stayput {format} && exit 1; \
         head -c 512 /dev/sda | grep -q NTFS && echo /dev/sda 67 MB | stayput {format} && \
         stayput stick verify /dev/sda1"
    );
    let id = other.plug(&fresh)?;
    other.wait_for_device("/dev/sda")?;
    other.shell(&make_fresh)?.success()?;
    other.unplug(&id)?;
    other.keep_vault_conf()?;
    let bare_table = Place::empty()?;
    other.boot_at(&bare_table)?;
    other.wait_for_prompt()?;
    other.plug(&stick)?;
    other
        .console()
        .wait_for("This stick is for another server.", seconds(30))?;
    other.wait_for_prompt()?;
    assert_locked(&mut other)?;

    // Its own sticks do.
    let id = other.plug(&exfat)?;
    other.wait_for_release()?;
    assert_released(&mut other)?;
    other.unplug(&id)?;
    other.boot_at(&bare_table)?;
    other.wait_for_prompt()?;
    other.plug(&fresh)?;
    other.wait_for_release()?;
    assert_released(&mut other)
}

/// A child of the stage waits for the stick, where no signal reaches it.
const SOMEBODY_HANGS: &str = "i=0; until for pid in /proc/[0-9]*; do \
     grep -q read-stick $pid/cmdline && grep -q '^State:.D' $pid/status && break; done 2>/dev/null; \
     do [ $i != 100 ] || exit 1; sleep 0.1; i=$((i+1)); done";

#[test]
fn a_stick_that_hangs_holds_up_neither_prompt_nor_place() -> Result {
    let place = Place::empty()?;
    let stick = FastMachine::clinics_stick()?;
    let mut machine = locked_at(&place)?;
    machine.machine()?.plug_hanging(&stick)?;
    machine.shell(SOMEBODY_HANGS)?.success()?;
    let status = |machine: &mut FastMachine| {
        machine.console().type_line("status")?;
        machine.console().wait_for("Network card", seconds(1))?;
        machine.wait_for_prompt()
    };
    status(&mut machine)?;
    let silent = "The stick does not answer.";
    machine.console().wait_for(silent, seconds(8))?;
    machine.wait_for_prompt()?;
    status(&mut machine)?;
    let up = Instant::now();
    for neighbour in Place::home_neighbours() {
        place.add(&neighbour)?;
    }
    opens_soon_after(up, &mut machine)
}
