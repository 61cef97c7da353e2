//! Stores the event log: the newest events in one record, older ones in a ring
//! of records, and a chain of digests through all of them.
//!
//! The boot stage logs without the master key, and can seal nothing then. When
//! the server opens, the chain is sealed with the key, in the same write as the
//! event that says so: from then on no event can be changed, removed or
//! inserted without being noticed. There is only the newest seal: an older one
//! would allow the log to be cut back to it.

use serde::{Deserialize, Serialize};

use super::event::{EventKind, LoggedEvent};
use super::event_chain::{Block, ChainDigest, EVENTS_PER_BLOCK, Seal};
use super::header::Header;
#[cfg(feature = "admin")]
use super::layout::{BLOCK_SIZE, HALF};
use super::layout::{LOG_BLOCKS, LOG_NEWEST, log};
use super::record::{blocks_for, capacity};
use super::{BlockDevice, VaultError, Written, store};
use crate::keys::MasterKey;

/// The record of the newest events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// The newest events.
    pub block: Block,
    /// The log's one seal.
    pub seal: Seal,
}

/// The stored log. A record that cannot be read counts as absent: a damaged log
/// must never keep the owner out.
pub struct EventLog {
    /// The records of the ring, the oldest first.
    pub closed: std::vec::Vec<Block>,
    /// The record of the newest events.
    pub newest: Option<Newest>,
}

/// The index in the ring where the block that begins with this number belongs when
/// it is full.
fn ring_index(first: u64) -> u32 {
    let blocks = first.saturating_sub(1) / EVENTS_PER_BLOCK as u64;
    (blocks % u64::from(LOG_BLOCKS)) as u32
}

fn decode<T: for<'a> Deserialize<'a>>(
    device: &dyn BlockDevice,
    region: super::layout::Region,
) -> Result<Option<T>, VaultError> {
    let payload = store::read(device, region)?;
    Ok(payload.and_then(|payload| postcard::from_bytes(&payload).ok()))
}

fn read_closed(device: &dyn BlockDevice) -> Result<std::vec::Vec<Block>, VaultError> {
    let mut closed = std::vec::Vec::new();
    for index in 0..LOG_BLOCKS {
        let block: Option<Block> = decode(device, log(index))?;
        closed.extend(block.filter(|block| !block.events.is_empty()));
    }
    closed.sort_by_key(Block::first);
    Ok(closed)
}

impl EventLog {
    /// Reads all records of the log.
    ///
    /// # Errors
    /// [`VaultError::Device`], [`VaultError::Newer`].
    pub fn read(device: &dyn BlockDevice) -> Result<Self, VaultError> {
        Ok(Self {
            closed: read_closed(device)?,
            newest: decode(device, LOG_NEWEST)?,
        })
    }

    /// Whether every event that was ever logged is in the newest record: the ring is as a
    /// new vault has it, and nothing in it is damaged.
    ///
    /// # Errors
    /// [`VaultError::Device`].
    #[cfg(feature = "admin")]
    pub fn is_within_newest(device: &dyn BlockDevice) -> Result<bool, VaultError> {
        if decode::<Newest>(device, LOG_NEWEST)?.is_none() {
            return Ok(false);
        }
        let mut block = [0; BLOCK_SIZE];
        for region in (0..LOG_BLOCKS).map(log) {
            for copy in [0, HALF] {
                for at in (region.start + copy..).take(region.blocks as usize) {
                    device.read_block(at, &mut block)?;
                    if block.iter().any(|byte| *byte != 0) {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// The stored events, oldest first.
    pub fn events(self) -> std::vec::Vec<LoggedEvent> {
        let newest = self.newest.map(|newest| newest.block.events);
        let newest = newest.unwrap_or_default();
        let closed = self.closed.into_iter().flat_map(|block| block.events);
        // After a power cut the newest events may be in the ring too. Numbers tell
        // nothing of that: on the disk they can be forged.
        let mut events: std::vec::Vec<LoggedEvent> =
            closed.filter(|event| !newest.contains(event)).collect();
        events.sort_by_key(|event| event.number);
        events.extend(newest);
        events
    }
}

/// The record of the newest events, to which events are appended.
struct Tail {
    newest: Newest,
    /// The number of its first event, by the records before it where that event has
    /// a forged one.
    first: u64,
    /// The full record before it, to be written to the ring at this index.
    full: Option<(u32, Block)>,
}

impl Tail {
    fn read(device: &dyn BlockDevice) -> Result<Self, VaultError> {
        let newest = match decode(device, LOG_NEWEST)? {
            Some(newest) => newest,
            // It was lost: the ring tells the last number.
            None => Newest {
                block: Block::default(),
                seal: Seal::lost(),
            },
        };
        let mut tail = Self {
            first: newest.block.first(),
            newest,
            full: None,
        };
        if tail.newest.block.next().is_none() {
            let mut closed = read_closed(device)?;
            closed.retain(|block| block.next().is_some());
            let before = closed.pop();
            tail.first = before.as_ref().and_then(Block::next).unwrap_or(1);
            if tail.newest.block.events.is_empty()
                && let Some(before) = before
            {
                tail.first = before.first();
                tail.newest.block = before;
            }
        }
        Ok(tail)
    }

    /// The number of the next event.
    fn next(&self) -> u64 {
        self.first + self.newest.block.events.len() as u64
    }

    fn push(&mut self, time: u64, boot_id: [u8; 16], kind: EventKind) {
        let number = self.next();
        let block = &mut self.newest.block;
        let event = LoggedEvent {
            number,
            time,
            boot_id,
            kind,
        };
        if let Err(event) = block.events.push(event) {
            let begun = Block {
                before: block.end(),
                events: [event].into_iter().collect(),
            };
            let full = std::mem::replace(block, begun);
            self.full = Some((ring_index(self.first), full));
            self.first = number;
        }
    }

    /// Whether the log is as it was sealed: otherwise a new seal would hide a
    /// change.
    fn proves(
        &self,
        device: &dyn BlockDevice,
        key: &MasterKey,
        header: &Header,
    ) -> Result<bool, VaultError> {
        let Newest { block, seal } = &self.newest;
        let proven = |value: ChainDigest| seal.proves(key, header, &value);
        if let Some(value) = block.digest_after(seal.number) {
            return Ok(proven(value));
        }
        let closed = read_closed(device)?;
        let sealed = closed
            .iter()
            .find_map(|block| block.digest_after(seal.number));
        Ok(sealed.is_some_and(proven))
    }

    /// Writes the full record to the ring first: after a power cut in between
    /// its events are in both places, and none is lost.
    fn write(&self, device: &mut dyn BlockDevice) -> Result<Written, VaultError> {
        let full = match &self.full {
            Some((index, full)) => write(device, log(*index), full)?,
            None => Written::Twice,
        };
        Ok(full.and(write(device, LOG_NEWEST, &self.newest)?))
    }
}

pub(super) fn write<T: Serialize>(
    device: &mut dyn BlockDevice,
    region: super::layout::Region,
    value: &T,
) -> Result<Written, VaultError> {
    let mut payload = [0; capacity(LOG_NEWEST)];
    let payload = postcard::to_slice(value, &mut payload).expect("the largest record fits");
    debug_assert_eq!(blocks_for(payload.len()), 1);
    store::write(device, region, payload)
}

/// Writes the empty log of a new vault and seals it.
///
/// # Errors
/// [`VaultError::Device`].
pub fn begin(
    device: &mut dyn BlockDevice,
    header: &Header,
    key: &MasterKey,
) -> Result<Written, VaultError> {
    let block = Block::default();
    let seal = Seal::of(key, header, 0, &block.before);
    write(device, LOG_NEWEST, &Newest { block, seal })
}

/// Appends one event. This writes one record, and once in [`EVENTS_PER_BLOCK`]
/// events a second one. With the master key the log is sealed up to the event;
/// where the earlier seal does not hold, [`EventKind::LogNotProven`] is
/// appended first.
///
/// # Errors
/// [`VaultError::Device`], [`VaultError::Newer`].
pub fn append(
    device: &mut dyn BlockDevice,
    sealed_by: Option<(&Header, &MasterKey)>,
    time: u64,
    boot_id: [u8; 16],
    kind: EventKind,
) -> Result<Written, VaultError> {
    let mut tail = Tail::read(device)?;
    if let Some((header, key)) = sealed_by
        && !tail.proves(device, key, header)?
    {
        tail.push(time, boot_id, EventKind::LogNotProven);
    }
    tail.push(time, boot_id, kind);
    if let Some((header, key)) = sealed_by {
        let block = &tail.newest.block;
        tail.newest.seal = Seal::of(key, header, block.last(), &block.end());
    }
    tail.write(device)
}

/// What takes the place of the newest events when the master key is replaced: with one
/// event more, sealed under the key of the next generation. A record that is full then
/// goes to the ring at once, where nobody looks at it before.
///
/// # Errors
/// [`VaultError::Device`], [`VaultError::Newer`].
pub fn under_next_key(
    device: &mut dyn BlockDevice,
    (header, key): (&Header, &MasterKey),
    (next_header, next_key): (&Header, &MasterKey),
    (time, boot_id): (u64, [u8; 16]),
    kind: EventKind,
) -> Result<(Written, std::vec::Vec<u8>), VaultError> {
    let mut tail = Tail::read(device)?;
    if !tail.proves(device, key, header)? {
        tail.push(time, boot_id, EventKind::LogNotProven);
    }
    tail.push(time, boot_id, kind);
    let block = &tail.newest.block;
    tail.newest.seal = Seal::of(next_key, next_header, block.last(), &block.end());
    let written = match &tail.full {
        Some((index, full)) => write(device, log(*index), full)?,
        None => Written::Twice,
    };
    let mut payload = vec![0; capacity(LOG_NEWEST)];
    let length = postcard::to_slice(&tail.newest, &mut payload)
        .expect("the largest record fits")
        .len();
    payload.truncate(length);
    Ok((written, payload))
}

#[cfg(test)]
mod tests {
    use super::super::event::tests::longest;
    use super::super::layout::HALF;
    use super::super::tests::MemoryDevice;
    use super::*;
    use crate::keys::CheckValue;

    fn log_to(device: &mut MemoryDevice, events: usize) {
        for _ in 0..events {
            append(device, None, 0, [0; 16], EventKind::VaultMade).unwrap();
        }
    }

    fn events(device: &MemoryDevice) -> std::vec::Vec<LoggedEvent> {
        EventLog::read(device).unwrap().events()
    }

    #[test]
    fn the_largest_records_fit() {
        let block = Block {
            before: [0xff; 32],
            events: (0..EVENTS_PER_BLOCK).map(|_| longest(u64::MAX)).collect(),
        };
        let seal = Seal {
            number: u64::MAX,
            mac: CheckValue([0xff; 32]),
        };
        let mut payload = [0; capacity(LOG_NEWEST)];
        assert!(postcard::to_slice(&Newest { block, seal }, &mut payload).is_ok());
    }

    #[test]
    fn the_newest_events_are_kept_in_order_when_the_ring_is_full() {
        let mut device = MemoryDevice::default();
        let total = EVENTS_PER_BLOCK * (LOG_BLOCKS as usize + 2) + 3;
        log_to(&mut device, total);
        let events = events(&device);
        assert_eq!(events.last().unwrap().number, total as u64);
        assert!(events.len() >= EVENTS_PER_BLOCK * LOG_BLOCKS as usize);
        assert!(
            events
                .windows(2)
                .all(|pair| pair[0].number + 1 == pair[1].number)
        );
    }

    #[test]
    fn a_damaged_record_costs_its_own_events_only() {
        let mut device = MemoryDevice::default();
        log_to(&mut device, 2 * EVENTS_PER_BLOCK + 5);
        for copy in [0, HALF] {
            device.damage(log(0).start + copy);
        }
        assert_eq!(events(&device).len(), EVENTS_PER_BLOCK + 5);
        for copy in [0, HALF] {
            device.damage(LOG_NEWEST.start + copy);
        }
        assert_eq!(events(&device).len(), EVENTS_PER_BLOCK);
        log_to(&mut device, 1);
        let events = events(&device);
        assert_eq!(events.len(), EVENTS_PER_BLOCK + 1);
        assert_eq!(
            events.last().unwrap().number,
            2 * EVENTS_PER_BLOCK as u64 + 1
        );
    }

    /// Forged are the numbers of the newest events, then of the oldest in the ring.
    #[test]
    fn a_forged_number_drops_no_later_event() {
        for (forged, at) in [(u64::MAX, 0), (u64::MAX, 2), (u64::MAX / 2, 2), (0, 0)] {
            let mut device = MemoryDevice::default();
            log_to(&mut device, EVENTS_PER_BLOCK + 3);
            let mut newest = EventLog::read(&device).unwrap().newest.unwrap();
            newest.block.events[at].number = forged;
            write(&mut device, LOG_NEWEST, &newest).unwrap();
            let mut closed = EventLog::read(&device).unwrap().closed.remove(0);
            closed.events[5].number = forged;
            write(&mut device, log(0), &closed).unwrap();
            log_to(&mut device, 3 * EVENTS_PER_BLOCK);
            let events = events(&device);
            assert_eq!(events.len(), 4 * EVENTS_PER_BLOCK + 3, "{forged}");
            assert_eq!(events.last().unwrap().number, events.len() as u64);
        }
    }

    #[test]
    fn a_forged_record_in_the_ring_is_not_gone_on_from() {
        let mut device = MemoryDevice::default();
        log_to(&mut device, 3);
        let mut forged = EventLog::read(&device).unwrap().newest.unwrap().block;
        for event in &mut forged.events {
            event.number = u64::MAX;
        }
        write(&mut device, log(7), &forged).unwrap();
        for copy in [0, HALF] {
            device.damage(LOG_NEWEST.start + copy);
        }
        log_to(&mut device, 2);
        let numbers = events(&device).into_iter().map(|event| event.number);
        let numbers: std::vec::Vec<u64> = numbers.collect();
        assert_eq!(numbers, [u64::MAX, u64::MAX, u64::MAX, 1, 2]);
    }

    #[test]
    fn an_event_costs_one_record_however_many_there_are() {
        let mut device = MemoryDevice::default();
        log_to(&mut device, EVENTS_PER_BLOCK - 1);
        let writes = |device: &mut MemoryDevice| {
            device.steps.clear();
            log_to(device, 1);
            let steps = device.steps.iter();
            steps
                .filter(|step| matches!(step, super::super::tests::Step::Write(..)))
                .count()
        };
        assert_eq!(writes(&mut device), 2, "two copies");
        assert_eq!(writes(&mut device), 4, "and the ring, once in a while");
        assert_eq!(writes(&mut device), 2);
    }
}
