//! What an owner without stayput would do: a new encrypted server, and a dump
//! that goes into it.

use std::time::{Duration, Instant};

use qemu_tests::{LargeDatabase, Result, minutes};

/// How long it took.
pub struct Took {
    /// From the first byte of the dump to the last row loaded.
    pub load: Duration,
    /// Until the new server has ended, and all is on the disk.
    pub settle: Duration,
}

/// Two keys, a data directory born encrypted, and the server on it. `$@` are
/// its settings.
const START: &str = "set -e; \
     mkdir /var/lib/by-hand /var/lib/by-hand/tmp; chown -R mysql: /var/lib/by-hand; \
     for id in 1 2; do echo \"$id;$(od -An -N32 -tx1 /dev/urandom | tr -d ' \\n')\"; \
     done >/run/by-hand.keys; chown mysql: /run/by-hand.keys; chmod 400 /run/by-hand.keys; \
     set -- \"$@\" --file_key_management_filename=/run/by-hand.keys \
     --datadir=/var/lib/by-hand/data --tmpdir=/var/lib/by-hand/tmp \
     --socket=/var/lib/by-hand/socket --pid-file=/var/lib/by-hand/pid --user=mysql; \
     mariadb-install-db \"$@\" --skip-test-db --rpm --cross-bootstrap \
     >/run/by-hand.log 2>&1 || { cat /run/by-hand.log; exit 1; }; \
     (mariadbd \"$@\" >/run/by-hand.log 2>&1 &); \
     i=0; until mariadb --socket=/var/lib/by-hand/socket -e 'SELECT 1' >/dev/null 2>&1; do \
     [ $i != 600 ] || { cat /run/by-hand.log; exit 1; }; sleep 0.1; i=$((i+1)); done";

const LOAD: &str = "bash -c 'set -o pipefail; \
     mariadb-dump --single-transaction --quick --databases clinic | \
     mariadb --socket=/var/lib/by-hand/socket'";

const END: &str = "set -e; pid=$(cat /var/lib/by-hand/pid); kill $pid; \
     while [ -e /proc/$pid ]; do sleep 0.05; done; sync -f /var/lib/by-hand";

/// Does it on the running server, and throws the new one away.
pub fn load(server: &LargeDatabase, settings: &[String]) -> Result<Took> {
    let words: Vec<String> = settings.iter().map(|word| format!("'{word}'")).collect();
    let start = format!("set -- {}; {START}", words.join(" "));
    server.shell_within(&start, minutes(5))?.success()?;
    let begun = Instant::now();
    server.shell_within(LOAD, minutes(60))?.success()?;
    let load = begun.elapsed();
    server.shell_within(END, minutes(20))?.success()?;
    let settle = begun.elapsed() - load;
    server
        .shell_within("rm -r /var/lib/by-hand && sync", minutes(5))?
        .success()?;
    Ok(Took { load, settle })
}
