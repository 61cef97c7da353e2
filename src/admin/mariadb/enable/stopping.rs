//! Stops MariaDB, whose units are masked, before its files are copied or moved.

use std::path::Path;

use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::occupants;
use crate::admin::mariadb::run_records::paths;
use crate::admin::mariadb_service;
use crate::admin::problem::{Problem, Result};

use super::{dependent_units, preflight, say};

/// Stops MariaDB, whose units are masked, and closes its place as the gate does.
///
/// # Errors
/// When systemd does not stop it, or the place cannot be closed.
pub fn stop_masked(data: &DataDirectory) -> Result<()> {
    stop_and_close(data, || Ok(()))
}

/// Stops MariaDB before a person's run as [`stop_masked`] does, and goes on only where no other
/// server is beside it. What is stopped along is noted.
///
/// # Errors
/// As of [`stop_masked`]; names another server, to which the place stays as it is.
pub fn stop_alone(data: &DataDirectory) -> Result<()> {
    say("Stopping MariaDB.");
    dependent_units::note();
    stop_and_close(data, preflight::no_other_server)
}

fn stop_and_close(data: &DataDirectory, may_close: impl FnOnce() -> Result<()>) -> Result<()> {
    mariadb_service::stop_units()?;
    may_close()?;
    data.close_if_open().map_err(paths::problem)
}

/// Sees that nobody works in these files. `ours` are mounts that are left out.
///
/// # Errors
/// Names who does; what the search says.
pub fn nobody_in(tree: &Path, ours: &[&Path]) -> Result<()> {
    let found = occupants::of(tree, ours).map_err(paths::problem)?;
    let Some(first) = found.first() else {
        return Ok(());
    };
    Err(Problem::refused(
        format!("{} is in use: {first}.", tree.display()),
        "End what uses it, then run the command again.",
    ))
}
