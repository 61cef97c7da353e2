//! The drivers of USB at the prompt: sticks and keyboards that are plugged in work there,
//! on a system that is hardened against them too. Whoever stands in front of a locked
//! server has nothing else.

use std::ffi::{CStr, CString};
use std::path::Path;

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

#[cfg(test)]
mod tests {
    use std::fs;

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
}
