//! USB devices that may be used while the prompt is open, on a system that is hardened
//! against them too (Documentation/usb/authorization.rst of the kernel). What a bus does
//! with new devices stays as it is: each device that is shut off is admitted by itself, so
//! that it is known which ones the stage has admitted, and which ones somebody else has.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::sys::{child, kmsg, sysfs};

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

impl Device {
    /// As it stands on record.
    fn line(&self) -> String {
        format!("{} {}\n", self.name, self.number)
    }

    fn of_line(line: &str) -> Option<Self> {
        let (name, number) = line.split_once(' ')?;
        let is_plain = |name: &&str| !name.contains('/') && !name.starts_with('.');
        Some(Self {
            name: Some(name).filter(is_plain)?.try_into().ok()?,
            number: number.try_into().ok()?,
        })
    }
}

/// What is done to a device.
#[derive(Clone, Copy)]
enum Act {
    Admit,
    ShutOff,
}

impl Act {
    /// The word on the command line of the child that does it.
    const fn word(self) -> &'static str {
        match self {
            Self::Admit => "usb-admit",
            Self::ShutOff => "usb-shut-off",
        }
    }
}

/// Where all of this is.
struct Folders {
    /// /sys/bus/usb
    bus: PathBuf,
    /// /run/udev
    udev: PathBuf,
    /// What the stage has admitted, a line each, for whoever puts it back after a kill.
    record: PathBuf,
    /// Begins what is done to a device: for as long as the device does not answer, the
    /// kernel holds whoever asks it.
    begin: fn(&Folders, Act, &Device),
}

impl Folders {
    fn of_the_system() -> Self {
        Self {
            bus: "/sys/bus/usb".into(),
            udev: "/run/udev".into(),
            record: "/run/stayput-usb".into(),
            begin: in_a_child,
        }
    }

    fn file(&self, name: &str, file: &str) -> PathBuf {
        self.bus.join("devices").join(name).join(file)
    }

    /// Those that are plugged in and say this of whether they may be used.
    fn that_say(&self, authorized: &str) -> Vec<Device> {
        let names = sysfs::list(&self.bus.join("devices")).into_iter();
        let devices = names.filter_map(|name| {
            let number = self.number_of(&name)?;
            Some(Device { name, number })
        });
        let mut devices: Vec<Device> = devices.collect();
        devices.retain(|device| self.says(device, authorized));
        devices
    }

    fn number_of(&self, name: &str) -> Option<sysfs::Name> {
        let device = name.split(':').next().unwrap_or_default();
        sysfs::read_text(&self.file(device, "devnum"))
    }

    fn says(&self, device: &Device, authorized: &str) -> bool {
        let said = sysfs::read_text::<63>(&self.file(&device.name, AUTHORIZED));
        said.as_deref() == Some(authorized)
    }

    /// Whether this one is still plugged in.
    fn is_there(&self, device: &Device) -> bool {
        self.number_of(&device.name).as_ref() == Some(&device.number)
    }

    /// Whether udev has done what its rules say of a device, or does not run. It notes the
    /// device before it runs programs of the rules; its queue is empty after them.
    fn udev_has_looked_at(&self, device: &Device) -> bool {
        let known = match sysfs::read_text::<63>(&self.file(&device.name, "dev")) {
            Some(dev) => format!("c{dev}"),
            // An interface has no node.
            None => format!("+usb:{}", device.name),
        };
        let is_done = || !self.udev.join("queue").exists();
        !self.udev.join("control").exists()
            || (self.udev.join("data").join(known).exists() && is_done())
    }

    /// Begins to shut off those that are on record.
    fn take_back(&self) {
        let record = fs::read_to_string(&self.record).unwrap_or_default();
        // First: whoever is still admitting one sees by it that it is to be shut off.
        let _ = fs::remove_file(&self.record);
        for device in record.lines().filter_map(Device::of_line) {
            (self.begin)(self, Act::ShutOff, &device);
        }
    }

    /// Does it, however long that takes.
    fn perform(&self, act: Act, device: &Device) {
        if !self.is_there(device) {
            return;
        }
        let result = match act {
            Act::Admit => self.admit(device),
            Act::ShutOff => self.shut_off(device),
        };
        if let Err(error) = result {
            log::warn!("USB {}: {}: {error}", device.name, act.word());
        }
    }

    fn admit(&self, device: &Device) -> std::io::Result<()> {
        fs::write(self.file(&device.name, AUTHORIZED), "1")?;
        if device.name.contains(':') {
            // The kernel looks for the driver of an interface only when it is told to.
            fs::write(self.bus.join("drivers_probe"), device.name.as_bytes())?;
        }
        let record = fs::read_to_string(&self.record).unwrap_or_default();
        // The stage has ended meanwhile, or was killed.
        match record.lines().any(|line| line == device.line().trim_end()) {
            true => Ok(()),
            false => self.shut_off(device),
        }
    }

    fn shut_off(&self, device: &Device) -> std::io::Result<()> {
        // A device behind one that was shut off has gone.
        if !self.says(device, "1") {
            return Ok(());
        }
        fs::write(self.file(&device.name, AUTHORIZED), "0")?;
        // udev looks at it once more: the owner's rules may admit it.
        fs::write(self.file(&device.name, "uevent"), "add")
    }
}

/// What is done to a device is done by a child that nobody waits for.
fn in_a_child(_: &Folders, act: Act, device: &Device) {
    let words = ["stayput", act.word(), &device.name, &device.number];
    let words = words.map(|word| CString::new(word).unwrap_or_default());
    let words = words.each_ref().map(CString::as_c_str);
    if let Err(errno) = child::start_beside(child::THIS_PROGRAM, &words) {
        log::warn!("USB {}: no child can be started: {errno}", device.name);
    }
}

/// Does what the program's words ask for, where it was started as such a child; else `None`.
pub fn run_as_child() -> Option<ExitCode> {
    let mut words = std::env::args().skip(1);
    let word = words.next()?;
    let act = [Act::Admit, Act::ShutOff]
        .into_iter()
        .find(|act| act.word() == word)?;
    kmsg::use_for_logging();
    let line = words.collect::<Vec<_>>().join(" ");
    if let Some(device) = Device::of_line(&line) {
        Folders::of_the_system().perform(act, &device);
    }
    Some(ExitCode::SUCCESS)
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
    /// Those that are being admitted and are not yet.
    begun: Vec<Device>,
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
            begun: Vec::new(),
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
        let shut_off = self.folders.that_say("0");
        self.begun.retain(|device| shut_off.contains(device));
        for device in shut_off {
            if self.begun.contains(&device) {
                continue;
            }
            let known = waited.iter().find(|(known, _)| *known == device);
            let since = known.map_or(now, |(_, since)| *since);
            let has_waited = now.saturating_duration_since(since) >= UDEV_WITHIN;
            if has_waited || self.folders.udev_has_looked_at(&device) {
                self.admit(&device);
                self.begun.push(device);
            } else {
                self.waiting.push((device, since));
            }
        }
    }

    /// It is on record before it is admitted: whoever kills the stage leaves none behind.
    fn admit(&self, device: &Device) {
        let mut options = OpenOptions::new();
        let record = options.append(true).create(true).open(&self.folders.record);
        // In one piece: half a line would spoil the next one too.
        match record.and_then(|mut file| file.write_all(device.line().as_bytes())) {
            Ok(()) => (self.folders.begin)(&self.folders, Act::Admit, device),
            Err(error) => log::warn!("USB {} is not admitted: {error}", device.name),
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
        let (bus, now) = (Bus::new(), Instant::now());
        bus.plug("1-1", 2, "0");
        bus.udev_looks_at(2);
        let mut folders = bus.folders();
        folders.begin = |_, _, _| ();
        drop(Admission::within(folders, now));
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
        bus.plug("1-1", 2, "0");
        bus.udev_looks_at(2);
        let mut folders = bus.folders();
        folders.begin = |_, _, _| ();
        let mut admission = Admission::within(folders, now);
        admission.look(now + UDEV_WITHIN);
        let record = fs::read_to_string(bus.folders().record).unwrap();
        assert_eq!(record, "1-1 2\n");
        assert_eq!(admission.next(), None);
    }

    #[test]
    fn words_that_name_no_device_are_not_followed() {
        for line in ["", "1-1", "../x 2", "1-1/power 2", ". 2"] {
            assert!(Device::of_line(line).is_none(), "{line}");
        }
    }
}
