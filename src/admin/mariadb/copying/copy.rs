//! From the old server into the new one, through memory alone: no dump file.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::admin::{Problem, Result};

use super::floats::{FloatTable, READ_SESSION, SESSION};
use super::private::PrivateServer;

const CHUNK: usize = 1 << 20;

/// How often progress is told.
const EVERY: Duration = Duration::from_secs(2);

/// What every dump is told.
const DUMP: [&str; 9] = [
    "--all-databases",
    "--hex-blob",
    "--quick",
    "--dump-history",
    "--skip-lock-tables",
    "--skip-dump-date",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
    "--net-buffer-length=1M",
];

/// Copies everything: databases, tables, accounts, routines, events, views,
/// sequences and the history of system-versioned tables; then the rows that a
/// dump would change; then the triggers, which must not fire before.
/// `progress` gets the bytes copied so far.
///
/// # Errors
/// When either side fails; with its own words.
pub fn copy(old: &PrivateServer, new: &PrivateServer, mut progress: impl FnMut(u64)) -> Result<()> {
    let dump = || {
        let mut dump = old.client("mariadb-dump");
        dump.args(DUMP);
        dump
    };
    let floats = FloatTable::all(old)?;
    let mut everything = dump();
    everything
        .args(["--routines", "--events", "--skip-triggers"])
        .args(floats.iter().map(FloatTable::ignore));
    let mut copied = 0;
    pipe(everything, b"", new, &mut copied, &mut progress)?;
    for table in &floats {
        let mut rows = old.client("mariadb");
        rows.args(["--batch", "--raw", "--skip-column-names", "--quick"])
            .args(["--default-character-set=utf8mb4", "--max-allowed-packet=1G"])
            .arg(format!("--init-command={READ_SESSION}"))
            .arg(format!("--execute={}", table.query()));
        pipe(rows, SESSION.as_bytes(), new, &mut copied, &mut progress)?;
    }
    let mut triggers = dump();
    triggers.args([
        "--no-create-info",
        "--no-create-db",
        "--no-data",
        "--triggers",
    ]);
    pipe(triggers, b"", new, &mut copied, &mut progress)?;
    progress(copied);
    Ok(())
}

/// Sends what `source` writes to the new server, after `first`.
fn pipe(
    mut source: Command,
    first: &[u8],
    new: &PrivateServer,
    copied: &mut u64,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let run = |error: std::io::Error| {
        Problem::failed(
            format!("MariaDB's client programs cannot be run: {error}"),
            "Install them: `apt-get install mariadb-client`.",
        )
    };
    let mut dump = source
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(run)?;
    let mut load = new
        .client("mariadb")
        .args([
            "--binary-mode",
            "--default-character-set=utf8mb4",
            "--max-allowed-packet=1G",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(run)?;
    let (mut from, mut to) = (
        dump.stdout.take().expect("it was asked to be piped"),
        load.stdin.take().expect("it was asked to be piped"),
    );
    let mut chunk = Zeroizing::new(vec![0; CHUNK]);
    let mut told = Instant::now();
    // A side that ends early shows in its exit status.
    let mut open = to.write_all(first).is_ok();
    while open && let Ok(length @ 1..) = from.read(&mut chunk) {
        open = to.write_all(&chunk[..length]).is_ok();
        *copied += length as u64;
        if told.elapsed() > EVERY {
            progress(*copied);
            told = Instant::now();
        }
    }
    if open && !first.is_empty() {
        let _ = to.write_all(b"COMMIT;\n");
    }
    drop((from, to));
    let loaded = load.wait_with_output().map_err(run)?;
    let dumped = dump.wait_with_output().map_err(run)?;
    for (output, what) in [
        (loaded, "writing into the new server"),
        (dumped, "reading from the old server"),
    ] {
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(Problem::failed(
                format!("The copy failed while {what}: {}", words.trim()),
                "Repair what MariaDB names, then run the command again.",
            ));
        }
    }
    Ok(())
}
