//! Measures what `stayput backup` and `stayput restore` cost beside MariaDB's own tools and
//! zstd, and writes that chapter of docs/performance.md and docs/backup.svg. No machine is
//! emulated: the server is a container on this computer.

mod bare;
mod memory;
mod ours;
mod page;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use memory::Memory;
use qemu_tests::{Computer, Failure, LargeDatabase, Result, minutes, plot, project, put_chapter};

const USAGE: &str = "usage: qemu-tests/bench backup [GIGABYTES]
  GIGABYTES    measure this size, and leave docs alone";

/// Times that each is done, one of each in turn: a computer that is busy for a while is busy
/// for all.
const ROUNDS: usize = 3;

/// How the database is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Its files, by mariadb-backup.
    Physical,
    /// Its contents as SQL, by mariadb-dump.
    Dump,
}

impl Method {
    const ALL: [Self; 2] = [Self::Physical, Self::Dump];

    /// MariaDB's tool.
    pub fn tool(self) -> &'static str {
        match self {
            Self::Physical => "mariadb-backup",
            Self::Dump => "mariadb-dump",
        }
    }

    /// As `stayput backup --method` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Physical => "physical",
            Self::Dump => "dump",
        }
    }
}

/// One thing that was done both ways.
pub struct Row {
    pub method: Method,
    /// Else it was backed up.
    pub is_restore: bool,
    pub bare: Vec<Duration>,
    pub ours: Vec<Duration>,
}

/// All that was measured.
pub struct Measured {
    pub rows: Vec<Row>,
    /// Bytes of a backup, for each method: the bare pipe's and ours.
    pub sizes: Vec<(Method, u64, u64)>,
    /// The most that a backup held beside MariaDB's own tools.
    pub memory: Memory,
    /// Of tables and indexes.
    pub database_bytes: u64,
    pub table_rows: u64,
    /// MariaDB's version.
    pub version: String,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let gigabytes = match &words[..] {
        [] => Ok(None),
        [word] => word.parse().map(Some),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let Ok(gigabytes) = gigabytes else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match compare(gigabytes) {
        Ok(chapter) => {
            println!("{chapter}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("backup_time: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn compare(gigabytes: Option<u64>) -> Result<String> {
    let computer = Computer::seen()?;
    let measured = measure(gigabytes.unwrap_or(1))?;
    let chapter = page::chapter(&measured, &computer);
    if gigabytes.is_none() {
        put_chapter(&chapter)?;
        let svg = plot("Backup and restore", &page::timed(&measured.rows));
        std::fs::write(project().join("docs/backup.svg"), svg)?;
    }
    Ok(chapter)
}

/// Bytes of the files in a directory of the server.
fn bytes_below(server: &LargeDatabase, place: &str) -> Result<u64> {
    let command =
        format!("find {place} -type f -printf '%s\\n' | awk '{{ all += $1 }} END {{ print all }}'");
    let said = server.shell(&command)?.success()?;
    let said = said.trim();
    said.parse()
        .map_err(|_| Failure::new(format!("no size of {place}: {said}")))
}

fn measure(gigabytes: u64) -> Result<Measured> {
    let start = Instant::now();
    let say = |line: &str| println!("{:>5} s {line}", start.elapsed().as_secs());
    say(&format!("{gigabytes} GB of rows are made, and encrypted"));
    let server = LargeDatabase::with_rows(gigabytes)?;
    server.install_backup_programs()?;
    server
        .shell_within(
            "stayput mariadb enable --yes --destroy-original",
            minutes(60),
        )?
        .success()?;
    let [data, index, table_rows] = server.sizes()?;
    let mut measured = Measured {
        rows: Vec::new(),
        sizes: Vec::new(),
        memory: Memory::default(),
        database_bytes: data + index,
        table_rows,
        version: server.sql("SELECT VERSION()")?.trim().into(),
    };
    for is_restore in [false, true] {
        measured.rows.extend(Method::ALL.map(|method| Row {
            method,
            is_restore,
            bare: Vec::new(),
            ours: Vec::new(),
        }));
    }
    for round in 1..=ROUNDS {
        measured.sizes.clear();
        for row in &mut measured.rows {
            let (bare, ours) = match row.is_restore {
                false => {
                    let bare = bare::back_up(&server, row.method)?;
                    let (ours, memory) = ours::back_up(&server, row.method)?;
                    measured.memory = measured.memory.most(memory);
                    let sizes = (bare::size(&server)?, ours::size(&server)?);
                    measured.sizes.push((row.method, sizes.0, sizes.1));
                    (bare, ours)
                }
                true => {
                    let bare = bare::restore(&server, row.method)?;
                    (bare, ours::restore(&server, row.method, table_rows)?)
                }
            };
            say(&format!(
                "round {round} of {ROUNDS}, {}: bare {:.1} s, stayput {:.1} s",
                page::what(row),
                bare.as_secs_f64(),
                ours.as_secs_f64()
            ));
            row.bare.push(bare);
            row.ours.push(ours);
        }
    }
    Ok(measured)
}
