//! Checks which events of the log are as they were sealed when the server last
//! opened. Pure.
//!
//! The seal proves the chain's digest at one event. From there the chain is
//! followed back through the records. Events that it does not reach are not
//! called whole.

use super::event::EventKind;
use super::event_chain::{Block, ChainDigest, EVENTS_PER_BLOCK};
use super::event_log::{EventLog, Newest};
use super::header::Header;
use super::layout::LOG_BLOCKS;
use crate::keys::MasterKey;

/// What the proof says about some events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "admin", derive(serde::Serialize))]
#[cfg_attr(feature = "admin", serde(rename_all = "snake_case"))]
pub enum ProofStatus {
    /// They are older than what the ring keeps.
    Older,
    /// They are as they were when the server opened after them.
    Whole,
    /// They are not as they were sealed, or the seal was changed.
    Changed,
    /// They should be there and are not.
    Missing,
    /// They are there, but later events that would prove them were changed or
    /// are missing.
    Unlinked,
    /// They were logged since the server last opened, and are not sealed yet.
    NotSealed,
}

/// Consecutive events with the same proof status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "admin", derive(serde::Serialize))]
pub struct EventSpan {
    /// Number of the first event.
    pub from: u64,
    /// Number of the last event.
    pub to: u64,
    /// What the proof says about them.
    pub status: ProofStatus,
}

/// Spans, from the newest event back to the first.
#[derive(Default)]
struct Spans(Vec<EventSpan>);

impl Spans {
    /// Adds the next older events; nothing where `from` is above `to`.
    fn push(&mut self, from: u64, to: u64, status: ProofStatus) {
        match self.0.last_mut() {
            _ if from > to => {}
            Some(newer) if newer.status == status => newer.from = from,
            _ => self.0.push(EventSpan { from, to, status }),
        }
    }

    /// Adds events that the chain proves; returns whether the chain goes on
    /// before them. It ends at [`EventKind::LogNotProven`].
    fn push_whole(&mut self, block: &Block, to: u64) -> bool {
        let events = block.events.iter().rev();
        let mut sealed = events.filter(|event| event.number <= to);
        let Some(noted) = sealed.find(|event| event.kind == EventKind::LogNotProven) else {
            self.push(block.first(), to, ProofStatus::Whole);
            return true;
        };
        self.push(noted.number, to, ProofStatus::Whole);
        self.push(block.first(), noted.number - 1, ProofStatus::Unlinked);
        false
    }
}

/// Whether the numbers of the events are consecutive and start at 1 or later.
fn is_in_order(block: &Block) -> bool {
    let mut numbers = (0..).zip(&block.events);
    block.first() > 0
        && numbers.all(|(at, event)| block.first().checked_add(at) == Some(event.number))
}

/// A part of the stored log, or a gap in it.
enum Piece<'a> {
    There(&'a Block),
    Gap(u64, u64),
}

/// The stored log without overlaps, from the newest event back to the oldest
/// that the ring has room for, and the number of that one.
fn pieces(log: &EventLog) -> (Vec<Piece<'_>>, u64) {
    let newest = log.newest.as_ref().map(|newest| &newest.block);
    let sealed = log.newest.as_ref().map_or(0, |newest| newest.seal.number);
    let closed = log.closed.iter().rev();
    let last = newest.into_iter().chain(closed.clone()).map(Block::last);
    let top = last.chain([sealed]).max().unwrap_or(0);
    let begun = newest.map_or(0, Block::first);
    // After a power cut the newest events may be in the ring too.
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

/// The state of the proof, on the way back from the newest event.
enum Chain {
    /// The seal was not reached yet.
    NotSealed,
    /// The digest that the chain must have after the next older event.
    Reached(ChainDigest),
    /// The chain does not reach any further.
    Broken,
}

/// Proves the log: returns spans for all events from 1 to the newest known one,
/// oldest first. Where the newest record is lost, the last span is one missing
/// event, which may stand for more.
pub fn prove(log: &EventLog, header: &Header, key: &MasterKey) -> Vec<EventSpan> {
    let (pieces, oldest) = pieces(log);
    let mut spans = Spans::default();
    let mut chain = Chain::NotSealed;
    let seal = log.newest.as_ref().map(|Newest { seal, .. }| seal);
    let sealed = seal.map_or(0, |seal| seal.number);
    let proves = |value: &ChainDigest| seal.is_some_and(|seal| seal.proves(key, header, value));
    if seal.is_none() {
        let lost = log.closed.iter().map(Block::last).max().unwrap_or(0);
        let next = lost.saturating_add(1);
        spans.push(next, next, ProofStatus::Missing);
    }
    if sealed == 0 && !proves(&Block::default().before) {
        chain = Chain::Broken;
    }
    for piece in pieces {
        let block = match piece {
            Piece::There(block) => block,
            Piece::Gap(from, to) => {
                spans.push(from, to, ProofStatus::Missing);
                if !matches!(chain, Chain::NotSealed) || sealed >= from {
                    chain = Chain::Broken;
                }
                continue;
            }
        };
        let (first, last) = (block.first(), block.last());
        let (to, holds) = match chain {
            Chain::NotSealed if sealed < first => {
                spans.push(first, last, ProofStatus::NotSealed);
                continue;
            }
            Chain::NotSealed => {
                spans.push(sealed + 1, last, ProofStatus::NotSealed);
                let value = block.digest_after(sealed);
                (sealed, value.is_some_and(|value| proves(&value)))
            }
            Chain::Reached(value) => (last, block.end() == value),
            Chain::Broken => {
                spans.push(first, last, ProofStatus::Unlinked);
                continue;
            }
        };
        chain = Chain::Broken;
        if !holds {
            spans.push(first, to, ProofStatus::Changed);
        } else if spans.push_whole(block, to) {
            chain = Chain::Reached(block.before);
        }
    }
    spans.push(1, oldest - 1, ProofStatus::Older);
    spans.0.reverse();
    spans.0
}

#[cfg(test)]
mod tests;
