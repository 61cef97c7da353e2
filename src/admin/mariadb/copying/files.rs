//! Definitions that are files of text: views and triggers, and tables whose
//! rows are elsewhere. They are copied as they are: a view whose table is gone
//! could not be made again by its statement, and making a FEDERATED table asks
//! the other server.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::problem::{Problem, Result};

use super::definitions::{databases, file_name};
use super::names::TableName;
use super::protocol::{Connection, SqlError};
use super::schema::Table;
use super::sql_problem;

/// How the file of a view begins.
const VIEW: &[u8] = b"TYPE=VIEW\n";

/// A database and a file in its directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DefinitionFile {
    /// The database's name.
    pub schema: String,
    /// The database's directory and the file.
    pub path: PathBuf,
}

/// The definition files of a server in `data`, with their contents. What a
/// `live` server has not any more is left out.
///
/// # Errors
/// When one cannot be read.
pub fn read(
    server: &mut Connection<'_>,
    data: &Path,
    tables: &BTreeMap<TableName, Table>,
    live: bool,
) -> Result<BTreeMap<DefinitionFile, Vec<u8>>> {
    let asking = |error: SqlError| sql_problem::problem(&error, "listing the databases");
    let mut found = BTreeMap::new();
    for database in databases(server).map_err(asking)? {
        let schema = database.name;
        let directory = file_name(server, &schema).map_err(asking)?;
        let mut elsewhere = Vec::new();
        for table in tables.values().filter(|table| table.name.schema == schema) {
            if table.keeps_definition_only() {
                elsewhere.push(file_name(server, &table.name.name).map_err(asking)?);
            }
        }
        let place = data.join(&directory);
        let problem = |error: io::Error| {
            Problem::failed(
                format!("{}: {error}", place.display()),
                "Look at the disk's health (`dmesg`) and run the command again.",
            )
        };
        let mut frames = 0;
        let gone = |error: &io::Error| live && error.kind() == io::ErrorKind::NotFound;
        let entries = match fs::read_dir(&place) {
            Err(error) if gone(&error) => continue,
            entries => entries.map_err(problem)?,
        };
        for entry in entries {
            let name = entry.map_err(problem)?.file_name();
            let path = place.join(&name);
            let contents = match definition(&path, &elsewhere) {
                Err(error) if gone(&error) => continue,
                contents => contents.map_err(problem)?,
            };
            if let Some(contents) = contents {
                let frame = name.to_str().and_then(|name| name.strip_suffix(".frm"));
                frames +=
                    usize::from(frame.is_some_and(|name| elsewhere.iter().any(|e| e == name)));
                let path = Path::new(&directory).join(&name);
                let schema = schema.clone();
                found.insert(DefinitionFile { schema, path }, contents);
            }
        }
        if frames != elsewhere.len() {
            return Err(Problem::refused(
                format!(
                    "Of {} tables in {} whose rows are elsewhere, only {frames} have a file.",
                    elsewhere.len(),
                    place.display()
                ),
                "Nothing was changed. Note their definitions (SHOW CREATE TABLE) and drop them.",
            ));
        }
    }
    Ok(found)
}

/// The contents of a file that is a definition of this kind.
fn definition(path: &Path, elsewhere: &[String]) -> io::Result<Option<Vec<u8>>> {
    let base = path.file_stem().unwrap_or_default();
    let one_of = |names: &[String]| names.iter().any(|name| base == name.as_str());
    let wanted = match path.extension().and_then(|end| end.to_str()) {
        Some("TRG" | "TRN") => true,
        Some("frm") => one_of(elsewhere) || is_view(path)?,
        Some("MRG" | "par") => one_of(elsewhere),
        _ => false,
    };
    wanted.then(|| fs::read(path)).transpose()
}

fn is_view(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    fs::File::open(path)?
        .take(VIEW.len() as u64)
        .read_to_end(&mut head)?;
    Ok(head == VIEW)
}

/// Writes them into another server's data directory.
///
/// # Errors
/// When one cannot be written.
pub fn write(
    files: &BTreeMap<DefinitionFile, Vec<u8>>,
    data: &Path,
    user: &ServiceUser,
) -> Result<()> {
    for (file, contents) in files {
        let path = data.join(&file.path);
        let written =
            fs::write(&path, contents).and_then(|()| chown(&path, Some(user.uid), Some(user.gid)));
        written.map_err(|error| {
            Problem::failed(
                format!("{}: {error}", path.display()),
                "Is the disk full? `df` tells.",
            )
        })?;
    }
    Ok(())
}

/// What a text is known by.
pub fn digest(contents: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in &Sha256::digest(contents)[..16] {
        write!(text, "{byte:02x}").expect("a String takes any text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_and_triggers_are_told_from_tables() {
        let room = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &[u8]| {
            let path = room.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let none: [String; 0] = [];
        let wanted = |path: &Path, elsewhere: &[String]| definition(path, elsewhere).unwrap();
        let view = file("v.frm", b"TYPE=VIEW\nquery=select 1\n");
        assert!(wanted(&view, &none).is_some());
        let table = file("t.frm", b"\xfe\x01\x0a");
        assert!(wanted(&table, &none).is_none());
        assert!(wanted(&table, &["t".to_owned()]).is_some());
        assert!(wanted(&file("t.TRG", b"TYPE=TRIGGERS\n"), &none).is_some());
        assert!(wanted(&file("t.ibd", b""), &["t".to_owned()]).is_none());
    }
}
