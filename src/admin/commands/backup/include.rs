//! The files and directories that are backed up besides the database.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::usage;
use crate::admin::mariadb::backup_source::RunningDatabase;
use crate::admin::problem::{Problem, Result};
use crate::backup::Files;
use crate::release::RELEASE_FOLDER;

/// What was named, where it really is: an archive of a link has a link in it, and no file.
#[derive(Debug)]
pub struct Included(PathBuf);

impl Included {
    /// # Errors
    /// For what is not there, for a backup in itself, and for the database and its keys, which
    /// have a way of their own.
    pub fn find(path: &Path, to: &Path, database: &RunningDatabase) -> Result<Self> {
        let [seen, real] = database.directories();
        Self::outside(path, &[seen, real, Path::new(RELEASE_FOLDER), to])
    }

    fn outside(path: &Path, others: &[&Path]) -> Result<Self> {
        let refused =
            |what: &str| usage(format!("{} {what}. Nothing was changed.", path.display()));
        if !path.is_absolute() {
            return Err(refused("does not begin with /"));
        }
        let named = path
            .canonicalize()
            .map_err(|error| refused(&format!("({error})")))?;
        for other in others {
            let other = other.canonicalize().unwrap_or_else(|_| other.to_path_buf());
            if named.starts_with(&other) || other.starts_with(&named) {
                let what = format!(
                    "cannot be backed up: {} is in it, or it in that",
                    other.display()
                );
                return Err(refused(&what));
            }
        }
        if named != path {
            println!(
                "{} leads to {}; that is backed up.",
                path.display(),
                named.display()
            );
        }
        Ok(Self(named))
    }

    /// Its path below the root directory.
    pub fn below_the_root(&self) -> &Path {
        let inside = self.0.strip_prefix("/").unwrap_or(&self.0);
        match inside.as_os_str().is_empty() {
            true => Path::new("."),
            false => inside,
        }
    }
}

/// How many files there are in all of them, as tar finds them: no link is followed, and a link
/// counts as a file without bytes.
///
/// # Errors
/// When one cannot be read.
pub fn count(included: &[Included]) -> Result<Files> {
    let mut files = Files::default();
    for one in included {
        let counted = count_in(&one.0, &mut files);
        counted.map_err(|error| Problem::of_file(&one.0, &error))?;
    }
    Ok(files)
}

fn count_in(path: &Path, files: &mut Files) -> io::Result<()> {
    let at = match fs::symlink_metadata(path) {
        // It was removed meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        at => at?,
    };
    if !at.is_dir() {
        files.count += 1;
        files.bytes += if at.is_file() { at.len() } else { 0 };
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        count_in(&entry?.path(), files)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn link_that_is_named_is_backed_up_as_what_it_leads_to() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let (charts, link) = (home.join("charts"), home.join("link"));
        fs::create_dir_all(charts.join("1")).unwrap();
        fs::write(charts.join("1/chart"), "four").unwrap();
        symlink("/etc", charts.join("elsewhere")).unwrap();
        symlink(&charts, &link).unwrap();
        let included = Included::outside(&link, &[]).unwrap();
        let inside = charts.strip_prefix("/").unwrap();
        assert_eq!(included.below_the_root(), inside);
        let files = count(&[included]).unwrap();
        assert_eq!(files, Files { count: 2, bytes: 4 });
    }

    #[test]
    fn database_and_backups_are_not_backed_up_as_files() {
        let home = tempfile::tempdir().unwrap();
        let (data, link) = (home.path().join("mysql"), home.path().join("link"));
        fs::create_dir(&data).unwrap();
        symlink(&data, &link).unwrap();
        for path in [&data, &link, home.path()] {
            assert!(Included::outside(path, &[&data]).is_err(), "{path:?}");
        }
        assert!(Included::outside(Path::new("charts"), &[]).is_err());
        assert!(Included::outside(Path::new("/nonexistent"), &[]).is_err());
    }

    #[test]
    fn files_are_archived_by_their_path_below_the_root() {
        let below = |path: &str| Included(path.into()).below_the_root().to_owned();
        assert_eq!(below("/etc/clinic"), Path::new("etc/clinic"));
        assert_eq!(below("/"), Path::new("."));
    }
}
