//! `stayput restore --new-server`: another computer in the place of one that is gone. What is
//! left to be done follows from what is there: a run that was interrupted goes on.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::facts::{Database, Facts};
use super::plan::command_lines::{line, option};
use super::{LOCK, RunCommand, words};
use crate::admin::ask;
use crate::admin::backup::require;
use crate::admin::commands::restore::{Chosen, RestoreOptions};
use crate::admin::lock_file;
use crate::admin::mariadb::backup_source::MARIADB_BACKUP;
use crate::admin::mariadb::release_for_backup;
use crate::admin::mariadb::restore::{Earlier, Role, earlier};
use crate::admin::output;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::root::as_typed;
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::backup::Method;

/// What is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct There {
    has_vault: bool,
    has_place: bool,
    database: Database,
    /// What an earlier restore has left.
    restored: Earlier,
    is_installed: bool,
}

/// What is left to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Vault,
    /// The vault gives MariaDB the keys that the backup's files are encrypted with.
    Keys,
    Place,
    Database,
    Rows,
    Stage,
}

impl Step {
    const fn title(self) -> &'static str {
        match self {
            Self::Vault => "make the vault anew, with the key of the server that is gone",
            Self::Keys => "give MariaDB the keys that the backup is encrypted with",
            Self::Place => "remember this machine and this place",
            Self::Database => "encrypt the database that is here, and put the gate in front of it",
            Self::Rows => "restore the backup in its place",
            Self::Stage => "put the boot stage into the initramfs",
        }
    }
}

/// All of it, in order. Pure.
///
/// # Errors
/// Where nothing is left, or no database can be restored.
fn left(there: There) -> Result<Vec<Step>> {
    let There {
        has_vault,
        has_place,
        database,
        restored,
        is_installed,
    } = there;
    if database == Database::Absent {
        return Err(Problem::refused(
            "MariaDB is not installed here. Nothing was changed.",
            "Run: apt-get install mariadb-server mariadb-backup age zstd",
        ));
    }
    let is_restored = matches!(
        restored,
        Earlier::Kept {
            behind: Some(Role::Restored)
        }
    );
    let is_encrypted = database == Database::Encrypted;
    if has_vault && has_place && is_encrypted && is_installed {
        return Err(Problem::refused(
            "This server is set up already. Nothing was changed.",
            "To restore a backup on it: stayput restore --from PLACE",
        ));
    }
    let steps = [
        (!has_vault, Step::Vault),
        (!is_encrypted, Step::Keys),
        (!has_place, Step::Place),
        (!is_encrypted, Step::Database),
        (!is_restored, Step::Rows),
        (!is_installed, Step::Stage),
    ];
    let is_left = |(is_left, step): (bool, Step)| is_left.then_some(step);
    Ok(steps.into_iter().filter_map(is_left).collect())
}

/// Does all that is left. Ends as `stayput check` does.
///
/// # Errors
/// When a step fails: the next run goes on there.
pub fn restore(options: &RestoreOptions, command: RunCommand) -> Result<ExitCode> {
    let _alone = lock_file::only_one(LOCK, "`stayput setup`")?;
    require(&[
        (MARIADB_BACKUP, "mariadb-backup"),
        ("/usr/bin/mbstream", "mariadb-backup"),
    ])?;
    println!("Looking at what is there ...");
    let facts = Facts::gather()?;
    let vault = facts.vault.as_ref();
    let steps = left(There {
        has_vault: vault.is_some(),
        has_place: vault.is_some_and(|vault| vault.has_place),
        database: facts.database,
        restored: earlier()?,
        is_installed: facts.is_installed,
    })?;
    let stick = match steps.contains(&Step::Vault) {
        true => Some(key_stick(options)?),
        false => None,
    };
    println!("\nThis will be done:");
    for (step, at) in steps.iter().zip(1..) {
        println!("  {at}. {}", step.title());
        if let Some(line) = command_line(*step, options, stick.as_deref()) {
            println!("     {}", as_typed(&line));
        }
    }
    ask::confirm("Do this now?", options.yes)?;
    for (step, at) in steps.iter().zip(1..) {
        println!("\n[{at}/{}] {}", steps.len(), step.title());
        output::flush();
        let done = match command_line(*step, options, stick.as_deref()) {
            Some(line) => command(&line, None).map(drop),
            None => give_its_keys(options),
        };
        done.map_err(incomplete)?;
    }
    println!("\nWhat the next boot will do:");
    command(&words(&["check"]), None)
}

fn incomplete(problem: Problem) -> Problem {
    Problem {
        exit: Exit::Incomplete,
        next: format!(
            "{}\nThen run the same command again: it goes on where it has stopped.",
            problem.next
        ),
        ..problem
    }
}

/// The stick with the key: the one that was named, or the one with the backups.
fn key_stick(options: &RestoreOptions) -> Result<PathBuf> {
    let is_disk = |path: &Path| {
        path.metadata()
            .is_ok_and(|at| at.file_type().is_block_device())
    };
    let from = options.from.as_deref().filter(|from| is_disk(from));
    let stick = options.unlock.stick.as_deref().or(from);
    stick.map(Path::to_owned).ok_or_else(|| {
        Problem::new(
            Exit::Usage,
            "This server has no vault, and no stick is named that has the key. Nothing was changed.",
            "Name it: --stick /dev/sdb1. Without one, the recovery code makes the vault, with the \
             file `ways` beside the backup: stayput init --from-code --ways FILE. Then run the \
             command again.",
        )
    })
}

/// What an owner would type for a step; `None` for what no command does.
fn command_line(step: Step, options: &RestoreOptions, stick: Option<&Path>) -> Option<Vec<String>> {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let mut line = line(match step {
        Step::Vault => &["stayput", "init", "--yes"],
        Step::Keys => return None,
        Step::Place => &["stayput", "enroll", "--yes"],
        Step::Database => &[
            "stayput",
            "mariadb",
            "enable",
            "--known-keys",
            // Its encrypted copy is kept beside the restored one.
            "--destroy-original",
            "--yes",
        ],
        Step::Rows => &["stayput", "restore", "--yes"],
        Step::Stage => &["stayput", "install"],
    });
    match step {
        Step::Vault => {
            line.extend(option("--from-stick", &path(stick?)));
            if let Some(vault) = &options.vault {
                line.extend(option("--vault", &path(vault)));
            }
            if options.unlock.pin_stdin {
                line.push("--pin-stdin".into());
            }
        }
        Step::Rows => {
            line.extend(option("--from", &path(options.from.as_deref()?)));
            if let Some(number) = options.backup {
                line.extend(option("--backup", &number.to_string()));
            }
            if let Some(directory) = &options.files_to {
                line.extend(option("--files-to", &path(directory)));
            }
        }
        _ => {}
    }
    Some(line)
}

/// Notes in the vault what MariaDB has to be given for the files of the backup: what is
/// encrypted from now on gets the same.
fn give_its_keys(options: &RestoreOptions) -> Result<()> {
    let mut unlocked = unlock(&UnlockOptions::default())?;
    let chosen = Chosen::find(options, &unlocked)?;
    if chosen.manifest.method == Method::Dump {
        println!("A dump goes into any; nothing is to be done.");
        return Ok(());
    }
    let release = release_for_backup(&chosen.manifest.check, unlocked.keys())?;
    if unlocked.proven.policy.mariadb.as_ref() != Some(&release) {
        unlocked.set_mariadb(Some(release))?;
    }
    Ok(())
}

/// The words of every step that there can be, behind `stayput`.
#[cfg(test)]
pub fn every_step() -> Vec<Vec<String>> {
    use clap::Parser;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        options: RestoreOptions,
    }
    let words = "restore --new-server --from /dev/sdb1 --vault /boot/v --backup 12 --files-to /x";
    let Options { options } = Options::parse_from(words.split(' '));
    let steps = [
        Step::Vault,
        Step::Place,
        Step::Database,
        Step::Rows,
        Step::Stage,
    ]
    .into_iter();
    let line = |step| command_line(step, &options, Some(Path::new("/dev/sdb1")));
    steps
        .filter_map(line)
        .map(|line| line[1..].to_vec())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: There = There {
        has_vault: false,
        has_place: false,
        database: Database::Clear,
        restored: Earlier::Nothing,
        is_installed: false,
    };

    #[test]
    fn new_server_gets_all_and_an_interrupted_run_goes_on() {
        use Step::*;
        let all = left(NEW).unwrap();
        assert_eq!(all, [Vault, Keys, Place, Database, Rows, Stage]);
        let later = There {
            has_vault: true,
            has_place: true,
            database: self::Database::Interrupted,
            ..NEW
        };
        assert_eq!(left(later).unwrap(), [Keys, Database, Rows, Stage]);
        let encrypted = There {
            database: self::Database::Encrypted,
            ..later
        };
        assert_eq!(left(encrypted).unwrap(), [Rows, Stage]);
        let behind = Some(Role::Restored);
        let restored = There {
            restored: Earlier::Kept { behind },
            ..encrypted
        };
        assert_eq!(left(restored).unwrap(), [Stage]);
    }

    #[test]
    fn server_that_is_set_up_is_no_new_one() {
        let there = There {
            has_vault: true,
            has_place: true,
            database: Database::Encrypted,
            is_installed: true,
            ..NEW
        };
        assert!(left(there).unwrap_err().next.contains("restore --from"));
        let absent = There {
            database: Database::Absent,
            ..NEW
        };
        assert!(left(absent).unwrap_err().next.contains("mariadb-server"));
    }
}
