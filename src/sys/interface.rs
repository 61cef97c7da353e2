//! Network interfaces: their names, their state and their hardware addresses.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use heapless::String;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::sysfs;

/// A hardware address (`ETH_ALEN` bytes, linux/if_ether.h).
pub type Mac = [u8; 6];

/// The name of an interface: IFNAMSIZ is 16 with the closing NUL (linux/if.h).
pub type InterfaceName = String<15>;

/// `ARPHRD_ETHER`, linux/if_arp.h.
const ETHERNET: &str = "1";
/// `ETHTOOL_GPERMADDR`, linux/ethtool.h.
const GET_PERMANENT_ADDRESS: u32 = 0x20;
/// `SIOCETHTOOL`, linux/sockios.h.
const SIOCETHTOOL: libc::c_ulong = 0x8946;

/// struct ethtool_perm_addr, linux/ethtool.h, with room for 32 bytes
/// (MAX_ADDR_LEN).
#[repr(C)]
struct PermanentAddress {
    command: u32,
    size: u32,
    data: [u8; 32],
}

fn class(name: &str) -> PathBuf {
    Path::new("/sys/class/net").join(name)
}

/// The wired Ethernet cards: no bridges, tunnels, VLANs or wireless ones.
pub fn wired() -> Vec<InterfaceName> {
    sysfs::list(Path::new("/sys/class/net"))
        .iter()
        .filter(|name| {
            let class = class(name);
            class.join("device").exists()
                && !class.join("phy80211").exists()
                && sysfs::read_text::<8>(&class.join("type")).as_deref() == Some(ETHERNET)
        })
        .filter_map(|name| name.as_str().try_into().ok())
        .collect()
}

/// The wired Ethernet cards that are down.
pub fn wired_and_down() -> Vec<InterfaceName> {
    let mut names = wired();
    names.retain(|name| is_up(name) == Ok(false));
    names
}

/// The VLAN interfaces (IEEE 802.1Q).
pub fn vlans() -> Vec<InterfaceName> {
    let is_vlan = |name: &str| {
        let told = sysfs::read_text::<256>(&class(name).join("uevent"));
        told.is_some_and(|told| told.lines().any(|line| line == "DEVTYPE=vlan"))
    };
    let mut names = sysfs::list(Path::new("/sys/class/net"));
    names.retain(|name| is_vlan(name));
    names
        .iter()
        .filter_map(|name| name.as_str().try_into().ok())
        .collect()
}

/// Whether packets of this interface go through a wired card: its own, or one below a
/// VLAN, a bond or a bridge. A bridge of containers alone has none.
pub fn leads_to_a_cable(name: &str) -> bool {
    fn search(name: &str, wired: &[InterfaceName], depth: usize) -> bool {
        let is_below = |link: &sysfs::Name| {
            let lower = link.strip_prefix("lower_");
            lower.is_some_and(|lower| search(lower, wired, depth + 1))
        };
        wired.iter().any(|card| card == name)
            || depth < 4 && sysfs::list(&class(name)).iter().any(is_below)
    }
    search(name, &wired(), 0)
}

/// Whether the interface is a card on USB. A bridge or bond is none.
pub fn is_on_usb(name: &str) -> bool {
    let device = class(name).join("device").canonicalize();
    device.is_ok_and(|device| sysfs::is_on_usb(&device))
}

/// Whether udev, where it runs, has named the interface. An interface that is
/// up cannot be renamed any more.
pub fn has_its_name(index: i32) -> bool {
    !Path::new("/run/udev/control").exists()
        || Path::new("/run/udev/data")
            .join(format!("n{index}"))
            .exists()
}

/// Whether systemd-networkd or NetworkManager sets the interface up in an initramfs,
/// below `root`; they may not have got as far as an address. In the running system
/// whoever put a card down wanted that.
pub fn is_set_up_by_others(root: &Path, index: i32) -> bool {
    // What each of them knows of a card, and says of one that it leaves alone.
    let known = [
        ("run/systemd/netif/links", "ADMIN_STATE=unmanaged"),
        ("run/NetworkManager/devices", "managed=false"),
    ];
    // systemd tells an initramfs by this file.
    root.join("etc/initrd-release").exists()
        && known.iter().any(|(folder, left_alone)| {
            let state = root.join(folder).join(index.to_string());
            // What it says of a card that it leaves alone is short.
            let said = sysfs::read_text::<512>(&state).unwrap_or_default();
            state.exists() && said.lines().all(|line| line != *left_alone)
        })
}

/// The bridge or bond that an interface is part of, which receives its packets.
pub fn master(name: &str) -> Option<InterfaceName> {
    let link = std::fs::read_link(class(name).join("master")).ok()?;
    link.file_name()?.to_str()?.try_into().ok()
}

/// Whether the interface is a bond that the switch joins by LACP (IEEE 802.3ad). Many
/// switches forward nothing over a single port of one.
pub fn is_lacp_bond(name: &str) -> bool {
    // "802.3ad 4" (Documentation/networking/bonding.rst).
    let mode = sysfs::read_text::<32>(&class(name).join("bonding/mode"));
    mode.is_some_and(|mode| mode.starts_with("802.3ad"))
}

/// The interface that receives the packets of the card with this permanent
/// address: its own, or the bridge or bond that it is part of.
pub fn of_card(card: Mac) -> Option<InterfaceName> {
    let mut names = wired().into_iter();
    let name = names.find(|name| permanent_mac(name) == Some(card))?;
    Some(master(&name).unwrap_or(name))
}

/// The index of an interface; `None` where there is no such interface.
pub fn index(name: &str) -> Option<i32> {
    sysfs::read_text::<12>(&class(name).join("ifindex"))?
        .parse()
        .ok()
}

/// The current name of the interface with this index; `None` where it has gone.
pub fn name_of(index: i32) -> Option<InterfaceName> {
    let name = nix::net::if_::if_indextoname(index.try_into().ok()?).ok()?;
    name.to_str().ok()?.try_into().ok()
}

fn control() -> Result<OwnedFd, Errno> {
    socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
}

/// An ifreq (netdevice(7)) for this interface, otherwise zero.
fn request(name: &str) -> libc::ifreq {
    // SAFETY: ifreq is plain C data; all zeroes is a valid value of it.
    let mut request: libc::ifreq = unsafe { core::mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    for (into, from) in request.ifr_name.iter_mut().zip(name.bytes().take(room)) {
        *into = from as libc::c_char;
    }
    request
}

fn ioctl(code: libc::c_ulong, request: &mut libc::ifreq) -> Result<(), Errno> {
    let control = control()?;
    // SAFETY: each code used here takes a pointer to an ifreq, which lives
    // until the call returns, as does anything that it points to.
    let result = unsafe { libc::ioctl(control.as_raw_fd(), code as _, request as *mut _) };
    Errno::result(result).map(drop)
}

/// The interface flags (IFF_*, linux/if.h).
fn flags(name: &str) -> Result<i16, Errno> {
    let mut request = request(name);
    ioctl(libc::SIOCGIFFLAGS as _, &mut request)?;
    // SAFETY: SIOCGIFFLAGS has filled in this member of the union.
    Ok(unsafe { request.ifr_ifru.ifru_flags })
}

/// Whether the interface is set up (IFF_UP).
///
/// # Errors
/// What ioctl(2) says; ENODEV when the interface has gone.
pub fn is_up(name: &str) -> Result<bool, Errno> {
    Ok(flags(name)? & libc::IFF_UP as i16 != 0)
}

/// Whether the interface has a carrier; always `false` while it is down.
pub fn has_carrier(name: &str) -> bool {
    sysfs::read_text::<2>(&class(name).join("carrier")).as_deref() == Some("1")
}

/// Whether the kernel has taken note of the carrier (operstate of RFC 2863, see
/// Documentation/networking/operstates.rst). Packets sent before are dropped
/// without an error where the carrier has come after the interface was put up. A
/// driver that tells no carrier has the state `unknown`.
pub fn is_operational(name: &str) -> bool {
    let state = sysfs::read_text::<16>(&class(name).join("operstate"));
    matches!(state.as_deref(), Some("up" | "unknown"))
}

/// Puts the interface up or down.
///
/// # Errors
/// What ioctl(2) says.
pub fn set_up(name: &str, up: bool) -> Result<(), Errno> {
    let flags = flags(name)?;
    let bit = libc::IFF_UP as i16;
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = if up { flags | bit } else { flags & !bit };
    ioctl(libc::SIOCSIFFLAGS as _, &mut request)
}

/// The current hardware address; `None` where it is no Ethernet address.
pub fn mac(name: &str) -> Option<Mac> {
    let text = sysfs::read_text::<17>(&class(name).join("address"))?;
    parse_mac(&text)
}

fn parse_mac(text: &str) -> Option<Mac> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

/// The permanent hardware address (ETHTOOL_GPERMADDR), whatever the current one
/// is; `None` where the driver knows none.
pub fn permanent_mac(name: &str) -> Option<Mac> {
    let mut address = PermanentAddress {
        command: GET_PERMANENT_ADDRESS,
        size: 32,
        data: [0; 32],
    };
    let mut request = request(name);
    request.ifr_ifru.ifru_data = (&raw mut address).cast();
    ioctl(SIOCETHTOOL, &mut request).ok()?;
    let mac: Mac = address.data[..6].try_into().ok()?;
    (address.size == 6 && mac != [0; 6]).then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_is_just_being_set_up_is_somebody_elses() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let is_others = |index| is_set_up_by_others(root.path(), index);
        let networkd = "# This is private data. Do not parse.\nADMIN_STATE=";
        put(
            "run/systemd/netif/links/2",
            &format!("{networkd}configuring\n"),
        );
        put(
            "run/systemd/netif/links/3",
            &format!("{networkd}unmanaged\n"),
        );
        put("run/NetworkManager/devices/4", "[device]\nmanaged=true\n");
        put("run/NetworkManager/devices/5", "[device]\nmanaged=false\n");
        put("run/systemd/netif/links/6", "");
        // In the running system a card was put down by whoever wanted that.
        assert_eq!([2, 4].map(is_others), [false; 2]);
        put("etc/initrd-release", "");
        assert_eq!([2, 4, 6].map(is_others), [true; 3]);
        assert_eq!([3, 5, 7].map(is_others), [false; 3]);
    }

    #[test]
    fn hardware_addresses_are_read_whole_or_not_at_all() {
        assert_eq!(
            parse_mac("00:1b:21:0a:0b:0c"),
            Some([0, 0x1b, 0x21, 10, 11, 12])
        );
        for wrong in [
            "",
            "00:1b:21:0a:0b",
            "00:1b:21:0a:0b:0c:0d",
            "zz:1b:21:0a:0b:0c",
        ] {
            assert_eq!(parse_mac(wrong), None, "{wrong}");
        }
    }
}
