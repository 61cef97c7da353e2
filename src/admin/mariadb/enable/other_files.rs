//! The files beside the tables in the original's data directory: reported, carried over
//! or moved aside.

use std::io;
use std::path::{Path, PathBuf};

use crate::admin::mariadb::conversion::{Conversion, Form};
use crate::admin::mariadb::copying::{Client, Row};
use crate::admin::mariadb::other_files::{
    self, BinlogDecision, Class, ClassifiedEntry, Known, QUESTIONS, Replication, classify, decide,
    kept_place, list_entries, move_kept, report,
};
use crate::admin::problem::{Problem, Result};
use crate::admin::timestamp;

use super::say;
use crate::admin::mariadb::run_records::journal::Journal;
use crate::admin::mariadb::run_records::paths;
use crate::sys::clock;

/// Asks the server which files are its own.
///
/// # Errors
/// When it does not answer in full: everything would look foreign then.
pub fn known(client: &Client) -> Result<Known> {
    Known::parse(&answers(client, &QUESTIONS)?).ok_or_else(|| {
        Problem::failed(
            "MariaDB does not say which files are its own.",
            "Run the command again; `mariadb -e 'SHOW VARIABLES'` should work.",
        )
    })
}

fn answers(client: &Client, questions: &[&str]) -> Result<Vec<Row>> {
    let answers: Result<Vec<Vec<Row>>> = questions.iter().map(|sql| client.rows(sql)).collect();
    Ok(answers?.concat())
}

fn found(data: &Path, known: &Known) -> Result<Vec<ClassifiedEntry>> {
    let listing = list_entries(data, known)?;
    Ok(classify(listing, known))
}

/// Reports the files and what becomes of them.
///
/// # Errors
/// When somebody still needs the binary logs.
pub fn tell(
    client: &Client,
    seen: &Path,
    conversion: Conversion,
    discard_binary_logs: bool,
) -> Result<()> {
    let found = found(seen, &known(client)?)?;
    let replication = Replication::parse(
        &answers(client, &Replication::QUESTIONS)?,
        &client.rows(Replication::REGISTERED)?,
        &client.rows(Replication::FOLLOWED)?,
    );
    for line in report(&found, &place(seen, clock::now()), conversion.from()) {
        say(line);
    }
    match decide(&replication, &found, discard_binary_logs, conversion) {
        BinlogDecision::Nothing => Ok(()),
        BinlogDecision::Say(lines) => {
            lines.iter().for_each(say);
            Ok(())
        }
        BinlogDecision::Refuse(problem) => Err(problem),
    }
}

/// Copies the files that belong to the server and hold no row.
///
/// # Errors
/// What the filesystem says.
pub fn carry_over(known: &Known, from: &Path, to: &Path) -> Result<()> {
    let found = found(from, known)?;
    let carried = other_files::of_class(&found, Class::CarriedOver);
    other_files::carry_over(from, to, carried).map_err(paths::problem)
}

/// Moves files that only their owner knows into a directory beside the data
/// directory, on its filesystem, with the date at which the copy began to serve.
///
/// # Errors
/// What the filesystem says; it can be done again.
pub fn keep(known: &Known, original: &Path, journal: &Journal) -> Result<()> {
    let found = found(original, known)?;
    let kept: Vec<&Path> = other_files::of_class(&found, Class::Kept).collect();
    if kept.is_empty() {
        return Ok(());
    }
    let to = place(&journal.data, journal.since);
    let moved = move_kept(original, &to, kept.into_iter(), journal.conversion);
    moved.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Problem::failed(
            format!("{} is there already.", to.display()),
            "Move it away, then run the command again: it goes on from here.",
        ),
        _ => paths::problem(error),
    })?;
    say(format!(
        "Files that are not the database's are in {}, {}.",
        to.display(),
        as_before(journal.conversion.from())
    ));
    Ok(())
}

/// How readable they are there.
fn as_before(form: Form) -> &'static str {
    match form {
        Form::Clear => "as clear as before",
        Form::Encrypted => {
            "as they were: what MariaDB has encrypted in them is encrypted, the rest is clear"
        }
    }
}

/// Tells where [`keep`] has moved files, if it has: they do not come back by
/// themselves.
pub fn tell_kept(seen: &Path, since: u64) {
    let place = place(seen, since);
    if place.exists() {
        say(format!(
            "Files that lay beside the tables are in {}; move back what is needed.",
            place.display()
        ));
    }
}

fn place(seen: &Path, seconds: u64) -> PathBuf {
    let time = timestamp::rfc3339(seconds);
    // Year, month and day.
    kept_place(seen, time.get(..10).unwrap_or("before"))
}
