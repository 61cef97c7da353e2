//! The programs of stayput on a server: the command, and the boot stage.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::admin::durable::write_program_durably;
use crate::admin::packaged::is_packaged;
use crate::admin::problem::{Problem, Result};
use crate::build_mark::is_of_this_build;

/// Where the units find this program.
pub const COMMAND: &str = "/usr/sbin/stayput";
/// Where the initramfs hook finds the boot stage.
pub const STAGE: &str = "/usr/lib/stayput/stayput-boot";
/// The boot stage's file name, also beside this program.
pub const STAGE_NAME: &str = "stayput-boot";

/// The boot stage from which the next initramfs is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstalledStage {
    /// It was built from the same sources as this program.
    ThisBuild,
    /// It was built from others: what it reads, releases and says may differ.
    Other,
    /// There is none, or it cannot be read or run.
    Missing,
}

impl InstalledStage {
    /// The boot stage in this file.
    pub fn at(path: &Path) -> Self {
        match fs::read(path) {
            Ok(bytes) if is_of_this_build(&bytes) => Self::ThisBuild,
            Ok(_) => Self::Other,
            Err(_) => Self::Missing,
        }
    }

    /// The boot stage in this file, from which an initramfs takes it as it is: one that
    /// cannot be run is none.
    fn to_be_run(path: &Path) -> Self {
        match fs::metadata(path).is_ok_and(|at| is_program(&at.permissions())) {
            true => Self::at(path),
            false => Self::Missing,
        }
    }
}

/// The boot stage that is installed.
pub fn installed_stage() -> InstalledStage {
    InstalledStage::to_be_run(Path::new(STAGE))
}

fn is_program(permissions: &Permissions) -> bool {
    permissions.mode() & 0o111 != 0
}

/// Checks that the boot stage that `stayput install` would put into the initramfs fits
/// this program: the one `beside` it, else the one `installed` before.
///
/// # Errors
/// Where it is another build or there is none.
pub fn fitting_stage(beside: &Path, installed: &Path) -> Result<()> {
    let from = match beside.exists() {
        true => beside,
        // An installed command has no boot stage beside it.
        false => installed,
    };
    let what = match InstalledStage::at(from) {
        InstalledStage::ThisBuild => return Ok(()),
        InstalledStage::Other => "is of another build than this program",
        InstalledStage::Missing => "is not there",
    };
    Err(Problem::refused(
        format!(
            "The boot stage {} {what}. Nothing was changed.",
            from.display()
        ),
        format!(
            "Put the {STAGE_NAME} that was built with this program beside it, then run the \
             command again."
        ),
    ))
}

/// Copies this program to where the units find it, unless a package has. Says where the boot stage does not
/// fit it.
///
/// # Errors
/// What the filesystem says; where a package of another build is installed.
pub fn put_command() -> Result<()> {
    if is_packaged()? {
        return Ok(());
    }
    let here = std::env::current_exe().map_err(|error| Problem::of_file(COMMAND, &error))?;
    put_binary(&here, Path::new(COMMAND))?;
    if installed_stage() == InstalledStage::Other {
        println!("{STAGE} is of another build than this program. Run: stayput install");
    }
    Ok(())
}

/// Copies a program, unless it is there already. One that cannot be run is mended.
///
/// # Errors
/// What the filesystem says.
pub fn put_binary(from: &Path, to: &Path) -> Result<()> {
    match fs::read(from) {
        Ok(bytes) if fs::read(to).is_ok_and(|there| there == bytes) => make_program(to),
        Ok(bytes) => {
            write_program(to, &bytes)?;
            println!("{}: written", to.display());
            Ok(())
        }
        // An installed command has no boot stage beside it: `fitting_stage`.
        Err(error) if error.kind() == ErrorKind::NotFound && to.exists() => make_program(to),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Problem::failed(
            format!("{} is not there.", from.display()),
            format!("Put {STAGE_NAME} beside this program, then run the command again."),
        )),
        Err(error) => Err(Problem::of_file(from, &error)),
    }
}

/// Lets a program be run that somebody, or a power cut, has left otherwise.
fn make_program(path: &Path) -> Result<()> {
    let mend = || -> io::Result<bool> {
        let file = File::open(path)?;
        if is_program(&file.metadata()?.permissions()) {
            return Ok(false);
        }
        file.set_permissions(Permissions::from_mode(0o755))?;
        file.sync_all()?;
        Ok(true)
    };
    if mend().map_err(|error| Problem::of_file(path, &error))? {
        println!("{}: can be run again", path.display());
    }
    Ok(())
}

/// Writes a file that can be run, durably.
///
/// # Errors
/// What the filesystem says.
pub fn write_program(path: &Path, contents: &[u8]) -> Result<()> {
    write_program_durably(path, contents).map_err(|error| Problem::of_file(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_command_refuses_an_old_stage() {
        use crate::build_mark::BUILD_MARK;
        let directory = tempfile::tempdir().unwrap();
        let [beside, installed] = ["beside", "installed"].map(|name| directory.path().join(name));
        let fits = || fitting_stage(&beside, &installed).map_err(|problem| problem.what);
        let old = "stayput 0.0.1, sources 0123456789abcdef";
        assert!(fits().unwrap_err().contains("is not there"));
        fs::write(&installed, old).unwrap();
        assert!(fits().unwrap_err().contains("is of another build"));
        fs::write(&installed, BUILD_MARK).unwrap();
        assert_eq!(fits(), Ok(()));
        // What lies beside it is what would be installed.
        fs::write(&beside, old).unwrap();
        assert!(fits().unwrap_err().contains("beside is of another build"));
        fs::write(&beside, BUILD_MARK).unwrap();
        fs::write(&installed, old).unwrap();
        assert_eq!(fits(), Ok(()));
    }

    #[test]
    fn an_installed_program_is_left_alone_when_nothing_is_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path().join("there");
        fs::write(&there, "stage").unwrap();
        let gone = directory.path().join("gone");
        assert!(put_binary(&gone, &there).is_ok());
        assert!(put_binary(&gone, &directory.path().join("neither")).is_err());
        let newer = directory.path().join("newer");
        fs::write(&newer, "newer").unwrap();
        put_binary(&newer, &there).unwrap();
        assert_eq!(fs::read(&there).unwrap(), b"newer");
        let mode = fs::metadata(&there).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[test]
    fn a_program_that_cannot_be_run_is_mended() {
        use crate::build_mark::BUILD_MARK;
        let directory = tempfile::tempdir().unwrap();
        let [beside, installed] = ["beside", "installed"].map(|name| directory.path().join(name));
        fs::write(&installed, BUILD_MARK).unwrap();
        let seen = || InstalledStage::to_be_run(&installed);
        let spoil = || fs::set_permissions(&installed, Permissions::from_mode(0o644)).unwrap();
        // With nothing beside this program, and with the same.
        for _ in 0..2 {
            spoil();
            assert_eq!(seen(), InstalledStage::Missing);
            put_binary(&beside, &installed).unwrap();
            assert_eq!(seen(), InstalledStage::ThisBuild);
            fs::write(&beside, BUILD_MARK).unwrap();
        }
    }
}
