//! The unit that works on the stopped server. A lost terminal does not end it, and
//! when it is killed systemd runs `let-go`, which puts things back.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::admin::durable::write_durably;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::run_records::journal::{Journal, Stage};
use crate::admin::output;
use crate::admin::problem::{Problem, Result};
use crate::admin::program;
use crate::admin::systemd::{SYSTEMCTL, reload, running, systemctl};
use crate::release::no_start;

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

/// A run that makes the database clear, and could leave rows that anybody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decryption {
    AtWork,
    /// A power cut or a kill has ended it before it was settled.
    Interrupted,
    /// Nothing is at work, and the journal cannot be read: it may be one that was
    /// interrupted, and nothing could settle it.
    Unknown,
}

/// The run of this journal, if it is one. One whose journal cannot be read may be one.
fn decryption(journal: &io::Result<Option<Journal>>, is_at_work: bool) -> Option<Decryption> {
    let journal = match journal {
        Ok(journal) => journal.as_ref()?,
        Err(_) if is_at_work => return Some(Decryption::AtWork),
        Err(_) => return Some(Decryption::Unknown),
    };
    if journal.conversion != Conversion::Decrypt || journal.stage >= Stage::Waiting {
        return None;
    }
    match (is_at_work, journal.stage) {
        (true, _) => Some(Decryption::AtWork),
        // A rehearsal is no work of the unit's, and leaves nothing that can be read.
        (false, Stage::Rehearsing) => None,
        (false, _) => Some(Decryption::Interrupted),
    }
}

fn decryption_here() -> Option<Decryption> {
    decryption(&Journal::read(), is_at_work())
}

/// Ends a run that is making the database clear: what it has made is undone, and its copy
/// overwritten. Comes back when that is done, which takes as long as the disk does.
///
/// # Errors
/// What systemctl says.
pub fn end_decryption() -> Result<()> {
    match decryption_here() {
        Some(Decryption::AtWork) => systemctl(&["stop", UNIT], NEXT),
        Some(Decryption::Interrupted | Decryption::Unknown) | None => Ok(()),
    }
}

/// What an alarm has found of a run that makes the database clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunInAnAlarm {
    /// There is none.
    Nothing,
    /// It is ended, or settled.
    Ended,
    /// There may be one, and a clear copy: the journal cannot be read.
    Unknown,
}

/// [`end_decryption`] in an alarm, whose mark holds the starts of MariaDB. Does not wait,
/// and has the unit settle an interrupted run, too: where a clear MariaDB serves, no gate
/// is in front of it.
///
/// # Errors
/// What the filesystem or systemctl says; also when nothing holds the starts: the unit
/// would go on with the run.
pub fn end_decryption_in_an_alarm() -> Result<RunInAnAlarm> {
    match decryption_here() {
        None => Ok(RunInAnAlarm::Nothing),
        Some(Decryption::Unknown) => Ok(RunInAnAlarm::Unknown),
        Some(Decryption::AtWork) => {
            systemctl(&["--no-block", "stop", UNIT], NEXT)?;
            Ok(RunInAnAlarm::Ended)
        }
        Some(Decryption::Interrupted) if no_start::is_forbidden() => {
            put_unit()?;
            systemctl(&["--no-block", "start", UNIT], NEXT)?;
            Ok(RunInAnAlarm::Ended)
        }
        Some(Decryption::Interrupted) => Err(Problem::failed(
            "A run that makes the database clear was interrupted, and nothing holds the starts \
             of MariaDB.",
            NEXT,
        )),
    }
}

/// Writes the unit, and has systemd read it.
fn put_unit() -> Result<()> {
    write_durably(Path::new(PATH), TEXT.as_bytes())
        .map_err(|error| Problem::failed(format!("{PATH}: {error}"), NEXT))?;
    reload()?;
    // One that failed before is otherwise shown as failed for ever.
    let _ = systemctl(&["reset-failed", UNIT], NEXT);
    Ok(())
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
    put_unit()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarm_finds_an_interrupted_run_to_the_clear() {
        use Decryption::{AtWork, Interrupted, Unknown};
        let of = |conversion, stage| {
            let journal = Ok(Some(Journal::example(conversion, stage, "/var/lib/mysql")));
            [true, false].map(|is_at_work| decryption(&journal, is_at_work))
        };
        for (stage, expected) in [
            (Stage::Rehearsing, [Some(AtWork), None]),
            (Stage::Building, [Some(AtWork), Some(Interrupted)]),
            (Stage::Switching, [Some(AtWork), Some(Interrupted)]),
            (Stage::TakingBack, [Some(AtWork), Some(Interrupted)]),
            (Stage::Starting, [Some(AtWork), Some(Interrupted)]),
            (Stage::Waiting, [None, None]),
            (Stage::Destroying, [None, None]),
        ] {
            assert_eq!(of(Conversion::Decrypt, stage), expected, "{stage:?}");
            assert_eq!(of(Conversion::Encrypt, stage), [None, None], "{stage:?}");
        }
        assert_eq!(decryption(&Ok(None), true), None);
        let damaged = Err(io::Error::other("damaged"));
        assert_eq!(decryption(&damaged, true), Some(AtWork));
        assert_eq!(decryption(&damaged, false), Some(Unknown));
    }
}
