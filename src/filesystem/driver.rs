//! Which kernel module a failed mount lacked.

use std::fs;
use std::path::Path;

use nix::errno::Errno;

use super::format::Filesystem;
use crate::sys::sysfs;

/// A kernel module that a filesystem needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Driver {
    pub filesystem: Filesystem,
    /// Its canonical name.
    pub module: &'static str,
}

impl Driver {
    const fn of(filesystem: Filesystem, module: &'static str) -> Self {
        Self { filesystem, module }
    }
}

/// All that may be missing.
pub const DRIVERS: [Driver; 6] = [
    Driver::of(Filesystem::Vfat, "vfat"),
    Driver::of(Filesystem::Vfat, "nls_cp437"),
    Driver::of(Filesystem::Vfat, "nls_ascii"),
    Driver::of(Filesystem::Exfat, "exfat"),
    Driver::of(Filesystem::Ext4, "ext4"),
    Driver::of(Filesystem::Ext4, "crc32c_generic"),
];

/// The module for want of which mounting has failed with this errno; `None` where
/// it was something else. `has`: whether the running kernel has a module.
pub fn missing(filesystem: Filesystem, errno: Errno, has: impl Fn(&str) -> bool) -> Option<Driver> {
    let module = match (filesystem, errno) {
        // fsopen(2): no such filesystem, and no module for it.
        (_, Errno::ENODEV) => filesystem.name(),
        // What a damaged one gives too (fs/fat/inode.c).
        (Filesystem::Vfat, Errno::EINVAL) if !has("nls_cp437") => "nls_cp437",
        // Which of the two it asks for is set when the kernel is built.
        (Filesystem::Vfat, Errno::EINVAL) if !has("nls_ascii") && !has("nls_iso8859_1") => {
            "nls_ascii"
        }
        // fs/ext4/super.c: no such algorithm.
        (Filesystem::Ext4, Errno::ENOENT) if !has("crc32c_generic") => "crc32c_generic",
        _ => return None,
    };
    Some(Driver { filesystem, module })
}

/// Whether the running kernel has this module: loaded, built in, or to be
/// loaded. Where there are no lists nobody knows, and it counts as had.
pub fn is_there(module: &str) -> bool {
    if Path::new("/sys/module").join(module).exists() {
        return true;
    }
    let kernel = sysfs::read_text::<64>(Path::new("/proc/sys/kernel/osrelease"));
    let folder = Path::new("/lib/modules").join(&*kernel.unwrap_or_default());
    let lists =
        ["modules.dep", "modules.builtin"].map(|list| fs::read_to_string(folder.join(list)));
    let mut known = lists.iter().flatten().peekable();
    known.peek().is_none() || known.any(|list| lists_module(list, module))
}

impl Filesystem {
    /// Its driver, where the running kernel lacks it.
    pub fn missing_driver(self) -> Option<Driver> {
        let module = self.name();
        let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        let is_known = known.lines().any(|line| line.trim() == module);
        (!is_known && !is_there(module)).then_some(Driver::of(self, module))
    }
}

/// Whether a list as depmod(8) writes it has a module of its own for this name.
fn lists_module(list: &str, module: &str) -> bool {
    list.lines().any(|line| {
        let path = line.split(':').next().unwrap_or(line);
        let file = path.rsplit('/').next().unwrap_or(path);
        file.split(".ko").next().unwrap_or(file).replace('-', "_") == module
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(filesystem: Filesystem, errno: Errno, has: &[&str]) -> Option<&'static str> {
        let missing = missing(filesystem, errno, |module| has.contains(&module));
        assert!(missing.is_none_or(|driver| DRIVERS.contains(&driver)));
        missing.map(|driver| driver.module)
    }

    #[test]
    fn a_kernel_without_the_filesystem_lacks_its_module() {
        for filesystem in [Filesystem::Vfat, Filesystem::Exfat, Filesystem::Ext4] {
            let lacks = module(filesystem, Errno::ENODEV, &[]);
            assert_eq!(lacks, Some(filesystem.name()));
        }
    }

    #[test]
    fn fat_without_its_charsets_lacks_them() {
        let lacks = |has: &[&str]| module(Filesystem::Vfat, Errno::EINVAL, has);
        assert_eq!(lacks(&["nls_ascii"]), Some("nls_cp437"));
        assert_eq!(lacks(&["nls_cp437"]), Some("nls_ascii"));
        assert_eq!(lacks(&["nls_cp437", "nls_iso8859_1"]), None, "Ubuntu's");
    }

    #[test]
    fn a_damaged_filesystem_lacks_no_module() {
        let all = ["nls_cp437", "nls_ascii", "crc32c_generic"];
        assert_eq!(module(Filesystem::Vfat, Errno::EINVAL, &all), None);
        assert_eq!(module(Filesystem::Exfat, Errno::EINVAL, &[]), None);
        assert_eq!(module(Filesystem::Ext4, Errno::EUCLEAN, &[]), None);
        assert_eq!(module(Filesystem::Ext4, Errno::ENOENT, &all), None);
        assert_eq!(
            module(Filesystem::Ext4, Errno::ENOENT, &[]),
            Some("crc32c_generic")
        );
    }

    #[test]
    fn depmods_lists_name_a_module_by_its_file() {
        let dep = "kernel/fs/fat/vfat.ko.xz: kernel/fs/fat/fat.ko.xz\n\
                   kernel/drivers/usb/storage/usb-storage.ko:\n";
        for (module, listed) in [("vfat", true), ("usb_storage", true), ("fat", false)] {
            assert_eq!(lists_module(dep, module), listed, "{module}");
        }
        assert!(lists_module("kernel/fs/nls/nls_ascii.ko\n", "nls_ascii"));
    }
}
