//! MariaDB's version, and whether it can repair an encrypted page.
//!
//! A power cut can tear a page while it is written; InnoDB then takes the copy
//! in its doublewrite buffer. With encrypted pages of today's format that did
//! not work until MDEV-34898 was mended (February 2025): the table, or the
//! whole server, is lost. It was mended in 10.6.21 (and so in 10.11.11),
//! 11.4.5 and 11.7.2; for 10.5 and for the short series between them no
//! release is known.

use std::fmt;
use std::process::Command;

use crate::admin::problem::{Problem, Result};
use crate::admin::program;

use crate::admin::mariadb::service_user::MARIADBD;

/// Three numbers, as in 10.11.19.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16, pub u16, pub u16);

/// The first mended release of each series that has one. Every series after
/// [`MENDED_FROM`] was born mended.
const MENDED: [Version; 4] = [
    Version(10, 6, 21),
    Version(10, 11, 11),
    Version(11, 4, 5),
    Version(11, 7, 2),
];
const MENDED_FROM: Version = Version(11, 8, 0);

/// Why an encrypted database is not safe with this MariaDB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionFault {
    /// A page that a power cut has torn cannot be repaired.
    TornPages(Version),
    /// The text holds no version.
    Unknown,
}

impl Version {
    /// Reads what `mariadbd --version` prints, or `SELECT VERSION()`: the first
    /// word that begins with three numbers, after `Ver` or `Distrib` if one of
    /// them is there.
    pub fn parse(text: &str) -> Option<Self> {
        let line = text.lines().next()?;
        let line = line.get(..200).unwrap_or(line);
        let after = ["Distrib ", "Ver "]
            .iter()
            .find_map(|mark| line.split_once(mark))
            .map_or(line, |(_, after)| after);
        // An old prefix for clients that know no version above 9.
        let after = after.trim_start().trim_start_matches("5.5.5-");
        let mut numbers = after.splitn(3, '.');
        let [first, second, rest] = [numbers.next()?, numbers.next()?, numbers.next()?];
        let third: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(Self(
            first.parse().ok()?,
            second.parse().ok()?,
            third.parse().ok()?,
        ))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// What is wrong with a version; the text may come from anywhere.
pub fn version_fault(version: &str) -> Option<VersionFault> {
    let Some(version) = Version::parse(version) else {
        return Some(VersionFault::Unknown);
    };
    let same_series = |mended: &Version| (mended.0, mended.1) == (version.0, version.1);
    let mended = version >= MENDED_FROM
        || MENDED
            .iter()
            .any(|mended| same_series(mended) && version >= *mended);
    (!mended).then_some(VersionFault::TornPages(version))
}

/// The first line of `mariadbd --version`.
///
/// # Errors
/// When it cannot be run.
pub fn of_mariadbd() -> Result<String> {
    let text = program::run(
        Command::new(MARIADBD).args(["--no-defaults", "--version"]),
        "Is the package mariadb-server installed whole? `dpkg --audit` tells.",
    )?;
    match text.lines().next() {
        Some(line) => Ok(line.to_owned()),
        None => Err(Problem::failed(
            "mariadbd does not tell its version.",
            "Is the package mariadb-server installed whole? `dpkg --audit` tells.",
        )),
    }
}

impl fmt::Display for VersionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TornPages(version) => write!(
                f,
                "MariaDB {version} cannot repair an encrypted page that a power cut has torn \
                 (MDEV-34898)"
            ),
            Self::Unknown => write!(f, "MariaDB's version cannot be told"),
        }
    }
}

impl VersionFault {
    /// What to do next, in one line.
    pub fn next(&self) -> &'static str {
        match self {
            Self::TornPages(_) => {
                "Update it: `apt-get update && apt-get install mariadb-server`. Mended are 10.6.21, \
                 10.11.11, 11.4.5, 11.8 and later."
            }
            Self::Unknown => "`mariadbd --version` should print it.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_program_says_its_version_differently() {
        for (text, expected) in [
            (
                "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)\n",
                Version(10, 11, 19),
            ),
            (
                "/usr/sbin/mariadbd  Ver 11.8.9-MariaDB-0+deb13u1 from Debian for debian-linux-gnu on x86_64 (-- Please help get to 10k stars)",
                Version(11, 8, 9),
            ),
            (
                "mariadb  Ver 15.1 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)",
                Version(10, 11, 19),
            ),
            ("10.11.6-MariaDB-0+deb12u1-log", Version(10, 11, 6)),
            ("5.5.5-10.11.6-MariaDB", Version(10, 11, 6)),
        ] {
            assert_eq!(Version::parse(text), Some(expected), "{text}");
        }
        for text in ["", "mariadbd", "10.11", "a.b.c", "10.11.x"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn releases_that_lose_torn_pages_are_known() {
        for (version, safe) in [
            ("10.5.29", false),
            ("10.6.20", false),
            ("10.6.21", true),
            ("10.11.6", false),
            ("10.11.10", false),
            ("10.11.11", true),
            ("10.11.19", true),
            ("11.2.6", false),
            ("11.4.4", false),
            ("11.4.5", true),
            ("11.7.1", false),
            ("11.7.2", true),
            ("11.8.0", true),
            ("11.8.9", true),
            ("12.0.1", true),
        ] {
            assert_eq!(version_fault(version).is_none(), safe, "{version}");
        }
        assert_eq!(version_fault("nonsense"), Some(VersionFault::Unknown));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,300}") {
            let _ = version_fault(&text);
        }
    }
}
