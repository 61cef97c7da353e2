//! The labels of neighbours and key servers among a place's factors.

use core::net::{IpAddr, SocketAddr};

use super::place_names::HOME;
use crate::vault::{KEY_SERVER, Label, is_key_server};

/// Prefix of an IPv4 neighbour's label.
const ARP: &str = "arp ";
/// Prefix of an IPv6 neighbour's label.
const DISCOVERY: &str = "nd ";

/// The label of the neighbour at this address: `arp ADDRESS` or `nd ADDRESS`.
/// IPv6 addresses are link-local ones: others change with the provider.
pub fn neighbour_label(ip: IpAddr) -> Label {
    let prefix = match ip {
        IpAddr::V4(_) => ARP,
        IpAddr::V6(_) => DISCOVERY,
    };
    let mut label = Label::new();
    core::fmt::write(&mut label, format_args!("{prefix}{ip}"))
        .expect("a label has room for an address");
    label
}

/// The address in a neighbour's label; `None` for any other label.
pub fn address_of(label: &Label) -> Option<IpAddr> {
    let v4 = || label.strip_prefix(ARP)?.parse().ok().map(IpAddr::V4);
    let v6 = || label.strip_prefix(DISCOVERY)?.parse().ok().map(IpAddr::V6);
    v4().or_else(v6)
}

/// Whether a factor is asked over the network. All others are parts of the machine,
/// and are only looked at.
pub fn is_asked(label: &Label) -> bool {
    address_of(label).is_some() || is_key_server(label)
}

/// The label of a key server: `tang ADDRESS:PORT`, and for a second place its
/// name behind that. One server may answer for both places, and gives each
/// another value.
pub fn server_label(address: SocketAddr, place: &str) -> Label {
    let mut label = Label::new();
    let behind = match place {
        HOME => "",
        other => other,
    };
    let space = if behind.is_empty() { "" } else { " " };
    core::fmt::write(
        &mut label,
        format_args!("{KEY_SERVER}{address}{space}{behind}"),
    )
    .expect("a label has room for an address and a place");
    label
}

/// The address in a key server's label; `None` for any other label.
#[cfg(feature = "admin")]
pub fn server_address(label: &str) -> Option<SocketAddr> {
    let rest = label.strip_prefix(KEY_SERVER)?;
    rest.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::factors::SECOND;
    use crate::vault::is_key_server;

    #[test]
    fn the_same_server_has_another_label_in_each_place() {
        let address: SocketAddr = "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535"
            .parse()
            .unwrap();
        let (home, second) = (server_label(address, HOME), server_label(address, SECOND));
        assert_ne!(home, second);
        for label in [home, second] {
            assert!(is_key_server(&label));
            assert_eq!(server_address(&label), Some(address));
        }
        assert_eq!(
            server_label("10.0.0.5:80".parse().unwrap(), HOME),
            "tang 10.0.0.5:80"
        );
        assert!(!is_key_server("arp 10.0.0.5"));
    }
}
