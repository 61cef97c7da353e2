//! How a part or a station is attached to this machine: whether it will be there at
//! the next boot.

use core::fmt;

/// How a part of the machine, or the station behind a network card, is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attachment {
    /// Built in; of a station: on a wire of this machine.
    #[default]
    Lasting,
    /// A network card that another one makes (SR-IOV), as often as it is told to,
    /// with an address that is often made up.
    VirtualFunction,
    /// In a socket, bay or slot that the kernel calls removable.
    Removable,
    /// A memory card in a reader.
    MemoryCard,
    /// It came when the system had started.
    CameLater,
    /// A station on USB networks alone. The server's own management controller has
    /// one of these, and is carried away with the server.
    UsbNetwork,
    /// A station on VLANs alone, which a boot has only where its initramfs makes them.
    Vlan,
}

impl Attachment {
    /// Whether what is attached so is enrolled: a VLAN is the owner's to set up.
    pub const fn is_enrolled(self) -> bool {
        matches!(self, Self::Lasting | Self::Vlan)
    }
}

/// For people: what it is, after "not taken,".
impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lasting => "it is built in",
            Self::VirtualFunction => "it is a virtual function of another card",
            Self::Removable => "it can be taken out",
            Self::MemoryCard => "it is a memory card",
            Self::CameLater => "it was plugged in after the system had started",
            Self::UsbNetwork => "it is on a USB network",
            Self::Vlan => "it is on a VLAN",
        })
    }
}
