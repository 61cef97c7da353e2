//! The rehearsal on the running server: everything but stopping, switching and
//! destroying. It tells whether `enable` will work, and how long the database will
//! be away.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::copying::{
    Client, Copied, Obstacle, ROOM, Source, obstacles, proven_copy,
};
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::problem::{Problem, Result};
use crate::keys::random_bytes;
use zeroize::Zeroizing;

use super::copy_mounts::CopyMounts;
use super::{say, undo, worker};
use crate::admin::mariadb::run_records::journal::{Journal, OriginalEnds, Stage};
use crate::admin::mariadb::run_records::marked_room::{MarkedRoom, RunId};
use crate::admin::mariadb::run_records::paths::{self, RunPaths};

/// Time for stopping and starting MariaDB, besides copying and comparing.
const AROUND_IT: Duration = Duration::from_secs(5);

/// Makes an encrypted copy of the running server with keys that nobody keeps,
/// compares what has not changed meanwhile, and throws the copy away. It is encrypted
/// also where the database is to become clear: a rehearsal leaves nothing on the disk
/// that can be read.
///
/// # Errors
/// What would stand in the way of the run, with what mends it.
pub fn rehearse(
    client: &Client,
    user: ServiceUser,
    arguments: &[String],
    paths: &RunPaths,
    conversion: Conversion,
) -> Result<Copied> {
    say("Rehearsing on the running server; nothing of it is changed.");
    let found = obstacles(client, conversion)?;
    if !found.is_empty() {
        return Err(refusal(&found));
    }
    let journal = Journal {
        conversion: Conversion::Encrypt,
        run: RunId::new(),
        stage: Stage::Rehearsing,
        data: paths.data.seen().to_owned(),
        ends: OriginalEnds::Never,
        since: 0,
        boot: paths::boot_id(),
    };
    journal.write().map_err(paths::problem)?;
    let copied = paths
        .make_root()
        .and_then(|_| MarkedRoom::make(&paths.making, journal.run))
        .map_err(paths::problem)
        .and_then(|room| copy(client, user, arguments, &room));
    let thrown_away = undo::forget_rehearsal(&journal, paths);
    let copied = copied?;
    thrown_away?;
    Ok(copied)
}

/// Where a killed rehearsal has left its copy, which takes room and is encrypted
/// with keys that nobody has.
pub fn left_behind() -> Option<PathBuf> {
    let journal = Journal::read().ok().flatten()?;
    let interrupted = journal.stage == Stage::Rehearsing && !worker::is_locked();
    interrupted.then(|| RunPaths::of_run(&journal).making)
}

fn refusal(found: &[Obstacle]) -> Problem {
    for obstacle in &found[1..] {
        say(format!("  - {}\n      {}", obstacle.what, obstacle.mend));
    }
    Problem::refused(
        format!("{}. Nothing was changed.", found[0].what),
        found[0].mend.clone(),
    )
}

fn copy(
    client: &Client,
    user: ServiceUser,
    arguments: &[String],
    room: &MarkedRoom,
) -> Result<Copied> {
    let io = paths::problem;
    let making = CopyMounts::in_room(room, user).map_err(io)?;
    let key_file = throw_away_keys(user)?;
    let copied = proven_copy(
        &user,
        arguments,
        &Source::Running(client),
        &making.target(Some(&key_file)),
        &mut |line| say(line),
    );
    fs::remove_file(&key_file).map_err(io)?;
    copied
}

/// Two keys that nobody keeps, in memory.
fn throw_away_keys(user: ServiceUser) -> Result<PathBuf> {
    let path = Path::new(ROOM).join("rehearsal.keys");
    let mut text = Zeroizing::new(String::with_capacity(256));
    for id in [1, 2] {
        let key = Zeroizing::new(random_bytes::<32>());
        text.push_str(&format!("{id};"));
        for byte in key.iter() {
            text.push_str(&format!("{byte:02x}"));
        }
        text.push('\n');
    }
    let write = || {
        fs::write(&path, text.as_bytes())?;
        fs::set_permissions(&path, Permissions::from_mode(0o400))?;
        chown(&path, Some(user.uid), Some(user.gid))
    };
    write().map_err(paths::problem)?;
    Ok(path)
}

/// Tells what the rehearsal has shown, and returns in words how long the database will
/// be away.
pub fn say_forecast(copied: &Copied) -> String {
    let away = in_words(forecast(copied));
    say(format!(
        "The rehearsal held. The database will be away for about {away}; the copy takes {} MB.",
        copied.bytes.div_ceil(1 << 20)
    ));
    if !copied.not_compared.is_empty() {
        say(format!(
            "{} tables were written meanwhile; they are compared when MariaDB is stopped.",
            copied.not_compared.len()
        ));
    }
    away
}

/// How long the database will be away, by the durations of the rehearsal.
fn forecast(copied: &Copied) -> Duration {
    let took = copied.took;
    took.start + took.copy + took.compare + took.stop + AROUND_IT
}

/// A duration in words.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs().max(1);
    match seconds {
        0..90 => format!("{seconds} seconds"),
        // Rounded to the minute, it could be wrong by a third.
        90..600 => {
            let tens = (seconds + 5) / 10 * 10;
            match tens % 60 {
                0 => format!("{} minutes", tens / 60),
                rest => format!("{} minutes {rest} seconds", tens / 60),
            }
        }
        600..5400 => format!("{} minutes", (seconds + 30) / 60),
        _ => format!("{}.{} hours", seconds / 3600, seconds % 3600 / 360),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_away_is_said_as_people_say_it() {
        let said = |seconds| in_words(Duration::from_secs(seconds));
        assert_eq!(said(0), "1 seconds");
        assert_eq!(said(7), "7 seconds");
        assert_eq!(said(89), "89 seconds");
        assert_eq!(said(90), "1 minutes 30 seconds");
        assert_eq!(said(117), "2 minutes");
        assert_eq!(said(596), "10 minutes");
        assert_eq!(said(600), "10 minutes");
        assert_eq!(said(5400), "1.5 hours");
    }
}
