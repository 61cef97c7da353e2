//! What a machine is made of: the things that stayput's machine factors see.

use crate::Architecture;

/// How the network card looks to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NicModel {
    Virtio,
    E1000,
}

impl NicModel {
    fn qemu(self) -> &'static str {
        match self {
            Self::Virtio => "virtio-net-pci",
            Self::E1000 => "e1000",
        }
    }
}

/// The controller that a stick is plugged into. Both are always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsbController {
    Xhci,
    Ehci,
}

/// How the stick speaks: bulk-only transport, or USB attached SCSI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsbModel {
    Storage,
    Uas,
}

/// One physical server: everything that can be read off its parts. MAC
/// addresses are globally administered, as on real cards.
#[derive(Clone, Debug)]
pub struct Hardware {
    pub architecture: Architecture,
    pub uuid: String,
    pub system_serial: String,
    pub board_serial: String,
    pub disk_serial: String,
    pub cpu: String,
    pub nic_model: NicModel,
    pub nic_mac: String,
    /// A second card, which the kernel finds before that one. Its cable leads
    /// to a switch with nobody else on it.
    pub other_nic_mac: Option<String>,
}

impl Hardware {
    /// The clinic's server.
    pub fn clinic() -> Self {
        Self::clinic_of(Architecture::Amd64)
    }

    /// The same with another processor. On arm64 nothing tells of the serials but the
    /// disk's.
    pub fn clinic_of(architecture: Architecture) -> Self {
        Self {
            architecture,
            uuid: "4c4c4544-0037-4d10-8052-b4c04f4b3233".into(),
            system_serial: "7M7RK23".into(),
            board_serial: "CN7016337M002A".into(),
            disk_serial: "S3Z8NB0K812345".into(),
            cpu: architecture.processor().into(),
            nic_model: NicModel::Virtio,
            nic_mac: "00:1b:21:3a:4f:10".into(),
            other_nic_mac: None,
        }
    }

    /// A network card of this model, as QEMU wants it said.
    pub(crate) fn nic(&self, id: &str, cable: &str, mac: &str) -> String {
        let model = self.nic_model.qemu();
        format!("{model},id={id},netdev={cable},mac={mac},romfile=")
    }

    /// Another machine into which the clinic's disk was put: nothing but the
    /// disk is the same.
    pub fn thiefs_own(clinic: &Self) -> Self {
        Self {
            uuid: "d2c1b0a9-1122-4e55-9a3b-70b5e8f0a1c2".into(),
            system_serial: "PF1XYZ99".into(),
            board_serial: "L1HF7AB00QX".into(),
            nic_mac: "00:25:90:77:01:02".into(),
            ..clinic.clone()
        }
    }
}
