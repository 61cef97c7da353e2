//! The event log: what happened at each boot, in a ring of blocks.
//!
//! One block holds a number of events and is written whole, in two copies as
//! every record; when it is full the next block of the ring is begun.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use super::layout::{LOG_BLOCKS, log};
use super::record::{blocks_for, capacity};
use super::{BlockDevice, VaultError, store};
use crate::theft::{Alarm, OnAlarm, ResetCause};

/// Events in one block; `the_largest_block_fits` holds the sizes together.
pub const EVENTS_PER_BLOCK: usize = 28;

/// How many factors of a group answered, of how many enrolled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    pub machine: u8,
    pub machine_of: u8,
    pub place: u8,
    pub place_of: u8,
}

/// Which way opened the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpenedBy {
    /// An enrolled place, by name. The counts are of factors that are as they
    /// were enrolled, known once the vault is open.
    Environment {
        place: String<32>,
        same: Answered,
    },
    Stick {
        label: String<32>,
    },
}

/// Why the boot stage asked for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockedBecause {
    /// Too few factors of the place answered.
    PlaceSilent,
    /// Enough answered, and no permitted combination opened.
    NotRecognised,
    /// The pepper is damaged: only a stick opens.
    PepperDamaged,
    /// A record was changed by somebody without the master key.
    Altered,
    /// The server was reset.
    Reset,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    VaultMade,
    Enrolled {
        place: String<32>,
        factors: Answered,
    },
    Released {
        by: OpenedBy,
        milliseconds: u32,
    },
    Locked {
        because: LockedBecause,
        answered: Answered,
    },
    WrongPin {
        stick: String<32>,
    },
    StickMade {
        stick: String<32>,
    },
    StickVerified {
        stick: String<32>,
    },
    MariadbEnabled,
    /// A boot in a foreign place was counted.
    Strike {
        strikes: u8,
        /// As many as the policy allows.
        of: u8,
    },
    /// The pepper was destroyed. `begun` is the time in the theft state, by
    /// which a boot that finishes a reset knows whether it was noted.
    Reset {
        cause: ResetCause,
        begun: u64,
    },
    /// The limit was reached, and the reset would have destroyed the last way
    /// in.
    ResetWithheld {
        cause: ResetCause,
    },
    /// This server's key files on plugged sticks were destroyed, or not.
    SticksWiped {
        wiped: u8,
        left: u8,
    },
    /// The theft state said armed and nobody with the master key had written
    /// that: it was written anew.
    StateMended,
    /// Policy or list of sticks did not prove; safe settings were put back.
    SettingsMended,
    PolicyChanged,
    /// A reset or damaged vault opens by a place again.
    Rearmed,
    /// The system was started without the keys.
    WentOnLocked,
    /// `stayput release` put the keys into memory.
    ReleasedByHand,
    /// The running server seemed to be carried away.
    WatchAlarm {
        alarm: Alarm,
        /// What the policy wants done about it.
        wanted: OnAlarm,
    },
    /// After an alarm the server was at home for long enough.
    WatchAllClear,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts all events of this vault, from 1.
    pub number: u64,
    /// Seconds since 1970 (UTC), as the machine's clock had it.
    pub time: u64,
    /// The kernel's random id of this boot.
    pub boot_id: [u8; 16],
    pub kind: EventKind,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Block {
    events: Vec<Event, EVENTS_PER_BLOCK>,
}

/// A block that cannot be read counts as empty: a damaged log must never keep
/// the owner out.
fn read_block(device: &dyn BlockDevice, index: u32) -> Result<Block, VaultError> {
    Ok(store::read(device, log(index))?
        .and_then(|payload| postcard::from_bytes(&payload).ok())
        .unwrap_or_default())
}

/// Number of a block's last event; 0 for an empty block.
fn last_number(block: &Block) -> u64 {
    block.events.last().map_or(0, |event| event.number)
}

/// All events that the ring still holds, oldest first.
///
/// # Errors
/// [`VaultError::Device`], [`VaultError::Newer`].
pub fn read(device: &dyn BlockDevice) -> Result<std::vec::Vec<Event>, VaultError> {
    let mut events = std::vec::Vec::new();
    for index in 0..LOG_BLOCKS {
        events.extend(read_block(device, index)?.events);
    }
    events.sort_by_key(|event| event.number);
    Ok(events)
}

/// Wrong PINs since the server last opened: what slows the next one down, in
/// the next boot too.
pub fn wrong_pins(events: &[Event]) -> u32 {
    let since = events
        .iter()
        .rev()
        .take_while(|event| !matches!(event.kind, EventKind::Released { .. }));
    let wrong = since.filter(|event| matches!(event.kind, EventKind::WrongPin { .. }));
    wrong.count().try_into().unwrap_or(u32::MAX)
}

/// Adds one event: one block, in two copies.
///
/// # Errors
/// [`VaultError::Device`], [`VaultError::Newer`].
pub fn append(
    device: &mut dyn BlockDevice,
    time: u64,
    boot_id: [u8; 16],
    kind: EventKind,
) -> Result<(), VaultError> {
    let mut newest = (0, Block::default());
    for index in 0..LOG_BLOCKS {
        let block = read_block(device, index)?;
        if last_number(&block) > last_number(&newest.1) {
            newest = (index, block);
        }
    }
    let (mut index, mut block) = newest;
    let event = Event {
        number: last_number(&block) + 1,
        time,
        boot_id,
        kind,
    };
    if let Err(event) = block.events.push(event) {
        index = (index + 1) % LOG_BLOCKS;
        block = Block::default();
        block.events.extend([event]);
    }
    let mut payload = [0; capacity(log(0))];
    let payload = postcard::to_slice(&block, &mut payload).expect("the largest block fits");
    debug_assert_eq!(blocks_for(payload.len()), 1);
    store::write(device, log(index), payload)
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryDevice;
    use super::*;

    fn longest(number: u64) -> Event {
        Event {
            number,
            time: u64::MAX,
            boot_id: [0xff; 16],
            kind: EventKind::Released {
                by: OpenedBy::Environment {
                    place: "x".repeat(32).as_str().try_into().unwrap(),
                    same: Answered {
                        machine: 255,
                        machine_of: 255,
                        place: 255,
                        place_of: 255,
                    },
                },
                milliseconds: u32::MAX,
            },
        }
    }

    #[test]
    fn wrong_pins_count_until_the_server_opens() {
        let event = |kind| Event {
            number: 1,
            time: 0,
            boot_id: [0; 16],
            kind,
        };
        let wrong = || {
            event(EventKind::WrongPin {
                stick: String::new(),
            })
        };
        let noise = || event(EventKind::PolicyChanged);
        assert_eq!(wrong_pins(&[]), 0);
        assert_eq!(wrong_pins(&[wrong(), noise(), wrong()]), 2);
        assert_eq!(wrong_pins(&[wrong(), longest(2), wrong(), noise()]), 1);
        assert_eq!(wrong_pins(&[wrong(), longest(2)]), 0);
    }

    #[test]
    fn the_largest_block_fits() {
        let block = Block {
            events: (0..EVENTS_PER_BLOCK).map(|_| longest(u64::MAX)).collect(),
        };
        let mut payload = [0; capacity(log(0))];
        assert!(postcard::to_slice(&block, &mut payload).is_ok());
    }

    #[test]
    fn the_newest_events_are_kept_in_order_when_the_ring_is_full() {
        let mut device = MemoryDevice::default();
        let total = EVENTS_PER_BLOCK * (LOG_BLOCKS as usize + 2) + 3;
        for n in 1..=total {
            append(&mut device, n as u64, [0; 16], EventKind::VaultMade).unwrap();
        }
        let events = read(&device).unwrap();
        assert_eq!(events.last().unwrap().number, total as u64);
        assert!(events.len() >= EVENTS_PER_BLOCK * (LOG_BLOCKS as usize - 1));
        assert!(
            events
                .windows(2)
                .all(|pair| pair[0].number + 1 == pair[1].number)
        );
    }

    #[test]
    fn a_damaged_log_block_costs_its_own_events_only() {
        let mut device = MemoryDevice::default();
        for _ in 0..EVENTS_PER_BLOCK + 5 {
            append(&mut device, 0, [0; 16], EventKind::VaultMade).unwrap();
        }
        device.damage(log(0).start);
        device.damage(log(0).start + super::super::layout::HALF);
        assert_eq!(read(&device).unwrap().len(), 5);
        append(&mut device, 0, [0; 16], EventKind::VaultMade).unwrap();
        assert_eq!(read(&device).unwrap().len(), 6);
    }
}
