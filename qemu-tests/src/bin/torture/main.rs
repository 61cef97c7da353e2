//! Servers of every kind under `stayput mariadb enable`, on each Debian; and `enable`,
//! `backup`, `restore` and `rekey` interrupted at random moments. See `qemu-tests/run`.

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use qemu_tests::torture::{Cut, Finding, Kind, Life, all_servers, groups, try_all};
use qemu_tests::{Result, Suite};

const USAGE: &str = "usage: qemu-tests/run torture [FILTER] [--cuts N] [--disturb N]
                             [--backups N] [--seed S]
  FILTER       only servers whose name or family contains it; \"none\" for none
  --cuts N     kills and power cuts, at random moments (none)
  --disturb N  runs beside which MariaDB or a second run is started (none)
  --backups N  kills and power cuts of backup, restore and rekey (none)
  --seed S     decides about the moments (1)";

/// How many containers run at once.
const AT_ONCE: usize = 2;

struct Wanted {
    filter: String,
    cuts: usize,
    disturbances: usize,
    backups: usize,
    seed: u64,
}

fn main() -> ExitCode {
    let Some(wanted) = wanted(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match torture(&wanted) {
        Ok((passed, 0)) => {
            println!("{passed} passed, 0 failed");
            ExitCode::SUCCESS
        }
        Ok((passed, failed)) => {
            println!("{passed} passed, {failed} failed");
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("torture: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn wanted(mut words: impl Iterator<Item = String>) -> Option<Wanted> {
    let mut wanted = Wanted {
        filter: String::new(),
        cuts: 0,
        disturbances: 0,
        backups: 0,
        seed: 1,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--cuts" => wanted.cuts = words.next()?.parse().ok()?,
            "--disturb" => wanted.disturbances = words.next()?.parse().ok()?,
            "--backups" => wanted.backups = words.next()?.parse().ok()?,
            "--seed" => wanted.seed = words.next()?.parse().ok()?,
            _ if word.starts_with('-') => return None,
            _ => wanted.filter = word,
        }
    }
    Some(wanted)
}

/// How many passed and failed.
fn torture(wanted: &Wanted) -> Result<(usize, usize)> {
    let start = Instant::now();
    let mut servers = all_servers()?;
    servers.retain(|server| {
        server.name.contains(&wanted.filter) || server.family.contains(&wanted.filter)
    });
    let tell = |finding: &Finding| {
        println!(
            "{:>5} s {:<8} {}: {}",
            start.elapsed().as_secs(),
            finding.suite.name(),
            finding.server,
            finding.wrong.as_ref().map_or_else(
                || finding.outcome.clone(),
                |wrong| format!("WRONG: {wrong}")
            )
        );
    };
    let suites = Suite::IN_CONTAINERS.into_iter();
    let all = suites.flat_map(|suite| groups(suite, &servers)).collect();
    let findings = try_all(all, AT_ONCE, &tell);
    let wrong = findings.iter().filter(|f| f.wrong.is_some()).count();
    let mut cuts = Cut::plan(&Kind::CUTS, wanted.cuts, wanted.seed);
    cuts.extend(Cut::plan(
        &Kind::DISTURBANCES,
        wanted.disturbances,
        wanted.seed,
    ));
    let lives = Life::plan(wanted.backups, wanted.seed);
    let count = findings.len() + cuts.len() + lives.len();
    let failed = wrong + interrupt(&cuts, Cut::run, start) + interrupt(&lives, Life::run, start);
    Ok((count - failed, failed))
}

/// How many of them lost something.
fn interrupt<T: Display + Sync>(
    all: &[T],
    run: impl Fn(&T) -> Result<String> + Sync,
    start: Instant,
) -> usize {
    let next = AtomicUsize::new(0);
    let failed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(one).unwrap_or_else(|failure| {
                        failed.fetch_add(1, Ordering::Relaxed);
                        format!("WRONG: {failure}")
                    });
                    println!("{:>5} s {one}: {outcome}", start.elapsed().as_secs());
                }
            });
        }
    });
    failed.into_inner()
}
