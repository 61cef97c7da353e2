//! A folder stands for /sys/bus/usb.

use super::*;
use std::fs;
use tempfile::TempDir;

/// A folder that stands for /sys/bus/usb/devices, and udev that runs.
struct Bus(TempDir);

impl Bus {
    fn new() -> Self {
        let bus = Self(TempDir::new().unwrap());
        bus.put("udev/control", "");
        bus.put("sys/devices/usb1/authorized", "1");
        bus.put("sys/devices/usb1/authorized_default", "0");
        bus.put("sys/devices/usb1/devnum", "1");
        bus
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{text}\n")).unwrap();
    }

    fn text(&self, path: &str) -> String {
        let text = fs::read_to_string(self.0.path().join(path)).unwrap();
        text.trim().to_owned()
    }

    fn plug(&self, name: &str, number: u32, authorized: &str) {
        self.put(&format!("sys/devices/{name}/devnum"), &number.to_string());
        let dev = format!("189:{}", number - 1);
        self.put(&format!("sys/devices/{name}/dev"), &dev);
        self.put(&format!("sys/devices/{name}/authorized"), authorized);
    }

    fn udev_looks_at(&self, number: u32) {
        self.put(&format!("udev/data/c189:{}", number - 1), "I:7340032");
    }

    fn authorized(&self, name: &str) -> String {
        self.text(&format!("sys/devices/{name}/authorized"))
    }

    fn folders(&self) -> Folders {
        Folders {
            bus: self.0.path().join("sys"),
            udev: self.0.path().join("udev"),
            record: self.0.path().join("record"),
            begin: Folders::perform,
        }
    }

    fn admission(&self, now: Instant) -> Admission {
        Admission::within(self.folders(), now)
    }

    /// The device 1-1 is plugged in. Nothing that is begun with it comes to its end.
    fn admission_of_one_that_hangs(&self, now: Instant) -> Admission {
        self.plug("1-1", 2, "0");
        self.udev_looks_at(2);
        let begin = |_: &Folders, _, _: &Device| ();
        Admission::within(
            Folders {
                begin,
                ..self.folders()
            },
            now,
        )
    }
}

#[test]
fn a_hardened_system_takes_a_stick_and_is_as_before() {
    // What a bus does with new devices: nothing, or only those inside are admitted.
    for default in ["0", "2"] {
        let (bus, now) = (Bus::new(), Instant::now());
        bus.put("sys/devices/usb1/authorized_default", default);
        for (name, number, authorized) in [("1-1", 2, "0"), ("1-2", 3, "1"), ("1-3", 4, "0")] {
            bus.plug(name, number, authorized);
            bus.udev_looks_at(number);
        }
        let mut admission = bus.admission(now);
        assert_eq!(["1-1", "1-2", "1-3"].map(|it| bus.authorized(it)), ["1"; 3]);
        // Behind a hub, later; and another one in a socket that was in use.
        bus.plug("1-1.4", 5, "0");
        bus.udev_looks_at(5);
        bus.plug("1-3", 6, "1");
        admission.look(now);
        assert_eq!(bus.authorized("1-1.4"), "1");
        assert_eq!(bus.text("sys/devices/usb1/authorized_default"), default);
        drop(admission);
        let after = ["1-1", "1-1.4", "1-2", "1-3", "usb1"].map(|it| bus.authorized(it));
        assert_eq!(after, ["0", "0", "1", "1", "1"], "{default}");
        assert!(!bus.folders().record.exists());
    }
}

#[test]
fn what_a_rule_of_the_owner_admits_meanwhile_stays() {
    let (bus, now) = (Bus::new(), Instant::now());
    let mut admission = bus.admission(now);
    // The disk of the root filesystem, which udev has not come to yet.
    bus.plug("1-1", 2, "0");
    admission.look(now);
    assert_eq!(bus.authorized("1-1"), "0");
    assert_eq!(admission.next(), Some(now + LOOK_AGAIN));
    bus.plug("1-1", 2, "1");
    bus.udev_looks_at(2);
    admission.look(now + LOOK_AGAIN);
    assert_eq!(admission.next(), None);
    drop(admission);
    assert_eq!(bus.authorized("1-1"), "1");
}

#[test]
fn a_device_waits_two_seconds_for_udev_and_is_admitted_then() {
    let (bus, now) = (Bus::new(), Instant::now());
    bus.plug("1-1", 2, "0");
    let mut admission = bus.admission(now);
    admission.look(now + UDEV_WITHIN - LOOK_AGAIN);
    assert_eq!(bus.authorized("1-1"), "0");
    admission.look(now + UDEV_WITHIN);
    assert_eq!(bus.authorized("1-1"), "1");
    // Without udev nobody else admits it.
    fs::remove_file(bus.0.path().join("udev/control")).unwrap();
    bus.plug("1-2", 3, "0");
    bus.put("sys/devices/1-2:1.0/authorized", "0");
    admission.look(now + UDEV_WITHIN);
    assert_eq!(["1-2", "1-2:1.0"].map(|it| bus.authorized(it)), ["1"; 2]);
    drop(admission);
    assert_eq!(["1-2", "1-2:1.0"].map(|it| bus.authorized(it)), ["0"; 2]);
}

#[test]
fn what_a_killed_stage_has_admitted_is_shut_off() {
    let (bus, now) = (Bus::new(), Instant::now());
    for (name, number, authorized) in [("1-1", 2, "0"), ("1-2", 3, "0"), ("1-3", 4, "1")] {
        bus.plug(name, number, authorized);
        bus.udev_looks_at(number);
    }
    // A kill drops nothing.
    std::mem::forget(bus.admission(now));
    assert_eq!(["1-1", "1-2"].map(|it| bus.authorized(it)), ["1"; 2]);
    // Pulled out, and another one that the owner's rule has admitted.
    bus.plug("1-2", 5, "1");
    bus.folders().take_back();
    let after = ["1-1", "1-2", "1-3"].map(|it| bus.authorized(it));
    assert_eq!(after, ["0", "1", "1"]);
    assert!(!bus.folders().record.exists());
    // A second time there is nothing to be put back.
    bus.plug("1-1", 2, "1");
    bus.folders().take_back();
    assert_eq!(bus.authorized("1-1"), "1");
}

#[test]
fn a_device_that_answers_after_the_end_is_shut_off() {
    let bus = Bus::new();
    drop(bus.admission_of_one_that_hangs(Instant::now()));
    // Its child comes only now.
    let device = Device::of_line("1-1 2").unwrap();
    bus.folders().perform(Act::Admit, &device);
    assert_eq!(bus.authorized("1-1"), "0");
    // The owner's rules are asked once more.
    assert_eq!(bus.text("sys/devices/1-1/uevent"), "add");
}

#[test]
fn a_device_that_hangs_is_asked_once() {
    let (bus, now) = (Bus::new(), Instant::now());
    let mut admission = bus.admission_of_one_that_hangs(now);
    admission.look(now + UDEV_WITHIN);
    let record = fs::read_to_string(bus.folders().record).unwrap();
    assert_eq!(record, "1-1 2\n");
    assert_eq!(admission.next(), None);
}
