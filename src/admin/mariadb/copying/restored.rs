//! The rows of a data directory that was made from a backup, as a private server counts
//! them: what it can read is whole, and its keys are the right ones.

use std::collections::BTreeMap;
use std::path::Path;

use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::problem::Result;

use super::inventory::Inventory;
use super::names::TableName;
use super::servers::Servers;
use super::{Stopped, Target};

/// The rows of every table of a stopped server. `target` lends it room for temporary files.
///
/// # Errors
/// When its server does not come up, or a table cannot be read.
pub fn rows_of_stopped(
    user: &ServiceUser,
    arguments: &[String],
    stopped: &Stopped<'_>,
    target: &Target<'_>,
) -> Result<BTreeMap<TableName, u64>> {
    let servers = Servers::prepare(user, arguments, target, stopped.data, true)?;
    let server = servers.start_old(stopped)?;
    let rows = Inventory::row_counts(server.client())?;
    server.stop()?;
    Ok(rows)
}

/// Makes a new data directory, lets `fill` write to its server (at the socket), and gives the
/// rows of every table.
///
/// # Errors
/// When the server does not come up, or what `fill` says. The target then holds what is to
/// be thrown away.
pub fn born_from(
    user: &ServiceUser,
    arguments: &[String],
    target: &Target<'_>,
    fill: &mut dyn FnMut(&Path) -> Result<()>,
) -> Result<BTreeMap<TableName, u64>> {
    let servers = Servers::prepare(user, arguments, target, target.data, false)?;
    servers.give_birth()?;
    let server = servers.start_new(Vec::new())?;
    if let Err(problem) = fill(&server.socket()) {
        server.throw_away();
        return Err(problem);
    }
    let rows = Inventory::row_counts(server.client())?;
    server.stop()?;
    Ok(rows)
}
