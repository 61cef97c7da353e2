//! The parts of the machine, read from /sys and /proc.

use std::path::{Path, PathBuf};

use heapless::String;

use super::hardware::{is_real_serial, location};
use crate::environment::factors::{Observed, value_of};
use crate::sys::{interface, sysfs};
use crate::vault::Label;

/// SMBIOS fields (DMTF DSP0134, types 1 to 3) and their labels.
const SMBIOS: [(&str, &str); 4] = [
    ("product_uuid", "smbios-uuid"),
    ("product_serial", "system-serial"),
    ("board_serial", "board-serial"),
    ("chassis_serial", "chassis-serial"),
];

/// The values that tell this machine from another: SMBIOS fields, the device
/// tree's serial number, the processor's model, permanent addresses of network
/// cards, serial numbers of built-in disks. What cannot be read or is a maker's
/// place-holder is left out.
pub fn observe_machine() -> Observed {
    let mut observed = observe_files(Path::new("/"));
    for name in interface::wired() {
        let path = Path::new("/sys/class/net").join(&*name).join("device");
        let Some(location) = location_of(&path, None) else {
            continue;
        };
        if let Some(mac) = interface::permanent_mac(&name) {
            note(&mut observed, "nic", Some(&location), &mac);
        }
    }
    observed
}

/// The values that are read from files. `root` is `/` except in tests.
fn observe_files(root: &Path) -> Observed {
    let mut observed = Observed::default();
    for (file, label) in SMBIOS {
        let path = root.join("sys/class/dmi/id").join(file);
        if let Some(text) = serial(&path) {
            note(&mut observed, label, None, text.as_bytes());
        }
    }
    if let Some(text) = serial(&root.join("proc/device-tree/serial-number")) {
        note(&mut observed, "device-tree-serial", None, text.as_bytes());
    }
    if let Some(model) = processor(root) {
        note(&mut observed, "processor", None, model.as_bytes());
    }
    for disk in sysfs::list(&root.join("sys/block")) {
        let class = root.join("sys/block").join(&*disk);
        if let Some((location, serial)) = built_in_disk(&class) {
            note(&mut observed, "disk", Some(&location), serial.as_bytes());
        }
    }
    observed
}

fn serial(path: &Path) -> Option<String<128>> {
    sysfs::read_text(path).filter(|text| is_real_serial(text))
}

fn note(observed: &mut Observed, kind: &str, location: Option<&str>, value: &[u8]) {
    let mut label = Label::new();
    let fits = label.push_str(kind).and_then(|()| match location {
        Some(location) => label.push(' ').and_then(|()| label.push_str(location)),
        None => Ok(()),
    });
    if fits.is_ok() {
        observed.note(&label, &value_of(value));
    }
}

/// The processor's model, from the first entry of /proc/cpuinfo (x86 has
/// `model name`, Arm has `CPU part`).
fn processor(root: &Path) -> Option<String<128>> {
    // One entry is about 1.5 kB; the file has one for each processor.
    let mut file = std::fs::File::open(root.join("proc/cpuinfo")).ok()?;
    let mut bytes = [0; 4096];
    let length = std::io::Read::read(&mut file, &mut bytes).ok()?;
    let text = std::string::String::from_utf8_lossy(&bytes[..length]);
    let line = |key: &str| {
        text.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            (found.trim() == key).then(|| value.trim())
        })
    };
    let model = line("model name").or_else(|| line("CPU part"))?;
    model
        .try_into()
        .ok()
        .filter(|text: &String<128>| !text.is_empty())
}

/// The location of a device; `link` is its `device` link.
fn location_of(link: &Path, ata_port: Option<&str>) -> Option<String<40>> {
    let path = link.canonicalize().ok()?;
    location(path.to_str()?, ata_port)
}

/// The number of a disk's port on its ATA controller.
fn ata_port(device: &Path) -> Option<String<8>> {
    let port = device.ancestors().find(|path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_prefix("ata"))
            .is_some_and(|number| number.parse::<u32>().is_ok())
    })?;
    let name = port.file_name()?;
    sysfs::read_text(&port.join("ata_port").join(name).join("port_no"))
}

/// The location of a built-in disk, and its serial number or world-wide id;
/// `None` for a removable disk.
fn built_in_disk(class: &Path) -> Option<(String<40>, String<128>)> {
    let link = class.join("device");
    if sysfs::read_text::<2>(&class.join("removable")).as_deref() == Some("1") {
        return None;
    }
    let device: PathBuf = link.canonicalize().ok()?;
    let port = ata_port(&device);
    let location = location_of(&link, port.as_deref())?;
    let id = serial(&class.join("serial"))
        .or_else(|| serial(&link.join("serial")))
        .or_else(|| unit_serial(&link.join("vpd_pg80")))
        .or_else(|| serial(&class.join("wwid")))
        .or_else(|| serial(&link.join("wwid")))?;
    Some((location, id))
}

/// The Unit Serial Number page (SPC-4, section 7.8.15): a header of four bytes,
/// then text.
fn unit_serial(path: &Path) -> Option<String<128>> {
    let page = sysfs::read_bytes::<256>(path)?;
    let text = core::str::from_utf8(page.get(4..)?).ok()?;
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    text.try_into()
        .ok()
        .filter(|text: &String<128>| is_real_serial(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_machine_is_known_by_its_boards_disks_and_processor() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let uuid = "4c4c4544-0035-3010-8051-b5c04f4a4332";
        write(root, "sys/class/dmi/id/product_uuid", &format!("{uuid}\n"));
        write(root, "sys/class/dmi/id/board_serial", "Default string\n");
        write(
            root,
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: Some CPU @ 2GHz\n\n",
        );
        let pci = "sys/devices/pci0000:00/0000:00:1f.2";
        let disk = format!("{pci}/ata3/host2/target2:0:0/2:0:0:0");
        write(root, &format!("{pci}/ata3/ata_port/ata3/port_no"), "2\n");
        write(
            root,
            &format!("{disk}/vpd_pg80"),
            "\0\u{1}\0\u{8}  WD-12345",
        );
        write(root, &format!("{disk}/block/sda/removable"), "0\n");
        fs::create_dir_all(root.join("sys/block")).unwrap();
        symlink(root.join(&disk), root.join(&disk).join("block/sda/device")).unwrap();
        symlink(
            root.join(&disk).join("block/sda"),
            root.join("sys/block/sda"),
        )
        .unwrap();

        let observed = observe_files(root);
        let text = |label| {
            observed
                .value(label)
                .map(|value| std::string::String::from_utf8(value.to_vec()).unwrap())
        };
        assert_eq!(text("smbios-uuid").as_deref(), Some(uuid));
        assert_eq!(text("board-serial"), None);
        assert_eq!(text("processor").as_deref(), Some("Some CPU @ 2GHz"));
        assert_eq!(
            text("disk 0000:00:1f.2 port 2 at 0:0:0").as_deref(),
            Some("WD-12345")
        );
    }
}
