//! The chapter of docs/performance.md.

use std::fmt::Write;
use std::time::Duration;

use qemu_tests::Computer;

use crate::Run;

/// What it was measured on.
pub struct Around {
    pub computer: Computer,
    /// MariaDB's version.
    pub versions: String,
}

/// Wanted: away for at most this many times as long as a dump is loaded.
const RATIO_MAX: f64 = 1.3;
/// Wanted: what was foretold is off by a third at most.
const FORECAST_OFF: f64 = 1.0 / 3.0;

pub fn chapter(runs: &[Run], around: &Around) -> String {
    let Around { computer, versions } = around;
    let mut out = format!(
        "# How long the database is away\n\n\
         Written by `./qemu-tests/bench away` on {}, words and figures; run it again rather than \
         changing this chapter.\n\n\
         `stayput mariadb enable` stops MariaDB, copies every row into an encrypted server, \
         compares both, waits until all is on the disk, and starts MariaDB behind the gate. Away: \
         from the stop of MariaDB to its first answer. By hand: `mariadb-dump | mariadb` into an \
         encrypted server with the same settings, from the first byte to the last row, nothing \
         compared; \"on the disk\": until that server has ended and its files are synced. Each \
         row is a server of its own.\n\n\
         | rows | tables and indexes | by hand | on the disk | foretold | away | in all, with the \
         rehearsal | away beside by hand | away beside foretold |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        computer.date
    );
    for run in runs {
        let _ = writeln!(
            out,
            "| {:.1} million | {:.2} + {:.2} GB | {} | + {} | {} | {} | {} | {:.2} | {:.2} |",
            run.rows as f64 / 1e6,
            run.data_bytes as f64 / 1e9,
            run.index_bytes as f64 / 1e9,
            seconds(run.by_hand.load),
            seconds(run.by_hand.settle),
            seconds(run.foretold),
            seconds(run.enable.away),
            seconds(run.enable.all),
            run.ratio(),
            run.against_forecast(),
        );
    }
    out.push_str("\n| wanted | measured | |\n|---|---|---|\n");
    let ratios = span(runs.iter().map(Run::ratio));
    target(
        &mut out,
        "away at most 1.3 times as long as by hand",
        ratios,
        ratios.1 <= RATIO_MAX,
    );
    let forecasts = span(runs.iter().map(Run::against_forecast));
    target(
        &mut out,
        "what is foretold is off by a third at most",
        forecasts,
        forecasts.0 >= 1.0 - FORECAST_OFF && forecasts.1 <= 1.0 + FORECAST_OFF,
    );
    let _ = writeln!(
        out,
        "\nOn: {}, {} cores, load {} before the first (0 is a computer without other work); \
         MariaDB {versions} in a container, on ext4 behind a loop device. Nothing is emulated.",
        computer.processor, computer.cores, computer.load,
    );
    out
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn span(figures: impl Iterator<Item = f64>) -> (f64, f64) {
    figures.fold((f64::INFINITY, 0.0), |(least, most), figure| {
        (figure.min(least), figure.max(most))
    })
}

fn target(out: &mut String, wanted: &str, (least, most): (f64, f64), met: bool) {
    let met = if met { "met" } else { "**not met**" };
    let _ = writeln!(out, "| {wanted} | {least:.2} to {most:.2} times | {met} |");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{by_hand, enabling};

    fn run(by_hand: u64, foretold: u64, away: u64) -> Run {
        let of = Duration::from_secs;
        Run {
            gigabytes: 1,
            data_bytes: 1_000_000_000,
            index_bytes: 250_000_000,
            rows: 5_400_000,
            by_hand: by_hand::Took {
                load: of(by_hand),
                settle: of(2),
            },
            foretold: of(foretold),
            rehearsal: of(50),
            enable: enabling::Took {
                all: of(100),
                away: of(away),
            },
        }
    }

    fn page(runs: &[Run]) -> String {
        let computer = Computer {
            date: "2024-02-29".into(),
            processor: "some processor".into(),
            cores: 2,
            load: "0.07".into(),
        };
        let versions = "10.11".into();
        chapter(runs, &Around { computer, versions })
    }

    #[test]
    fn every_run_is_on_the_page_and_the_worst_is_judged() {
        let good = page(&[run(40, 45, 48)]);
        assert!(
            good.contains("| 5.4 million | 1.00 + 0.25 GB | 40.0 s | + 2.0 s | 45.0 s | 48.0 s | 100.0 s | 1.20 | 1.07 |"),
            "{good}"
        );
        assert!(!good.contains("not met"), "{good}");
        let slow = page(&[run(40, 45, 48), run(40, 60, 60)]);
        assert!(
            slow.contains("| 1.20 to 1.50 times | **not met** |"),
            "{slow}"
        );
        let wrong = page(&[run(40, 80, 48)]);
        assert!(
            wrong.contains("| 0.60 to 0.60 times | **not met** |"),
            "{wrong}"
        );
    }
}
