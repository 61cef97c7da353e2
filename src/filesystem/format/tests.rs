use super::*;
use proptest::prelude::*;

const VFAT: Format = Format::Known(Filesystem::Vfat);
const EXFAT: Format = Format::Known(Filesystem::Exfat);
const EXT4: Format = Format::Known(Filesystem::Ext4);

/// A volume with nothing but these marks.
fn with(marks: &[(usize, &[u8])]) -> Vec<u8> {
    let mut start = vec![0; START];
    for (at, mark) in marks {
        start[*at..at + mark.len()].copy_from_slice(mark);
    }
    start
}

const BOOT_SECTOR: (usize, &[u8]) = (510, b"\x55\xaa");

#[test]
fn every_format_is_known_by_its_own_mark() {
    for (marks, format) in [
        (&[(82, &b"FAT32   "[..]), BOOT_SECTOR][..], VFAT),
        (&[(54, b"FAT16   "), BOOT_SECTOR], VFAT),
        (&[(54, b"FAT12   "), BOOT_SECTOR], VFAT),
        (&[(3, b"EXFAT   "), BOOT_SECTOR], EXFAT),
        (&[(0x438, b"\x53\xef")], EXT4),
        (&[(3, b"NTFS    "), BOOT_SECTOR], Format::Ntfs),
        (&[(3, b"-FVE-FS-"), BOOT_SECTOR], Format::BitLocker),
        (&[(0, b"LUKS\xba\xbe\x00\x02")], Format::Luks),
        (&[(0, b"XFSB")], Format::Xfs),
        (&[(0x10040, b"_BHRfS_M")], Format::Btrfs),
        (&[(0x400, b"\x10\x20\xf5\xf2")], Format::F2fs),
        (&[(0x400, b"H+\x00\x04")], Format::HfsPlus),
        (&[(0x20, b"NXSB")], Format::Apfs),
        (&[(0x218, b"LVM2 001")], Format::Lvm),
        (&[(0x1000, b"\xfc\x4e\x2b\xa9")], Format::Raid),
        (&[(0xff6, b"SWAPSPACE2")], Format::Swap),
        (&[(0x8001, b"CD001\x01")], Format::Iso9660),
        (&[], Format::Empty),
        (&[(70_000 - 512, b"photo")], Format::Unknown),
        (&[(7, b"noise")], Format::Unknown),
    ] {
        assert_eq!(Format::of(&with(marks)), format, "{marks:?}");
    }
}

#[test]
fn an_empty_boot_sector_is_no_filesystem() {
    assert_eq!(Format::of(&with(&[BOOT_SECTOR])), Format::Unknown);
    let fat = (82, &b"FAT32   "[..]);
    assert_eq!(Format::of(&with(&[fat])), Format::Unknown);
}

#[test]
fn a_partition_table_is_no_filesystem() {
    let table =
        |first: u8, kind: u8| Format::of(&with(&[(446, &[first]), (450, &[kind]), BOOT_SECTOR]));
    for kind in [0x07, 0x0c, 0x83, 0xee] {
        assert_eq!(table(0, kind), Format::Partitions);
        assert_eq!(table(0x80, kind), Format::Partitions);
        // The code of a boot sector is no table.
        assert_eq!(table(0x33, kind), Format::Unknown);
    }
    assert_eq!(table(0x80, 0), Format::Unknown);
}

#[test]
fn an_installers_image_is_named_before_its_partitions() {
    let image = with(&[(0x8001, b"CD001"), (450, &[0x17]), BOOT_SECTOR]);
    assert_eq!(Format::of(&image), Format::Iso9660);
}

#[test]
fn ext4_behind_an_old_fat_boot_sector_is_ext4() {
    let start = with(&[(82, b"FAT32"), (0x438, b"\x53\xef"), BOOT_SECTOR]);
    assert_eq!(Format::of(&start), EXT4);
}

#[test]
fn a_journal_that_waits_is_ext4s_alone() {
    let waits = |marks: &[(usize, &[u8])]| has_unreplayed_journal(&with(marks));
    let magic = (0x438, &b"\x53\xef"[..]);
    assert!(waits(&[magic, (0x460, &[0x46])]));
    assert!(!waits(&[magic, (0x460, &[0x42])]));
    assert!(!waits(&[(0x460, &[0x46])]));
    assert!(!has_unreplayed_journal(&with(&[magic])[..0x460]));
}

#[test]
fn every_format_is_in_the_list_once() {
    for (at, format) in FORMATS.iter().enumerate() {
        let first = FORMATS.iter().position(|other| other == format);
        assert_eq!(first, Some(at));
    }
    for (.., format) in MARKS {
        assert!(FORMATS.contains(&format) && format.title().is_some());
    }
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let _ = (Format::of(&bytes), has_unreplayed_journal(&bytes));
    }

    /// What is cut off is not seen, and nothing else is seen instead.
    #[test]
    fn a_short_volume_is_no_other_format(at in 0..MARKS.len(), length in 0..START) {
        let (mark_at, mark, format) = MARKS[at];
        let start = with(&[(mark_at, mark)]);
        let seen = Format::of(&start[..length]);
        let is_nothing = matches!(seen, Format::Empty | Format::Unknown);
        prop_assert!(seen == format || (is_nothing && length < mark_at + mark.len()));
    }
}

#[test]
fn no_superblock_has_the_kernel_panic() {
    let options = |access| Filesystem::Ext4.mount_options(access);
    assert_eq!(options(Access::ReadOnly), "noload,errors=continue");
    assert_eq!(options(Access::ReadWrite), "errors=remount-ro");
    for filesystem in [Filesystem::Vfat, Filesystem::Exfat] {
        for access in [Access::ReadOnly, Access::ReadWrite] {
            assert_eq!(filesystem.mount_options(access), "");
        }
    }
}
