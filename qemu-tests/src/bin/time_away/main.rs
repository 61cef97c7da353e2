//! Measures for how long `stayput mariadb enable` takes a database away,
//! beside `mariadb-dump | mariadb` into an encrypted server with the same
//! settings, and writes that chapter of docs/performance.md. No machine is
//! emulated: the server is a container on this computer.

mod by_hand;
mod enabling;
mod page;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use qemu_tests::{Computer, LargeDatabase, Result, put_chapter};

const USAGE: &str = "usage: qemu-tests/bench away [GIGABYTES ...]
  GIGABYTES    measure these sizes only, and leave docs/performance.md alone";

/// Gigabytes of rows.
const SIZES: [u64; 2] = [1, 5];

/// What was measured of one server.
pub struct Run {
    pub gigabytes: u64,
    /// Of its tables, as InnoDB counts them.
    pub data_bytes: u64,
    pub index_bytes: u64,
    pub rows: u64,
    pub by_hand: by_hand::Took,
    pub foretold: Duration,
    pub rehearsal: Duration,
    pub enable: enabling::Took,
}

impl Run {
    /// How many times as long as a dump that is loaded the database is away.
    pub fn ratio(&self) -> f64 {
        self.enable.away.as_secs_f64() / self.by_hand.load.as_secs_f64()
    }

    /// How many times as long as foretold.
    pub fn against_forecast(&self) -> f64 {
        self.enable.away.as_secs_f64() / self.foretold.as_secs_f64()
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let sizes: Option<Vec<u64>> = words.iter().map(|word| word.parse().ok()).collect();
    let Some(sizes) = sizes else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let all = match sizes.is_empty() {
        true => measure_all(&SIZES).and_then(|(computer, runs)| {
            put_chapter(&page::chapter(&runs, &computer)).map(|()| (computer, runs))
        }),
        false => measure_all(&sizes),
    };
    match all {
        Ok((computer, runs)) => {
            println!("{}", page::chapter(&runs, &computer));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("time_away: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all(sizes: &[u64]) -> Result<(page::Around, Vec<Run>)> {
    let computer = Computer::seen()?;
    let start = Instant::now();
    let mut runs = Vec::new();
    let mut versions = String::new();
    for gigabytes in sizes {
        let mut say = |line: &str| println!("{:>5} s {line}", start.elapsed().as_secs());
        let (run, version) = measure(*gigabytes, &mut say)?;
        versions = version;
        runs.push(run);
    }
    Ok((page::Around { computer, versions }, runs))
}

fn measure(gigabytes: u64, say: &mut dyn FnMut(&str)) -> Result<(Run, String)> {
    say(&format!("{gigabytes} GB of rows are made"));
    let server = LargeDatabase::with_rows(gigabytes)?;
    let [data_bytes, index_bytes, rows] = server.sizes()?;
    say("enable --dry-run");
    let rehearsed = enabling::rehearse(&server)?;
    say(&format!(
        "it took {:.1} s, and foretells {} s",
        rehearsed.took.as_secs_f64(),
        rehearsed.foretold.as_secs()
    ));
    say("mariadb-dump | mariadb");
    let by_hand = by_hand::load(&server, &rehearsed.settings)?;
    say(&format!(
        "dumped and loaded in {:.1} s, on the disk {:.1} s later",
        by_hand.load.as_secs_f64(),
        by_hand.settle.as_secs_f64()
    ));
    say("enable");
    let enable = enabling::enable(&server, say)?;
    say(&format!(
        "away for {:.1} s, {:.1} s in all",
        enable.away.as_secs_f64(),
        enable.all.as_secs_f64()
    ));
    assert_eq!(server.sizes()?[2], rows, "every row is there");
    let run = Run {
        gigabytes,
        data_bytes,
        index_bytes,
        rows,
        by_hand,
        foretold: rehearsed.foretold,
        rehearsal: rehearsed.took,
        enable,
    };
    Ok((run, server.sql("SELECT VERSION()")?.trim().into()))
}
