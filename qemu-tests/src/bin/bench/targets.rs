//! What stayput set out to cost, and whether it keeps to that.

use qemu_tests::Generator;

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

/// So many times as long as with one Tang server takes it with eight, at most.
const TIMES_ONE_TANG: f64 = 1.5;

/// The most that dracut's chain may take longer, in seconds.
const ADDED: f64 = 0.3;

/// What is held against clevis, which has one as well.
pub const ONE_TANG: What = What::Tang {
    servers: 1,
    all: false,
};

/// With Tang, clevis takes so many times as long at least.
const TIMES_CLEVIS: f64 = 20.0;

/// How long dracut's chain is longer than with nothing, with some of stayput's rows: the
/// most of them, in seconds.
fn added(rows: &[Row], which: fn(What) -> bool) -> Option<f64> {
    let nothing = rows.iter().find(|row| row.what == What::Nothing)?;
    let ours = rows.iter().filter(|row| which(row.what));
    let added = ours.map(|row| row.in_all().median - nothing.in_all().median);
    added.reduce(f64::max)
}

/// `rows` are of one generator.
pub fn judged(rows: &[Row]) -> Vec<Target> {
    let of = |wanted: fn(What) -> bool| rows.iter().filter(move |row| wanted(row.what));
    let with_neighbours = || of(|what| matches!(what, What::Neighbours(_)));
    let stayput: Vec<&Row> =
        of(|what| what.image() == "stayput" && !what.waits_for_a_stick()).collect();
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
    let eight = [false, true].map(|all| median(What::Tang { servers: 8, all }));
    if let (Some(one), [Some(half), Some(all)]) = (median(ONE_TANG), eight) {
        targets.push(Target {
            wanted: "8 Tang servers, half or all of them needed, at most 1.5 times one",
            measured: format!("{:.1} and {:.1} times", half / one, all / one),
            met: half.max(all) <= one * TIMES_ONE_TANG,
        });
    }
    let dracut = rows.iter().any(|row| row.generator == Generator::Dracut);
    let tang = added(rows, |what| matches!(what, What::Tang { .. }));
    let neighbours = added(rows, |what| matches!(what, What::Neighbours(_)));
    if let (true, Some(tang), Some(neighbours)) = (dracut, tang, neighbours) {
        targets.push(Target {
            wanted: "at home dracut's chain takes at most 0.3 s longer",
            measured: format!("{tang:.2} s with Tang, {neighbours:.2} s with neighbours"),
            met: tang.max(neighbours) <= ADDED,
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
    let medians = || with_neighbours().map(|row| row.time().median);
    let ends = (medians().reduce(f64::min), medians().reduce(f64::max));
    if let (Some(least), Some(most)) = ends {
        targets.push(Target {
            wanted: "1, 4 and 8 neighbours take nearly the same time: at most 0.2 s apart",
            measured: format!("{least:.2} to {most:.2} s: {:.2} s apart", most - least),
            met: most - least <= NEARLY,
        });
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
            generator: Generator::InitramfsTools,
            what,
            size,
            files: 3,
            boots: vec![Boot {
                to_the_key: Duration::from_millis(millis),
                in_all: Duration::from_millis(millis),
                own: None,
                units: Vec::new(),
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
        assert_eq!(met(&of(400, MEMORY_KB)), [true; 2]);
        assert_eq!(met(&of(401, MEMORY_KB + 1)), [false, false]);
    }

    #[test]
    fn eight_tang_servers_take_half_again_as_long_as_one() {
        let eight = |all, millis| row(What::Tang { servers: 8, all }, 30, millis, 1);
        let of = |half, all| {
            [
                row(ONE_TANG, 30, 200, 1),
                eight(false, half),
                eight(true, all),
            ]
        };
        assert_eq!(met(&of(300, 300)), [true; 2]);
        assert_eq!(met(&of(300, 301)), [false, true]);
        assert_eq!(met(&of(301, 300)), [false, true]);
    }

    #[test]
    fn dracuts_chain_is_held_with_neighbours_and_with_tang() {
        let of = |neighbours, tang| {
            let mut rows = [
                row(What::Nothing, 30, 2000, 0),
                row(What::Neighbours(1), 30, neighbours, SCRYPT_KB + 1),
                row(ONE_TANG, 30, tang, 1),
            ];
            for row in &mut rows {
                row.generator = Generator::Dracut;
            }
            let targets = judged(&rows);
            let chain = targets
                .iter()
                .find(|target| target.wanted.contains("chain"));
            chain.map(|target| target.met)
        };
        assert_eq!(of(2300, 2300), Some(true));
        assert_eq!(of(2301, 2000), Some(false));
        assert_eq!(of(2000, 2301), Some(false));
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
