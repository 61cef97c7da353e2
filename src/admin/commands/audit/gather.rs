//! Gathers how this server is set up.

use std::path::Path;

use super::address_search::{Mac, Needles};
use super::data::{DataFacts, StageFacts};
use super::facts::{Leaked, Medium, RunningWatch, SetupFacts};
use super::scan::{DatabaseFolder, FOLDERS, Scan};
use crate::admin::initramfs::{self, Image, InstalledCopy, Kernel, NoImage};
use crate::admin::installed_files::{InstalledStage, installed_stage};
use crate::admin::mariadb::{self, KeptCopy};
use crate::admin::mariadb_service;
use crate::admin::open_vault::vault_conf;
use crate::admin::unlock::Unlocked;
use crate::admin::watch_service;
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
    let slots = snapshot.slots();
    let events = unlocked.vault.events().ok();
    let theft = proven.policy.theft;
    let mut facts = SetupFacts::of(slots, &proven.sticks, theft, events.as_deref());
    let (data, database) = data(unlocked);
    facts.data = data;
    facts.watch = watch_service::report().map(|report| RunningWatch {
        on_alarm: report.on_alarm,
        enrolled: report.enrolled,
        neighbours: report
            .same
            .saturating_add(report.different)
            .saturating_add(report.silent),
    });
    facts.medium = medium(unlocked.vault.disk());
    facts.secure_boot = secure_boot();
    let addresses = slots.map_or_else(|_| Vec::new(), |slots| neighbours(unlocked, slots));
    let macs: Vec<Mac> = addresses.iter().map(|(_, mac)| *mac).collect();
    let folders = FOLDERS.map(Path::new);
    let scan = match macs.is_empty() {
        true => Scan::default(),
        false => Scan::of(&folders, database.as_ref(), &Needles::new(&macs), tell),
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

/// How the data stands on the disk, and where. When in doubt the worst counts.
fn data(unlocked: &Unlocked) -> (DataFacts, Option<DatabaseFolder>) {
    let release = unlocked.proven.policy.mariadb.as_ref();
    let has_check_file = mariadb_service::is_enabled();
    let is_enabled = release.is_some();
    let of_start = (is_enabled || has_check_file)
        .then(|| mariadb::assess_start(release, Some(unlocked.keys())));
    let start = of_start.as_ref();
    let kernels = vault_conf().map_or_else(|_| Vec::new(), |place| initramfs::kernels(&place));
    let facts = DataFacts {
        is_enabled,
        has_check_file,
        key_file: mariadb::disable::key_file_in_use().is_some(),
        has_data: start.is_some_and(|start| start.has_data),
        other_server: start.is_some_and(|start| {
            let mut others = start.others.iter();
            start.not_serving.is_some() || others.any(|other| other.known && !other.in_container)
        }),
        in_clear: start.and_then(|_| mariadb::clear_data().ok()),
        clear_copy: has_clear_copy(),
        clear_memory: start.is_none_or(|start| !start.dangers.is_empty()),
        stage: stage(installed_stage(), &kernels),
    };
    let path = start.and_then(|start| start.data.clone());
    let database = path.map(|path| DatabaseFolder {
        path,
        is_encrypted: is_all_encrypted(&facts),
    });
    (facts, database)
}

/// Whether a clear copy of the database is there, or that cannot be told.
fn has_clear_copy() -> bool {
    let original = mariadb::find_original();
    let original = original.map(|found| found.is_some_and(|original| original.is_clear_copy()));
    let copies = mariadb::kept_copies();
    let copies = copies.map(|copies| copies.iter().any(KeptCopy::is_clear));
    original.unwrap_or(true) || copies.unwrap_or(true)
}

/// Whether MariaDB runs in the encrypted database and says that it writes nothing in
/// the clear. Pure.
fn is_all_encrypted(data: &DataFacts) -> bool {
    let says_so = data.in_clear.as_ref().is_some_and(Vec::is_empty);
    data.is_enabled && data.has_check_file && !data.other_server && says_so
}

/// Whether the boot stage runs in each kernel that may start next. Pure.
fn stage(installed: InstalledStage, kernels: &[Kernel]) -> StageFacts {
    let runs = |image: &Image| {
        let copies = [image.stage, image.vault_conf, image.script];
        image.before.is_some() && copies.iter().all(|copy| *copy == InstalledCopy::Same)
    };
    let next = || kernels.iter().filter(|kernel| kernel.is_next);
    let is_seen = |kernel: &Kernel| kernel.image.as_ref().is_ok_and(runs);
    let is_absent = |kernel: &Kernel| match &kernel.image {
        Ok(image) => !runs(image),
        Err(why) => *why == NoImage::Absent,
    };
    if installed == InstalledStage::Missing || next().any(is_absent) {
        StageFacts::Missing
    } else if next().next().is_some() && next().all(is_seen) {
        StageFacts::InInitramfs
    } else {
        StageFacts::Unknown
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
    use crate::admin::initramfs::ImageNetwork;

    fn kernel(is_next: bool, image: Result<InstalledCopy, NoImage>) -> Kernel {
        Kernel {
            version: "6.1".into(),
            is_next,
            image: image.map(|stage| Image {
                stage,
                vault_conf: InstalledCopy::Same,
                script: InstalledCopy::Same,
                before: Some(Vec::new()),
                missing: Vec::new(),
                network: ImageNetwork::default(),
            }),
        }
    }

    #[test]
    fn the_stage_counts_where_each_next_kernel_has_it() {
        use InstalledCopy::{Missing, Same};
        let judged = |kernels: &[Kernel]| stage(InstalledStage::ThisBuild, kernels);
        let [good, bare] = [Same, Missing].map(|copy| kernel(true, Ok(copy)));
        let older = kernel(false, Ok(Missing));
        let unread = kernel(true, Err(NoImage::Unreadable("no room".into())));
        let in_both = [good.clone(), older.clone()];
        assert_eq!(judged(&in_both), StageFacts::InInitramfs);
        assert_eq!(judged(&[good.clone(), bare]), StageFacts::Missing);
        assert_eq!(judged(&[good.clone(), unread]), StageFacts::Unknown);
        assert_eq!(judged(&[]), StageFacts::Unknown);
        let absent = kernel(true, Err(NoImage::Absent));
        assert_eq!(judged(&[absent]), StageFacts::Missing);
        assert_eq!(stage(InstalledStage::Missing, &[good]), StageFacts::Missing);
    }

    #[test]
    fn a_database_is_searched_unless_mariadb_says_it_is_encrypted() {
        use super::super::data::tests::encrypted;
        assert!(is_all_encrypted(&encrypted()));
        let changes: [fn(&mut DataFacts); 5] = [
            |data| data.in_clear = None,
            |data| data.in_clear = Some(vec!["table a.b".into()]),
            |data| data.other_server = true,
            |data| data.has_check_file = false,
            |data| data.is_enabled = false,
        ];
        for change in changes {
            let mut data = encrypted();
            change(&mut data);
            assert!(!is_all_encrypted(&data), "{data:?}");
        }
    }

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
