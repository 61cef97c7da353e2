//! Which filesystem a stick has, by its superblock.

/// Bytes from the start of the device that are looked at.
pub const START: usize = 4096;

/// A filesystem that the boot stage has a driver for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filesystem {
    Vfat,
    /// ext2, ext3 and ext4: one driver reads all of them.
    Ext4,
}

impl Filesystem {
    /// FAT: the boot sector's mark and the type's name (Microsoft FAT
    /// specification, section 3). ext: the magic number at 1080
    /// (Documentation/filesystems/ext4, super block).
    pub fn recognise(start: &[u8; START]) -> Option<Self> {
        if start[1080..1082] == [0x53, 0xef] {
            return Some(Self::Ext4);
        }
        let fat = start[510..512] == [0x55, 0xaa]
            && (start[54..57] == *b"FAT" || start[82..87] == *b"FAT32");
        fat.then_some(Self::Vfat)
    }

    /// As mount(2) names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vfat => "vfat",
            Self::Ext4 => "ext4",
        }
    }

    /// For reading only: ext4 does not replay its journal, and a superblock
    /// that asks for a panic at the first error does not get one.
    pub fn read_only_options(self) -> &'static str {
        match self {
            Self::Vfat => "",
            Self::Ext4 => "noload,errors=continue",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_table_is_no_filesystem() {
        let mut start = [0; START];
        assert_eq!(Filesystem::recognise(&start), None);
        start[510] = 0x55;
        start[511] = 0xaa;
        assert_eq!(Filesystem::recognise(&start), None);
        start[82..87].copy_from_slice(b"FAT32");
        assert_eq!(Filesystem::recognise(&start), Some(Filesystem::Vfat));
        start[1080] = 0x53;
        start[1081] = 0xef;
        assert_eq!(Filesystem::recognise(&start), Some(Filesystem::Ext4));
    }
}
