//! What the bytes of a place show of a vault, whole or begun. Pure; for whoever is
//! about to make a vault there.

use super::layout::{
    Area, BLOCK_SIZE, HALF, HEADER, LOG_BLOCKS, LOG_NEWEST, PEPPER_BLOCKS, POLICY, Region, STATE,
    STICKS, VAULT_BYTES, WAYS, log,
};
use super::record;

/// What is in the first [`VAULT_BYTES`] of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traces {
    /// Zeroes.
    Empty,
    /// A vault: a copy of its header is there, whole or not.
    Vault,
    /// A vault whose making was interrupted before it had a header.
    Begun,
    /// Something else, or too few bytes.
    Foreign,
}

impl Traces {
    /// Of a place that begins with these bytes.
    pub fn of(content: &[u8]) -> Self {
        let Some(content) = content.get(..VAULT_BYTES as usize) else {
            return Self::Foreign;
        };
        if copies(HEADER).any(|at| record::has_mark(HEADER, &content[at])) {
            Self::Vault
        } else if is_blank(content) {
            Self::Empty
        } else if is_begun(content) {
            Self::Begun
        } else {
            Self::Foreign
        }
    }
}

/// Each record of ours has a mark at its place. The peppers are random bytes without
/// one; some record is there while they are.
fn is_begun(content: &[u8]) -> bool {
    let mut rest = content.to_vec();
    let records = [STATE, POLICY, LOG_NEWEST, STICKS, WAYS]
        .into_iter()
        .chain([Area::First, Area::Second].map(Area::slots))
        .chain((0..LOG_BLOCKS).map(log));
    let mut has_record = false;
    for region in records {
        for at in copies(region).filter(|at| record::has_mark(region, &content[at.clone()])) {
            rest[at].fill(0);
            has_record = true;
        }
    }
    for area in [Area::First, Area::Second] {
        let pepper = area.pepper() as usize * BLOCK_SIZE;
        rest[pepper..][..PEPPER_BLOCKS as usize * BLOCK_SIZE].fill(0);
    }
    has_record && is_blank(&rest)
}

/// Where the two copies of a record stand, in bytes.
fn copies(region: Region) -> impl Iterator<Item = std::ops::Range<usize>> {
    [region.start, region.start + HALF]
        .into_iter()
        .map(move |block| {
            let start = block as usize * BLOCK_SIZE;
            start..start + region.bytes()
        })
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;
    use crate::vault::tests::Step;
    use crate::vault::{MemoryDevice, ServerId, SlotTable, Vault};

    fn new_vault_on(disk: MemoryDevice) -> MemoryDevice {
        let (id, name) = (ServerId([7; 16]), "clinic".try_into().unwrap());
        let key = MasterKey::generate();
        let vault = Vault::create(disk, id, name, &key, &SlotTable::default());
        vault.unwrap().into_device()
    }

    /// What is seen of a new vault while it is made on this disk.
    fn seen_on(mut disk: MemoryDevice) -> Vec<Traces> {
        let made = new_vault_on(disk.fresh());
        let mut seen = Vec::new();
        for step in &made.steps {
            // The power goes in the middle of a block, too.
            for bytes in [BLOCK_SIZE / 2, BLOCK_SIZE] {
                disk.take(step, bytes);
                let traces = Traces::of(&disk.bytes);
                assert_ne!(traces, Traces::Foreign, "{:?}", where_to(step));
                if seen.last() != Some(&traces) {
                    seen.push(traces);
                }
            }
        }
        seen
    }

    #[test]
    fn every_moment_of_making_a_vault_is_known_as_ours() {
        use Traces::{Begun, Empty, Vault};
        let empty = MemoryDevice::default();
        assert_eq!(seen_on(empty.clone()), [Empty, Begun, Vault]);
        let with_one = new_vault_on(empty).fresh();
        assert_eq!(seen_on(with_one), [Vault, Begun, Empty, Begun, Vault]);
    }

    fn where_to(step: &Step) -> Option<u32> {
        match step {
            Step::Write(block, _) => Some(*block),
            Step::Flush => None,
        }
    }

    #[test]
    fn bytes_of_somebody_else_are_never_ours() {
        let of = |at: usize, bytes: &[u8]| {
            let mut content = vec![0; VAULT_BYTES as usize];
            content[at..at + bytes.len()].copy_from_slice(bytes);
            Traces::of(&content)
        };
        assert_eq!(of(0, b""), Traces::Empty);
        assert_eq!(of(0, b"GRUB core.img"), Traces::Foreign);
        assert_eq!(of(VAULT_BYTES as usize - 1, b"x"), Traces::Foreign);
        // In the place of a pepper, where no vault was begun.
        let pepper = Area::First.pepper() as usize * BLOCK_SIZE;
        assert_eq!(of(pepper, b"noise"), Traces::Foreign);
        assert_eq!(Traces::of(&[0; 512]), Traces::Foreign);
    }
}
