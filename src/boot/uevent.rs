//! The kernel's device events, as far as the stage needs them. Pure.

/// What kind of device came, changed or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Block,
    Network,
    Terminal,
    Other,
}

/// Reads one event: `add@/devices/...`, then `KEY=VALUE` strings ended by NUL
/// (lib/kobject_uevent.c).
pub fn subject(event: &[u8]) -> Subject {
    let subsystem = event
        .split(|byte| *byte == 0)
        .skip(1)
        .find_map(|field| field.strip_prefix(b"SUBSYSTEM="));
    match subsystem {
        Some(b"block") => Subject::Block,
        Some(b"net") => Subject::Network,
        Some(b"tty") => Subject::Terminal,
        _ => Subject::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stick_that_is_plugged_in_is_a_block_device() {
        let event = b"add@/devices/pci0000:00/usb1/sda\0ACTION=add\0SUBSYSTEM=block\0SEQNUM=7\0";
        assert_eq!(subject(event), Subject::Block);
        assert_eq!(subject(b"add@/x\0SUBSYSTEM=net\0"), Subject::Network);
        assert_eq!(subject(b"SUBSYSTEM=block"), Subject::Other);
    }

    proptest! {
        #[test]
        fn foreign_events_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            subject(&bytes);
        }
    }
}
