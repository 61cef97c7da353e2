//! The parts of the machine, read from /sys and /proc.

use std::path::{Path, PathBuf};

use heapless::String;

use super::attached;
use super::hardware::{is_real_serial, location};
use crate::environment::factors::{Attachment, Observed, value_of};
use crate::sys::{interface, sysfs};
use crate::vault::{Label, Value};

/// SMBIOS fields (DMTF DSP0134, types 1 to 3). They stand in one chip of the mainboard:
/// a new board changes all of them, and so may its firmware. Hence they are one factor.
const SMBIOS: [&str; 4] = [
    "product_uuid",
    "product_serial",
    "board_serial",
    "chassis_serial",
];

/// A disk or a network card.
struct Device {
    /// Its directory below /sys/block or /sys/class/net.
    #[cfg(feature = "admin")]
    class: PathBuf,
    label: Label,
    value: Value,
    attachment: Attachment,
}

/// The values that tell this machine from another: SMBIOS fields, the device
/// tree's serial number, the processor's model, permanent addresses of network
/// cards, serial numbers of disks. What cannot be read or is a maker's
/// place-holder is left out. What may be gone at the next boot is among them: it may
/// have been enrolled.
pub fn observe_machine() -> Observed {
    let root = Path::new("/");
    let mut observed = observe_board(root);
    // A server has more disks than cards.
    for device in cards().into_iter().chain(disks(root)) {
        observed.note(&device.label, &device.value);
        observed.note_attachment(&device.label, device.attachment);
    }
    observed
}

/// Notes which disks and cards have come after `started`, counted from the kernel's
/// start.
#[cfg(feature = "admin")]
pub fn note_latecomers(observed: &mut Observed, started: core::time::Duration) {
    let root = Path::new("/");
    for device in cards().into_iter().chain(disks(root)) {
        let came = attached::first_seen(root, &device.class);
        if came.is_some_and(|came| came > started) && device.attachment == Attachment::Lasting {
            observed.note_attachment(&device.label, Attachment::CameLater);
        }
    }
}

/// What the firmware and the processor say. `root` is `/` except in tests.
fn observe_board(root: &Path) -> Observed {
    let mut observed = Observed::default();
    let mut note = |label: &str, value: &[u8]| {
        if let Ok(label) = label.try_into() {
            observed.note(&label, &value_of(value));
        }
    };
    if let Some(words) = board(root) {
        note("board", &words);
    }
    if let Some(text) = serial(&root.join("proc/device-tree/serial-number")) {
        note("device-tree-serial", text.as_bytes());
    }
    if let Some(model) = processor(root) {
        note("processor", model.as_bytes());
    }
    observed
}

fn cards() -> Vec<Device> {
    let card = |name: interface::InterfaceName| {
        let class = Path::new("/sys/class/net").join(&*name);
        let location = location_of(&class.join("device"), None)?;
        let mac = interface::permanent_mac(&name)?;
        Some(Device {
            label: label("nic", &location)?,
            value: value_of(&mac),
            attachment: attached::card(&class),
            #[cfg(feature = "admin")]
            class,
        })
    };
    interface::wired().into_iter().filter_map(card).collect()
}

/// `root` is `/` except in tests.
fn disks(root: &Path) -> Vec<Device> {
    let disk = |name: sysfs::Name| {
        let class = root.join("sys/block").join(&*name);
        let (location, serial) = built_in_disk(&class)?;
        Some(Device {
            label: label("disk", &location)?,
            value: value_of(serial.as_bytes()),
            attachment: attached::disk(&class),
            #[cfg(feature = "admin")]
            class,
        })
    };
    let names = sysfs::list(&root.join("sys/block")).into_iter();
    names.filter_map(disk).collect()
}

/// `None` where it is too long.
fn label(kind: &str, location: &str) -> Option<Label> {
    let mut label = Label::new();
    core::fmt::write(&mut label, format_args!("{kind} {location}")).ok()?;
    Some(label)
}

fn serial(path: &Path) -> Option<String<128>> {
    sysfs::read_text(path).filter(|text| is_real_serial(text))
}

/// The SMBIOS fields, each behind its length; `None` where all of them are a maker's
/// place-holders.
fn board(root: &Path) -> Option<Vec<u8>> {
    let folder = root.join("sys/class/dmi/id");
    let words = SMBIOS.map(|file| serial(&folder.join(file)).unwrap_or_default());
    let length = |word: &String<128>| u8::try_from(word.len()).expect("128 bytes at most");
    let bytes = words
        .iter()
        .flat_map(|word| [&[length(word)], word.as_bytes()].concat());
    words
        .iter()
        .any(|word| !word.is_empty())
        .then(|| bytes.collect())
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
    let port = device
        .ancestors()
        .find(|path| attached::is_ata_port(path))?;
    let name = port.file_name()?;
    sysfs::read_text(&port.join("ata_port").join(name).join("port_no"))
}

/// The location of a disk and its serial number or world-wide id; `None` for one
/// that says it is removable.
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
    use super::super::fake_sysfs::{FakeSysfs, PCI};
    use super::*;

    fn text(value: &Value) -> &str {
        core::str::from_utf8(value).unwrap()
    }

    #[test]
    fn a_machine_is_known_by_its_board_and_processor() {
        let sys = FakeSysfs::new();
        let uuid = "4c4c4544-0035-3010-8051-b5c04f4a4332";
        sys.file("sys/class/dmi/id/product_uuid", &format!("{uuid}\n"));
        sys.file("sys/class/dmi/id/board_serial", "Default string\n");
        sys.file(
            "proc/cpuinfo",
            "processor\t: 0\nmodel name\t: Some CPU @ 2GHz\n\n",
        );
        let observed = observe_board(sys.root());
        let said = |label| observed.value(label).map(text);
        let board = format!("\u{24}{uuid}\0\0\0");
        assert_eq!(said("board"), Some(&*board));
        assert_eq!(said("processor"), Some("Some CPU @ 2GHz"));
    }

    #[test]
    fn a_disk_is_known_by_its_serial_number_where_it_is_plugged_in() {
        let sys = FakeSysfs::new();
        let port = format!("{PCI}/0000:00:1f.2/ata3");
        let disk = format!("{port}/host2/target2:0:0/2:0:0:0");
        sys.file(&format!("{port}/ata_port/ata3/port_no"), "2\n");
        sys.file(&format!("{disk}/vpd_pg80"), "\0\u{1}\0\u{8}  WD-12345");
        sys.file(&format!("{disk}/block/sda/removable"), "0\n");
        sys.device(&disk, "block/sda");
        let found = disks(sys.root());
        let found = found.iter().map(|disk| (&*disk.label, text(&disk.value)));
        let found: Vec<_> = found.collect();
        assert_eq!(found, [("disk 0000:00:1f.2 port 2 at 0:0:0", "WD-12345")]);
    }

    #[test]
    fn a_board_is_one_factor_whatever_changes_of_it() {
        let sys = FakeSysfs::new();
        let dmi = |file: &str, text: &str| sys.file(&format!("sys/class/dmi/id/{file}"), text);
        let parts = || {
            let observed = observe_board(sys.root());
            let parts = observed.iter();
            parts
                .map(|(label, value)| (label.to_string(), value.clone()))
                .collect::<Vec<_>>()
        };
        for file in SMBIOS {
            dmi(file, "Default string\n");
        }
        assert_eq!(parts(), [], "place-holders say nothing");
        let mut seen = Vec::new();
        for (file, text) in [
            ("product_serial", "CZ1234"),
            ("board_serial", "CZ1234"),
            ("product_serial", "Not Specified"),
            ("chassis_serial", "7CT9"),
        ] {
            dmi(file, text);
            let [(label, value)] = &parts()[..] else {
                panic!("{:?}", parts());
            };
            assert_eq!(label, "board");
            assert!(!seen.contains(value), "{file} counts");
            seen.push(value.clone());
        }
    }
}
