//! What an owner without stayput would do: MariaDB's own tools, zstd, and a file. Nothing is
//! encrypted beyond what the database itself is, nothing read back, nothing counted.

use std::time::{Duration, Instant};

use qemu_tests::{LargeDatabase, Result, minutes};

use crate::Method;

/// On the disk of the database, as ours is.
const PLACE: &str = "/var/lib/bare";
const LIMIT: Duration = minutes(60);

/// Reads the running database through zstd into a file, which is then on the disk.
pub fn back_up(server: &LargeDatabase, method: Method) -> Result<Duration> {
    server
        .shell("rm -rf /var/lib/bare && mkdir /var/lib/bare")?
        .success()?;
    let tool = match method {
        Method::Physical => {
            "mariadb-backup --backup --stream=mbstream --user=root --target-dir=/run/bare 2>/run/bare.log"
        }
        Method::Dump => {
            "mariadb-dump --all-databases --single-transaction --quick --hex-blob --routines --events"
        }
    };
    let file = file(method);
    timed(
        server,
        &format!("set -o pipefail; {tool} | zstd -q -c >{file} && sync {file}"),
    )
}

/// Bytes of the backup that was made last.
pub fn size(server: &LargeDatabase) -> Result<u64> {
    super::bytes_below(server, PLACE)
}

/// Makes a directory of the backup, and starts a server on it until it answers.
pub fn restore(server: &LargeDatabase, method: Method) -> Result<Duration> {
    back_up(server, method)?;
    server
        .shell("rm -rf /var/lib/new && mkdir -m 755 /var/lib/new && chown mysql: /var/lib/new")?
        .success()?;
    let file = file(method);
    let took = match method {
        Method::Physical => timed(
            server,
            &format!(
                "set -e -o pipefail; mkdir /var/lib/new/data; \
                 zstd -q -d -c {file} | mbstream -x -C /var/lib/new/data; \
                 mariadb-backup --prepare --target-dir=/var/lib/new/data 2>/run/bare.log; \
                 chown -R mysql: /var/lib/new; {START}; sync -f /var/lib/new"
            ),
        )?,
        Method::Dump => {
            server
                .shell_within(&format!("bash -c '{BORN} && {START}'"), minutes(5))?
                .success()?;
            timed(
                server,
                &format!(
                    "set -e -o pipefail; zstd -q -d -c {file} | mariadb --socket=/var/lib/new/socket; \
                     sync -f /var/lib/new"
                ),
            )?
        }
    };
    server.shell_within(END, minutes(10))?.success()?;
    Ok(took)
}

fn file(method: Method) -> String {
    format!("{PLACE}/{}.zst", method.name())
}

/// A data directory that is encrypted from the beginning, by the settings that stayput has
/// written.
const BORN: &str = "mariadb-install-db --user=mysql --datadir=/var/lib/new/data --skip-test-db \
     >/run/bare.log 2>&1";

/// A server on it that answers.
const START: &str = "(mariadbd --user=mysql --datadir=/var/lib/new/data --skip-networking \
     --socket=/var/lib/new/socket --pid-file=/var/lib/new/pid >/run/bare.log 2>&1 &); \
     i=0; until mariadb --socket=/var/lib/new/socket -e \"SELECT 1\" >/dev/null 2>&1; do \
     [ $i != 600 ] || { cat /run/bare.log; exit 1; }; sleep 0.1; i=$((i+1)); done";

const END: &str = "set -e; pid=$(cat /var/lib/new/pid); kill $pid; \
     while [ -e /proc/$pid ]; do sleep 0.05; done; rm -r /var/lib/new /var/lib/bare; sync";

fn timed(server: &LargeDatabase, script: &str) -> Result<Duration> {
    let begun = Instant::now();
    server
        .shell_within(&format!("bash -c '{script}'"), LIMIT)?
        .success()?;
    Ok(begun.elapsed())
}
