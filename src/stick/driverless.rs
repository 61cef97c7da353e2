//! Sticks that are plugged in, and of which the kernel makes no disk for want of a
//! driver.

use std::path::Path;

use crate::sys::sysfs;

/// The kernel module that a stick which is plugged in waits for; `None` where
/// none waits. One that was plugged in this moment waits for a moment.
pub fn missing_driver() -> Option<&'static str> {
    missing_below(Path::new("/sys/bus"))
}

/// How devices of one bus look that no driver has taken.
struct Waiting {
    bus: &'static str,
    /// The file that says what it is, and what it says of sticks.
    file: &'static str,
    says: &'static str,
    module: &'static str,
}

/// Mass storage is class 8 (USB Mass Storage Class Specification Overview,
/// section 2); a disk is type 0 (SCSI Primary Commands, INQUIRY).
const STORAGE: Waiting = Waiting {
    bus: "usb",
    file: "bInterfaceClass",
    says: "08",
    module: "usb_storage",
};
const DISK: Waiting = Waiting {
    bus: "scsi",
    file: "type",
    says: "0",
    module: "sd_mod",
};
const CARD: Waiting = Waiting {
    bus: "mmc",
    file: "type",
    says: "SD",
    module: "mmc_block",
};

fn missing_below(buses: &Path) -> Option<&'static str> {
    let waiting = [STORAGE, DISK, CARD].into_iter();
    let module = waiting
        .filter(|kind| kind.is_in(buses))
        .map(|kind| kind.module)
        .next()?;
    // What uas could drive, usb-storage leaves to it (drivers/usb/storage/usb.c).
    let has_storage = buses.join("usb/drivers/usb-storage").exists();
    match module == STORAGE.module && has_storage {
        true => Some("uas"),
        false => Some(module),
    }
}

impl Waiting {
    fn is_in(&self, buses: &Path) -> bool {
        let devices = buses.join(self.bus).join("devices");
        sysfs::list(&devices).iter().any(|name| {
            let device = devices.join(&**name);
            let says = sysfs::read_text::<16>(&device.join(self.file));
            let is_kind = says.as_deref() == Some(self.says);
            is_kind && !device.join("driver").exists() && self.may_be_stick(&device)
        })
    }

    /// SCSI disks are inside the machine, too.
    fn may_be_stick(&self, device: &Path) -> bool {
        self.bus != DISK.bus
            || device
                .canonicalize()
                .is_ok_and(|path| sysfs::is_on_usb(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        /// Plugs a device in; returns its folder.
        fn plug(&self, bus: &str, path: &str, file: &str, says: &str) -> PathBuf {
            let device = self.0.path().join("devices").join(path);
            fs::create_dir_all(&device).unwrap();
            fs::write(device.join(file), format!("{says}\n")).unwrap();
            let devices = self.0.path().join(bus).join("devices");
            fs::create_dir_all(&devices).unwrap();
            symlink(&device, devices.join(device.file_name().unwrap())).unwrap();
            device
        }

        fn stick(&self) -> PathBuf {
            self.plug("usb", "usb1/1-2/1-2:1.0", "bInterfaceClass", "08")
        }

        fn loads(&self, driver: &str) -> PathBuf {
            let folder = self.0.path().join("usb/drivers").join(driver);
            fs::create_dir_all(&folder).unwrap();
            folder
        }

        fn lacks(&self) -> Option<&'static str> {
            missing_below(self.0.path())
        }
    }

    #[test]
    fn a_stick_that_no_driver_takes_waits_for_usb_storage() {
        let machine = Machine::new();
        assert_eq!(machine.lacks(), None);
        let stick = machine.stick();
        assert_eq!(machine.lacks(), Some("usb_storage"));
        symlink(machine.loads("usb-storage"), stick.join("driver")).unwrap();
        assert_eq!(machine.lacks(), None);
    }

    #[test]
    fn what_usb_storage_leaves_alone_waits_for_uas() {
        let machine = Machine::new();
        machine.stick();
        machine.loads("usb-storage");
        assert_eq!(machine.lacks(), Some("uas"));
    }

    #[test]
    fn a_keyboard_is_no_stick() {
        let machine = Machine::new();
        machine.plug("usb", "usb1/1-1/1-1:1.0", "bInterfaceClass", "03");
        assert_eq!(machine.lacks(), None);
    }

    #[test]
    fn a_stick_without_a_disk_waits_for_sd_mod() {
        let machine = Machine::new();
        let optical = "usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:1";
        machine.plug("scsi", optical, "type", "5");
        machine.plug("scsi", "ata1/host0/target0:0:0/0:0:0:0", "type", "0");
        assert_eq!(machine.lacks(), None, "inside the machine");
        let disk = "usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0";
        machine.plug("scsi", disk, "type", "0");
        assert_eq!(machine.lacks(), Some("sd_mod"));
    }

    #[test]
    fn a_card_without_a_disk_waits_for_mmc_block() {
        let machine = Machine::new();
        machine.plug("mmc", "mmc1/mmc1:0001", "type", "MMC");
        assert_eq!(machine.lacks(), None, "soldered to the board");
        machine.plug("mmc", "mmc0/mmc0:aaaa", "type", "SD");
        assert_eq!(machine.lacks(), Some("mmc_block"));
    }
}
