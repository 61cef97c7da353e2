//! Files that are backed up beside the database.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::usage;
use crate::admin::backup::Tool;
use crate::admin::mariadb::backup_source::RunningDatabase;
use crate::admin::problem::Result;
use crate::release::RELEASE_FOLDER;

/// # Errors
/// For what is not there, for a backup in itself, and for the database and its keys, which
/// have a way of their own.
pub fn must_be_outside(path: &Path, to: &Path, database: &RunningDatabase) -> Result<()> {
    let refused = |what: &str| usage(format!("{} {what}. Nothing was changed.", path.display()));
    let named = path
        .canonicalize()
        .map_err(|error| refused(&format!("({error})")))?;
    if !path.is_absolute() {
        return Err(refused("does not begin with /"));
    }
    let [seen, real] = database.directories();
    for other in [seen, real, Path::new(RELEASE_FOLDER), to] {
        let other = other.canonicalize().unwrap_or_else(|_| other.to_owned());
        if named.starts_with(&other) || other.starts_with(&named) {
            let what = format!(
                "cannot be backed up: {} is in it, or it in that",
                other.display()
            );
            return Err(refused(&what));
        }
    }
    Ok(())
}

/// What writes an archive of these to standard output.
pub fn tar(include: &[PathBuf]) -> Tool {
    let mut command = Command::new("/usr/bin/tar");
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command.args(["--create", "--numeric-owner", "--acls", "--xattrs"]);
    command.args(["--directory=/", "--"]);
    command.args(include.iter().map(|path| relative(path)));
    Tool {
        name: "tar",
        command,
        // 1: a file was written while it was read, and is in it as it was found.
        well: &[0, 1],
    }
}

/// A path below the root directory.
fn relative(path: &Path) -> &Path {
    let inside = path.strip_prefix("/").unwrap_or(path);
    match inside.as_os_str().is_empty() {
        true => Path::new("."),
        false => inside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_archived_by_their_path_below_the_root() {
        assert_eq!(relative(Path::new("/etc/clinic")), Path::new("etc/clinic"));
        assert_eq!(relative(Path::new("/")), Path::new("."));
    }
}
