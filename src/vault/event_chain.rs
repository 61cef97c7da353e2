//! The chain of digests through all events, and the one seal that proves it.

use heapless::Vec;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::event::LoggedEvent;
use super::header::Header;
use crate::keys::{CheckValue, MasterKey};

/// Events in one record. The test `the_largest_records_fit` checks the size.
pub const EVENTS_PER_BLOCK: usize = 28;

/// No log comes to more: an event whose number is larger was forged.
const LAST_NUMBER: u64 = u64::MAX / 2;

const SEAL_LABEL: &str = "stayput event log seal v1";

/// A digest of the chain: SHA-256 over the previous digest and an event.
pub type ChainDigest = [u8; 32];

/// Consecutive events, and the chain's digest before the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The digest before the first event; zeroes before the first event of a
    /// vault.
    pub before: ChainDigest,
    /// The events, the oldest first.
    pub events: Vec<LoggedEvent, EVENTS_PER_BLOCK>,
}

/// The seal, which proves the chain up to an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Number of the last sealed event; 0 in a new vault.
    pub number: u64,
    /// HMAC over the digest at that event, under a key derived from the master
    /// key.
    pub mac: CheckValue,
}

fn next_digest(before: ChainDigest, event: &LoggedEvent) -> ChainDigest {
    let mut buffer = [0; 512];
    let bytes = postcard::to_slice(event, &mut buffer).expect("the largest event fits");
    Sha256::new()
        .chain_update(before)
        .chain_update(bytes)
        .finalize()
        .into()
}

impl Block {
    /// Number of the first event; 0 where there is none.
    pub fn first(&self) -> u64 {
        self.events.first().map_or(0, |event| event.number)
    }

    /// Number of the last event; 0 where there is none.
    pub fn last(&self) -> u64 {
        self.events.last().map_or(0, |event| event.number)
    }

    /// The digest after the last event with this number, which may be the event
    /// before this block; `None` where it is not in this block.
    pub fn digest_after(&self, number: u64) -> Option<ChainDigest> {
        if number.checked_add(1) == Some(self.first().max(1)) {
            return Some(self.before);
        }
        let mut value = self.before;
        let mut found = None;
        for event in &self.events {
            value = next_digest(value, event);
            if event.number == number {
                found = Some(value);
            }
        }
        found
    }

    /// The digest after the last event.
    pub fn end(&self) -> ChainDigest {
        self.events.iter().fold(self.before, next_digest)
    }

    /// The number that the event after this block has: by the place of its events,
    /// whatever numbers they have; `None` where the first has none that a log comes
    /// to.
    pub fn next(&self) -> Option<u64> {
        let first = self.first();
        (1..=LAST_NUMBER)
            .contains(&first)
            .then(|| first + self.events.len() as u64)
    }
}

impl Seal {
    fn context(header: &Header, number: u64, value: &ChainDigest) -> [u8; 60] {
        let mut context = [0; 60];
        context[..16].copy_from_slice(&header.server_id.0);
        context[16..20].copy_from_slice(&header.generation.to_le_bytes());
        context[20..28].copy_from_slice(&number.to_le_bytes());
        context[28..].copy_from_slice(value);
        context
    }

    /// Seals the chain that has this digest after event `number`.
    pub fn of(key: &MasterKey, header: &Header, number: u64, value: &ChainDigest) -> Self {
        let context = Self::context(header, number, value);
        let mac = CheckValue::of(&key.derive(SEAL_LABEL), &context);
        Self { number, mac }
    }

    /// Whether the chain had this digest at the last sealed event.
    pub fn proves(&self, key: &MasterKey, header: &Header, value: &ChainDigest) -> bool {
        let context = Self::context(header, self.number, value);
        self.mac.matches(&key.derive(SEAL_LABEL), &context)
    }

    /// A seal in place of one that was lost; it proves nothing.
    pub fn lost() -> Self {
        Self {
            number: 0,
            mac: CheckValue([0; 32]),
        }
    }
}
