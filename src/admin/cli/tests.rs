use super::*;
use crate::admin::problem::ProblemKind;
use clap::CommandFactory;

/// Every command with the least that it takes.
const COMMANDS: [&str; 48] = [
    "setup",
    "init",
    "enroll",
    "stick make /dev/sdb1 --label office",
    "stick list",
    "stick verify /dev/sdb1",
    "stick renew",
    "stick remove office",
    "passphrase add Otieno",
    "passphrase change Otieno",
    "passphrase remove Otieno",
    "passphrase list",
    "code",
    "backup --to /mnt",
    "backup list --from /mnt",
    "backup verify --from /mnt",
    "backup forget --from /mnt --backup 3",
    "backup identity",
    "backup automatic on",
    "backup plugged",
    "restore --from /mnt",
    "mariadb enable",
    "mariadb disable --key-file /etc/mysql/mariadb.keys",
    "mariadb rotate",
    "mariadb progress",
    "mariadb destroy-original",
    "mariadb destroy-copy",
    "mariadb gate",
    "mariadb close",
    "mariadb started",
    "mariadb continue",
    "mariadb let-go",
    "package configure",
    "install",
    "uninstall",
    "policy",
    "release",
    "release --take-back",
    "release --wait",
    "rekey",
    "reset",
    "check",
    "simulate",
    "audit",
    "status",
    "sheet",
    "log",
    "watch",
];

const DOCUMENTS: [&str; 10] = [
    "status",
    "check",
    "simulate",
    "log",
    "audit",
    "stick list",
    "passphrase list",
    "policy",
    "backup list --from /mnt",
    "mariadb progress",
];

fn typed(line: &str) -> Cli {
    let words = std::iter::once("stayput").chain(line.split(' '));
    Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// The names of all commands without any below them.
fn leaves(command: &clap::Command, above: &str, names: &mut Vec<String>) {
    for command in command.get_subcommands() {
        let name = format!("{above}{}", command.get_name());
        match command.has_subcommands() {
            true => leaves(command, &format!("{name} "), names),
            false => names.push(name),
        }
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn without_root_every_command_names_sudo_and_claims_nothing() {
    let mut names = Vec::new();
    leaves(&Cli::command(), "", &mut names);
    names.retain(|name| name != "initramfs-modules");
    assert!(names.len() > 20);
    for name in &names {
        let is_tried = COMMANDS.iter().any(|line| line.starts_with(name.as_str()));
        assert!(is_tried, "{name} is not tried here");
    }
    for line in COMMANDS {
        let words: Vec<String> = ["stayput"]
            .into_iter()
            .chain(line.split(' '))
            .map(String::from)
            .collect();
        let command = typed(line).command;
        let refused = command.must_be_allowed(false, &words).unwrap_err();
        assert_eq!(refused.kind, ProblemKind::NotAllowed, "{line}");
        let next = format!("Run it with sudo: sudo stayput {line}");
        assert_eq!(refused.next, next);
        let exit = if line == "check" {
            Exit::Usage
        } else {
            Exit::Refused
        };
        assert_eq!(refused.exit, exit, "{line}");
        assert!(command.must_be_allowed(true, &words).is_ok(), "{line}");
    }
}

#[test]
fn json_is_refused_where_a_command_has_none() {
    for line in COMMANDS {
        let mut cli = typed(line);
        cli.json = true;
        let has = DOCUMENTS.contains(&line);
        assert_eq!(cli.command.has_document(), has, "{line}");
        if !has {
            // Before anything else, so also without root and on a server without a vault.
            let refused = cli.do_it().unwrap_err();
            assert_eq!(refused.exit, Exit::Usage, "{line}");
            assert!(refused.next.contains("--json"), "{line}");
        }
    }
}

#[test]
fn a_line_that_makes_no_sense_is_told_to_scripts_too() {
    let error = Cli::try_parse_from(["stayput", "--json", "status", "--explode"]).unwrap_err();
    let problem = not_understood(&error);
    assert_eq!(problem.kind, ProblemKind::Usage);
    assert!(problem.what.contains("--explode"), "{}", problem.what);
    assert!(!problem.what.starts_with("error"), "{}", problem.what);
}

#[test]
fn every_step_of_setup_is_a_command_line() {
    for step in setup::every_step() {
        let words = std::iter::once("stayput".to_owned()).chain(step);
        let words: Vec<String> = words.collect();
        let read = Cli::try_parse_from(&words);
        assert!(read.is_ok(), "{words:?}: {}", read.unwrap_err());
        assert!(!words.join(" ").contains("--pin"), "no PIN is read twice");
    }
}
