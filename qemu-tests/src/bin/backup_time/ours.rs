//! `stayput backup` and `stayput restore`, by the clock.

use std::time::{Duration, Instant};

use qemu_tests::{Failure, LargeDatabase, Result, minutes};

use crate::Method;
use crate::memory::{Memory, Watch};

/// On the disk of the database, as the bare pipe's is.
const PLACE: &str = "/var/lib/nas";
const LIMIT: Duration = minutes(60);

/// Backs the running database up. What is there of before goes first, and costs no time.
pub fn back_up(server: &LargeDatabase, method: Method) -> Result<(Duration, Memory)> {
    server
        .shell("rm -rf /var/lib/nas && mkdir /var/lib/nas && sync")?
        .success()?;
    let command = format!(
        "stayput backup --same-disk --to {PLACE} --method {}",
        method.name()
    );
    let watch = Watch::begin(server)?;
    let begun = Instant::now();
    let said = server.shell_within(&command, LIMIT)?;
    let took = begun.elapsed();
    let memory = watch.end();
    said.success()?;
    Ok((took, memory))
}

/// Bytes of the backup that was made last.
pub fn size(server: &LargeDatabase) -> Result<u64> {
    super::bytes_below(server, PLACE)
}

/// Restores a new backup, until MariaDB serves it and its rows are counted.
pub fn restore(server: &LargeDatabase, method: Method, rows: u64) -> Result<Duration> {
    back_up(server, method)?;
    let begun = Instant::now();
    server
        .shell_within(&format!("stayput restore --from {PLACE} --yes"), LIMIT)?
        .success()?;
    let took = begun.elapsed();
    if server.sizes()?[2] != rows {
        return Err(Failure::new("the restored database has other rows"));
    }
    server
        .shell_within("stayput restore --remove-old --yes && sync", minutes(10))?
        .success()?;
    Ok(took)
}
