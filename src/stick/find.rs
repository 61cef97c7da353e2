//! Which disks are sticks: what a person can take out, on USB or in a slot for
//! cards.

use std::io;
use std::path::{Path, PathBuf};

use heapless::String;

use crate::sys::mount::{MountEntry, mounts_of};
use crate::sys::sysfs;

/// A removable disk, as long as it is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stick {
    /// The kernel's name of the disk.
    pub disk: sysfs::Name,
    /// Counts up with each plugging in (/sys/block/*/diskseq), so that a stick
    /// that was pulled and put back is looked at again.
    pub sequence: String<20>,
    /// Its partitions, or the disk itself when it has none.
    pub volumes: Vec<PathBuf>,
}

impl Stick {
    /// Whether it is one of these, and was not taken out since it was looked at: then
    /// another one may have its name. That it has other partitions by now is no other stick.
    pub fn is_among(&self, now: &[Self]) -> bool {
        let is_same = |other: &Self| other.disk == self.disk && other.sequence == self.sequence;
        now.iter().any(is_same)
    }

    #[cfg(feature = "admin")]
    fn has(&self, device: &Path) -> bool {
        let whole = Path::new("/dev").join(&*self.disk);
        whole == device || self.volumes.iter().any(|volume| volume == device)
    }
}

/// What sysfs says of a disk, as far as it tells sticks from others.
struct DiskFacts<'a> {
    /// The kernel's name.
    name: &'a str,
    /// Its directory below /sys/devices, which shows what it is plugged into.
    path: &'a Path,
    /// `device/type`: of a memory card SD, of a chip on the board MMC.
    kind: &'a str,
}

/// The sticks that are plugged in. A disk without a medium has no size and
/// is left out.
pub fn plugged_in() -> Vec<Stick> {
    let mut sticks: Vec<Stick> = sysfs::list(Path::new("/sys/block"))
        .into_iter()
        .filter(|disk| is_pluggable(disk))
        .filter_map(stick)
        .collect();
    if !sticks.is_empty() {
        let mounts = mounts_of(Path::new("/proc/self/mountinfo"));
        sticks = unused(sticks, mounts, root().as_deref());
    }
    sticks
}

/// Without the disks that the system lives on: all of them may be, where nobody can
/// tell what is mounted.
fn unused(
    mut sticks: Vec<Stick>,
    mounts: io::Result<Vec<MountEntry>>,
    root: Option<&Path>,
) -> Vec<Stick> {
    sticks.retain(|stick| {
        let mounts = mounts.as_ref();
        mounts.is_ok_and(|mounts| !is_used(stick, mounts, root))
    });
    sticks
}

/// The stick that is this device, or has it as a volume: a disk that the boot stage would
/// look at.
#[cfg(feature = "admin")]
pub fn stick_with(device: &Path) -> Option<Stick> {
    let device = device.canonicalize().ok()?;
    plugged_in().into_iter().find(|stick| stick.has(&device))
}

impl DiskFacts<'_> {
    /// What says that it is removable need not be: internal disks do, and the
    /// kernel makes disks of what is soldered to the board.
    fn can_be_taken_out(&self) -> bool {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match self.name.strip_prefix("mmcblk") {
            // Without boot0, boot1 and rpmb, which are parts of such a chip.
            Some(rest) => is_number(rest) && self.kind == "SD",
            // Optical drives are no sticks.
            None => self.name.starts_with("sd") && sysfs::is_on_usb(self.path),
        }
    }
}

fn is_pluggable(disk: &str) -> bool {
    let class = Path::new("/sys/block").join(disk);
    let Ok(path) = class.canonicalize() else {
        return false;
    };
    let kind = sysfs::read_text::<16>(&class.join("device/type"));
    let facts = DiskFacts {
        name: disk,
        path: &path,
        kind: kind.as_deref().unwrap_or_default(),
    };
    facts.can_be_taken_out()
}

/// Whether the system lives on this disk: something of it is mounted where no
/// stick would be, it is a part of another disk (LVM, RAID, encryption), or its
/// root filesystem is to be mounted.
fn is_used(stick: &Stick, mounts: &[MountEntry], root: Option<&Path>) -> bool {
    let class = Path::new("/sys/class/block");
    let whole = Path::new("/dev").join(&*stick.disk);
    stick.volumes.iter().chain([&whole]).any(|device| {
        let class = class.join(device.file_name().unwrap_or_default());
        let number = sysfs::read_text::<20>(&class.join("dev")).unwrap_or_default();
        let is_held = !sysfs::list(&class.join("holders")).is_empty();
        is_held || root == Some(device) || is_mounted_for_good(&number, mounts)
    })
}

/// `number`: MAJOR:MINOR. What is removable is mounted in /media and for a while
/// in /mnt (FHS 3.0, 3.11 and 3.12); desktops do so in /run/media.
fn is_mounted_for_good(number: &str, mounts: &[MountEntry]) -> bool {
    let is_for_a_while = |point: &Path| {
        let folders = ["/media", "/mnt", "/run/media"];
        folders.iter().any(|folder| point.starts_with(folder))
    };
    let mut of_this = mounts.iter().filter(|mount| mount.device == number);
    of_this.any(|mount| !is_for_a_while(&mount.point))
}

/// The device with the root filesystem, as the kernel's command line names it:
/// in the initramfs it is not mounted yet.
fn root() -> Option<PathBuf> {
    let words = sysfs::read_text::<4096>(Path::new("/proc/cmdline"))?;
    named_root(&words)?.canonicalize().ok()
}

/// By its name, or by what udev has links for.
fn named_root(command_line: &str) -> Option<PathBuf> {
    // The last one holds.
    let mut words = command_line.split_ascii_whitespace().rev();
    let root = words.find_map(|word| word.strip_prefix("root="))?;
    let Some((tag, value)) = root.split_once('=') else {
        return Some(root.into());
    };
    let folder = format!("/dev/disk/by-{}", tag.to_ascii_lowercase());
    Some(Path::new(&folder).join(value))
}

fn has_medium(class: &Path) -> bool {
    sysfs::read_text::<20>(&class.join("size")).is_some_and(|size| size != "0")
}

fn stick(disk: sysfs::Name) -> Option<Stick> {
    let class = Path::new("/sys/block").join(&*disk);
    if !has_medium(&class) {
        return None;
    }
    let device = |name: &str| Path::new("/dev").join(name);
    let mut volumes: Vec<PathBuf> = sysfs::list(&class)
        .iter()
        .filter(|name| class.join(name.as_str()).join("partition").exists())
        .map(|name| device(name))
        .collect();
    if volumes.is_empty() {
        volumes.push(device(&disk));
    }
    Some(Stick {
        sequence: sysfs::read_text(&class.join("diskseq")).unwrap_or_default(),
        disk,
        volumes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PCI: &str = "/sys/devices/pci0000:00";

    fn can_be_taken_out(name: &str, path: &str, kind: &str) -> bool {
        let path = format!("{PCI}/{path}/block/{name}");
        let path = Path::new(&path);
        DiskFacts { name, path, kind }.can_be_taken_out()
    }

    #[test]
    fn usb_sticks_and_sd_cards_are_sticks() {
        let usb = "0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0";
        assert!(can_be_taken_out("sdb", usb, "0"));
        assert!(can_be_taken_out("sdaa", usb, "0"));
        let slot = "0000:02:00.0/rtsx_pci_sdmmc.0/mmc_host/mmc0/mmc0:aaaa";
        assert!(can_be_taken_out("mmcblk0", slot, "SD"));
    }

    #[test]
    fn a_chip_on_the_board_is_no_stick() {
        let board = "80860F14:00/mmc_host/mmc1/mmc1:0001";
        assert!(!can_be_taken_out("mmcblk1", board, "MMC"));
        for part in ["mmcblk1boot0", "mmcblk1boot1", "mmcblk1rpmb"] {
            for kind in ["MMC", "SD", ""] {
                assert!(!can_be_taken_out(part, board, kind), "{part} {kind}");
            }
        }
        assert!(!can_be_taken_out("mmcblk1", board, ""));
    }

    #[test]
    fn an_internal_disk_is_no_stick_whatever_it_says_of_itself() {
        let sata = "0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0";
        assert!(!can_be_taken_out("sda", sata, "0"));
        assert!(!can_be_taken_out("vda", "0000:00:04.0/virtio1", ""));
        assert!(!can_be_taken_out("nvme0n1", "0000:01:00.0/nvme/nvme0", ""));
        assert!(!can_be_taken_out("loop0", "virtual/usb", ""));
        let usb = "0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0";
        assert!(!can_be_taken_out("sr0", usb, "5"));
        // Somebody may call a controller so.
        assert!(!can_be_taken_out("sda", "usbless/host0", "0"));
    }

    #[test]
    fn a_stick_with_the_name_of_another_is_another() {
        let stick = |disk: &str, sequence: &str| Stick {
            disk: disk.try_into().unwrap(),
            sequence: sequence.try_into().unwrap(),
            volumes: vec![format!("/dev/{disk}1").into()],
        };
        let seen = stick("sdb", "7");
        assert!(seen.is_among(&[stick("sda", "6"), stick("sdb", "7")]));
        // A partition may have come meanwhile, or gone.
        let mut whole = stick("sdb", "7");
        whole.volumes = vec!["/dev/sdb".into()];
        assert!(seen.is_among(&[whole]));
        assert!(!seen.is_among(&[stick("sdb", "8")]), "changed, or put back");
        assert!(!seen.is_among(&[stick("sda", "6"), stick("sdc", "7")]));
        assert!(!seen.is_among(&[]), "taken out");
    }

    #[test]
    fn a_disk_with_the_system_on_it_is_no_stick() {
        let mounted = |point: &str| {
            let mount = MountEntry {
                device: "8:17".into(),
                root: "/".into(),
                point: point.into(),
                filesystem: "ext4".into(),
            };
            is_mounted_for_good("8:17", &[mount])
        };
        for point in ["/", "/boot/efi", "/srv/backup", "/mediaeval"] {
            assert!(mounted(point), "{point}");
        }
        for point in ["/media/stick", "/mnt", "/run/media/halima/STICK"] {
            assert!(!mounted(point), "{point}");
        }
        assert!(!is_mounted_for_good("8:18", &[]));
    }

    #[test]
    fn no_disk_is_a_stick_while_the_mounts_are_unknown() {
        let stick = Stick {
            disk: "sdzzz".try_into().unwrap(),
            sequence: String::new(),
            volumes: vec!["/dev/sdzzz1".into()],
        };
        let denied = Err(io::ErrorKind::PermissionDenied.into());
        assert_eq!(unused(vec![stick.clone()], denied, None), []);
        let sticks = vec![stick];
        assert_eq!(unused(sticks.clone(), Ok(Vec::new()), None), sticks);
    }

    #[test]
    fn the_root_that_is_to_be_mounted_is_known_by_each_of_its_names() {
        let named = |words: &str| named_root(words).map(|path| path.display().to_string());
        assert_eq!(
            named("quiet root=/dev/sdb1 ro").as_deref(),
            Some("/dev/sdb1")
        );
        assert_eq!(
            named("root=/dev/sda1 root=PARTUUID=4f68-01").as_deref(),
            Some("/dev/disk/by-partuuid/4f68-01")
        );
        assert_eq!(
            named("root=LABEL=root").as_deref(),
            Some("/dev/disk/by-label/root")
        );
        assert_eq!(named("quiet nfsroot=1"), None);
    }
}
