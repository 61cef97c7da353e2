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
    /// What is known of them.
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
#[path = "event_proof_tests.rs"]
mod tests;
