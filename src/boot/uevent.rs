//! Parses the kernel's device events. Pure.

/// The kind of device that appeared, changed or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    /// A disk or partition (subsystem `block`).
    Block,
    /// A network interface (`net`).
    Network,
    /// A terminal (`tty`).
    Terminal,
    /// A USB bus or device (`usb`).
    Usb,
    /// Anything else.
    Other,
}

/// The kind of device of one event: `add@/devices/...`, then `KEY=VALUE`
/// strings that end with NUL (lib/kobject_uevent.c).
pub fn device_kind(event: &[u8]) -> DeviceKind {
    let subsystem = event
        .split(|byte| *byte == 0)
        .skip(1)
        .find_map(|field| field.strip_prefix(b"SUBSYSTEM="));
    match subsystem {
        Some(b"block") => DeviceKind::Block,
        Some(b"net") => DeviceKind::Network,
        Some(b"tty") => DeviceKind::Terminal,
        Some(b"usb") => DeviceKind::Usb,
        _ => DeviceKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stick_that_is_plugged_in_is_a_block_device() {
        let event = b"add@/devices/pci0000:00/usb1/sda\0ACTION=add\0SUBSYSTEM=block\0SEQNUM=7\0";
        assert_eq!(device_kind(event), DeviceKind::Block);
        assert_eq!(device_kind(b"add@/x\0SUBSYSTEM=net\0"), DeviceKind::Network);
        assert_eq!(
            device_kind(b"add@/x\0SUBSYSTEM=tty\0"),
            DeviceKind::Terminal
        );
        assert_eq!(device_kind(b"add@/x\0SUBSYSTEM=usb\0"), DeviceKind::Usb);
        assert_eq!(device_kind(b"SUBSYSTEM=block"), DeviceKind::Other);
    }

    proptest! {
        #[test]
        fn foreign_events_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            device_kind(&bytes);
        }
    }
}
