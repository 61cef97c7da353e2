//! The command line of `stayput`.

use std::io;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::admin::ask::Pin;
use crate::admin::commands::{
    audit, backup, check, code, enroll, init, install, log, mariadb, package, passphrase, policy,
    rekey, release, reset, restore, sheet, simulate, status, stick, watch,
};
use crate::admin::initramfs;
use crate::admin::json;
use crate::admin::output;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::root::must_be_root;
use crate::admin::setup;
use crate::sys::memory;

/// Releases the database key at boot only where this server belongs.
///
/// `stayput setup` sets a server up. The long way, in this order: init, enroll,
/// stick make, mariadb enable, install.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub struct Cli {
    /// Print one JSON document for scripts (status, check, simulate, log, audit, stick list,
    /// passphrase list, policy, backup list)
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 something failed; 2 the command line makes no \
                          sense; 3 the vault did not open; 4 refused, nothing was changed. \
                          `check` has its own, and `setup` ends as it does, or with 5 where a step \
                          has failed.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Set this server up, with five questions or a file of answers
    ///
    /// Looks at what is there, shows what is left to be done, does it, and ends with
    /// `check`. If it was interrupted, run it again: it goes on.
    Setup(setup::SetupOptions),
    /// Make the vault and the key, once per server
    ///
    /// The vault gets a small partition in a gap of the system's disk, or the place that --disk
    /// or --vault names. What holds somebody's data is never overwritten.
    Init(init::InitOptions),
    /// Remember what this server is made of and what stands around it
    ///
    /// From then on the vault opens by itself where enough of it is as it is now. Run it where
    /// the server will stand, with everything switched on that is on at night too.
    Enroll(enroll::EnrollOptions),
    /// Make and look after backup sticks
    #[command(subcommand)]
    Stick(stick::StickCommand),
    /// Let people open the locked server with what they remember
    #[command(subcommand)]
    Passphrase(passphrase::PassphraseCommand),
    /// Show the recovery code, to be written down
    ///
    /// The code is as good as the master key: whoever has it and the server, or a
    /// copy of its disk or of a backup, reads the data. Where its paper is lost, replace the
    /// key: stayput rekey --without-code
    Code(code::CodeOptions),
    /// Back the database up, encrypted, to a stick or a directory
    ///
    /// What MariaDB's own tool reads goes through zstd and age to the place, and nowhere else. It
    /// is encrypted to the master key: a stick or the code opens it. Nobody has to type anything
    /// for it.
    Backup(backup::BackupOptions),
    /// Put the database of a backup in the place of the one that is there
    ///
    /// All of the backup is verified first. The database is made beside the one that is there,
    /// and its rows are counted; then the two change places. The one that was there is kept until
    /// you remove it. If the power goes, run it again.
    Restore(restore::RestoreOptions),
    /// Encrypt MariaDB, and guard its starts
    #[command(subcommand)]
    Mariadb(mariadb::MariadbCommand),
    /// Put the boot stage into the initramfs
    ///
    /// Programs, hooks and services are put where they belong, unless a package has brought
    /// them; then the initramfs of every kernel is made anew. Run it again after a change.
    Install,
    /// Take the boot stage out of the initramfs
    ///
    /// Refused while a database depends on the keys. The vault and the sticks stay.
    Uninstall(install::UninstallOptions),
    /// Show and set what the server does when it may have been stolen
    ///
    /// Without an option it shows what holds now. For a change the vault is opened by the place,
    /// or with --stick, --passphrase or --code.
    Policy(policy::PolicyOptions),
    /// Put the keys into memory again, or take them out of it
    ///
    /// The vault is opened by the place, or with --stick, --passphrase or --code; then MariaDB
    /// is started.
    Release(release::ReleaseOptions),
    /// Replace the master key, after a stick, a passphrase or the code was lost
    ///
    /// The vault is opened by the place, or with --stick, --passphrase or --code. Nobody else is
    /// asked, and no other stick is needed: what stays opens the server as before.
    Rekey(rekey::RekeyOptions),
    /// Destroy the key on this server's disk; only a backup stick or the recovery
    /// code opens it then
    Reset(reset::ResetOptions),
    /// Would the next boot here open by itself?
    ///
    /// Nothing is changed.
    #[command(after_help = check::EXIT_CODES)]
    Check(check::CheckOptions),
    /// Show what the prompt would say when something is missing, destroying nothing
    ///
    /// It asks the place, takes away what you name, and runs the decisions of a boot on the
    /// rest. Nothing is written, and no strike is counted.
    Simulate(simulate::SimulateOptions),
    /// Show what this server is protected from, and what not
    Audit(audit::AuditOptions),
    /// Show how things stand
    ///
    /// Nothing is changed. `stayput check` tells how the next boot will go.
    Status(status::StatusOptions),
    /// Print the page for the drawer: what to do when the server asks for a stick
    ///
    /// It says so in the words of the prompt. No secret is on it.
    Sheet(sheet::SheetOptions),
    /// Show what happened at each boot
    ///
    /// With --verify the log's seal tells whether somebody has changed it.
    Log(log::LogOptions),
    /// Watch what stands around the running server (stayput-watch.service runs it)
    Watch,
    /// List the kernel modules that the boot stage needs (the initramfs hook runs it)
    #[command(hide = true)]
    InitramfsModules(initramfs::ModulesOptions),
    /// What the package's scripts run
    #[command(hide = true, subcommand)]
    Package(package::PackageCommand),
}

impl Command {
    /// Whether it prints a document for scripts.
    fn has_document(&self) -> bool {
        match self {
            Self::Status(_)
            | Self::Log(_)
            | Self::Check(_)
            | Self::Simulate(_)
            | Self::Audit(_)
            | Self::Policy(_) => true,
            Self::Backup(options) => options.has_document(),
            Self::Stick(command) => command.has_document(),
            Self::Passphrase(command) => command.has_document(),
            _ => false,
        }
    }

    /// Whether its output goes into a log, as long as there is room for one.
    fn is_run_by_a_unit(&self) -> bool {
        match self {
            Self::Watch => true,
            Self::Mariadb(command) => command.is_run_by_a_unit(),
            Self::Release(options) => options.is_run_by_a_unit(),
            _ => false,
        }
    }

    /// Nothing of a command that may hold the key is swapped or left in a core. Only
    /// root can open the vault, and lock more than a little memory.
    fn keep_memory_private(&self) -> Result<()> {
        let holds_keys = !matches!(self, Self::InitramfsModules(_) | Self::Package(_));
        let done = match holds_keys && nix::unistd::geteuid().is_root() {
            true => memory::keep_private(),
            // Also where a system is made in a container, which may lock no memory.
            false => memory::leave_no_core(),
        };
        done.map_err(|errno| {
            Problem::failed(
                format!(
                    "The command cannot keep its memory private: {}.",
                    errno.desc()
                ),
                "In a container: give it CAP_IPC_LOCK, or run the command outside.",
            )
        })
    }

    /// The one door to the vault, the disks, the keys and MariaDB: without root nothing
    /// of them can be seen, and "not allowed" would be told as "not there".
    ///
    /// # Errors
    /// When the caller is not root and the command needs it.
    fn must_be_allowed(&self, is_root: bool, typed: &[String]) -> Result<()> {
        match self {
            // It reads nothing but the kernel's modules, where packages are built too.
            Self::InitramfsModules(_) => Ok(()),
            Self::Check(_) => must_be_root(is_root, typed).map_err(check::not_looked_at),
            _ => must_be_root(is_root, typed),
        }
    }
}

/// Tells why the command failed.
pub fn tell(problem: &Problem) {
    eprintln!("{problem}");
}

impl Cli {
    /// The command line that was typed. Ends the process where it makes no sense, or
    /// only asks for help.
    pub fn read() -> Self {
        Self::try_parse().unwrap_or_else(|error| {
            let is_help = matches!(
                error.kind(),
                ErrorKind::DisplayHelp
                    | ErrorKind::DisplayVersion
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            );
            if !is_help && std::env::args_os().any(|word| word == "--json") {
                json::print_error(&not_understood(&error));
            }
            error.exit()
        })
    }

    /// # Errors
    /// What the command says; else that not all of it could be printed.
    pub fn run(&self) -> Result<ExitCode> {
        if self.json {
            output::keep_for_a_document();
        }
        self.do_it().inspect_err(|problem| {
            if self.json {
                json::print_error(problem);
            }
        })
    }

    fn do_it(&self) -> Result<ExitCode> {
        if self.json && !self.command.has_document() {
            return Err(Problem::new(
                Exit::Usage,
                "This command prints nothing for scripts. Nothing was done.",
                "Leave --json out. `stayput help` names the commands that have it.",
            ));
        }
        let typed = std::env::args_os();
        let typed: Vec<String> = typed
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        self.command
            .must_be_allowed(nix::unistd::geteuid().is_root(), &typed)?;
        self.command.keep_memory_private()?;
        let done = self.run_command()?;
        match output::finish() {
            Err(error) if !self.command.is_run_by_a_unit() => Err(self.not_printed(&error)),
            // What it does is done; the full disk of its log is no failure of it.
            _ => Ok(done),
        }
    }

    fn not_printed(&self, error: &io::Error) -> Problem {
        let exit = match self.command {
            // Its other exit codes say how the next boot goes.
            Command::Check(_) => Exit::Usage,
            _ => Exit::Failed,
        };
        Problem::new(
            exit,
            format!("Not all that the command says could be printed: {error}."),
            "What it does is done. Is the disk full that the output goes to? `df` tells.",
        )
    }

    /// One step of `stayput setup`: what was typed is `words`, `pin` the one of a new stick.
    fn run_step(words: &[String], pin: Option<&Pin>) -> Result<ExitCode> {
        let step = Self::try_parse_from(words).map_err(|error| not_understood(&error))?;
        match (&step.command, pin) {
            (Command::Stick(command), Some(pin)) => {
                stick::run_with_pin(command, pin).map(|()| ExitCode::SUCCESS)
            }
            _ => step.run_command(),
        }
    }

    fn run_command(&self) -> Result<ExitCode> {
        let done = match &self.command {
            Command::Setup(options) => return setup::run(options, &Self::run_step),
            Command::Init(options) => init::run(options),
            Command::Enroll(options) => enroll::run(options),
            Command::Stick(command) => stick::run(command, self.json),
            Command::Passphrase(command) => passphrase::run(command, self.json),
            Command::Code(options) => code::run(options),
            Command::Backup(options) => backup::run(options, self.json),
            Command::Restore(options) if options.new_server => {
                return setup::restore_on_new_server(options, &Self::run_step);
            }
            Command::Restore(options) => restore::run(options),
            Command::Mariadb(command) => mariadb::run(command),
            Command::Install => install::install(),
            Command::Uninstall(options) => install::uninstall(options),
            Command::Policy(options) => policy::run(options, self.json),
            Command::Release(options) => release::run(options),
            Command::Rekey(options) => rekey::run(options),
            Command::Reset(options) => reset::run(options),
            Command::Check(options) => return check::run(options, self.json),
            Command::Simulate(options) => simulate::run(options, self.json),
            Command::Audit(options) => audit::run(options, self.json),
            Command::Status(options) => status::run(options, self.json),
            Command::Sheet(options) => sheet::run(options),
            Command::Log(options) => return log::run(options, self.json),
            Command::Watch => watch::run(),
            Command::InitramfsModules(options) => initramfs::print_modules(options),
            Command::Package(command) => package::run(command),
        };
        done.map(|()| ExitCode::SUCCESS)
    }
}

/// What clap says of a command line, in its first line; the rest is how to use it.
fn not_understood(error: &clap::Error) -> Problem {
    let text = error.to_string();
    let what = text.lines().next().unwrap_or_default();
    let what = what.strip_prefix("error: ").unwrap_or(what);
    Problem::new(Exit::Usage, what, "`stayput help` tells how it is used.")
}

#[cfg(test)]
mod documents;
#[cfg(test)]
mod tests;
