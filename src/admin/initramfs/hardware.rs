//! The drivers that the prompt needs on this machine, from sysfs: those that are
//! at work now.

use std::fs;
use std::path::{Path, PathBuf};

use super::modules::{Need, canonical};
use crate::sys::interface::InterfaceName;
use crate::sys::sysfs;

/// Needs of this machine's wired network `cards`, of the `disk` that holds the
/// vault, of its USB controllers and keyboards. `root` is `/` but in tests.
pub fn needs(root: &Path, cards: &[InterfaceName], disk: Option<&str>) -> Vec<Need> {
    let mut needs = Vec::new();
    for name in cards {
        let card = root.join("sys/class/net").join(&**name);
        // One without a cable, or that nobody has switched on, reaches no
        // neighbour; a card that is plugged in now and then is one of those.
        let is_used = sysfs::read_text::<1>(&card.join("carrier")).as_deref() == Some("1");
        if let Ok(device) = card.join("device").canonicalize() {
            let what = format!("network card {name}");
            walk(root, &device, &what, is_used, &mut needs);
        }
    }
    if let Some(disk) = disk
        && let Ok(device) = root
            .join("sys/block")
            .join(disk)
            .join("device")
            .canonicalize()
    {
        walk(
            root,
            &device,
            &format!("disk {disk}, with the vault"),
            true,
            &mut needs,
        );
    }
    for (name, device) in devices(&root.join("sys/bus/usb/devices")) {
        // The hubs in the machine itself; what is plugged in comes and goes.
        if name.starts_with("usb") {
            walk(root, &device, "USB sockets", false, &mut needs);
        }
    }
    for (_, device) in devices(&root.join("sys/class/input")) {
        if is_keyboard(&device) {
            walk(root, &device, "a keyboard", false, &mut needs);
        }
    }
    needs
}

/// The entries of a folder with their canonical paths.
fn devices(folder: &Path) -> Vec<(String, PathBuf)> {
    let names = sysfs::list(folder).into_iter();
    let devices = names.filter_map(|name| {
        let path = folder.join(&*name).canonicalize().ok()?;
        Some((name.to_string(), path))
    });
    devices.collect()
}

/// A keyboard has an A and an Enter: bits 30 and 28 of its keys (KEY_A and
/// KEY_ENTER of linux/input-event-codes.h), whose last word has the lowest.
/// Power buttons, volume keys and mice do not.
fn is_keyboard(device: &Path) -> bool {
    const LETTERS: u64 = 1 << 30 | 1 << 28;
    let keys = fs::read_to_string(device.join("capabilities/key")).unwrap_or_default();
    let lowest = keys.split_whitespace().next_back().unwrap_or_default();
    u64::from_str_radix(lowest, 16).is_ok_and(|keys| keys & LETTERS == LETTERS)
}

/// The drivers of a device and of everything between it and the processor.
fn walk(root: &Path, device: &Path, what: &str, vital: bool, needs: &mut Vec<Need>) {
    let Ok(root) = root.join("sys/devices").canonicalize() else {
        return;
    };
    for path in device
        .ancestors()
        .take_while(|path| path.starts_with(&root))
    {
        let Ok(driver) = path.join("driver/module").canonicalize() else {
            continue;
        };
        let module = driver.file_name().unwrap_or_default().to_string_lossy();
        // Only of what was loaded does the kernel say so. What it has built in
        // is needed where another kernel has it as a module, and its device's
        // own name may stand for others.
        let was_loaded = driver.join("initstate").exists();
        let modalias = fs::read_to_string(path.join("modalias")).ok();
        let modalias = modalias.filter(|_| was_loaded);
        let need = Need {
            device: what.to_owned(),
            modules: vec![canonical(&module)],
            modalias: modalias.map(|text| text.trim().to_owned()),
            vital,
            if_known: !was_loaded,
        };
        let known = needs
            .iter()
            .any(|known| known.modules == need.modules && known.vital >= vital);
        if !known {
            needs.push(need);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn device(root: &Path, path: &str, module: Option<&str>, modalias: &str) -> PathBuf {
        let path = root.join("sys/devices").join(path);
        fs::create_dir_all(&path).unwrap();
        if let Some(module) = module {
            let loaded = root.join("sys/module").join(module);
            let driver = root.join("sys/drivers").join(module);
            fs::create_dir_all(&loaded).unwrap();
            fs::create_dir_all(&driver).unwrap();
            if module != "pcieportdrv" {
                fs::write(loaded.join("initstate"), "live\n").unwrap();
            }
            let _ = symlink(loaded, driver.join("module"));
            symlink(driver, path.join("driver")).unwrap();
            fs::write(path.join("modalias"), format!("{modalias}\n")).unwrap();
        }
        path
    }

    fn class(root: &Path, class: &str, name: &str, device: &Path, link: &str) {
        let folder = root.join("sys").join(class).join(name);
        if link.is_empty() {
            fs::create_dir_all(folder.parent().unwrap()).unwrap();
            symlink(device, folder).unwrap();
        } else {
            fs::create_dir_all(&folder).unwrap();
            symlink(device, folder.join(link)).unwrap();
        }
    }

    #[test]
    fn drivers_of_card_disk_usb_and_keyboard_are_needed() {
        let room = tempfile::tempdir().unwrap();
        let root = room.path();
        let bridge = "pci0000:00/0000:00:1c.0";
        device(root, bridge, Some("pcieportdrv"), "pci:bc06sc04i00");
        let pci = "pci0000:00/0000:00:1c.0/0000:00:03.0";
        device(root, pci, Some("virtio_pci"), "pci:v00001AF4d00001000");
        let card = device(
            root,
            &format!("{pci}/virtio0"),
            Some("virtio_net"),
            "virtio:d1",
        );
        class(root, "class/net", "eth0", &card, "device");
        fs::write(root.join("sys/class/net/eth0/carrier"), "1\n").unwrap();
        let spare = device(
            root,
            "pci0000:00/0000:00:06.0",
            Some("r8125"),
            "pci:v000010EC",
        );
        class(root, "class/net", "eth1", &spare, "device");
        device(
            root,
            "pci0000:00/0000:00:04.0",
            Some("virtio_pci"),
            "pci:v00001AF4d00001001",
        );
        let disk = device(
            root,
            "pci0000:00/0000:00:04.0/virtio1",
            Some("virtio_blk"),
            "virtio:d2",
        );
        class(root, "block", "vda", &disk, "device");
        let usb = "pci0000:00/0000:00:05.0";
        device(root, usb, Some("xhci_pci"), "pci:v00001B36d0000000D");
        let hub = device(root, &format!("{usb}/usb1"), None, "");
        class(root, "bus/usb/devices", "usb1", &hub, "");
        let hid = format!("{usb}/usb1/1-1/1-1:1.0");
        device(root, &hid, Some("usbhid"), "usb:v0627p0001");
        let keyboard = format!("{hid}/0003:0627:0001.0001");
        device(root, &keyboard, Some("hid_generic"), "hid:b0003g0001");
        for (name, keys) in [
            ("input3", "e080ffdf01cfffff fffffffffffffffe"),
            ("input4", "70000 0 0"),
        ] {
            let input = device(root, &format!("{keyboard}/input/{name}"), None, "");
            fs::create_dir_all(input.join("capabilities")).unwrap();
            fs::write(input.join("capabilities/key"), format!("{keys}\n")).unwrap();
            class(root, "class/input", name, &input, "");
        }
        let cards = ["eth0", "eth1"].map(|name| name.try_into().unwrap());
        let needs = needs(root, &cards, Some("vda"));
        let found: Vec<(&str, bool)> = needs
            .iter()
            .map(|need| (need.modules[0].as_str(), need.vital))
            .collect();
        assert_eq!(
            found,
            [
                ("virtio_net", true),
                ("virtio_pci", true),
                ("pcieportdrv", true),
                ("r8125", false),
                ("virtio_blk", true),
                ("xhci_pci", false),
                ("hid_generic", false),
                ("usbhid", false),
            ]
        );
        assert_eq!(needs[0].device, "network card eth0");
        assert_eq!(needs[0].modalias.as_deref(), Some("virtio:d1"));
        assert!(!needs[0].if_known);
        // It is built in: no list of modules has to have it.
        assert!(needs[2].if_known);
        assert_eq!(needs[2].modalias, None);
        assert_eq!(super::needs(&root.join("nothing"), &cards, Some("vda")), []);
    }

    #[test]
    fn a_host_that_hangs_on_the_board_is_needed() {
        let room = tempfile::tempdir().unwrap();
        let root = room.path();
        let host = "platform/soc/3f980000.usb";
        let modalias = "of:NusbT(null)Cbrcm,bcm2708-usb";
        device(root, host, Some("dwc2"), modalias);
        let hub = device(root, &format!("{host}/usb1"), None, "");
        class(root, "bus/usb/devices", "usb1", &hub, "");
        let needs = needs(root, &[], None);
        assert_eq!(needs.len(), 1);
        assert_eq!(needs[0].device, "USB sockets");
        assert_eq!(needs[0].modules, ["dwc2"]);
        assert_eq!(needs[0].modalias.as_deref(), Some(modalias));
    }

    #[test]
    fn a_power_button_is_no_keyboard() {
        let room = tempfile::tempdir().unwrap();
        fs::create_dir_all(room.path().join("capabilities")).unwrap();
        let at = "402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe";
        for (keys, keyboard) in [
            (at, true),
            // With 32 bits a word.
            ("fffffffe", true),
            ("10000000000000 0", false),
            ("", false),
            ("zz", false),
        ] {
            fs::write(room.path().join("capabilities/key"), keys).unwrap();
            assert_eq!(is_keyboard(room.path()), keyboard, "{keys}");
        }
    }
}
