//! What of the event log is as it was when the server last opened. Pure.
//!
//! The seal proves the chain's value at one event; from there the chain is
//! followed back through the records. What it does not reach any more is not
//! called whole, whatever stands there.

use super::event::EventKind;
use super::event_log::{Block, EVENTS_PER_BLOCK, EventLog, Link, Newest};
use super::header::Header;
use super::layout::LOG_BLOCKS;
use crate::keys::MasterKey;

/// How much is known of some events in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "admin", derive(serde::Serialize))]
#[cfg_attr(feature = "admin", serde(rename_all = "kebab-case"))]
pub enum Standing {
    /// The ring has dropped them, as it does with what is old.
    Older,
    /// As they were when the server opened after them.
    Whole,
    /// Not as they were sealed, or the seal itself is not.
    Changed,
    /// They should be there and are not.
    Missing,
    /// They are there; what would prove them was changed, or is missing.
    Unlinked,
    /// Logged since the server last opened: nobody could seal them yet.
    NotSealed,
}

/// Events in a row of which the same is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "admin", derive(serde::Serialize))]
pub struct Span {
    /// Number of the first one.
    pub from: u64,
    /// Number of the last one.
    pub to: u64,
    pub standing: Standing,
}

/// Spans, found from the newest event back to the first.
#[derive(Default)]
struct Spans(Vec<Span>);

impl Spans {
    /// The next older ones; nothing where there are none.
    fn push(&mut self, from: u64, to: u64, standing: Standing) {
        match self.0.last_mut() {
            _ if from > to => {}
            Some(newer) if newer.standing == standing => newer.from = from,
            _ => self.0.push(Span { from, to, standing }),
        }
    }

    /// Events that the chain reaches; returns whether it goes on. It ends where
    /// the log before was sealed although it did not prove.
    fn push_whole(&mut self, block: &Block, to: u64) -> bool {
        let events = block.events.iter().rev();
        let mut sealed = events.filter(|event| event.number <= to);
        let Some(noted) = sealed.find(|event| event.kind == EventKind::LogNotProven) else {
            self.push(block.first(), to, Standing::Whole);
            return true;
        };
        self.push(noted.number, to, Standing::Whole);
        self.push(block.first(), noted.number - 1, Standing::Unlinked);
        false
    }
}

/// Whether its events are numbered one after the other, from 1 at the least.
fn is_in_order(block: &Block) -> bool {
    let mut numbers = (0..).zip(&block.events);
    block.first() > 0
        && numbers.all(|(at, event)| block.first().checked_add(at) == Some(event.number))
}

/// What stands on the disk for some events, newest first.
enum Piece<'a> {
    There(&'a Block),
    Gap(u64, u64),
}

/// The kept part of the log without overlaps, from the newest event back to the
/// oldest one that the ring has room for; and the number of that one.
fn pieces(log: &EventLog) -> (Vec<Piece<'_>>, u64) {
    let newest = log.newest.as_ref().map(|newest| &newest.block);
    let sealed = log.newest.as_ref().map_or(0, |newest| newest.seal.number);
    let closed = log.closed.iter().rev();
    let last = newest.into_iter().chain(closed.clone()).map(Block::last);
    let top = last.chain([sealed]).max().unwrap_or(0);
    let begun = newest.map_or(0, Block::first);
    // After a power cut the newest ones may stand in the ring already.
    let twice = closed.clone().any(|block| block.first() == begun);
    let blocks = u64::from(LOG_BLOCKS) - u64::from(twice);
    let oldest = begun
        .saturating_sub(blocks * EVENTS_PER_BLOCK as u64)
        .max(1);

    let mut pieces = Vec::new();
    let mut to = top;
    let blocks = newest.into_iter().chain(closed);
    for block in blocks.filter(|block| is_in_order(block)) {
        let (first, last) = (block.first(), block.last());
        if last > to || last < oldest {
            continue;
        }
        if last < to {
            pieces.push(Piece::Gap(last + 1, to));
        }
        pieces.push(Piece::There(block));
        to = first - 1;
    }
    if to >= oldest {
        pieces.push(Piece::Gap(oldest, to));
        to = oldest - 1;
    }
    (pieces, to + 1)
}

/// How far the proof has come, on the way back from the newest event.
enum Chain {
    /// Newer than the seal.
    NotSealed,
    /// The value that the chain must have after the next older event.
    Reached(Link),
    Broken,
}

/// All events from 1 to the newest one that is known of, oldest first. Where
/// the newest record is lost, the last span is one missing event that may
/// stand for more.
pub fn prove(log: &EventLog, header: &Header, key: &MasterKey) -> Vec<Span> {
    let (pieces, oldest) = pieces(log);
    let mut spans = Spans::default();
    let mut chain = Chain::NotSealed;
    let seal = log.newest.as_ref().map(|Newest { seal, .. }| seal);
    let sealed = seal.map_or(0, |seal| seal.number);
    let proves = |value: &Link| seal.is_some_and(|seal| seal.proves(key, header, value));
    if seal.is_none() {
        let lost = log.closed.iter().map(Block::last).max().unwrap_or(0);
        let next = lost.saturating_add(1);
        spans.push(next, next, Standing::Missing);
    }
    if sealed == 0 && !proves(&Block::default().before) {
        chain = Chain::Broken;
    }
    for piece in pieces {
        let block = match piece {
            Piece::There(block) => block,
            Piece::Gap(from, to) => {
                spans.push(from, to, Standing::Missing);
                if !matches!(chain, Chain::NotSealed) || sealed >= from {
                    chain = Chain::Broken;
                }
                continue;
            }
        };
        let (first, last) = (block.first(), block.last());
        let (to, holds) = match chain {
            Chain::NotSealed if sealed < first => {
                spans.push(first, last, Standing::NotSealed);
                continue;
            }
            Chain::NotSealed => {
                spans.push(sealed + 1, last, Standing::NotSealed);
                let value = block.link_after(sealed);
                (sealed, value.is_some_and(|value| proves(&value)))
            }
            Chain::Reached(value) => (last, block.end() == value),
            Chain::Broken => {
                spans.push(first, last, Standing::Unlinked);
                continue;
            }
        };
        chain = Chain::Broken;
        if !holds {
            spans.push(first, to, Standing::Changed);
        } else if spans.push_whole(block, to) {
            chain = Chain::Reached(block.before);
        }
    }
    spans.push(1, oldest - 1, Standing::Older);
    spans.0.reverse();
    spans.0
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryDevice;
    use super::super::replay::made;
    use super::super::{BlockDevice, HALF, Vault, VaultError, layout};
    use super::*;
    use Standing::*;

    const BLOCK: u64 = EVENTS_PER_BLOCK as u64;

    fn log_to(vault: &mut Vault<MemoryDevice>, key: Option<&MasterKey>, events: u64) {
        for _ in 0..events {
            let kind = EventKind::PolicyChanged;
            match key {
                Some(key) => vault.append_sealed(key, 7, [1; 16], kind),
                None => vault.append(7, [1; 16], kind),
            }
            .unwrap();
        }
    }

    fn spans(vault: &Vault<MemoryDevice>, key: &MasterKey) -> Vec<(u64, u64, Standing)> {
        let spans = vault.prove_events(key).unwrap();
        let spans = spans.into_iter();
        spans
            .map(|span| (span.from, span.to, span.standing))
            .collect()
    }

    /// A vault with so many events, all sealed but the last ones.
    fn logged(sealed: u64, since: u64) -> (MasterKey, Vault<MemoryDevice>) {
        let (key, device) = made();
        let mut vault = Vault::open(device).unwrap();
        log_to(&mut vault, Some(&key), sealed);
        log_to(&mut vault, None, since);
        (key, vault)
    }

    /// Writes this over the record of a region, as whoever has the disk can.
    fn forge<T: serde::Serialize>(
        vault: &mut Vault<MemoryDevice>,
        region: layout::Region,
        value: &T,
    ) {
        super::super::event_log::write(&mut vault.device, region, value).unwrap();
    }

    fn newest(vault: &Vault<MemoryDevice>) -> Newest {
        EventLog::read(&vault.device).unwrap().newest.unwrap()
    }

    #[test]
    fn what_was_logged_before_the_last_unlock_is_whole_and_what_came_later_is_not_sealed() {
        let (key, vault) = logged(3, 0);
        assert_eq!(spans(&vault, &key), [(1, 3, Whole)]);
        let (key, vault) = logged(3, 2);
        assert_eq!(spans(&vault, &key), [(1, 3, Whole), (4, 5, NotSealed)]);
        assert_eq!(vault.events_sealed(), Ok(3));
        // Over the edge of a record, and a new vault.
        for (sealed, since) in [(BLOCK, 1), (BLOCK - 1, 2), (1, 3 * BLOCK), (60, 70)] {
            let (key, vault) = logged(sealed, since);
            let all = sealed + since;
            let expected = [(1, sealed, Whole), (sealed + 1, all, NotSealed)];
            assert_eq!(spans(&vault, &key), expected);
        }
        let (key, vault) = logged(0, 2);
        assert_eq!(spans(&vault, &key), [(1, 2, NotSealed)]);
        let (key, vault) = logged(0, 0);
        assert_eq!(spans(&vault, &key), []);
    }

    #[test]
    fn what_the_ring_has_dropped_is_older_and_not_missing() {
        let blocks = u64::from(LOG_BLOCKS);
        for extra in [0, 1, 5, BLOCK - 1, BLOCK, BLOCK + 1] {
            let all = (blocks + 1) * BLOCK + extra;
            let (key, vault) = logged(all, 0);
            let found = spans(&vault, &key);
            let kept = all - (all - 1) % BLOCK - blocks * BLOCK;
            let mut expected = vec![(kept, all, Whole)];
            if kept > 1 {
                expected.insert(0, (1, kept - 1, Older));
            }
            assert_eq!(found, expected, "{all} events");
        }
    }

    #[test]
    fn an_edited_event_is_found_and_nothing_older_is_called_whole() {
        let (key, mut vault) = logged(3 * BLOCK + 5, 2);
        let mut forged = newest(&vault);
        forged.block.events[1].time += 1;
        forge(&mut vault, layout::LOG_NEWEST, &forged);
        let (edge, last) = (3 * BLOCK, 3 * BLOCK + 5);
        let changed = (edge + 1, last, Changed);
        let later = (last + 1, last + 2, NotSealed);
        assert_eq!(spans(&vault, &key), [(1, edge, Unlinked), changed, later]);

        let (key, mut vault) = logged(3 * BLOCK + 5, 0);
        let mut block = EventLog::read(&vault.device).unwrap().closed.remove(1);
        block.events[4].kind = EventKind::VaultMade;
        forge(&mut vault, layout::log(1), &block);
        let expected = [
            (1, BLOCK, Unlinked),
            (BLOCK + 1, 2 * BLOCK, Changed),
            (2 * BLOCK + 1, last, Whole),
        ];
        assert_eq!(spans(&vault, &key), expected);
    }

    #[test]
    fn a_log_that_was_cut_back_to_an_earlier_unlock_is_not_whole() {
        let (key, mut vault) = logged(BLOCK + 9, 0);
        // The last four taken away, the seal left.
        let mut forged = newest(&vault);
        forged.block.events.truncate(5);
        forge(&mut vault, layout::LOG_NEWEST, &forged);
        let cut = BLOCK + 5;
        let missing = (cut + 1, cut + 4, Missing);
        assert_eq!(spans(&vault, &key), [(1, cut, Unlinked), missing]);
        // And the seal said to be older: no seal for that stands anywhere.
        forged.seal.number = cut;
        forge(&mut vault, layout::LOG_NEWEST, &forged);
        let expected = [(1, BLOCK, Unlinked), (BLOCK + 1, cut, Changed)];
        assert_eq!(spans(&vault, &key), expected);
        // And the whole record taken away.
        for copy in [0, HALF] {
            vault.device.damage(layout::LOG_NEWEST.start + copy);
        }
        let missing = (BLOCK + 1, BLOCK + 1, Missing);
        assert_eq!(spans(&vault, &key), [(1, BLOCK, Unlinked), missing]);
    }

    #[test]
    fn a_record_that_is_gone_from_the_ring_is_a_gap() {
        let (key, mut vault) = logged(3 * BLOCK + 5, 0);
        for copy in [0, HALF] {
            vault.device.damage(layout::log(1).start + copy);
        }
        let expected = [
            (1, BLOCK, Unlinked),
            (BLOCK + 1, 2 * BLOCK, Missing),
            (2 * BLOCK + 1, 3 * BLOCK + 5, Whole),
        ];
        assert_eq!(spans(&vault, &key), expected);
    }

    #[test]
    fn the_next_unlock_does_not_hide_what_was_changed() {
        let (key, mut vault) = logged(9, 2);
        let mut forged = newest(&vault);
        forged.block.events[1].time += 1;
        forge(&mut vault, layout::LOG_NEWEST, &forged);
        log_to(&mut vault, Some(&key), 1);
        let events = vault.events().unwrap();
        assert_eq!(events[11].kind, EventKind::LogNotProven);
        let expected = [(1, 11, Unlinked), (12, 13, Whole)];
        assert_eq!(spans(&vault, &key), expected);
        // It is said once.
        log_to(&mut vault, Some(&key), 1);
        assert_eq!(spans(&vault, &key), [(1, 11, Unlinked), (12, 14, Whole)]);
        assert_eq!(vault.events().unwrap().len(), 14);
    }

    #[test]
    fn the_log_of_another_server_proves_nothing_here() {
        let (key, mut vault) = logged(9, 0);
        let (_, foreign) = logged(4, 0);
        for copy in [0, HALF] {
            let block = layout::LOG_NEWEST.start + copy;
            let mut bytes = [0; layout::BLOCK_SIZE];
            foreign.device.read_block(block, &mut bytes).unwrap();
            vault.device.write_block(block, &bytes).unwrap();
        }
        assert_eq!(spans(&vault, &key), [(1, 4, Changed)]);
    }

    #[test]
    fn an_earlier_copy_of_the_newest_record_is_believed() {
        let (key, mut vault) = logged(9, 0);
        let earlier = newest(&vault);
        log_to(&mut vault, Some(&key), 3);
        forge(&mut vault, layout::LOG_NEWEST, &earlier);
        assert_eq!(spans(&vault, &key), [(1, 9, Whole)], "as threats.md says");
    }

    #[test]
    fn sealing_needs_the_master_key() {
        let (_, mut vault) = logged(1, 0);
        let foreign = MasterKey::generate();
        let refused = vault.append_sealed(&foreign, 0, [0; 16], EventKind::VaultMade);
        assert_eq!(refused, Err(VaultError::WrongKey));
        assert_eq!(vault.prove_events(&foreign), Err(VaultError::WrongKey));
        assert_eq!(vault.events().unwrap().len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn foreign_numbers_never_panic(
            numbers in proptest::collection::vec(proptest::prelude::any::<u64>(), 0..6),
            near in proptest::collection::vec(0u64..70, 0..6),
            sealed: u64,
            hit in 0u64..70,
        ) {
            let (key, mut vault) = logged(1, 0);
            let event = vault.events().unwrap().remove(0);
            let block = |numbers: &[u64]| {
                let mut block = Block::default();
                for number in numbers {
                    let _ = block.events.push(super::super::Event { number: *number, ..event.clone() });
                }
                block
            };
            for (index, numbers) in [&numbers, &near].into_iter().enumerate() {
                forge(&mut vault, layout::log(index as u32), &block(numbers));
            }
            for number in [sealed, hit] {
                let mut forged = newest(&vault);
                forged.block = block(if number == hit { &numbers } else { &near });
                forged.seal.number = number;
                forge(&mut vault, layout::LOG_NEWEST, &forged);
                let _ = vault.prove_events(&key).unwrap();
                vault.append_sealed(&key, 0, [0; 16], EventKind::VaultMade).unwrap();
                let _ = vault.prove_events(&key).unwrap();
            }
        }
    }
}
