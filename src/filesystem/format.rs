//! What a volume is formatted as, by its first bytes. Pure.

use crate::sys::mount::Access;

/// Bytes from the start of a volume that tell it: the mark of btrfs stands
/// farthest.
pub const START: usize = 17 * 4096;

/// A filesystem that is read and written here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filesystem {
    Vfat,
    Exfat,
    /// ext2, ext3 and ext4: one driver reads all of them.
    Ext4,
}

impl Filesystem {
    /// As mount(2) names it; its kernel module has the same name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vfat => "vfat",
            Self::Exfat => "exfat",
            Self::Ext4 => "ext4",
        }
    }

    /// As people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Vfat => "FAT",
            Self::Exfat => "exFAT",
            Self::Ext4 => "ext4",
        }
    }

    /// What it is mounted with. An ext4 superblock that asks for a panic at the
    /// first error does not get one, and for reading only its journal is not
    /// replayed. FAT and exFAT have no such wish on the disk.
    pub const fn mount_options(self, access: Access) -> &'static str {
        match (self, access) {
            (Self::Vfat | Self::Exfat, _) => "",
            (Self::Ext4, Access::ReadOnly) => "noload,errors=continue",
            (Self::Ext4, Access::ReadWrite) => "errors=remount-ro",
        }
    }
}

/// What a volume holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Known(Filesystem),
    Ntfs,
    BitLocker,
    Luks,
    Xfs,
    Btrfs,
    F2fs,
    HfsPlus,
    Apfs,
    Lvm,
    Raid,
    Swap,
    Iso9660,
    /// A partition table: it is a disk and no volume.
    Partitions,
    /// Zeros.
    Empty,
    Unknown,
}

/// All of them.
pub const FORMATS: [Format; 18] = [
    Format::Known(Filesystem::Vfat),
    Format::Known(Filesystem::Exfat),
    Format::Known(Filesystem::Ext4),
    Format::Ntfs,
    Format::BitLocker,
    Format::Luks,
    Format::Xfs,
    Format::Btrfs,
    Format::F2fs,
    Format::HfsPlus,
    Format::Apfs,
    Format::Lvm,
    Format::Raid,
    Format::Swap,
    Format::Iso9660,
    Format::Partitions,
    Format::Empty,
    Format::Unknown,
];

/// Where each says its name. Whoever formats anew overwrites what stands before
/// his own mark, so those near the start come first. From the makers' documents
/// and from the kernel's Documentation/filesystems.
const MARKS: [(usize, &[u8], Format); 15] = [
    (3, b"NTFS    ", Format::Ntfs),
    (3, b"EXFAT   ", Format::Known(Filesystem::Exfat)),
    (3, b"-FVE-FS-", Format::BitLocker),
    (0, b"LUKS\xba\xbe", Format::Luks),
    (0, b"XFSB", Format::Xfs),
    (0x20, b"NXSB", Format::Apfs),
    (0x218, b"LVM2 001", Format::Lvm),
    (0x400, b"\x10\x20\xf5\xf2", Format::F2fs),
    (0x400, b"H+\x00\x04", Format::HfsPlus),
    (0x400, b"HX\x00\x05", Format::HfsPlus),
    (0x438, b"\x53\xef", Format::Known(Filesystem::Ext4)),
    (0xff6, b"SWAPSPACE2", Format::Swap),
    (0x1000, b"\xfc\x4e\x2b\xa9", Format::Raid),
    (0x10040, b"_BHRfS_M", Format::Btrfs),
    (0x8001, b"CD001", Format::Iso9660),
];

impl Format {
    /// Of a volume that begins with these bytes, [`START`] of them where it has
    /// as many; marks behind their end are not seen.
    pub fn of(start: &[u8]) -> Self {
        let has = |at: usize, mark: &[u8]| start.get(at..at + mark.len()) == Some(mark);
        // The boot sector's mark and the type's name (Microsoft FAT
        // specification, section 3).
        let is_boot_sector = has(510, b"\x55\xaa");
        let mut marks = MARKS.iter();
        if is_boot_sector && (has(54, b"FAT") || has(82, b"FAT32")) && !has(0x438, b"\x53\xef") {
            Self::Known(Filesystem::Vfat)
        } else if let Some((.., format)) = marks.find(|(at, mark, _)| has(*at, mark)) {
            *format
        } else if is_boot_sector && has_partitions(start) {
            Self::Partitions
        } else if start.iter().all(|byte| *byte == 0) {
            Self::Empty
        } else {
            Self::Unknown
        }
    }

    /// The filesystem, if it is one that is read here.
    pub fn filesystem(self) -> Option<Filesystem> {
        match self {
            Self::Known(filesystem) => Some(filesystem),
            _ => None,
        }
    }

    /// As people call it; `None` where there is nothing that has a name.
    pub fn title(self) -> Option<&'static str> {
        Some(match self {
            Self::Known(filesystem) => filesystem.title(),
            Self::Ntfs => "NTFS",
            Self::BitLocker => "BitLocker",
            Self::Luks => "LUKS",
            Self::Xfs => "XFS",
            Self::Btrfs => "btrfs",
            Self::F2fs => "F2FS",
            Self::HfsPlus => "HFS+",
            Self::Apfs => "APFS",
            Self::Lvm => "LVM",
            Self::Raid => "RAID",
            Self::Swap => "swap",
            Self::Iso9660 => "ISO 9660",
            Self::Partitions | Self::Empty | Self::Unknown => return None,
        })
    }
}

/// The table of a master boot record: four entries of 16 bytes that begin with
/// 0x80 or 0 and have the type as their fifth byte; 0 is an empty one.
fn has_partitions(sector: &[u8]) -> bool {
    let Some(table) = sector.get(446..510) else {
        return false;
    };
    let mut entries = table.chunks_exact(16);
    let is_one = |entry: &[u8]| matches!(entry[0], 0 | 0x80);
    entries.clone().all(is_one) && entries.any(|entry| entry[4] != 0)
}

/// Whether these are the first bytes of an ext4 filesystem whose journal holds
/// what its other blocks may lack: the flag `RECOVER` of the superblock
/// (Documentation/filesystems/ext4, super block). One that is mounted has it too.
pub fn has_unreplayed_journal(start: &[u8]) -> bool {
    const RECOVER: u8 = 4;
    let is_ext4 = Format::of(start) == Format::Known(Filesystem::Ext4);
    is_ext4 && start.get(0x460).is_some_and(|flags| flags & RECOVER != 0)
}

#[cfg(test)]
mod tests;
