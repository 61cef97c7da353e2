use super::*;
use proptest::prelude::*;

const ROUTER: Mac = [0x00, 0x0d, 0xb9, 0x41, 0x7a, 0x01];
const PRINTER: Mac = [0x3c, 0x2a, 0xf4, 0x05, 0x60, 0x03];

fn found(bytes: &[u8]) -> Vec<bool> {
    let mut reader = bytes;
    let mut found = Vec::new();
    let needles = Needles::new(&[ROUTER, PRINTER]);
    needles
        .search(&mut reader, &mut found, &mut |_| ())
        .unwrap();
    assert_eq!(found, needles.within(bytes));
    found
}

#[test]
fn every_usual_spelling_of_an_address_is_found() {
    for text in [
        "lease 3c:2a:f4:05:60:03;",
        "DHCPACK to 3C:2A:F4:05:60:03 via eth0",
        "3c-2a-f4-05-60-03",
        "3C2A.F405.6003",
        "enx3c2af4056003",
        "fe80::3e2a:f4ff:fe05:6003 dev eth0",
        "3c:2A:f4:05:60:03",
        "hwaddr 3c:2a:f4:5:60:3\n",
        "SRC=fe80:0000:0000:0000:3e2a:f4ff:fe05:6003 DST=",
        "fe800000000000003e2af4fffe056003 02 40",
        "MAC=ff:ff:ff:ff:ff:ff:3c:2a:f4:05:60:03:08:00",
        "/org/bluez/dev_3C_2A_F4_05_60_03",
        "3c\\:2a\\:f4\\:05\\:60\\:03",
        "?mac=3C%3A2A%3AF4%3A05%3A60%3A03&",
        "3c 2a f4 05 60 03",
        "{0x3c, 0x2a, 0xf4, 0x05, 0x60, 0x03}",
        "\\x3c\\x2a\\xf4\\x05\\x60\\x03",
        "EUI-64 3c-2a-f4-ff-fe-05-60-03",
        "3.0.0.6.5.0.e.f.f.f.4.f.a.2.e.3.0.0.0.0.ip6.arpa",
        "mib-2.17.4.3.1.2.60.42.244.5.96.3 = 7",
        "uid \"\\001<*\\364\\005`\\003\";",
    ] {
        assert_eq!(found(text.as_bytes()), [false, true], "{text}");
    }
    let mut raw = vec![0xff; 9];
    raw.extend(PRINTER);
    assert_eq!(found(&raw), [false, true]);
}

#[test]
fn an_address_without_its_leading_zeroes_is_found() {
    for text in [
        "fe80::20d:b9ff:fe41:7a01",
        "fe80:0000:0000:0000:020d:b9ff:fe41:7a01",
        "00\\:0D\\:B9\\:41\\:7A\\:01",
        "0:d:b9:41:7a:1",
        "arp: 0-D-B9-41-7A-1",
        "00000000020db9fffe417a01",
        "000000000000000db9417a01",
    ] {
        assert_eq!(found(text.as_bytes()), [true, false], "{text}");
    }
}

#[test]
fn other_addresses_are_not_taken_for_enrolled_ones() {
    for text in [
        "3c:2a:f4:05:60:04",
        "3c:2a:f4:05:60",
        "",
        "0",
        "3c2af405600",
        "10:d:b9:41:7a:1",
        "0:d:b9:41:7a:1f",
        "d:b9:41:7a:1",
        "fe80::120d:b9ff:fe41:7a01",
        "fe80::20d:b9ff:fe41:7a0",
        "160.42.244.5.96.3",
        "60.42.244.5.96.30",
    ] {
        assert_eq!(found(text.as_bytes()), [false, false], "{text}");
    }
}

/// Gives the bytes before an edge, then those behind it.
struct Edge<'a>(&'a [u8], &'a [u8]);

impl Read for Edge<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            std::mem::swap(&mut self.0, &mut self.1);
        }
        let length = into.len().min(self.0.len());
        let (now, later) = self.0.split_at(length);
        into[..length].copy_from_slice(now);
        self.0 = later;
        Ok(length)
    }
}

proptest! {
    #[test]
    fn an_address_across_the_edge_of_what_is_read_is_found(
        before in 0usize..200_000, after in 0usize..90_000, part in 0.0..1.0f64, which in 0usize..4,
    ) {
        // Usual spellings, the longest, and one that ends in a single digit.
        let text = [
            "3C:2A:f4:05:60:03",
            "3e2a:f4ff:fe05:6003",
            "3c\\%3A 2a\\%3A f4\\%3A ff\\%3A fe\\%3A 05\\%3A 60\\%3A 03",
            "3c:2a:f4:5:60:3",
        ][which];
        let mut bytes = vec![b'.'; before];
        bytes.extend(text.bytes());
        bytes.resize(bytes.len() + after, b'x');
        let cut = 1 + (part * (text.len() - 1) as f64) as usize;
        let (first, second) = bytes.split_at(before + cut);
        let needles = Needles::new(&[PRINTER]);
        let (mut found, mut read) = (Vec::new(), 0);
        let mut edge = Edge(first, second);
        needles.search(&mut edge, &mut found, &mut |n| read += n).unwrap();
        prop_assert_eq!(found, [true]);
        prop_assert_eq!(read, bytes.len());
    }
}

#[test]
fn a_longer_number_across_an_edge_is_another_one() {
    let needles = Needles::new(&[ROUTER]);
    // The end of a chunk, and the beginning of what is kept of it.
    for text in ["0:d:b9:41:7a:1f", "10:d:b9:41:7a:1"] {
        for before in CHUNK - 40..CHUNK + OVERLAP + 1 {
            let mut bytes = vec![b'.'; before];
            bytes.extend(text.bytes());
            bytes.resize(bytes.len() + 300, b'.');
            let mut found = Vec::new();
            needles
                .search(&mut &bytes[..], &mut found, &mut |_| ())
                .unwrap();
            assert_eq!(found, [false], "{text} at {before}");
        }
    }
}
