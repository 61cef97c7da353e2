//! The programs that a backup needs besides MariaDB.

use std::path::Path;

use crate::admin::problem::{Problem, Result};

pub const AGE: &str = "/usr/bin/age";
pub const AGE_KEYGEN: &str = "/usr/bin/age-keygen";
pub const ZSTD: &str = "/usr/bin/zstd";

/// # Errors
/// Names the packages of what is not there, `more` (a program and its package) included.
pub fn require(more: &[(&str, &str)]) -> Result<()> {
    let ours = [(AGE, "age"), (AGE_KEYGEN, "age"), (ZSTD, "zstd")];
    let mut missing: Vec<&str> = ours
        .iter()
        .chain(more)
        .filter(|(program, _)| !Path::new(program).exists())
        .map(|(_, package)| *package)
        .collect();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    Err(Problem::refused(
        format!("A backup needs programs that are not installed: {packages}."),
        format!("Run: apt-get install {packages}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_that_is_missing_is_named_by_its_package() {
        let more = [("/nonexistent/mariadb-backup", "mariadb-backup")];
        let problem = require(&more).unwrap_err();
        assert!(problem.next.ends_with("mariadb-backup"), "{problem}");
    }
}
