//! Which kernels are installed, and which of them starts next.

use std::cmp::Ordering;
use std::path::Path;

use crate::sys::sysfs;

/// The kernels of this system, the newest first.
pub fn installed_versions() -> Vec<String> {
    installed(&names("/boot"), &names("/lib/modules"))
}

/// Whether the modules of this kernel are known by name: its package is configured, and
/// not only unpacked.
pub fn is_configured(version: &str) -> bool {
    let modules = Path::new("/lib/modules").join(version);
    modules.join("modules.dep").exists()
}

fn names(folder: &str) -> Vec<String> {
    let names = sysfs::list(Path::new(folder)).into_iter();
    names.map(|name| name.to_string()).collect()
}

/// Versions of which both a kernel in /boot and its modules are there, the
/// newest first. Pure.
fn installed(boot: &[String], modules: &[String]) -> Vec<String> {
    let versions = boot.iter().filter_map(|name| name.strip_prefix("vmlinuz-"));
    let installed = versions.filter(|version| modules.iter().any(|known| known == version));
    let mut versions: Vec<String> = installed.map(str::to_owned).collect();
    versions.sort_by(|a, b| by_number(b, a));
    versions
}

/// Numbers in a version count as numbers: 6.1.0-9 comes before 6.1.0-10.
fn by_number(a: &str, b: &str) -> Ordering {
    parts(a).cmp(&parts(b))
}

fn parts(version: &str) -> Vec<(u64, String)> {
    let mut parts = Vec::new();
    let mut rest = version;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        let text = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (text, after) = after.split_at(text);
        parts.push((number.parse().unwrap_or(0), text.to_owned()));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn newest_kernel_by_number_and_none_without_modules() {
        let boot = names(&[
            "vmlinuz-6.1.0-9-amd64",
            "initrd.img-6.1.0-9-amd64",
            "vmlinuz-6.1.0-56-amd64",
            "vmlinuz-6.10.1-amd64",
            "vmlinuz-5.10.0-99-amd64",
            "config-6.1.0-56-amd64",
        ]);
        let modules = names(&["6.1.0-9-amd64", "6.1.0-56-amd64", "5.10.0-99-amd64", "6.99"]);
        let expected = ["6.1.0-56-amd64", "6.1.0-9-amd64", "5.10.0-99-amd64"];
        assert_eq!(installed(&boot, &modules), expected);
        assert_eq!(by_number("6.10.1", "6.1.0-56"), Ordering::Greater);
        assert_eq!(by_number("6.1", "6.1"), Ordering::Equal);
    }
}
