//! The chapter of docs/performance.md.

use std::fmt::Write;

use qemu_tests::{Computer, Spread, Timed};

use crate::{Measured, Row};

/// Wanted: at most this many times as long as the bare tools.
const RATIO_MAX: f64 = 1.15;
/// Wanted: at most this much memory beside MariaDB's own tools, in kB.
const MEMORY_MAX: u64 = 32 << 10;

/// What was done, in words.
pub fn what(row: &Row) -> String {
    let done = if row.is_restore { "restore" } else { "backup" };
    format!("{done}, {}", row.method.tool())
}

/// Each row as it is plotted, both ways.
pub fn timed(rows: &[Row]) -> Vec<Timed> {
    let both = |row: &Row| {
        let of = |how: &str, times: &[_]| Timed {
            what: format!("{}: {how}", what(row)),
            times: times.to_vec(),
        };
        [of("bare", &row.bare), of("stayput", &row.ours)]
    };
    rows.iter().flat_map(both).collect()
}

fn ratio(row: &Row) -> f64 {
    spread(&row.ours).median / spread(&row.bare).median
}

fn spread(times: &[std::time::Duration]) -> Spread {
    Spread::of(times.iter().copied())
}

pub fn chapter(measured: &Measured, computer: &Computer) -> String {
    let mut out = format!(
        "# What a backup takes\n\n\
         Written by `./qemu-tests/bench backup` on {}, words and figures; run it again rather than \
         changing this chapter.\n\n\
         {:.1} million rows, {:.2} GB of tables and indexes, encrypted. Bare: `mariadb-backup | zstd` \
         or `mariadb-dump | zstd` into a file, until it is on the disk: not encrypted, not read \
         back. `stayput backup` encrypts, signs, and reads all of it back. A bare restore unpacks \
         the file (and lets mariadb-backup prepare it) into a new encrypted directory, until a \
         server answers there and all is on the disk; a dump is loaded into a server that already \
         runs. `stayput restore` first verifies the whole backup; it counts the rows of each table, \
         and changes the database that is served, until MariaDB answers again. All of it is on one \
         disk. {} of each, one of each in turn: the median, and the least to the most.\n\n\
         ![Backup and restore](backup.svg)\n\n\
         | | bare | | stayput | | beside bare |\n|---|---|---|---|---|---|\n",
        computer.date,
        measured.table_rows as f64 / 1e6,
        measured.database_bytes as f64 / 1e9,
        measured.rows.first().map_or(0, |row| row.bare.len()),
    );
    for row in &measured.rows {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.2} |",
            what(row),
            cells(spread(&row.bare)),
            cells(spread(&row.ours)),
            ratio(row),
        );
    }
    out.push_str("\n| wanted | measured | |\n|---|---|---|\n");
    for row in &measured.rows {
        let ratio = ratio(row);
        let wanted = format!("{}: at most {RATIO_MAX} times the bare tools", what(row));
        target(
            &mut out,
            &wanted,
            &format!("{ratio:.2} times"),
            ratio <= RATIO_MAX,
        );
    }
    let held = measured.memory.together;
    target(
        &mut out,
        "a backup holds at most 32 MiB beside MariaDB's own tools",
        &mebibytes(held),
        (1..=MEMORY_MAX).contains(&held),
    );
    out.push('\n');
    for (method, bare, ours) in &measured.sizes {
        let _ = writeln!(
            out,
            "- {}: the bare file has {:.1} MB, the backup {:.1} MB.",
            method.tool(),
            *bare as f64 / 1e6,
            *ours as f64 / 1e6,
        );
    }
    let each: Vec<String> = measured
        .memory
        .named()
        .map(|(program, most)| format!("{program} {}", mebibytes(most)))
        .collect();
    let _ = writeln!(
        out,
        "- Memory is VmRSS, looked at 50 times a second, shared pages counted in each process: at \
         the most {}.\n\
         - On: {}, {} cores, load {} before the first (0 is a computer without other work); MariaDB \
         {} in a container, on ext4 behind a loop device. Nothing is emulated.",
        each.join(", "),
        computer.processor,
        computer.cores,
        computer.load,
        measured.version,
    );
    out
}

fn cells(of: Spread) -> String {
    format!("{:.1} s | {:.1} to {:.1} s", of.median, of.least, of.most)
}

fn mebibytes(kilobytes: u64) -> String {
    format!("{:.1} MiB", kilobytes as f64 / 1024.0)
}

fn target(out: &mut String, wanted: &str, measured: &str, met: bool) {
    let met = if met { "met" } else { "**not met**" };
    let _ = writeln!(out, "| {wanted} | {measured} | {met} |");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Method;
    use crate::memory::Memory;

    fn page(bare: u64, ours: u64, together: u64) -> String {
        let times = |seconds| vec![Duration::from_secs(seconds)];
        let measured = Measured {
            rows: vec![Row {
                method: Method::Physical,
                is_restore: true,
                bare: times(bare),
                ours: times(ours),
            }],
            sizes: vec![(Method::Physical, 200_000_000, 201_000_000)],
            memory: Memory {
                together,
                each: [together, 0, 0],
            },
            database_bytes: 1_250_000_000,
            table_rows: 6_053_400,
            version: "10.11".into(),
        };
        let computer = Computer {
            date: "2024-02-29".into(),
            processor: "some processor".into(),
            cores: 2,
            load: "0.07".into(),
        };
        chapter(&measured, &computer)
    }

    #[test]
    fn what_is_wanted_is_judged_at_its_limit() {
        let just = page(100, 115, MEMORY_MAX);
        let row = "| restore, mariadb-backup | 100.0 s | 100.0 to 100.0 s | 115.0 s | 115.0 to 115.0 s | 1.15 |";
        assert!(just.contains(row), "{just}");
        assert!(!just.contains("not met"), "{just}");
        let beyond = page(100, 116, MEMORY_MAX + 1);
        assert_eq!(beyond.matches("**not met**").count(), 2, "{beyond}");
    }

    #[test]
    fn memory_that_was_not_seen_is_not_met() {
        assert!(page(1, 1, 0).contains("| 0.0 MiB | **not met** |"));
    }
}
