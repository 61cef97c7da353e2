//! Moves the tables of a running server to another key, one after the other. Nothing is noted
//! on the way: which tables are left is what the server says.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::statvfs::statvfs;

use crate::admin::backup::size;
use crate::admin::durable::Filesystem;
use crate::admin::mariadb::copying::{Client, SqlError, TableName, problem_of_sql};
use crate::admin::mariadb::run_records::paths;
use crate::admin::problem::Result;

use super::alter::{How, Refusal, meaning, statements};
use super::say;
use super::standing::{Goal, Standing, Table};
use super::usage::Usage;

/// Tables up to this size, in bytes, are rebuilt within a second or two: nobody notices that
/// they cannot be written into meanwhile.
const SMALL: u64 = 32 << 20;

/// What rebuilding a table needs besides its own size, in bytes: what is written into it
/// meanwhile, and the redo log.
const BESIDES: u64 = 256 << 20;

/// How often tables that somebody works with are tried.
const ROUNDS: u32 = 4;

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(10);

/// A table that stays where it is for now, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The table.
    pub name: TableName,
    /// Why, and what to do.
    pub why: Why,
}

/// Why a table stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Somebody works with it all the time.
    InUse,
    /// Nobody could write into it while it is rebuilt.
    NeedsLock,
    /// The disk has not enough room for a second one.
    NoRoom { needed: u64 },
    /// MariaDB refuses; its error in words.
    Refused { what: String },
}

/// Moves what is left. Returns what stays where it is for now.
///
/// # Errors
/// When the server or the disk does not answer any more; what was moved stays moved.
pub fn move_all(client: &Client, data: &Path, id: u32, locks: bool) -> Result<Vec<Kept>> {
    let mut kept = Vec::new();
    let filesystem = Filesystem::of(data).map_err(paths::problem)?;
    for round in 1..=ROUNDS {
        let standing = Standing::of(&Usage::of(client)?, Goal::On(id));
        let (left, all) = (standing.left(), standing.tables.len());
        kept.clear();
        for (n, table) in left.iter().enumerate() {
            match move_one(client, data, table, id, locks) {
                Ok(None) => {
                    // MariaDB never syncs what it writes anew of a table's partitions.
                    filesystem.sync().map_err(paths::problem)?;
                    say(format!(
                        "{} of {all}: {} ({})",
                        all - left.len() + n + 1 - kept.len(),
                        table.name,
                        size(table.bytes)
                    ));
                }
                Ok(Some(why)) => kept.push(Kept {
                    name: table.name.clone(),
                    why,
                }),
                Err(error) => {
                    let doing = format!("moving {}", table.name);
                    return Err(problem_of_sql(&error, &doing));
                }
            }
        }
        let is_worth_trying = kept.iter().any(|kept| kept.why == Why::InUse);
        if !is_worth_trying || round == ROUNDS {
            break;
        }
        say("Some tables are in use; they are tried again.");
        sleep(PAUSE);
    }
    Ok(kept)
}

/// Moves one table. Returns why it stays where it is, if it does.
fn move_one(
    client: &Client,
    data: &Path,
    table: &Table,
    id: u32,
    locks: bool,
) -> std::result::Result<Option<Why>, SqlError> {
    let needed = table.bytes + table.bytes / 10 + BESIDES;
    if free(data).is_some_and(|free| free < needed) {
        return Ok(Some(Why::NoRoom { needed }));
    }
    let may_lock = locks || table.bytes <= SMALL;
    for how in How::ALL {
        if how != How::Online && !may_lock {
            return Ok(Some(Why::NeedsLock));
        }
        let Err(error) = client.change(&statements(&table.name, id, how)) else {
            return Ok(None);
        };
        match meaning(&error) {
            Refusal::NotInThisWay => {}
            Refusal::Dropped => return Ok(None),
            Refusal::InUse => return Ok(Some(Why::InUse)),
            Refusal::Over => return Err(error),
            Refusal::Stays => {
                let what = problem_of_sql(&error, "rebuilding it").what;
                return Ok(Some(Why::Refused { what }));
            }
        }
    }
    let what = "MariaDB rebuilds it in no way.".into();
    Ok(Some(Why::Refused { what }))
}

/// Bytes that a user other than root may still write there; `None` where that is not told.
fn free(data: &Path) -> Option<u64> {
    let at = statvfs(data).ok()?;
    Some(at.blocks_available() * at.fragment_size())
}

impl Kept {
    /// In one line.
    pub fn in_words(&self) -> String {
        let why = match &self.why {
            Why::InUse => "somebody works with it all the time".into(),
            Why::NeedsLock => {
                "nobody could write into it meanwhile; when that may be: --lock-tables".into()
            }
            Why::NoRoom { needed } => {
                format!("the disk has too little room, {} are needed", size(*needed))
            }
            Why::Refused { what } => what.clone(),
        };
        format!("{}: {why}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_that_stays_is_named_with_what_to_do() {
        let said = |why| {
            let name = TableName::new("clinic", "note");
            Kept { name, why }.in_words()
        };
        assert_eq!(
            said(Why::NoRoom {
                needed: 3_000_000_000
            }),
            "`clinic`.`note`: the disk has too little room, 3.0 GB are needed"
        );
        assert!(said(Why::NeedsLock).ends_with("--lock-tables"));
        assert!(said(Why::InUse).contains("somebody works with it"));
        let what = "It failed.".to_owned();
        assert_eq!(said(Why::Refused { what }), "`clinic`.`note`: It failed.");
    }
}
