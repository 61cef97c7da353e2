//! Whether a package owns the files of stayput on this server: then no command writes,
//! replaces or removes any of them.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::admin::problem::{Problem, Result};
use crate::build_mark::BUILD_MARK;

/// The package's mark: its version in the first line, the mark of the build that is in it
/// in the second.
const MARK: &str = "/usr/lib/stayput/packaged";

/// Who has put programs, hooks and services where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Somebody who ran `stayput install`, or will.
    Hand,
    /// The package that this program is of.
    Package,
    /// A package with another build than this program.
    OtherPackage {
        /// The package's version.
        version: String,
    },
}

impl Owner {
    /// Pure: by the text of the package's mark, where there is one.
    fn by(mark: Option<&str>, build: &str) -> Self {
        let Some(mark) = mark else {
            return Self::Hand;
        };
        let mut lines = mark.lines();
        let version = lines.next().unwrap_or_default();
        match lines.next() == Some(build) {
            true => Self::Package,
            false => Self::OtherPackage {
                version: version.into(),
            },
        }
    }
}

/// Who owns the files of this server.
pub fn owner() -> Owner {
    match fs::read_to_string(Path::new(MARK)) {
        Err(error) if error.kind() == ErrorKind::NotFound => Owner::Hand,
        // What cannot be read is a mark all the same.
        read => Owner::by(Some(&read.unwrap_or_default()), BUILD_MARK),
    }
}

/// Whether a package owns the files, and this program is of it.
///
/// # Errors
/// Where the package is of another build: its files are not this program's to replace.
pub fn is_packaged() -> Result<bool> {
    match owner() {
        Owner::Hand => Ok(false),
        Owner::Package => Ok(true),
        Owner::OtherPackage { version } => Err(Problem::refused(
            format!(
                "The programs here belong to the package stayput {version}, and this program is \
                 of another build. Nothing was changed."
            ),
            "Use the package's own (/usr/sbin/stayput), or install the package of this version.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_another_build_is_not_the_packages() {
        let build = "stayput 0.1.0, sources 0123456789abcdef";
        let other = Owner::OtherPackage {
            version: "0.1.0-1".into(),
        };
        let mark = format!("0.1.0-1\n{build}\n");
        assert_eq!(Owner::by(Some(&mark), build), Owner::Package);
        assert_eq!(Owner::by(None, build), Owner::Hand);
        let newer = "0.1.0-1\nstayput 0.1.0, sources fedcba9876543210\n";
        assert_eq!(Owner::by(Some(newer), build), other);
        // A mark that was cut off is a package's too.
        assert_eq!(Owner::by(Some("0.1.0-1"), build), other);
        assert_ne!(Owner::by(Some(""), build), Owner::Hand);
    }
}
