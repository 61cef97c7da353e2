//! `stayput check`: would the next boot unlock? What is there to see is
//! gathered by [`facts`]; what it means is said by the pure functions beside
//! it, one for each subject.

mod backups;
mod check_result;
mod facts;
mod held;
mod initramfs;
mod key_servers;
mod late_release;
mod mariadb;
mod original;
mod sticks;
mod vault;
mod watch;
mod ways;

use std::process::ExitCode;

use crate::admin::initramfs::inspect;
use crate::admin::json;
use crate::admin::one_screen::Room;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::release_service;
use crate::admin::systemd;
use crate::admin::watch_service;
use crate::environment::Cards;
use crate::vault::VaultConf;
use check_result::{CheckResult, Severity, as_text, conclusion, worst};
use facts::{Facts, gather};

/// What stands below the help: they are not those of the other commands.
pub const EXIT_CODES: &str = "Exit codes: 0 the next boot here opens by itself; 1 it would ask \
                              for a stick, not start the database, or not be watched; 2 it could \
                              not be looked at. Warnings keep 0.";

#[derive(clap::Args, Clone, Debug)]
pub struct CheckOptions {
    /// Put up network cards that are switched off, as a boot does, for as long as it
    /// takes
    #[arg(long)]
    cards: bool,
    /// Show all of it, also where that is more than one screen
    #[arg(long)]
    all: bool,
}

/// Looks at the place, the vault, the installed initramfs, MariaDB and the list
/// of sticks.
///
/// # Errors
/// With the exit code 2, when there is no vault to be looked for.
pub fn run(options: &CheckOptions, for_scripts: bool) -> Result<ExitCode> {
    let cards = match options.cards {
        true => Cards::PutUp,
        false => Cards::LeftDown,
    };
    let facts = gather(cards).map_err(not_looked_at)?;
    let results = judge(&facts);
    let severity = worst(&results);
    if for_scripts {
        json::print(document(&results));
    } else {
        print!("{}", as_text(&results, Room::of_output(options.all)));
    }
    Ok(ExitCode::from(exit_code(severity)))
}

/// Whether every installed kernel starts with this boot stage and this vault, and the
/// units are in place: what `stayput install` does.
pub fn is_installed(place: &VaultConf) -> bool {
    let images = initramfs::judge(&inspect(place));
    let is_fine = |result: &CheckResult| {
        result.severity < Severity::Unknown && result.next != initramfs::INSTALL
    };
    let has_units = !systemd::installed()
        || (release_service::UNIT.is_in_place() && watch_service::UNIT.is_in_place());
    images.iter().all(is_fine) && has_units
}

/// The check could not look, with its own exit code.
pub fn not_looked_at(problem: Problem) -> Problem {
    Problem {
        exit: Exit::Usage,
        ..problem
    }
}

/// Judges everything, in the order of a boot.
fn judge(facts: &Facts) -> Vec<CheckResult> {
    let mut results = initramfs::judge(&facts.initramfs);
    results.extend(vault::judge(&facts.vault));
    results.extend(ways::judge(facts.ways.as_ref(), &facts.initramfs));
    results.extend(key_servers::judge(&facts.key_servers));
    results.extend(match &facts.key_file {
        Some(path) => vec![mariadb::with_key_file(path)],
        None => mariadb::judge(&facts.mariadb),
    });
    results.extend(facts.move_under_way.then(mariadb::not_ended));
    results.extend(held::judge(facts.keys));
    results.extend(late_release::judge(facts.late_release));
    results.extend(watch::judge(facts.watch));
    results.extend(original::judge(&facts.original));
    // What hides the original hides them as well.
    if facts.original.is_ok() {
        results.extend(original::judge_copies(&facts.copies));
    }
    results.extend(backups::judge(&facts.backups));
    results.extend(backups::judge_newest(facts.newest_backup, facts.now));
    results.extend(sticks::judge(facts.sticks.as_ref(), facts.now));
    results
}

fn exit_code(severity: Severity) -> u8 {
    match severity {
        Severity::Fine | Severity::Warning => 0,
        Severity::Wrong => 1,
        Severity::Unknown => 2,
    }
}

fn document(results: &[CheckResult]) -> serde_json::Value {
    let severity = worst(results);
    serde_json::json!({
        "verdict": severity,
        "conclusion": conclusion(severity),
        "findings": results,
    })
}

/// A document with every field.
#[cfg(test)]
pub fn example() -> serde_json::Value {
    let fine = CheckResult::fine("vault", "The vault is whole, in both copies.");
    document(&[fine])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::backup::LastBackup;
    use crate::admin::initramfs::InitramfsFacts;
    use crate::admin::installed_files::InstalledStage;
    use crate::admin::mariadb::cold_backups::{ColdBackup, Covers};
    use crate::vault::locate::LocateError;

    #[test]
    fn a_server_without_its_vault_still_hears_of_everything_else() {
        let facts = Facts {
            now: 0,
            initramfs: InitramfsFacts {
                kernels: Vec::new(),
                installed_stage: InstalledStage::ThisBuild,
                scripts: false,
                panic: false,
                hardening: Default::default(),
            },
            vault: Err(LocateError::NoPartition),
            ways: None,
            key_servers: Vec::new(),
            watch: watch::WatchFacts {
                is_wanted: true,
                has_systemd: true,
                unit_in_place: false,
                hides_a_packages: false,
                is_running: false,
                waits_for_keys: false,
            },
            mariadb: None,
            key_file: None,
            move_under_way: false,
            keys: held::KeyFacts {
                held: true,
                waits_for_release: false,
            },
            late_release: late_release::LateReleaseFacts {
                goes_on_locked: true,
                has_systemd: true,
                unit_in_place: false,
                hides_a_packages: false,
            },
            original: Ok(None),
            copies: Ok(Vec::new()),
            backups: vec![ColdBackup {
                covers: Covers::Data,
                file: "/etc/cron.d/db".into(),
                line: 1,
                path: "/var/lib/mysql".into(),
            }],
            newest_backup: LastBackup::NoneGood,
            sticks: None,
        };
        let results = judge(&facts);
        let names: Vec<&str> = results.iter().map(|found| found.name).collect();
        assert_eq!(
            names,
            [
                "initramfs",
                "hook",
                "vault",
                "mariadb",
                "held",
                "late_release",
                "watch",
                "backups",
                "newest_backup",
                "sticks"
            ]
        );
        assert_eq!(worst(&results), Severity::Wrong);
        // Scripts rely on the names.
        let documented = include_str!("../../../../docs/json.md");
        for name in names {
            assert!(documented.contains(&format!("`{name}`")), "{name}");
        }
        let cut = Facts {
            move_under_way: true,
            ..facts
        };
        let found = judge(&cut);
        assert_eq!(found.len(), results.len() + 1);
        assert!(
            found
                .iter()
                .any(|found| found.what.contains("has not ended"))
        );
        let json = document(&results);
        assert_eq!(json["verdict"], "wrong");
        assert_eq!(json["findings"][2]["name"], "vault");
    }

    #[test]
    fn the_exit_code_is_what_the_help_says() {
        let codes = [
            (Severity::Fine, 0),
            (Severity::Warning, 0),
            (Severity::Wrong, 1),
            (Severity::Unknown, 2),
        ];
        for (severity, code) in codes {
            assert_eq!(exit_code(severity), code, "{severity:?}");
        }
    }
}
