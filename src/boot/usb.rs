//! USB at the prompt: sticks and keyboards that are plugged in work there, on a
//! system that is hardened against them too. Whoever stands in front of a
//! locked server has nothing else.

use std::ffi::{CStr, CString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::sys::{child, sysfs};

/// What sticks and keyboards need, and what that needs in turn. Each is named,
/// because `--ignore-install` (modprobe(8)) counts for named modules alone.
const MODULES: [&CStr; 34] = [
    c"usb_common",
    c"usbcore",
    c"xhci_hcd",
    c"xhci_pci",
    c"ehci_hcd",
    c"ehci_pci",
    c"ohci_hcd",
    c"ohci_pci",
    c"uhci_hcd",
    // Of boards without PCI: see `waiting_hosts`.
    c"roles",
    c"udc_core",
    c"xhci_plat_hcd",
    c"ehci_platform",
    c"ohci_platform",
    c"dwc2",
    c"dwc3",
    c"scsi_common",
    c"scsi_mod",
    c"sd_mod",
    c"usb_storage",
    c"uas",
    c"mmc_block",
    c"fat",
    c"vfat",
    c"nls_cp437",
    c"nls_ascii",
    c"exfat",
    c"mbcache",
    c"jbd2",
    c"crc32c_generic",
    c"ext4",
    c"hid",
    c"usbhid",
    c"hid_generic",
];

/// Loads them, beside the stage: words like `install usb-storage /bin/true` in
/// /etc/modprobe.d, of which the initramfs has a copy, keep udev and the kernel
/// from it. A module that this kernel lacks, or has built in, is passed over.
pub fn load_modules() {
    let options = [c"modprobe", c"--all", c"--quiet", c"--ignore-install"];
    let hosts = waiting_hosts(Path::new("/sys/bus/platform/devices"));
    let words: Vec<&CStr> = options
        .into_iter()
        // The hosts come first: whatever is plugged in is behind one.
        .chain(hosts.iter().map(CString::as_c_str))
        .chain(MODULES)
        .collect();
    if let Err(errno) = child::start_beside(c"/sbin/modprobe", &words) {
        log::warn!("modprobe cannot be run: {errno}");
    }
}

/// How the modalias begins of a USB host on a board without PCI, and of what one waits
/// for: devices of the device tree by the name of their node (`usb@3f980000`, `usb2phy`,
/// `phy`; Devicetree Specification, 2.2.2), and of ACPI by their id (PNP0D10: xHCI,
/// PNP0D20: EHCI).
const HOSTS: [&str; 3] = ["of:Nusb", "of:Nphy", "acpi:PNP0D"];

/// As many as modprobe is told of, at most.
const MOST_HOSTS: usize = 64;

/// The modaliases of USB hosts on the board that no driver has taken, which modprobe knows
/// the module by. Each kind of board has its own, so that no list has them all; the
/// kernel names no host below /sys/bus/usb before it has a driver.
fn waiting_hosts(devices: &Path) -> Vec<CString> {
    let names = sysfs::list(devices);
    let waiting = names.iter().filter_map(|name| {
        let device = devices.join(&**name);
        let modalias = sysfs::read_text::<1023>(&device.join("modalias"))?;
        let is_host = HOSTS.iter().any(|host| modalias.starts_with(host));
        let waits = is_host && !device.join("driver").exists();
        waits.then(|| CString::new(modalias.as_bytes()).ok())?
    });
    waiting.take(MOST_HOSTS).collect()
}

/// USB devices may be used as long as it lives, whatever
/// `usbcore.authorized_default` says (Documentation/usb/authorization.rst of the
/// kernel). Dropping it puts back what was there, and forbids what came meanwhile
/// where nothing new was allowed.
pub struct Admission {
    /// /sys/bus/usb/devices, or a folder like it.
    devices: PathBuf,
    /// Files, and what stood in them.
    before: Vec<(PathBuf, sysfs::Name)>,
    /// The devices that were there at first.
    plugged: Vec<Device>,
}

/// A device by its name and the number that the kernel has given it: whatever is plugged
/// into the same socket later has another one.
type Device = (sysfs::Name, Option<sysfs::Name>);

impl Admission {
    /// For the devices that are plugged in, and those that will be.
    pub fn of_all_devices() -> Self {
        Self::below(Path::new("/sys/bus/usb/devices"))
    }

    fn below(devices: &Path) -> Self {
        let mut admission = Self {
            devices: devices.into(),
            before: Vec::new(),
            plugged: plugged(devices),
        };
        admission.look_again();
        admission
    }

    /// Admits what came since: sockets too, whose driver was loaded for the prompt.
    pub fn look_again(&mut self) {
        let names = sysfs::list(&self.devices);
        // Whoever comes meanwhile finds the default changed.
        for file in [DEFAULT, AUTHORIZED] {
            for name in &names {
                self.allow(self.devices.join(&**name).join(file));
            }
        }
    }

    fn allow(&mut self, file: PathBuf) {
        let Some(before) = sysfs::read_text::<63>(&file).filter(|text| text != "1") else {
            return;
        };
        if let Err(error) = fs::write(&file, "1") {
            log::warn!("{}: {error}", file.display());
        } else if self.before.iter().all(|(noted, _)| *noted != file) {
            self.before.push((file, before));
        }
    }

    /// Whether the sockets of this device's bus admitted nothing new: `usb1` is the bus
    /// of `1-4.2`.
    fn was_closed(&self, device: &str) -> bool {
        let bus = device.split('-').next().unwrap_or_default();
        let default = self.devices.join(format!("usb{bus}")).join(DEFAULT);
        self.before
            .iter()
            .any(|(file, before)| *file == default && before == "0")
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        for (file, before) in &self.before {
            // What was unplugged meanwhile has no file any more.
            let _ = fs::write(file, before.as_bytes());
        }
        for device in plugged(&self.devices) {
            if !self.plugged.contains(&device) && self.was_closed(&device.0) {
                let _ = fs::write(self.devices.join(&*device.0).join(AUTHORIZED), "0");
            }
        }
    }
}

/// Of a bus: what becomes of a device that is plugged in (0: it may not be used).
const DEFAULT: &str = "authorized_default";
/// Of a device: whether it may be used.
const AUTHORIZED: &str = "authorized";

/// The devices that are plugged in; not the buses (`usb1`), and no parts of a device
/// (`1-4:1.0`).
fn plugged(devices: &Path) -> Vec<Device> {
    let names = sysfs::list(devices).into_iter();
    let names = names.filter(|name| name.contains('-') && !name.contains(':'));
    let numbered = |name: sysfs::Name| {
        let number = sysfs::read_text(&devices.join(&*name).join("devnum"));
        (name, number)
    };
    names.map(numbered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_hang_on_the_board_are_loaded_by_what_they_are() {
        let devices = tempfile::tempdir().unwrap();
        let put = |name: &str, modalias: &str| {
            let device = devices.path().join(name);
            fs::create_dir_all(&device).unwrap();
            fs::write(device.join("modalias"), format!("{modalias}\n")).unwrap();
            device
        };
        // Raspberry Pi 3; an arm64 board, and the PHY that its host waits for; a server.
        let pi = put("3f980000.usb", "of:NusbT(null)Cbrcm,bcm2708-usb");
        put("fe800000.usb", "of:NusbT(null)Crockchip,rk3399-dwc3");
        put("ff770000.phy", "of:Nusb2phyT(null)Crockchip,rk3399-usb2phy");
        put("PNP0D10:00", "acpi:PNP0D10:");
        put("3f201000.serial", "of:NserialT(null)Carm,pl011");
        fs::create_dir_all(devices.path().join("no-modalias")).unwrap();
        let waiting = || {
            let hosts = waiting_hosts(devices.path()).into_iter();
            hosts
                .map(|host| host.into_string().unwrap())
                .collect::<Vec<_>>()
        };
        let others = [
            "acpi:PNP0D10:",
            "of:NusbT(null)Crockchip,rk3399-dwc3",
            "of:Nusb2phyT(null)Crockchip,rk3399-usb2phy",
        ];
        let all = waiting();
        assert_eq!(all[0], "of:NusbT(null)Cbrcm,bcm2708-usb");
        assert_eq!(all[1..], others);
        // One that has its driver, or that has it built in, is left out.
        fs::create_dir(pi.join("driver")).unwrap();
        assert_eq!(waiting(), others);
        assert!(waiting_hosts(&devices.path().join("nothing")).is_empty());
    }

    #[test]
    fn a_hardened_system_takes_a_stick_and_is_as_before() {
        let devices = tempfile::tempdir().unwrap();
        let file = |device: &str, name: &str| devices.path().join(device).join(name);
        let put = |device: &str, name: &str, text: &str| {
            fs::create_dir_all(devices.path().join(device)).unwrap();
            fs::write(file(device, name), text).unwrap();
        };
        put("usb1", "authorized_default", "0\n");
        put("usb1", "authorized", "1\n");
        put("usb2", "authorized_default", "2\n");
        put("1-1", "authorized", "0\n");
        // An interface has no such file.
        fs::create_dir_all(devices.path().join("1-1:1.0")).unwrap();
        let read = |device: &str, name: &str| fs::read_to_string(file(device, name)).unwrap();

        let admission = Admission::below(devices.path());
        assert_eq!(read("usb1", "authorized_default"), "1");
        assert_eq!(read("usb2", "authorized_default"), "1");
        assert_eq!(read("1-1", "authorized"), "1");
        drop(admission);
        assert_eq!(read("usb1", "authorized_default"), "0");
        assert_eq!(read("usb2", "authorized_default"), "2");
        assert_eq!(read("1-1", "authorized"), "0");
        assert_eq!(read("usb1", "authorized"), "1\n", "never touched");
    }

    #[test]
    fn sockets_and_sticks_that_come_later_are_admitted_too() {
        let devices = tempfile::tempdir().unwrap();
        let file = |device: &str, name: &str| devices.path().join(device).join(name);
        let put = |device: &str, name: &str, text: &str| {
            fs::create_dir_all(devices.path().join(device)).unwrap();
            fs::write(file(device, name), text).unwrap();
        };
        let read = |device: &str, name: &str| fs::read_to_string(file(device, name)).unwrap();
        put("1-1", "authorized", "1");
        put("1-1", "devnum", "2");
        put("1-2", "authorized", "1");
        put("1-2", "devnum", "3");
        put("usb1", "authorized_default", "0");
        let mut admission = Admission::below(devices.path());
        // The driver of another host was loaded meanwhile.
        put("usb2", "authorized_default", "0");
        put("usb3", "authorized_default", "1");
        put("2-1", "authorized", "0");
        put("2-1", "devnum", "4");
        admission.look_again();
        assert_eq!(read("usb2", "authorized_default"), "1");
        assert_eq!(read("2-1", "authorized"), "1");
        // A second look notes nothing anew.
        admission.look_again();
        // These came when everything was admitted; one into a socket that was in use.
        for (device, number) in [("2-1.4", "5"), ("3-1", "6"), ("1-2", "7")] {
            put(device, "authorized", "1");
            put(device, "devnum", number);
        }
        drop(admission);
        for bus in ["usb1", "usb2"] {
            assert_eq!(read(bus, "authorized_default"), "0", "{bus}");
        }
        assert_eq!(read("usb3", "authorized_default"), "1");
        for device in ["2-1", "2-1.4", "1-2"] {
            assert_eq!(read(device, "authorized"), "0", "{device}");
        }
        for device in ["1-1", "3-1"] {
            assert_eq!(read(device, "authorized"), "1", "{device}");
        }
    }
}
