//! `stayput backup identity`: the secrets by which age alone reads the backups.

use crate::admin::output;
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::backup::age_identity;
use crate::printable::Printable;

/// Before each line of MariaDB's key file; docs/emergency.md goes by it.
const MARIADB: &str = "# mariadb: ";

#[derive(clap::Args, Clone, Debug)]
pub struct IdentityOptions {
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput backup identity`: prints the file that `age --decrypt -i` takes, the
/// identity of the key of now first. MariaDB's keys stand in comments of it: the files in a
/// physical backup are encrypted with them as well.
///
/// # Errors
/// When the vault does not open, or the output goes to a file.
pub fn identity(options: &IdentityOptions) -> Result<()> {
    refuse_a_file(output::is_to_file())?;
    let unlocked = unlock(&options.unlock)?;
    let header = unlocked.vault.header();
    println!(
        "# Reads every backup of {} ({}): as secret as its rows.",
        Printable(&header.server_name),
        header.server_id
    );
    for (generation, master) in unlocked.keys().all() {
        println!("# Of key {generation}:");
        // Straight out: a copy of it would stay in memory.
        println!("{}", &*age_identity(master, generation));
    }
    if let Some(release) = &unlocked.proven.policy.mariadb {
        println!("# The key file of MariaDB, a line behind each of these words:");
        let file = release.key_file(unlocked.keys());
        for key in str::from_utf8(file.as_bytes()).unwrap_or_default().lines() {
            println!("{MARIADB}{key}");
        }
    }
    Ok(())
}

/// A file on a disk would give the rows to whoever takes that disk.
fn refuse_a_file(is_to_file: bool) -> Result<()> {
    match is_to_file {
        false => Ok(()),
        true => Err(Problem::refused(
            "It would stay in the file, and whoever has the file reads every backup.",
            "Pipe it into what needs it: stayput backup identity | age --decrypt -i - FILE",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_goes_to_no_file() {
        assert!(refuse_a_file(false).is_ok());
        let refused = refuse_a_file(true).unwrap_err();
        assert!(refused.next.contains("age --decrypt -i -"), "{refused}");
    }
}
