//! What is proven of the copy that serves, and what becomes of the original then.

use std::fs;

use crate::admin::mariadb::conversion::Conversion;
use crate::admin::mariadb::copying::{Counts, Starts, rows_lost};
use crate::admin::mariadb::run_records::journal::OriginalEnds;
use crate::admin::mariadb::run_records::marked_room::MarkedRoom;
use crate::admin::mariadb::run_records::paths;
use crate::admin::problem::{Problem, Result};

use super::super::{client_of, original, other_files, proofs, say};
use super::{COUNTS, Run};

impl Run {
    pub(super) fn original(&self) -> Result<MarkedRoom> {
        let room = MarkedRoom::find(&self.paths.original, self.journal.run);
        room.map_err(paths::problem)?.ok_or_else(|| {
            Problem::failed(
                format!("{} is not there.", self.paths.original.display()),
                "Was it moved? Move it back and run the command again. If it was removed, \
                 `stayput mariadb destroy-original` ends the run.",
            )
        })
    }

    pub(super) fn prove_counts(&mut self) -> Result<()> {
        say("Counting the rows once more.");
        let (known, starts) = match &self.copied {
            Some(copied) => (Counts::of(&copied.inventory), Starts::First),
            None => {
                let text = fs::read_to_string(self.original()?.file(COUNTS));
                let known = text.and_then(|text| Counts::parse(&text));
                (known.map_err(paths::problem)?, Starts::Later)
            }
        };
        let lacking = rows_lost(&client_of(&self.started)?, &known, starts)?;
        let Some(first) = lacking.first() else {
            return Ok(());
        };
        let what = format!(
            "{} tables do not have the rows that they had; the first is {first}.",
            lacking.len()
        );
        if self.journal.ends == OriginalEnds::Never {
            say(what);
            return Ok(());
        }
        // Whoever worked in it since may have deleted them, and has no other way on.
        if self.conversion() == Conversion::Decrypt && matches!(starts, Starts::Later) {
            say(what);
            say(
                "The encrypted original is kept until you end it: `stayput mariadb \
                 destroy-original`, or go back to it: `stayput mariadb disable --undo`.",
            );
            self.journal.ends = OriginalEnds::Never;
            return self.journal.write().map_err(paths::problem);
        }
        Err(Problem::failed(
            what,
            match self.conversion() {
                Conversion::Encrypt => {
                    "The clear original is kept. If these rows were deleted since, run `stayput \
                     mariadb enable --keep-original`; else go back: `stayput mariadb enable --undo`."
                }
                Conversion::Decrypt => {
                    "The encrypted original is kept. Go back: `stayput mariadb disable --undo`."
                }
            },
        ))
    }

    pub(super) fn keep_other_files(&mut self) -> Result<()> {
        let original = self.original()?.data();
        let known = match self.known.take() {
            Some(known) => known,
            // The copy has the same tables.
            None => other_files::known(&client_of(&self.started)?)?,
        };
        other_files::keep(&known, &original, &self.journal)
    }

    pub(super) fn destroy(&mut self) -> Result<()> {
        let all = (
            self.on_disk.take(),
            self.serving.take(),
            self.unused.take(),
            proofs::noted(&self.journal),
        );
        let (Some(on_disk), Some(serving), Some(unused), Some(noted)) = all else {
            return Err(Problem::failed(
                "The original was not destroyed: not everything was seen.",
                "Please report this to stayput's authors.",
            ));
        };
        let permit = proofs::MayDestroy::with(&on_disk, &serving, &unused, &noted);
        original::destroy(self.original()?, self.conversion(), permit)
    }
}
