//! What it means at the prompt that a system is closed to sticks. Pure.

use crate::admin::commands::check::check_result::{CheckResult, Severity};
use crate::admin::initramfs::Hardening;

/// Warns of each thing that keeps sticks out. Pure.
pub fn judge(hardening: &Hardening) -> Vec<CheckResult> {
    let mut results = Vec::new();
    let mut add = |closed: &str| {
        results.push(CheckResult::new(
            "hardening",
            Severity::Warning,
            format!(
                "{closed} The prompt takes sticks and keyboards all the same; the running system \
                 does not."
            ),
            "Before `stayput stick make`: allow it there, or make the stick on another computer.",
        ));
    };
    if !hardening.modules.is_empty() {
        let modules = hardening.modules.join(", ");
        add(&format!(
            "/etc/modprobe.d keeps modules from being loaded: {modules}."
        ));
    }
    if hardening.usb_unauthorised {
        add("usbcore.authorized_default on the kernel's command line closes the USB sockets.");
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_that_is_closed_to_sticks_is_told_of() {
        let closed = Hardening {
            modules: vec!["usb_storage".into(), "vfat".into()],
            usb_unauthorised: true,
        };
        let results = judge(&closed);
        assert_eq!(results.len(), 2);
        let mut severities = results.iter().map(|found| found.severity);
        assert!(severities.all(|severity| severity == Severity::Warning));
        assert!(results[0].what.contains("usb_storage, vfat"));
        assert_eq!(judge(&Hardening::default()), []);
    }
}
