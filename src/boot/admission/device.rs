//! A USB device, and how it stands on record.

use crate::sys::sysfs;

/// A device, or an interface of one (`1-4:1.0`), by its name and the number that the kernel
/// has given the device: whatever is plugged into the same socket later has another one.
#[derive(Clone, PartialEq)]
pub struct Device {
    pub name: sysfs::Name,
    pub number: sysfs::Name,
}

impl Device {
    /// As it stands on record.
    pub fn line(&self) -> String {
        format!("{} {}\n", self.name, self.number)
    }

    pub fn of_line(line: &str) -> Option<Self> {
        let (name, number) = line.split_once(' ')?;
        let is_plain = |name: &&str| !name.contains('/') && !name.starts_with('.');
        Some(Self {
            name: Some(name).filter(is_plain)?.try_into().ok()?,
            number: number.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_name_no_device_are_not_followed() {
        for line in ["", "1-1", "../x 2", "1-1/power 2", ". 2"] {
            assert!(Device::of_line(line).is_none(), "{line}");
        }
    }
}
