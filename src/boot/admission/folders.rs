//! What the kernel, udev and the stage's own record say of USB devices, and what is done
//! to one.

use std::fs;
use std::path::PathBuf;

use super::child::{Act, in_a_child};
use super::device::Device;
use crate::sys::sysfs;

/// Of a device: whether it may be used (1) or not (0).
const AUTHORIZED: &str = "authorized";

/// Where all of this is.
pub struct Folders {
    /// /sys/bus/usb
    pub bus: PathBuf,
    /// /run/udev
    pub udev: PathBuf,
    /// What the stage has admitted, a line each, for whoever puts it back after a kill.
    pub record: PathBuf,
    /// Begins what is done to a device: for as long as the device does not answer, the
    /// kernel holds whoever asks it.
    pub begin: fn(&Folders, Act, &Device),
}

impl Folders {
    pub fn of_the_system() -> Self {
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
    pub fn that_say(&self, authorized: &str) -> Vec<Device> {
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
    pub fn udev_has_looked_at(&self, device: &Device) -> bool {
        let known = match sysfs::read_text::<63>(&self.file(&device.name, "dev")) {
            Some(dev) => format!("c{dev}"),
            // An interface has no node.
            None => format!("+usb:{}", device.name),
        };
        let is_done = || !self.udev.join("queue").exists();
        !self.udev.join("control").exists()
            || (self.udev.join("data").join(known).exists() && is_done())
    }

    fn on_record(&self) -> Vec<Device> {
        let record = fs::read_to_string(&self.record).unwrap_or_default();
        record.lines().filter_map(Device::of_line).collect()
    }

    /// Begins to shut off those that are on record.
    pub fn take_back(&self) {
        let admitted = self.on_record();
        // First: whoever is still admitting one sees by it that it is to be shut off.
        let _ = fs::remove_file(&self.record);
        for device in admitted {
            (self.begin)(self, Act::ShutOff, &device);
        }
    }

    /// Does it, however long that takes.
    pub fn perform(&self, act: Act, device: &Device) {
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
        // The stage has ended meanwhile, or was killed.
        match self.on_record().contains(device) {
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
