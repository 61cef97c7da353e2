//! The unit that works on the stopped server. A lost terminal does not end it, and
//! when it is killed systemd runs `let-go`, which puts things back.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::admin::durable::write_durably;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::run_records::journal::{Journal, Stage};
use crate::admin::output;
use crate::admin::problem::{Problem, Result};
use crate::admin::program;
use crate::admin::systemd::{SYSTEMCTL, reload, running, systemctl};

const UNIT: &str = "stayput-mariadb-enable.service";
const PATH: &str = "/run/systemd/system/stayput-mariadb-enable.service";
const TEXT: &str = include_str!("../../../../systemd/stayput-mariadb-enable.service");

/// The file with the unit's output.
pub const LOG: &str = "/var/log/stayput-mariadb-enable.log";

const LOCK: &str = "/run/stayput-mariadb-enable.lock";

/// Pause between two reads of the log while the unit works.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Longest time for which a command that changes nothing holds the lock.
const LOOK_TAKES: Duration = Duration::from_secs(20);

const NEXT: &str = "`journalctl -u stayput-mariadb-enable -n 20` shows why.";

/// Held by the one command that prepares, rehearses or watches a run; ends
/// with the process.
pub struct Lock(#[expect(dead_code, reason = "it is held, not used")] File);

/// Takes the lock.
///
/// # Errors
/// When another command has it, or a run is at work.
pub fn lock() -> Result<Lock> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(LOCK);
    let locked = file.and_then(take);
    let lock = locked.map_err(|error| Problem::failed(format!("{LOCK}: {error}"), NEXT))?;
    match lock {
        Some(file) if !is_at_work() => Ok(Lock(file)),
        _ => Err(Problem::refused(
            "Another `stayput mariadb enable` or `disable` is at work, or an original is being \
             destroyed. Nothing was changed.",
            format!(
                "Wait for it: `tail -f {LOG}` and `systemctl status stayput-mariadb-original` \
                 show what it does."
            ),
        )),
    }
}

/// Whether a command prepares, rehearses or watches a run just now.
pub fn is_locked() -> bool {
    let file = File::open(LOCK);
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Locks the file, unless somebody else has it for longer than a look takes:
/// after a boot, a unit of lowest priority looks what is due.
fn take(file: File) -> io::Result<Option<File>> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begun.elapsed() > LOOK_TAKES || is_at_work() => {
                return Ok(None);
            }
            Err(TryLockError::WouldBlock) => sleep(LOOK_EVERY),
        }
    }
}

fn show(property: &str) -> String {
    let mut show = Command::new(SYSTEMCTL);
    show.args(["show", "--property", property, "--value", UNIT]);
    program::run(&mut show, NEXT).map_or_else(|_| String::new(), |text| text.trim().to_owned())
}

/// Whether a run is at work on the stopped server. Where systemd does not
/// answer, as while it reads its units again, one may be.
pub fn is_at_work() -> bool {
    !["inactive", "failed"].contains(&&*show("ActiveState"))
}

/// Ends a run that is making the database clear, and could leave rows that anybody reads:
/// what it has made is undone, and its copy overwritten. With `waits` it comes back when
/// that is done, which takes as long as the disk does. Returns whether there was one. A
/// run whose journal cannot be read may be one.
///
/// # Errors
/// What systemctl says.
pub fn end_decryption(waits: bool) -> Result<bool> {
    let is_due = match Journal::read() {
        Ok(Some(journal)) => {
            journal.conversion == Conversion::Decrypt && journal.stage < Stage::Waiting
        }
        Ok(None) => false,
        Err(_) => true,
    };
    if !is_due || !is_at_work() {
        return Ok(false);
    }
    match waits {
        true => systemctl(&["stop", UNIT], NEXT)?,
        false => systemctl(&["--no-block", "stop", UNIT], NEXT)?,
    }
    Ok(true)
}

/// Waits for the end of a run whose command was killed or lost its terminal.
pub fn wait_for_earlier_run() {
    let mut is_told = false;
    while running() && is_at_work() {
        if !is_told {
            println!("An earlier run is still at work; waiting for its end. {LOG} tells more.");
            output::flush();
            is_told = true;
        }
        sleep(LOOK_EVERY);
    }
}

/// Starts the unit, and prints what it says until it ends. It is a success for systemd
/// also where somebody stopped it and it was undone: what cannot be taken back afterwards
/// needs a proof of its own.
///
/// # Errors
/// When it cannot be started, or did not do what it should (`failed`): the
/// reason stands in what it said.
pub fn work(failed: &str) -> Result<()> {
    let file_problem = |error: io::Error| Problem::failed(format!("{LOG}: {error}"), NEXT);
    let mut log = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(LOG)
        .map_err(file_problem)?;
    log.seek(SeekFrom::End(0)).map_err(file_problem)?;
    write_durably(Path::new(PATH), TEXT.as_bytes())
        .map_err(|error| Problem::failed(format!("{PATH}: {error}"), NEXT))?;
    reload()?;
    // One that failed before is otherwise shown as failed for ever.
    let _ = systemctl(&["reset-failed", UNIT], NEXT);
    systemctl(&["start", UNIT], NEXT)?;
    println!("From here on a lost connection does no harm; {LOG} keeps what is said.");
    loop {
        // In this order: what it said at its very end is not missed.
        let ended = !is_at_work();
        let mut said = Vec::new();
        log.read_to_end(&mut said).map_err(file_problem)?;
        print!("{}", String::from_utf8_lossy(&said));
        output::flush();
        if ended {
            break;
        }
        sleep(LOOK_EVERY);
    }
    let result = show("Result");
    let _ = systemctl(&["reset-failed", UNIT], NEXT);
    let _ = fs::remove_file(PATH);
    reload()?;
    if result == "success" {
        return Ok(());
    }
    Err(Problem::failed(
        format!("{failed}; what was said last tells why."),
        format!("{LOG} keeps it. Mend it, then run the command again."),
    ))
}
