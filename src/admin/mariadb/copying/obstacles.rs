//! What in a server would not survive the copy.

use crate::admin::{Problem, Result};

use super::inventory::unescape;
use super::private::PrivateServer;

/// What only the server itself can tell about its tables.
///
/// # Errors
/// When something would not survive the copy.
pub fn tables(server: &PrivateServer) -> Result<()> {
    for (query, what, next) in [
        (
            "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES \
             WHERE TABLE_TYPE <> 'VIEW' AND ENGINE IS NULL",
            "These tables cannot be read:",
            "Repair or drop them first: CHECK TABLE tells what is wrong.",
        ),
        (
            "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES \
             WHERE CREATE_OPTIONS LIKE '%DATA DIRECTORY%' \
             OR CREATE_OPTIONS LIKE '%INDEX DIRECTORY%'",
            "These tables lie outside the data directory:",
            "Create them anew without DATA DIRECTORY.",
        ),
        (
            "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES \
             WHERE CREATE_OPTIONS RLIKE 'ENCRYPTED[^A-Z]*=[^A-Z]*NO'",
            "These tables are marked as never to be encrypted:",
            "Run ALTER TABLE ... ENCRYPTED=DEFAULT for each.",
        ),
        (
            "SELECT CONNECTION_NAME FROM information_schema.SLAVE_STATUS",
            "This server is a replica:",
            "Stop the replication and run RESET SLAVE ALL first, then set it up again.",
        ),
    ] {
        // Older servers have no table of replicas; they answer with an error.
        let found = match server.rows(query) {
            Err(_) if query.contains("SLAVE_STATUS") => server.rows("SHOW ALL SLAVES STATUS")?,
            rows => rows?,
        };
        if !found.is_empty() {
            let names: Vec<String> = found.iter().take(10).map(|name| unescape(name)).collect();
            return Err(Problem::refused(
                format!("{what} {}.", names.join(", ")),
                format!("Nothing was changed. {next}"),
            ));
        }
    }
    Ok(())
}
