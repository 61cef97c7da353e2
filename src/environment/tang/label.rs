//! How a key server among a place's factors is called.

use core::net::SocketAddr;

use crate::environment::HOME;
use crate::vault::Label;

const PREFIX: &str = "tang ";

/// `tang ADDRESS:PORT`; in a second place with its name behind it, because the
/// same server may answer for both places, and gives each another value.
pub fn server_label(address: SocketAddr, place: &str) -> Label {
    let mut label = Label::new();
    let behind = match place {
        HOME => "",
        other => other,
    };
    let space = if behind.is_empty() { "" } else { " " };
    core::fmt::write(&mut label, format_args!("{PREFIX}{address}{space}{behind}"))
        .expect("a label has room for an address and a place");
    label
}

/// Whether a label is a key server's.
pub fn is_server(label: &str) -> bool {
    label.starts_with(PREFIX)
}

/// Where the key server with this label is; `None` for any other label.
#[cfg(feature = "admin")]
pub fn server_address(label: &str) -> Option<SocketAddr> {
    let rest = label.strip_prefix(PREFIX)?;
    rest.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::SECOND;

    #[test]
    fn the_same_server_has_another_label_in_each_place() {
        let address: SocketAddr = "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535"
            .parse()
            .unwrap();
        let (home, second) = (server_label(address, HOME), server_label(address, SECOND));
        assert_ne!(home, second);
        for label in [home, second] {
            assert!(is_server(&label));
            assert_eq!(server_address(&label), Some(address));
        }
        assert_eq!(
            server_label("10.0.0.5:80".parse().unwrap(), HOME),
            "tang 10.0.0.5:80"
        );
        assert!(!is_server("arp 10.0.0.5"));
    }
}
