//! The partition table of a fresh stick: a master boot record with one partition,
//! as shops sell them. Pure.

use crate::filesystem::Filesystem;

/// Where the partition begins: 1 MiB, a multiple of what flash memory erases at
/// once on most sticks.
pub const FIRST_BYTE: u64 = 1 << 20;

/// The sector with the table, for a disk of so many bytes; `None` where it is too
/// large for such a table, or too small for a partition.
///
/// `id` tells this disk from others (its partitions' PARTUUID begins with it).
pub fn partition_table(
    bytes: u64,
    sector_size: u64,
    filesystem: Filesystem,
    id: [u8; 4],
) -> Option<[u8; 512]> {
    let first = FIRST_BYTE / sector_size;
    let length = (bytes / sector_size).checked_sub(first)?;
    // Cylinder, head and sector: "see the numbers of sectors".
    const NO_GEOMETRY: [u8; 3] = [0xfe, 0xff, 0xff];
    let mut table = [0; 512];
    table[440..444].copy_from_slice(&id);
    let entry = &mut table[446..462];
    entry[1..4].copy_from_slice(&NO_GEOMETRY);
    entry[4] = partition_type(filesystem);
    entry[5..8].copy_from_slice(&NO_GEOMETRY);
    entry[8..12].copy_from_slice(&u32::try_from(first).ok()?.to_le_bytes());
    let length = u32::try_from(length).ok().filter(|length| *length > 0)?;
    entry[12..16].copy_from_slice(&length.to_le_bytes());
    table[510..].copy_from_slice(&[0x55, 0xaa]);
    Some(table)
}

/// As Windows and sfdisk(8) know them.
fn partition_type(filesystem: Filesystem) -> u8 {
    match filesystem {
        // FAT32, by sector numbers.
        Filesystem::Vfat => 0x0c,
        // Shared with NTFS.
        Filesystem::Exfat => 0x07,
        Filesystem::Ext4 => 0x83,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filesystem::Format;
    use crate::vault::gpt::{is_protective, mbr_partition_id};

    const GB: u64 = 1_000_000_000;

    /// Compared with what sfdisk(8) writes for `1MiB,,c`, but for the geometry.
    #[test]
    fn a_fresh_stick_has_one_partition_up_to_its_end() {
        let table = partition_table(64 << 20, 512, Filesystem::Vfat, [0x4d, 0x3c, 0x2b, 0x1a]);
        let table = table.unwrap();
        assert_eq!(
            table[446..462],
            [
                0, 0xfe, 0xff, 0xff, 0x0c, 0xfe, 0xff, 0xff, 0, 8, 0, 0, 0, 0xf8, 1, 0
            ]
        );
        assert_eq!(table[462..510], [0; 48]);
        assert_eq!(Format::of(&table), Format::Partitions);
        assert!(!is_protective(&table));
        let id = mbr_partition_id(&table, 1);
        assert_eq!(id.as_deref(), Some("1a2b3c4d-01"));
    }

    #[test]
    fn large_sectors_are_counted_as_they_are() {
        let table = partition_table(64 << 20, 4096, Filesystem::Exfat, [0; 4]).unwrap();
        assert_eq!(table[450], 7);
        assert_eq!(table[454..462], [0, 1, 0, 0, 0, 0x3f, 0, 0]);
    }

    #[test]
    fn too_small_and_too_large_disks_get_no_table() {
        let fits = |bytes| partition_table(bytes, 512, Filesystem::Exfat, [0; 4]).is_some();
        assert!(!fits(0) && !fits(FIRST_BYTE) && fits(FIRST_BYTE + 512));
        assert!(fits(2000 * GB) && !fits(2300 * GB));
    }
}
