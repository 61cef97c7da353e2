//! Which disks are sticks: USB, memory cards and other removable ones.

use std::path::{Path, PathBuf};

use heapless::String;

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

/// The sticks that are plugged in. A disk without a medium has no size and
/// is left out.
pub fn plugged_in() -> Vec<Stick> {
    sysfs::list(Path::new("/sys/block"))
        .into_iter()
        .filter(|disk| is_removable(disk))
        .filter_map(stick)
        .collect()
}

/// Whether the volume is on a disk that the boot stage would look at.
pub fn is_on_a_stick(volume: &Path) -> bool {
    let Ok(volume) = volume.canonicalize() else {
        return false;
    };
    plugged_in().iter().any(|stick| {
        stick.volumes.contains(&volume) || Path::new("/dev").join(&*stick.disk) == volume
    })
}

fn is_removable(disk: &str) -> bool {
    let class = Path::new("/sys/block").join(disk);
    let Ok(path) = class.canonicalize() else {
        return false;
    };
    let Some(path) = path.to_str() else {
        return false;
    };
    let flagged = sysfs::read_text::<2>(&class.join("removable")).as_deref() == Some("1");
    let on_usb = path.split('/').any(|part| part.starts_with("usb"));
    let on_card = path.contains("/mmc_host/");
    // Optical drives and floppies are removable and no sticks.
    let hardware =
        class.join("device").exists() && !disk.starts_with("sr") && !disk.starts_with("fd");
    hardware && (flagged || on_usb || on_card)
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
