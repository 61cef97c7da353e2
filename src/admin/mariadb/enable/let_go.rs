//! `stayput mariadb let-go`: what the unit runs when the work has ended, for whatever
//! reason.

use crate::admin::mariadb::run_records::journal::{Journal, Stage};
use crate::admin::mariadb::run_records::paths::{self, RunPaths};
use crate::admin::problem::Result;

use super::going_back::{go_back, settle};
use super::start_prevention;
use super::undo::{forget_rehearsal, undo};

/// `stayput mariadb let-go`: what the unit runs when the work has ended, for
/// whatever reason. Does nothing after a run that did all it should.
///
/// # Errors
/// When the original cannot be put back; says where everything is.
pub fn let_go() -> Result<()> {
    let Some(journal) = Journal::read().map_err(paths::problem)? else {
        return Ok(());
    };
    let paths = RunPaths::of_run(&journal);
    let undone = match journal.stage {
        Stage::Rehearsing => forget_rehearsal(&journal, &paths),
        Stage::Building | Stage::Switching => undo(&journal, &paths),
        Stage::TakingBack => go_back(&journal, &paths),
        Stage::Starting => settle(&journal, &paths),
        Stage::Waiting | Stage::Destroying => start_prevention::unmask_units(),
    };
    if undone.is_err() {
        // Whatever else went wrong, MariaDB's units must not stay masked.
        start_prevention::unmask_units()?;
    }
    undone
}
