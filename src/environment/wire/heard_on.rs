//! On what kind of interface a neighbour was heard: what it says of how long the neighbour
//! will be there.

use super::links::Link;
use crate::environment::factors::Attachment;

/// On what kind of interface a station was heard, the most lasting that it was heard
/// on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeardOn {
    #[default]
    /// On none yet.
    None,
    /// On VLANs alone.
    Vlan,
    /// On cards on USB, and perhaps on VLANs.
    Usb,
    /// On another card.
    Card,
}

impl HeardOn {
    pub fn of(link: &Link) -> Self {
        match link {
            Link { is_vlan: true, .. } => Self::Vlan,
            Link { is_usb: true, .. } => Self::Usb,
            _ => Self::Card,
        }
    }

    pub fn note(&mut self, other: Self) {
        *self = (*self).max(other);
    }

    pub const fn attachment(self) -> Option<Attachment> {
        match self {
            Self::None => None,
            Self::Vlan => Some(Attachment::Vlan),
            Self::Usb => Some(Attachment::UsbNetwork),
            Self::Card => Some(Attachment::Lasting),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_station_is_attached_by_its_most_lasting_link() {
        use HeardOn::{Card, Usb, Vlan};
        let heard = |links: &[HeardOn]| {
            let mut heard_on = HeardOn::default();
            links.iter().for_each(|link| heard_on.note(*link));
            heard_on.attachment()
        };
        assert_eq!(heard(&[]), None);
        assert_eq!(heard(&[Usb, Usb]), Some(Attachment::UsbNetwork));
        assert_eq!(heard(&[Vlan, Vlan]), Some(Attachment::Vlan));
        for both in [[Usb, Card], [Card, Usb], [Vlan, Card], [Card, Vlan]] {
            assert_eq!(heard(&both), Some(Attachment::Lasting), "{both:?}");
        }
    }
}
