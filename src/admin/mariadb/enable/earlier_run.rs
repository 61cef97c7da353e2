//! What an earlier run asks of the next command: to go on with it, to undo it, or
//! nothing.

use std::path::Path;

use crate::admin::ask;
use crate::admin::installed_files;
use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::run_records::Original;
use crate::admin::mariadb::run_records::journal::{Journal, Stage};
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths::{self, RunPaths};
use crate::admin::problem::{Problem, Result};
use crate::admin::timestamp;

use super::{say, undo, worker};

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A run from the beginning, after [`throw_away`].
    Anew,
    /// The way back was cut.
    TakeBack,
    /// The copy was proven.
    GoOn,
    /// The copy serves already.
    Ended,
}

/// What is to be done next, after a run that came to `stage`. `can_go_on` tells whether
/// its copy is still to be used; `way_back` is the command that leads back to the original,
/// where that was seen. Pure.
///
/// # Errors
/// When nothing may be done; nothing was changed.
fn next_after(
    stage: Option<Stage>,
    can_go_on: bool,
    way_back: Option<&str>,
    is_dry_run: bool,
) -> Result<Next> {
    match stage {
        Some(Stage::Waiting | Stage::Destroying) => Ok(Next::Ended),
        Some(Stage::Switching | Stage::TakingBack | Stage::Starting) if is_dry_run => {
            Err(Problem::refused(
                "An earlier run was interrupted; there is nothing to rehearse.",
                "Run the command without --dry-run: it goes on from there.",
            ))
        }
        Some(Stage::TakingBack) => Ok(Next::TakeBack),
        Some(Stage::Switching | Stage::Starting) if can_go_on => Ok(Next::GoOn),
        Some(Stage::Starting) => Err(Problem::refused(
            "An earlier run was interrupted, and the copy of the database is not where it should \
             be. Nothing was changed.",
            match way_back {
                // On a full disk a way back has overwritten it before it could be noted.
                Some(command) => format!(
                    "The original is there: `{command}` goes back to it. Is the copy on another \
                     disk? Then mount that, and run this command again."
                ),
                None => "Is its disk mounted? Mount it, then run the command again.".into(),
            },
        )),
        None | Some(Stage::Rehearsing | Stage::Building | Stage::Switching) => Ok(Next::Anew),
    }
}

/// What is to be done next.
///
/// # Errors
/// When nothing may be done; nothing was changed.
pub fn next(journal: Option<&Journal>, is_dry_run: bool) -> Result<Next> {
    let stage = journal.map(|journal| journal.stage);
    let can_go_on = journal.is_some_and(can_go_on);
    let way_back = journal.filter(|journal| has_original(journal));
    let way_back = way_back.map(|journal| journal.conversion.undo_command());
    let next = next_after(stage, can_go_on, way_back, is_dry_run)?;
    match next {
        Next::TakeBack => say("An earlier way back was interrupted; going on with it."),
        Next::GoOn => {
            say("An earlier run was interrupted after the copy was proven; going on from there.");
        }
        Next::Anew | Next::Ended => {}
    }
    Ok(next)
}

/// Refuses to begin what a run the other way stands in front of. A rehearsal does not.
///
/// # Errors
/// Names the run, and how it is ended.
pub fn refuse_other_way(journal: Option<&Journal>, conversion: Conversion) -> Result<()> {
    let other = journal
        .filter(|journal| journal.conversion != conversion && journal.stage != Stage::Rehearsing);
    let Some(other) = other else {
        return Ok(());
    };
    Err(Problem::refused(
        format!("{} Nothing was changed.", Original::of(other).what()),
        format!(
            "Go back to the {} (`{}`), or end that run: `{}`, then `stayput mariadb \
             destroy-original`.",
            other.conversion.original(),
            other.conversion.undo_command(),
            other.conversion.command()
        ),
    ))
}

/// Whether the run can go on with its copy: the original is closed, so it has no newer
/// rows, or MariaDB has begun to work in the copy. What cannot be seen is not there.
fn can_go_on(journal: &Journal) -> bool {
    let paths = RunPaths::of_run(journal);
    let has_its_place = paths.is_copy_home().unwrap_or(false);
    match journal.stage {
        Stage::Starting => has_its_place,
        _ => (lies_in(&paths.making, journal) || has_its_place) && has_original(journal),
    }
}

/// Whether the original lies closed in its room.
fn has_original(journal: &Journal) -> bool {
    lies_in(&RunPaths::of_run(journal).original, journal)
}

fn lies_in(room: &Path, journal: &Journal) -> bool {
    let room = MarkedRoom::find(room, journal.run);
    room.is_ok_and(|room| room.is_some_and(|room| room.data().exists()))
}

/// Undoes what a run left that was cut before its copy was used.
///
/// # Errors
/// When that fails; it can be run again.
pub fn throw_away(journal: &Journal) -> Result<()> {
    say("An earlier run was interrupted; what it had made is thrown away.");
    let paths = RunPaths::of_run(journal);
    match journal.stage {
        Stage::Rehearsing => undo::forget_rehearsal(journal, &paths),
        _ => undo::undo(journal, &paths),
    }
}

/// Goes back to the original, whatever the run has come to. `prepare` is done before the
/// unit works, where the copy may have been used.
///
/// # Errors
/// When there is nothing to go back to, or somebody says no.
pub fn take_back(
    journal: Option<Journal>,
    conversion: Conversion,
    is_confirmed: bool,
    prepare: impl FnOnce(&RunPaths) -> Result<()>,
) -> Result<()> {
    let original = conversion.original();
    let Some(mut journal) = journal else {
        return Err(Problem::refused(
            format!(
                "There is no run to undo: the {original} is gone, or there was none. Nothing was \
                 changed."
            ),
            "`stayput status` shows how things stand.",
        ));
    };
    let paths = RunPaths::of_run(&journal);
    match journal.stage {
        Stage::Rehearsing => return undo::forget_rehearsal(&journal, &paths),
        Stage::Building | Stage::Switching => return undo::undo(&journal, &paths),
        Stage::Destroying => {
            return Err(Problem::refused(
                format!(
                    "The {original} is being destroyed; there is no way back. Nothing was changed."
                ),
                "Keep the database as it is; backups are as good as before.",
            ));
        }
        Stage::TakingBack | Stage::Starting | Stage::Waiting => {}
    }
    undo::original_is_there(&journal, &paths)?;
    if journal.stage != Stage::TakingBack {
        ask::confirm(
            &format!(
                "MariaDB goes back to the {original} of {}. What was written since then is only \
                 in the {}, which is kept. Go on?",
                timestamp::rfc3339(journal.since),
                conversion.copy()
            ),
            is_confirmed,
        )?;
    }
    prepare(&paths)?;
    hand_over(&mut journal)
}

/// Lets the unit go back to the original: a lost terminal does not end that.
///
/// # Errors
/// When it did not.
pub fn hand_over(journal: &mut Journal) -> Result<()> {
    installed_files::put_command()?;
    journal.reach(Stage::TakingBack).map_err(paths::problem)?;
    worker::work(&format!(
        "The {} is not back",
        journal.conversion.original()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 7] = [
        Stage::Rehearsing,
        Stage::Building,
        Stage::Switching,
        Stage::TakingBack,
        Stage::Starting,
        Stage::Waiting,
        Stage::Destroying,
    ];

    #[test]
    fn copy_that_may_hold_newer_rows_is_never_thrown_away() {
        for stage in STAGES {
            for can_go_on in [true, false] {
                let next = next_after(Some(stage), can_go_on, None, false);
                let is_thrown_away = matches!(next, Ok(Next::Anew));
                assert!(!is_thrown_away || stage < Stage::TakingBack, "{stage:?}");
            }
        }
        assert_eq!(
            next_after(Some(Stage::Starting), true, None, false).unwrap(),
            Next::GoOn
        );
        assert!(next_after(Some(Stage::Starting), false, None, false).is_err());
        assert_eq!(next_after(None, false, None, false).unwrap(), Next::Anew);
    }

    #[test]
    fn run_without_its_copy_names_the_way_back_that_there_is() {
        use crate::admin::mariadb::run_records::journal::OriginalEnds;
        use crate::admin::mariadb::run_records::marked_room::RunId;
        let home = tempfile::tempdir().unwrap();
        // The power went when a full disk had made room, and the note was not written.
        let journal = Journal {
            conversion: Conversion::Decrypt,
            run: RunId::new(),
            stage: Stage::Starting,
            data: home.path().join("mysql"),
            ends: OriginalEnds::AfterBoot,
            since: 0,
            boot: String::new(),
        };
        let advice = || next(Some(&journal), false).unwrap_err().next;
        assert!(!advice().contains("--undo"), "{}", advice());
        let paths = RunPaths::of_run(&journal);
        paths.make_root().unwrap();
        let room = MarkedRoom::make(&paths.original, journal.run).unwrap();
        std::fs::create_dir(room.data()).unwrap();
        let undo = "`stayput mariadb disable --undo` goes back to it";
        assert!(advice().contains(undo), "{}", advice());
    }

    #[test]
    fn rehearsal_goes_on_with_nothing() {
        for stage in STAGES {
            let next = next_after(Some(stage), true, None, true);
            assert!(
                !matches!(next, Ok(Next::GoOn | Next::TakeBack)),
                "{stage:?}"
            );
        }
    }

    #[test]
    fn run_the_other_way_is_ended_first() {
        for conversion in Conversion::ALL {
            for stage in STAGES {
                let journal = Journal::example(conversion, stage, "/var/lib/mysql");
                for wanted in Conversion::ALL {
                    let refused = refuse_other_way(Some(&journal), wanted).is_err();
                    let is_other = wanted != conversion && stage != Stage::Rehearsing;
                    assert_eq!(refused, is_other, "{conversion:?} {stage:?}");
                }
            }
        }
    }
}
