//! What stayput set out to cost, and whether it keeps to that.

use crate::row::Row;
use crate::subjects::What;

/// The most that the initramfs may grow, in bytes.
const GROWTH: u64 = 1_000_000;
/// The most memory beside scrypt's, in kB.
const MEMORY_KB: u64 = 4096;
/// "Nearly the same time": so many seconds apart at most, which nobody notices
/// at a boot.
const NEARLY: f64 = 0.2;

pub struct Target {
    pub wanted: &'static str,
    pub measured: String,
    pub met: bool,
}

/// What is held against clevis, which has one as well.
pub const ONE_TANG: What = What::Tang {
    servers: 1,
    all: false,
};

/// With Tang, clevis takes so many times as long at least.
const TIMES_CLEVIS: f64 = 20.0;

pub fn judged(rows: &[Row]) -> Vec<Target> {
    let of = |wanted: fn(What) -> bool| rows.iter().filter(move |row| wanted(row.what));
    let with_neighbours = || of(|what| matches!(what, What::Neighbours(_)));
    let with_tang = || of(|what| matches!(what, What::Tang { all: false, .. }));
    let stayput: Vec<&Row> = of(|what| what.image() == "stayput").collect();
    let nothing = rows.iter().find(|row| row.what == What::Nothing);
    let most = |value: fn(&Row) -> u64| stayput.iter().map(|row| value(row)).max();
    let mut targets = Vec::new();
    let median = |wanted: What| {
        let row = rows.iter().find(|row| row.what == wanted)?;
        Some(row.time().median)
    };
    if let (Some(tang), Some(clevis)) = (median(ONE_TANG), median(What::Clevis)) {
        targets.push(Target {
            wanted: "with Tang at most 1/20 of clevis' time",
            measured: format!("1/{:.1}", clevis / tang),
            met: clevis >= tang * TIMES_CLEVIS,
        });
    }
    if let (Some(nothing), Some(size)) = (nothing, most(|row| row.size)) {
        let growth = size.saturating_sub(nothing.size);
        targets.push(Target {
            wanted: "the initramfs grows by at most 1 MB, compressed",
            measured: format!("{:.2} MB", growth as f64 / 1e6),
            met: growth <= GROWTH,
        });
    }
    // Every one has to have been seen at work.
    let seen = stayput.iter().all(|row| row.beside_scrypt_kb().is_some());
    if let Some(beside) = most(|row| row.beside_scrypt_kb().unwrap_or(0)) {
        targets.push(Target {
            wanted: "at most 4 MiB of memory besides scrypt",
            measured: format!("{:.1} MiB", beside as f64 / 1024.0),
            met: seen && beside <= MEMORY_KB,
        });
    }
    let same = [
        (
            "1, 2, 4 and 8 neighbours take nearly the same time: at most 0.2 s apart",
            with_neighbours().collect::<Vec<_>>(),
        ),
        (
            "1, 2, 4 and 8 Tang servers too, half of which have to answer",
            with_tang().collect::<Vec<_>>(),
        ),
    ];
    for (wanted, rows) in same {
        let medians = || rows.iter().map(|row| row.time().median);
        let ends = (medians().reduce(f64::min), medians().reduce(f64::max));
        if let (Some(least), Some(most)) = ends {
            targets.push(Target {
                wanted,
                measured: format!("{least:.2} to {most:.2} s: {:.2} s apart", most - least),
                met: most - least <= NEARLY,
            });
        }
    }
    targets
}

#[cfg(test)]
pub mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measuring::{Boot, Memory};
    use crate::row::SCRYPT_KB;

    /// A row as measured: size, milliseconds to the key, kB the stage held.
    pub fn row(what: What, size: u64, millis: u64, stage_kb: u64) -> Row {
        Row {
            what,
            size,
            files: 3,
            boots: vec![Boot {
                to_the_key: Duration::from_millis(millis),
                in_all: Duration::from_millis(millis),
                own: None,
            }],
            memory: Memory {
                system_kb: stage_kb,
                stage_kb,
            },
        }
    }

    fn met(rows: &[Row]) -> Vec<bool> {
        judged(rows).iter().map(|target| target.met).collect()
    }

    #[test]
    fn a_target_is_met_up_to_its_limit_and_not_beyond() {
        let nothing = || row(What::Nothing, 30_000_000, 200, 0);
        let of = |n, size, millis, kb| row(What::Neighbours(n), size, millis, kb);
        let limit = SCRYPT_KB + MEMORY_KB;
        let just = [
            nothing(),
            of(1, 31_000_000, 1000, limit),
            of(8, 31_000_000, 1200, limit),
        ];
        assert_eq!(met(&just), [true; 3]);
        let beyond = [
            nothing(),
            of(1, 31_000_001, 1000, limit),
            of(8, 31_000_000, 1201, limit + 1),
        ];
        assert_eq!(met(&beyond), [false; 3]);
    }

    #[test]
    fn with_tang_it_takes_a_twentieth_of_clevis_time() {
        let clevis = || row(What::Clevis, 30, 8000, 0);
        let of = |millis, kb| [row(ONE_TANG, 30, millis, kb), clevis()];
        assert_eq!(met(&of(400, MEMORY_KB)), [true; 3]);
        assert_eq!(met(&of(401, MEMORY_KB + 1)), [false, false, true]);
    }

    #[test]
    fn memory_that_was_not_seen_is_not_met() {
        let rows = [
            row(What::Nothing, 30, 1, 0),
            row(What::Neighbours(1), 30, 1, 0),
        ];
        assert_eq!(met(&rows), [true, false, true]);
    }
}
