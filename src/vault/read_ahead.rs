//! Reads all small records with two requests when a vault is opened for reading
//! only. They are most of what a boot reads, and would otherwise take some
//! thirty requests.

use super::BlockDevice;
use super::layout::{BLOCK_SIZE, HALF, SMALL_RECORDS};

/// The small records of each half. A half that cannot be read with one request,
/// because a block is lost, is `None`: its blocks are then read one by one.
#[derive(Default)]
pub struct ReadAhead([Option<Vec<u8>>; 2]);

impl ReadAhead {
    /// Reads them. Not to be used once something is written.
    pub fn of(device: &impl BlockDevice) -> Self {
        Self([0, HALF].map(|start| {
            let mut blocks = vec![0; SMALL_RECORDS as usize * BLOCK_SIZE];
            let read = device.read_blocks(start, &mut blocks);
            read.is_ok().then_some(blocks)
        }))
    }

    /// This many bytes from the beginning of block `start`, where all of them
    /// were read.
    pub fn get(&self, start: u32, bytes: usize) -> Option<&[u8]> {
        let half = self.0.get((start / HALF) as usize)?.as_ref()?;
        let from = (start % HALF) as usize * BLOCK_SIZE;
        half.get(from..from.checked_add(bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::VAULT_BLOCKS;
    use super::super::tests::{FailingDevice, Fails, MemoryDevice};
    use super::*;

    /// Each block says its number, and these are lost.
    fn disk(bad: &[u32]) -> FailingDevice {
        let mut disk = MemoryDevice::default();
        for block in 0..VAULT_BLOCKS {
            disk.write_block(block, &[block as u8; BLOCK_SIZE]).unwrap();
        }
        FailingDevice {
            disk,
            bad: bad.to_vec(),
            fails: Fails::Reading,
        }
    }

    /// The blocks that are at hand, each of which is as on the disk.
    fn at_hand(device: &FailingDevice) -> Vec<u32> {
        let ahead = ReadAhead::of(device);
        let mut block_of_disk = [0; BLOCK_SIZE];
        let is_at_hand = |block: &u32| {
            let Some(bytes) = ahead.get(*block, BLOCK_SIZE) else {
                return false;
            };
            device.read_block(*block, &mut block_of_disk).unwrap();
            assert_eq!(bytes, block_of_disk);
            true
        };
        (0..2 * VAULT_BLOCKS).filter(is_at_hand).collect()
    }

    #[test]
    fn what_is_at_hand_is_what_the_disk_has() {
        let both: Vec<u32> = (0..8).chain(120..128).collect();
        assert_eq!(at_hand(&disk(&[])), both);
    }

    #[test]
    fn a_lost_block_leaves_its_half_to_the_disk() {
        assert_eq!(at_hand(&disk(&[3])), (120..128).collect::<Vec<u32>>());
        assert_eq!(at_hand(&disk(&[127])), (0..8).collect::<Vec<u32>>());
        assert!(at_hand(&disk(&[0, 120])).is_empty());
    }

    #[test]
    fn several_blocks_are_at_hand_only_if_all_are() {
        let ahead = ReadAhead::of(&disk(&[]));
        let last_four = ahead.get(4, 4 * BLOCK_SIZE).unwrap();
        assert_eq!(last_four[3 * BLOCK_SIZE], 7);
        assert!(ahead.get(4, 4 * BLOCK_SIZE + 1).is_none());
        assert!(ahead.get(4, usize::MAX).is_none());
    }
}
