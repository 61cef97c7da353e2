//! Who made a network card, and what kind of device that makes it: read from the lists
//! of hardware address prefixes that are installed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};

use crate::sys::interface::Mac;

/// The lists that Debian's packages bring, the first of them with udev.
const LISTS: [&str; 7] = [
    "/usr/lib/udev/hwdb.d/20-OUI.hwdb",
    "/usr/share/ieee-data/oui.txt",
    "/usr/share/hwdata/oui.txt",
    "/usr/share/misc/oui.txt",
    "/usr/share/arp-scan/ieee-oui.txt",
    "/usr/share/nmap/nmap-mac-prefixes",
    "/usr/share/wireshark/manuf",
];

/// The first half of a hardware address, which its maker has (IEEE 802, section 8.2).
pub type Prefix = [u8; 3];

/// What a device seems to be, by who made its card; the steadiest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeviceKind {
    /// A router, a switch or an access point.
    Network,
    Storage,
    Printer,
    /// Its maker makes many things, or is not known.
    Any,
    /// It is off at night, or goes home in a bag.
    Computer,
    /// A virtual machine: it may be one of this server's own.
    Virtual,
}

/// Prefixes of virtual machines' cards.
const VIRTUAL: [Prefix; 15] = [
    // VMware
    [0x00, 0x05, 0x69],
    [0x00, 0x0c, 0x29],
    [0x00, 0x1c, 0x14],
    [0x00, 0x50, 0x56],
    // Microsoft's Virtual PC and Hyper-V
    [0x00, 0x03, 0xff],
    [0x00, 0x15, 0x5d],
    // Xen
    [0x00, 0x16, 0x3e],
    // Parallels
    [0x00, 0x1c, 0x42],
    // VirtualBox
    [0x08, 0x00, 0x27],
    // Proxmox
    [0xbc, 0x24, 0x11],
    // Oracle VM, and Virtual Iron before it
    [0x00, 0x21, 0xf6],
    [0x00, 0x0f, 0x4b],
    // oVirt
    [0x00, 0x1a, 0x4a],
    // Nutanix
    [0x50, 0x6b, 0x8d],
    // bhyve
    [0x58, 0x9c, 0xfc],
];

const NETWORK: [&str; 28] = [
    "allied telesis",
    "arista",
    "aruba",
    "avm ",
    "cambium",
    "cisco",
    "d-link",
    "draytek",
    "extreme networks",
    "fortinet",
    "hewlett packard enterprise",
    "juniper",
    "lancom",
    "linksys",
    "mikrotik",
    "netgear",
    "pc engines",
    "peplink",
    "routerboard",
    "ruckus",
    "ruijie",
    "sonicwall",
    "sophos",
    "teltonika",
    "tp-link",
    "ubiquiti",
    "watchguard",
    "zyxel",
];
const STORAGE: [&str; 6] = [
    "asustor",
    "buffalo",
    "netapp",
    "qnap",
    "synology",
    "western digital",
];
const PRINTERS: [&str; 10] = [
    "brother ind",
    "canon",
    "epson",
    "konica",
    "kyocera",
    "lexmark",
    "oki electric",
    "ricoh",
    "xerox",
    "zebra tech",
];
const COMPUTERS: [&str; 20] = [
    "acer",
    "apple",
    "asustek",
    "azurewave",
    "compal",
    "dell",
    "giga-byte",
    "google",
    "hon hai",
    "huawei device",
    "intel corp",
    "lcfc",
    "lenovo",
    "liteon",
    "micro-star",
    "motorola",
    "pegatron",
    "samsung",
    "wistron",
    "xiaomi",
];

/// Who made the cards with these prefixes, as far as an installed list says.
pub fn makers(prefixes: &[Prefix]) -> HashMap<Prefix, String> {
    let lists = LISTS.iter().filter_map(|path| File::open(path).ok());
    let mut found = HashMap::new();
    for list in lists {
        makers_in(&mut BufReader::new(list), prefixes, &mut found);
        if prefixes.iter().all(|prefix| found.contains_key(prefix)) {
            break;
        }
    }
    found
}

/// Reads one list. All of them begin a line with the prefix, as `000DB9`, `00-0D-B9` or
/// `00:0D:B9`, and end it with the maker; udev's has that in the next line.
fn makers_in(list: &mut dyn BufRead, prefixes: &[Prefix], found: &mut HashMap<Prefix, String>) {
    let mut before = None;
    // A list that is damaged names nobody.
    for line in list.split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if let (Some(prefix), Some((_, maker))) = (before.take(), line.split_once('=')) {
            found
                .entry(prefix)
                .or_insert_with(|| maker.trim().to_owned());
            continue;
        }
        let Some((prefix, rest)) = prefix_of(line.trim_start_matches("OUI:")) else {
            continue;
        };
        if !prefixes.contains(&prefix) {
            continue;
        }
        let rest = rest.replace("(hex)", "").replace("(base 16)", "");
        match rest.trim().trim_matches('*') {
            "" => before = Some(prefix),
            maker => {
                let maker = maker.rsplit('\t').next().unwrap_or(maker);
                found.entry(prefix).or_insert_with(|| maker.to_owned());
            }
        }
    }
}

/// The prefix at the beginning of a line, and what follows it. Prefixes that are longer
/// than three bytes are left out.
fn prefix_of(line: &str) -> Option<(Prefix, &str)> {
    let mut digits = [0; 6];
    let mut count = 0;
    let mut signs = line.char_indices();
    let rest = loop {
        let Some((at, sign)) = signs.next() else {
            break "";
        };
        match sign.to_digit(16) {
            Some(_) if count == digits.len() => return None,
            Some(digit) => {
                digits[count] = digit as u8;
                count += 1;
            }
            None if count > 0 && matches!(sign, ':' | '-') => {}
            None => break &line[at..],
        }
    };
    let [a, b, c, d, e, f] = digits;
    (count == digits.len()).then_some(([a << 4 | b, c << 4 | d, e << 4 | f], rest))
}

/// What a device with this hardware address seems to be.
pub fn kind(mac: Mac, maker: Option<&str>) -> DeviceKind {
    if VIRTUAL.iter().any(|prefix| mac.starts_with(prefix)) {
        return DeviceKind::Virtual;
    }
    let maker = maker.unwrap_or_default().to_ascii_lowercase();
    let is_one_of = |names: &[&str]| names.iter().any(|name| maker.starts_with(name));
    match () {
        () if is_one_of(&NETWORK) => DeviceKind::Network,
        () if is_one_of(&STORAGE) => DeviceKind::Storage,
        () if is_one_of(&PRINTERS) => DeviceKind::Printer,
        () if is_one_of(&COMPUTERS) => DeviceKind::Computer,
        () => DeviceKind::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOARD: Prefix = [0x00, 0x0d, 0xb9];
    const PRINTER: Prefix = [0x3c, 0x2a, 0xf4];

    fn read(list: &str) -> (Option<String>, Option<String>) {
        let mut found = HashMap::new();
        makers_in(&mut list.as_bytes(), &[BOARD, PRINTER], &mut found);
        (found.remove(&BOARD), found.remove(&PRINTER))
    }

    #[test]
    fn every_list_of_prefixes_that_debian_has_is_read() {
        for list in [
            "OUI:000DB9*\n ID_OUI_FROM_DATABASE=PC Engines GmbH\n\n\
             OUI:3C2AF4*\n ID_OUI_FROM_DATABASE=Brother Industries, LTD.\n",
            "00-0D-B9   (hex)\t\tPC Engines GmbH\n000DB9     (base 16)\t\tPC Engines GmbH\n\
             3C-2A-F4   (hex)\t\tBrother Industries, LTD.\n",
            "# comment\n000DB9\tPC Engines GmbH\n3C2AF4\tBrother Industries, LTD.\n",
            "000DB9 PC Engines GmbH\n3C2AF4 Brother Industries, LTD.\n",
            "00:0D:B9\tPCEngine\tPC Engines GmbH\n3C:2A:F4\tBrother\tBrother Industries, LTD.\n",
        ] {
            let (board, printer) = read(list);
            assert_eq!(board.as_deref(), Some("PC Engines GmbH"), "{list}");
            assert_eq!(
                printer.as_deref(),
                Some("Brother Industries, LTD."),
                "{list}"
            );
        }
    }

    #[test]
    fn a_longer_prefix_of_another_maker_is_not_taken() {
        let list = "OUI:000DB9E*\n ID_OUI_FROM_DATABASE=Somebody\n00:0D:B9:E0:00:00/28\tX\tX\n";
        assert_eq!(read(list), (None, None));
        assert_eq!(read(""), (None, None));
    }

    #[test]
    fn a_maker_tells_a_printer_from_a_laptop() {
        let kind_of = |maker| kind([0x3c, 0x2a, 0xf4, 0, 0, 1], maker);
        assert_eq!(
            kind_of(Some("Brother Industries, LTD.")),
            DeviceKind::Printer
        );
        assert_eq!(kind_of(Some("Apple, Inc.")), DeviceKind::Computer);
        assert_eq!(kind_of(Some("Synology Incorporated")), DeviceKind::Storage);
        assert_eq!(kind_of(Some("Cisco Systems, Inc")), DeviceKind::Network);
        assert_eq!(kind_of(Some("Hewlett Packard")), DeviceKind::Any);
        assert_eq!(kind_of(None), DeviceKind::Any);
        for [a, b, c] in [[0x08, 0, 0x27], [0x50, 0x6b, 0x8d], [0x58, 0x9c, 0xfc]] {
            assert_eq!(kind([a, b, c, 0, 0, 1], None), DeviceKind::Virtual);
        }
    }
}
