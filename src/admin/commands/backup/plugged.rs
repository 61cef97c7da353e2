//! `stayput backup plugged`, which stayput-backup.service runs: a backup for each stick that
//! is plugged in and holds some of this server already.

use std::path::{Path, PathBuf};

use super::keep::KeepOptions;
use super::make::{MakeOptions, make};
use crate::admin::backup::{
    LOCK, LastBackup, Place, PluggedSticks, State, StickState, find_all, released_manifest_keys,
};
use crate::admin::everybody::tell_and_show;
use crate::admin::key_sticks;
use crate::admin::lock_file::only_one;
use crate::admin::mariadb::backup_source::RunningDatabase;
use crate::admin::open_vault::open_vault_read_only;
use crate::admin::problem::{Problem, ProblemKind, Result};
use crate::backup::{Due, Made, due};
use crate::stick::{Stick, plugged_in};
use crate::sys::clock;

/// The mark of a backup that failed: no database stands there.
const FAILED: &str = "";

/// What is backed up, and what is kept of it.
#[derive(clap::Args, Clone, Debug)]
pub struct PluggedOptions {
    /// A file or directory that is backed up too; can be given several times
    #[arg(long, value_name = "PATH")]
    include: Vec<PathBuf>,
    #[command(flatten)]
    keep: KeepOptions,
}

/// Runs `stayput backup plugged`: all sticks, those that come meanwhile included.
///
/// # Errors
/// What the first stick said that wanted a backup and got none.
pub fn plugged(options: &PluggedOptions) -> Result<()> {
    let mut seen: Vec<Stick> = Vec::new();
    let mut problem = None;
    loop {
        let plugged = plugged_in();
        let Some(stick) = plugged.iter().find(|stick| !stick.is_among(&seen)) else {
            break;
        };
        let mut known = PluggedSticks::read(&plugged);
        for volume in &stick.volumes {
            let mut serving = Serving {
                options,
                stick,
                volume,
                known: &mut known,
            };
            if let Err(failed) = serving.serve() {
                eprintln!("stayput: {}: {failed}", volume.display());
                problem.get_or_insert(failed);
            }
        }
        seen.push(stick.clone());
    }
    LastBackup::tell_at_login();
    if let Err(failed) = key_sticks::note() {
        eprintln!("stayput: a stick that opens this server may not be noted: {failed}");
    }
    problem.map_or(Ok(()), Err)
}

/// A volume of a stick that may want a backup.
struct Serving<'a> {
    options: &'a PluggedOptions,
    stick: &'a Stick,
    volume: &'a Path,
    known: &'a mut PluggedSticks,
}

impl Serving<'_> {
    fn serve(&mut self) -> Result<()> {
        // Somebody makes one by hand; the timer comes again.
        match only_one(LOCK, "`stayput backup`") {
            Ok(alone) => drop(alone),
            Err(_) => return Ok(()),
        }
        let known = self.known.known(self.stick);
        if known.is_some_and(|known| !known.state.is_trusted()) {
            return Ok(());
        }
        let is_known = known.is_some();
        let of_this_volume = known.filter(|known| known.device == self.volume);
        let before = of_this_volume.map(|known| known.state.clone());
        let done = match newest_on(self.volume) {
            Ok(None) => return Ok(()),
            Ok(Some(newest)) => self.back_up(newest, before.as_ref()),
            // Nobody knows whose it is. Who has plugged a damaged one in waits for a word.
            Err(problem) if before.is_none() && (is_known || !is_damage(&problem)) => {
                eprintln!("stayput: {}: {problem}", self.volume.display());
                return Ok(());
            }
            Err(problem) => Err(problem),
        };
        match done {
            Ok(()) => Ok(()),
            Err(problem) => {
                let failed = failed(&problem);
                let is_told = before.as_ref() == Some(&failed);
                self.note(failed, !is_told);
                Err(problem)
            }
        }
    }

    /// `before`: what was told of it since it was plugged in.
    fn back_up(&mut self, newest: u64, before: Option<&StickState>) -> Result<()> {
        let is_new = before.is_none();
        let has_failed = matches!(before, Some(StickState::Failed { .. }));
        let is_better = is_new || has_failed;
        let mark = RunningDatabase::find()?.mark()?;
        let now = clock::since_boot().as_secs();
        let made = self.known.made(newest);
        // After a failure the next try waits, unless the stick was taken out meanwhile.
        let made = made.filter(|made| !(is_new && made.mark == FAILED));
        let due = due(made, &mark, now);
        if due != Due::Now {
            // A failed one waits for the next try.
            if !(has_failed && due == Due::TooSoon) {
                self.note(StickState::Has { number: newest }, is_better);
            }
            return Ok(());
        }
        let process = std::process::id();
        self.note(StickState::Writing { process }, is_new);
        let written = make(&MakeOptions::automatic(
            self.volume,
            &self.options.include,
            &self.options.keep,
        ));
        let ended = clock::since_boot().as_secs();
        let (number, mark) = match &written {
            Ok(written) => (written.number, mark),
            // The next try waits as after one that was made, and takes place in any case.
            Err(_) => (newest, FAILED.into()),
        };
        self.known.remember(Made {
            number,
            mark,
            ended,
            took: ended.saturating_sub(now),
        });
        let written = written?;
        let state = match written.must_have_left_the_others() {
            Ok(()) => StickState::Has { number },
            Err(problem) => StickState::HasAndLost {
                number,
                why: one_line(&problem),
            },
        };
        let is_news = is_better || matches!(state, StickState::HasAndLost { .. });
        self.note(state, is_news);
        Ok(())
    }

    /// Notes what has become of it, and tells people where that is news.
    fn note(&mut self, state: StickState, is_news: bool) {
        if let Err(error) = self.known.note(self.stick, self.volume, state) {
            eprintln!("stayput: what became of it is not noted: {error}");
        }
        let told = self.known.sticks().last().filter(|_| is_news);
        if let Some(stick) = told {
            tell_and_show(&format!("stayput: {}", stick.sentence()));
        }
    }
}

/// The newest backup on a volume that proves to be this server's; `None` where the volume has
/// none, or is no place for any. It is mounted for reading alone.
fn newest_on(volume: &Path) -> Result<Option<u64>> {
    let server = open_vault_read_only()?.header().server_id;
    let keys = released_manifest_keys()?;
    let place = match Place::for_reading(volume, &server) {
        Err(problem) if is_no_place(&problem) => return Ok(None),
        place => place?,
    };
    let found = find_all(&place, &keys, &server)?;
    let proven = found.iter();
    let proven = proven.filter(|one| matches!(one.state, State::Whole(_) | State::Earlier(_)));
    Ok(proven.map(|one| one.number).max())
}

/// It holds no backup of this server, or nothing that is read here.
fn is_no_place(problem: &Problem) -> bool {
    matches!(problem.kind, ProblemKind::NotThere | ProblemKind::Refused)
}

fn is_damage(problem: &Problem) -> bool {
    problem.kind == ProblemKind::NotReadable
}

fn failed(problem: &Problem) -> StickState {
    let why = one_line(problem);
    match problem.kind {
        ProblemKind::NotKept => StickState::Lies { why },
        _ => StickState::Failed { why },
    }
}

fn one_line(problem: &Problem) -> String {
    format!("{} {}", problem.what, problem.next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stick_that_loses_what_it_has_is_not_written_to_again() {
        let lost = Problem::failed("It does not hold it.", "").of_kind(ProblemKind::NotKept);
        assert!(!failed(&lost).is_trusted());
        let full = Problem::failed("It is full.", "");
        assert!(failed(&full).is_trusted());
    }
}
