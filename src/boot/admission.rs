//! USB devices that may be used while the prompt is open, on a system that is hardened
//! against them too (Documentation/usb/authorization.rst of the kernel). What a bus does
//! with new devices stays as it is: each device that is shut off is admitted by itself, so
//! that it is known which ones the stage has admitted, and which ones somebody else has.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::sys::sysfs;

/// How long a device waits for udev, whose rules may admit it themselves.
const UDEV_WITHIN: Duration = Duration::from_secs(2);

/// How often a device that waits is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Of a device: whether it may be used (1) or not (0).
const AUTHORIZED: &str = "authorized";

/// A device, or an interface of one (`1-4:1.0`), by its name and the number that the kernel
/// has given the device: whatever is plugged into the same socket later has another one.
#[derive(Clone, PartialEq)]
struct Device {
    name: sysfs::Name,
    number: sysfs::Name,
}

/// Where all of this is.
struct Folders {
    /// /sys/bus/usb/devices
    devices: PathBuf,
    /// /run/udev
    udev: PathBuf,
    /// What the stage has admitted, a line each, for whoever puts it back after a kill.
    record: PathBuf,
}

impl Folders {
    fn of_the_system() -> Self {
        Self {
            devices: "/sys/bus/usb/devices".into(),
            udev: "/run/udev".into(),
            record: "/run/stayput-usb".into(),
        }
    }

    fn file(&self, name: &str, file: &str) -> PathBuf {
        self.devices.join(name).join(file)
    }

    /// Those that are plugged in and say this of whether they may be used.
    fn that_say(&self, authorized: &str) -> Vec<Device> {
        let names = sysfs::list(&self.devices).into_iter();
        let devices = names.filter_map(|name| {
            let said = sysfs::read_text::<63>(&self.file(&name, AUTHORIZED))?;
            let device = name.split(':').next().unwrap_or_default();
            let number = sysfs::read_text(&self.file(device, "devnum"))?;
            (said == authorized).then_some(Device { name, number })
        });
        devices.collect()
    }

    /// Whether udev has done what its rules say of a device, or does not run.
    fn udev_has_looked_at(&self, device: &Device) -> bool {
        let known = match sysfs::read_text::<63>(&self.file(&device.name, "dev")) {
            Some(dev) => format!("c{dev}"),
            // An interface has no node.
            None => format!("+usb:{}", device.name),
        };
        !self.udev.join("control").exists() || self.udev.join("data").join(known).exists()
    }

    /// Shuts those off that are on record and are still plugged in.
    fn take_back(&self) {
        let Ok(record) = fs::read_to_string(&self.record) else {
            return;
        };
        for Device { name, number } in self.that_say("1") {
            let line = format!("{name} {number}");
            if record.lines().any(|noted| noted == line) {
                // A device behind one that was shut off has gone.
                let _ = fs::write(self.file(&name, AUTHORIZED), "0");
            }
        }
        let _ = fs::remove_file(&self.record);
    }
}

/// Shuts off what a stage has admitted that was killed.
pub fn take_back() {
    Folders::of_the_system().take_back();
}

/// USB devices may be used as long as it lives. Dropping it shuts those off that it has
/// admitted; those that a rule of the owner's has admitted meanwhile stay.
pub struct Admission {
    folders: Folders,
    /// Those that udev has not looked at yet, and since when they are known.
    waiting: Vec<(Device, Instant)>,
    looked: Instant,
}

impl Admission {
    /// For the devices that are plugged in, and those that will be.
    pub fn of_all_devices() -> Self {
        Self::within(Folders::of_the_system(), Instant::now())
    }

    fn within(folders: Folders, now: Instant) -> Self {
        let mut admission = Self {
            folders,
            waiting: Vec::new(),
            looked: now,
        };
        admission.look(now);
        admission
    }

    /// When [`Admission::look`] is due even if nothing was plugged in.
    pub fn next(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.looked + LOOK_AGAIN)
    }

    /// Admits what is shut off, once udev has had its turn.
    pub fn look(&mut self, now: Instant) {
        self.looked = now;
        let waited = std::mem::take(&mut self.waiting);
        for device in self.folders.that_say("0") {
            let known = waited.iter().find(|(known, _)| *known == device);
            let since = known.map_or(now, |(_, since)| *since);
            let has_waited = now.saturating_duration_since(since) >= UDEV_WITHIN;
            if has_waited || self.folders.udev_has_looked_at(&device) {
                self.admit(&device);
            } else {
                self.waiting.push((device, since));
            }
        }
    }

    /// It is on record before it is admitted: whoever kills the stage leaves none behind.
    fn admit(&self, Device { name, number }: &Device) {
        let mut options = OpenOptions::new();
        let record = options.append(true).create(true).open(&self.folders.record);
        let noted = record.and_then(|mut file| writeln!(file, "{name} {number}"));
        let file = self.folders.file(name, AUTHORIZED);
        if let Err(error) = noted.and_then(|()| fs::write(&file, "1")) {
            log::warn!("{} is not admitted: {error}", file.display());
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.folders.take_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A folder that stands for /sys/bus/usb/devices, and udev that runs.
    struct Bus(TempDir);

    impl Bus {
        fn new() -> Self {
            let bus = Self(TempDir::new().unwrap());
            bus.put("udev/control", "");
            bus.put("sys/usb1/authorized", "1");
            bus.put("sys/usb1/authorized_default", "0");
            bus.put("sys/usb1/devnum", "1");
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
            self.put(&format!("sys/{name}/devnum"), &number.to_string());
            let dev = format!("189:{}", number - 1);
            self.put(&format!("sys/{name}/dev"), &dev);
            self.put(&format!("sys/{name}/authorized"), authorized);
        }

        fn udev_looks_at(&self, number: u32) {
            self.put(&format!("udev/data/c189:{}", number - 1), "I:7340032");
        }

        fn authorized(&self, name: &str) -> String {
            self.text(&format!("sys/{name}/authorized"))
        }

        fn folders(&self) -> Folders {
            Folders {
                devices: self.0.path().join("sys"),
                udev: self.0.path().join("udev"),
                record: self.0.path().join("record"),
            }
        }

        fn admission(&self, now: Instant) -> Admission {
            Admission::within(self.folders(), now)
        }
    }

    #[test]
    fn a_hardened_system_takes_a_stick_and_is_as_before() {
        // What a bus does with new devices: nothing, or only those inside are admitted.
        for default in ["0", "2"] {
            let (bus, now) = (Bus::new(), Instant::now());
            bus.put("sys/usb1/authorized_default", default);
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
            assert_eq!(bus.text("sys/usb1/authorized_default"), default);
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
        bus.put("sys/1-2:1.0/authorized", "0");
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
}
