//! Plugins that INSTALL SONAME noted in `mysql.plugin`.

use std::ffi::OsString;

use crate::admin::problem::Result;

use super::client::Client;

/// The options that load the storage engines, types and functions which a
/// server would load by itself if it read its accounts. Nothing else of the
/// list is wanted in a private server.
///
/// # Errors
/// When the server does not answer.
pub fn engines(server: &Client) -> Result<Vec<OsString>> {
    let rows = server.rows(
        "SELECT DISTINCT p.name, p.dl FROM mysql.plugin p \
         JOIN information_schema.ALL_PLUGINS a \
         ON a.PLUGIN_NAME = p.name AND a.PLUGIN_LIBRARY = p.dl \
         WHERE a.PLUGIN_TYPE IN ('STORAGE ENGINE', 'DATA TYPE', 'FUNCTION')",
    )?;
    let option = |row: Vec<String>| match &row[..] {
        [name, library] => Some(OsString::from(format!(
            "--plugin-load-add={name}={library}"
        ))),
        _ => None,
    };
    Ok(rows.into_iter().filter_map(option).collect())
}
