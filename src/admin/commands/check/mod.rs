//! `stayput check`: would the next boot unlock? What is there to see is
//! gathered by [`facts`]; what it means is said by the pure functions beside
//! it, one for each subject.

mod backups;
mod facts;
mod initramfs;
mod key_servers;
mod mariadb;
mod original;
mod outcome;
mod sticks;
mod vault;

use std::process::ExitCode;

use crate::admin::problem::{Exit, Problem, Result};
use facts::{Facts, gather};
use outcome::{Finding, Verdict, conclusion, gravest, screen};

/// Looks at the place, the vault, the installed initramfs, MariaDB and the list
/// of sticks. Nothing is changed.
///
/// Exit codes: 0 the next boot here opens by itself; 1 it would ask for a
/// stick, or not start the database; 2 it could not be looked at. Warnings
/// keep 0.
#[derive(clap::Args, Clone, Debug)]
pub struct CheckOptions {}

/// # Errors
/// With the exit code 2, when there is no vault to be looked for.
pub fn run(_: &CheckOptions, json: bool) -> Result<ExitCode> {
    let facts = gather().map_err(|problem| Problem {
        exit: Exit::Usage,
        ..problem
    })?;
    let findings = judge(&facts);
    let verdict = gravest(&findings);
    if json {
        println!("{:#}", as_json(&findings));
    } else {
        print!("{}", screen(&findings));
    }
    Ok(ExitCode::from(exit_code(verdict)))
}

/// All that is to be said, in the order of a boot.
fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = initramfs::judge(&facts.initramfs);
    findings.extend(vault::judge(&facts.vault));
    findings.extend(key_servers::judge(&facts.key_servers));
    findings.extend(mariadb::judge(&facts.mariadb));
    findings.extend(original::judge(&facts.original));
    findings.extend(backups::judge(&facts.backups));
    findings.extend(sticks::judge(facts.sticks.as_ref(), facts.now));
    findings
}

fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Fine | Verdict::Warning => 0,
        Verdict::Wrong => 1,
        Verdict::Unknown => 2,
    }
}

fn as_json(findings: &[Finding]) -> serde_json::Value {
    let verdict = gravest(findings);
    serde_json::json!({
        "verdict": verdict,
        "conclusion": conclusion(verdict),
        "findings": findings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::mariadb::cold_backups::{ColdBackup, Covers};
    use crate::vault::locate::LocateError;

    #[test]
    fn a_server_without_its_vault_still_hears_of_everything_else() {
        let facts = Facts {
            now: 0,
            initramfs: initramfs::InitramfsFacts {
                kernels: Vec::new(),
                scripts: false,
                panic: false,
            },
            vault: Err(LocateError::NoPartition),
            key_servers: Vec::new(),
            mariadb: None,
            original: Ok(None),
            backups: vec![ColdBackup {
                covers: Covers::Data,
                file: "/etc/cron.d/db".into(),
                line: 1,
                path: "/var/lib/mysql".into(),
            }],
            sticks: None,
        };
        let findings = judge(&facts);
        let names: Vec<&str> = findings.iter().map(|found| found.name).collect();
        assert_eq!(
            names,
            ["initramfs", "hook", "vault", "mariadb", "backups", "sticks"]
        );
        assert_eq!(gravest(&findings), Verdict::Wrong);
        // Scripts rely on the names.
        let documented = include_str!("../../../../docs/architecture.md");
        for name in names {
            assert!(documented.contains(&format!("`{name}`")), "{name}");
        }
        let json = as_json(&findings);
        assert_eq!(json["verdict"], "wrong");
        assert_eq!(json["findings"][2]["name"], "vault");
    }

    #[test]
    fn the_exit_code_is_what_the_help_says() {
        let codes = [
            (Verdict::Fine, 0),
            (Verdict::Warning, 0),
            (Verdict::Wrong, 1),
            (Verdict::Unknown, 2),
        ];
        for (verdict, code) in codes {
            assert_eq!(exit_code(verdict), code, "{verdict:?}");
        }
    }
}
