//! GUID partition tables (UEFI specification 2.10, chapter 5): parses a table
//! with bounds, finds free space in it, adds a partition.

use core::fmt;

use heapless::{String, Vec};

/// Entries in a table, at most; tools write 128.
pub const MAX_ENTRIES: usize = 128;
/// Bytes of one entry. Larger ones are legal, but no tool writes them.
const ENTRY: usize = 128;
/// Bytes of the table of entries.
pub const ENTRIES_BYTES: usize = MAX_ENTRIES * ENTRY;
/// Bytes of a header. The rest of its sector is zero.
const HEADER: usize = 92;
const SIGNATURE: &[u8; 8] = b"EFI PART";
/// "Linux reserved" in the Discoverable Partitions list: no tool formats it.
const TYPE_RESERVED: Guid = Guid([
    0x39, 0x33, 0xa6, 0x8d, 0x07, 0x00, 0xc0, 0x60, 0xc4, 0x36, 0x08, 0x3a, 0xc8, 0x23, 0x09, 0x08,
]);

/// A GUID as it is stored on the disk: 16 bytes, the first three fields
/// little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guid(pub [u8; 16]);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        for (at, byte) in ORDER.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{:02x}", self.0[*byte])?;
        }
        Ok(())
    }
}

/// Why a table cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GptError {
    /// There is no GPT header.
    None,
    /// A checksum or a field is wrong.
    Damaged,
    /// A field has a size that is not supported here.
    Unsupported,
    /// There is no unused entry, or the sectors are not free.
    Full,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry([u8; ENTRY]);

impl Entry {
    fn number(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.0[at..at + 8].try_into().expect("eight bytes"))
    }

    fn guid(&self, at: usize) -> Guid {
        Guid(self.0[at..at + 16].try_into().expect("sixteen bytes"))
    }

    fn used(&self) -> bool {
        self.guid(0) != Guid([0; 16])
    }
}

/// One partition of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// From 1, as the kernel numbers them.
    pub number: u32,
    /// Its unique GUID (PARTUUID).
    pub guid: Guid,
    /// First sector, which is part of it.
    pub first: u64,
    /// Last sector, which is part of it.
    pub last: u64,
}

/// A partition table in memory. Sectors are the disk's logical blocks.
#[derive(Clone)]
pub struct Gpt {
    header: [u8; HEADER],
    entries: Vec<Entry, MAX_ENTRIES>,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Where the entries of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntriesAt {
    /// First sector of the entries.
    pub sector: u64,
    /// Bytes of all entries.
    pub bytes: usize,
}

/// Parses a header sector as far as is needed to read the entries.
///
/// # Errors
/// [`GptError::None`], [`GptError::Damaged`], [`GptError::Unsupported`].
pub fn entries_at(sector: &[u8]) -> Result<EntriesAt, GptError> {
    let header: &[u8; HEADER] = sector.first_chunk().ok_or(GptError::None)?;
    if !header.starts_with(SIGNATURE) {
        return Err(GptError::None);
    }
    if word(header, 12) as usize != HEADER || word(header, 84) as usize != ENTRY {
        return Err(GptError::Unsupported);
    }
    let count = word(header, 80) as usize;
    if count == 0 || count > MAX_ENTRIES {
        return Err(GptError::Unsupported);
    }
    let mut unsummed = *header;
    unsummed[16..20].fill(0);
    if crc32fast::hash(&unsummed) != word(header, 16) {
        return Err(GptError::Damaged);
    }
    Ok(EntriesAt {
        sector: long(header, 72),
        bytes: count * ENTRY,
    })
}

impl Gpt {
    /// Parses a table from its header sector and its entries.
    ///
    /// # Errors
    /// [`GptError::None`], [`GptError::Damaged`] (also where the checksum of
    /// the entries is wrong), [`GptError::Unsupported`].
    pub fn parse(sector: &[u8], entries: &[u8]) -> Result<Self, GptError> {
        let at = entries_at(sector)?;
        let entries = entries.get(..at.bytes).ok_or(GptError::Damaged)?;
        let header: [u8; HEADER] = *sector.first_chunk().ok_or(GptError::None)?;
        if crc32fast::hash(entries) != word(&header, 88) {
            return Err(GptError::Damaged);
        }
        let entries = entries
            .chunks_exact(ENTRY)
            .filter_map(|bytes| Some(Entry(*bytes.first_chunk()?)))
            .collect();
        Ok(Self { header, entries })
    }

    /// The partitions, in the order of the table.
    pub fn partitions(&self) -> impl Iterator<Item = Partition> {
        (1..)
            .zip(&self.entries)
            .filter(|(_, entry)| entry.used())
            .map(|(number, entry)| Partition {
                number,
                guid: entry.guid(16),
                first: entry.number(32),
                last: entry.number(40),
            })
    }

    /// The first and the last sector that partitions may use.
    pub fn usable(&self) -> (u64, u64) {
        (long(&self.header, 40), long(&self.header, 48))
    }

    /// The sector of the other copy of the header.
    pub fn backup_sector(&self) -> u64 {
        long(&self.header, 32)
    }

    /// The first sectors of free ranges of `sectors` sectors that start at a multiple
    /// of `align`, one behind each partition and before the first one.
    pub fn gaps(&self, sectors: u64, align: u64) -> std::vec::Vec<u64> {
        let (first, last) = self.usable();
        let starts = self.partitions();
        let starts = starts.filter_map(|partition| partition.last.checked_add(1));
        let mut starts: std::vec::Vec<u64> = core::iter::once(first)
            .chain(starts)
            .filter_map(|start| start.checked_next_multiple_of(align))
            .collect();
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|start| {
            let end = start.saturating_add(sectors - 1);
            *start >= first && end <= last && self.is_free(*start, end)
        });
        starts
    }

    fn is_free(&self, first: u64, last: u64) -> bool {
        self.partitions()
            .all(|partition| last < partition.first || first > partition.last)
    }

    /// Adds a partition of `sectors` sectors from `first` on; returns its
    /// number.
    ///
    /// # Errors
    /// [`GptError::Full`].
    pub fn add(
        &mut self,
        name: &str,
        guid: Guid,
        first: u64,
        sectors: u64,
    ) -> Result<u32, GptError> {
        let last = first.saturating_add(sectors).saturating_sub(1);
        let free = self.is_free(first, last);
        let at = self.entries.iter().position(|entry| !entry.used());
        let at = at.filter(|_| free).ok_or(GptError::Full)?;
        let entry = &mut self.entries[at].0;
        entry.fill(0);
        entry[..16].copy_from_slice(&TYPE_RESERVED.0);
        entry[16..32].copy_from_slice(&guid.0);
        entry[32..40].copy_from_slice(&first.to_le_bytes());
        entry[40..48].copy_from_slice(&last.to_le_bytes());
        for (into, from) in entry[56..].chunks_exact_mut(2).zip(name.encode_utf16()) {
            into.copy_from_slice(&from.to_le_bytes());
        }
        Ok(at as u32 + 1)
    }

    /// The bytes of all entries.
    pub fn entries(&self) -> std::vec::Vec<u8> {
        self.entries.iter().flat_map(|entry| entry.0).collect()
    }

    /// The primary header.
    pub fn primary_header(&self) -> [u8; HEADER] {
        let at = EntriesAt {
            sector: long(&self.header, 72),
            bytes: 0,
        };
        self.header_at(long(&self.header, 24), self.backup_sector(), at.sector)
    }

    /// The backup header, whose entries are at `entries_sector`.
    pub fn backup_header(&self, entries_sector: u64) -> [u8; HEADER] {
        self.header_at(self.backup_sector(), long(&self.header, 24), entries_sector)
    }

    fn header_at(&self, own: u64, other: u64, entries_sector: u64) -> [u8; HEADER] {
        let mut header = self.header;
        header[24..32].copy_from_slice(&own.to_le_bytes());
        header[32..40].copy_from_slice(&other.to_le_bytes());
        header[72..80].copy_from_slice(&entries_sector.to_le_bytes());
        header[88..92].copy_from_slice(&crc32fast::hash(&self.entries()).to_le_bytes());
        header[16..20].fill(0);
        let sum = crc32fast::hash(&header);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        header
    }
}

/// Whether a master boot record is the protective one of a plain GPT disk: one
/// partition of type 0xEE and no other. A hybrid one is not.
pub fn is_protective(mbr: &[u8]) -> bool {
    let Some(mbr) = mbr.first_chunk::<512>() else {
        return false;
    };
    let types: [u8; 4] = core::array::from_fn(|at| mbr[446 + 16 * at + 4]);
    mbr[510..] == [0x55, 0xaa]
        && types.iter().filter(|kind| **kind == 0xee).count() == 1
        && types.iter().filter(|kind| **kind == 0).count() == 3
}

/// The kernel's id of a partition on a disk without GPT: the disk's signature
/// and the number of the partition, `1a2b3c4d-01`. `None` where the disk has no
/// signature.
pub fn mbr_partition_id(mbr: &[u8], number: u32) -> Option<String<36>> {
    let mbr = mbr.first_chunk::<512>()?;
    let signature = word(mbr, 440);
    if mbr[510..] != [0x55, 0xaa] || signature == 0 {
        return None;
    }
    let mut id = String::new();
    fmt::write(&mut id, format_args!("{signature:08x}-{number:02x}")).ok()?;
    Some(id)
}

#[cfg(test)]
mod tests;
