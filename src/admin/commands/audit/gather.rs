//! Gathers how this server is set up.

use std::path::Path;

use super::address_search::{Mac, Needles};
use super::facts::{Leaked, Medium, SetupFacts};
use super::scan::{FOLDERS, Scan};
use crate::admin::mariadb::find_original;
use crate::admin::unlock::Unlocked;
use crate::opening::snapshot::Snapshot;
use crate::sys::sysfs;
use crate::vault::{Group, SlotTable};

/// The facts, and the search for addresses that some of them rest on.
pub struct Gathered {
    /// What the set-up is judged by.
    pub facts: SetupFacts,
    /// Labels of the neighbours that were searched for, in the scan's order.
    pub labels: Vec<String>,
    /// Where the neighbours' addresses stand on the disk.
    pub scan: Scan,
}

/// Gathers the facts and searches the disk. `tell` is called with the number of
/// bytes searched so far.
pub fn gather(unlocked: &Unlocked, tell: &mut dyn FnMut(u64)) -> Gathered {
    let proven = &unlocked.proven;
    let snapshot = Snapshot::of(&unlocked.vault);
    let slots = snapshot.slots().ok();
    let mut facts = SetupFacts::of(slots, &proven.sticks, proven.policy.theft);
    facts.medium = medium(unlocked.vault.disk());
    facts.secure_boot = secure_boot();
    // When in doubt there is one.
    facts.clear_copy = !matches!(find_original(), Ok(None));
    let addresses = slots.map_or_else(Vec::new, |slots| neighbours(unlocked, slots));
    let macs: Vec<Mac> = addresses.iter().map(|(_, mac)| *mac).collect();
    let folders = FOLDERS.map(Path::new);
    let scan = match macs.is_empty() {
        true => Scan::default(),
        false => Scan::of(&folders, &Needles::new(&macs), tell),
    };
    facts.leaked = (!macs.is_empty()).then(|| Leaked {
        neighbours: scan.found.iter().filter(|found| **found).count() as u8,
        files: scan.leaking,
        incomplete: scan.unsearched > 0,
    });
    Gathered {
        facts,
        labels: addresses.into_iter().map(|(label, _)| label).collect(),
        scan,
    }
}

/// The enrolled neighbours and their hardware addresses.
fn neighbours(unlocked: &Unlocked, slots: &SlotTable) -> Vec<(String, Mac)> {
    let (header, key) = (unlocked.vault.header(), unlocked.master_key());
    let mut found: Vec<(String, Mac)> = Vec::new();
    for slot in &slots.environments {
        let values = slot.enrolled_values(header, key).unwrap_or_default();
        for (factor, value) in slot.factors.iter().zip(&values) {
            let mac = Mac::try_from(value.as_slice()).ok();
            let is_new = |mac: &Mac| found.iter().all(|(_, known)| known != mac);
            if let Some(mac) = mac.filter(is_new)
                && factor.group == Group::Neighbours
            {
                found.push((factor.label.to_string(), mac));
            }
        }
    }
    found
}

/// Whether overwriting reaches the only copy, as far as the kernel knows.
fn medium(disk: &str) -> Medium {
    let class = Path::new("/sys/block").join(disk);
    let text = |name: &str| sysfs::read_text::<64>(&class.join(name)).unwrap_or_default();
    let over_usb = class
        .canonicalize()
        .is_ok_and(|path| path.to_string_lossy().contains("/usb"));
    medium_of(
        disk,
        &text("queue/rotational"),
        // A controller or an emulation answers what it likes.
        text("device/vendor") == "ATA" && !text("device/model").starts_with("QEMU") && !over_usb,
    )
}

/// With `direct` the disk itself answers. Others claim to rotate, whatever they
/// are kept on.
fn medium_of(disk: &str, rotational: &str, direct: bool) -> Medium {
    let flash = ["mmcblk", "nvme"].iter().any(|name| disk.starts_with(name));
    match rotational {
        _ if flash => Medium::Flash,
        "0" => Medium::Flash,
        "1" if direct => Medium::Magnetic,
        _ => Medium::Unknown,
    }
}

/// Whether Secure Boot is on. The firmware's variable has four bytes of
/// attributes, then 1 or 0 (UEFI 2.10, section 3.3).
fn secure_boot() -> Option<bool> {
    let variable = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    let bytes = sysfs::read_bytes::<5>(Path::new(variable))?;
    bytes.get(4).map(|byte| *byte == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_real_disk_that_rotates_is_trusted_to_forget() {
        assert_eq!(medium_of("sda", "1", true), Medium::Magnetic);
        assert_eq!(medium_of("sda", "0", true), Medium::Flash);
        assert_eq!(medium_of("nvme0n1", "", false), Medium::Flash);
        assert_eq!(medium_of("mmcblk0", "1", false), Medium::Flash);
        assert_eq!(medium_of("vda", "1", false), Medium::Unknown);
        assert_eq!(medium_of("sda", "1", false), Medium::Unknown);
        assert_eq!(medium_of("sda", "", true), Medium::Unknown);
    }
}
