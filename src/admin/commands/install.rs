//! `stayput install` and `uninstall`: the boot stage in the initramfs, the
//! gate's units, the watch, and what releases the keys later.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::admin::ask;
use crate::admin::durable::sync_directory;
use crate::admin::installed_files::{
    COMMAND, SCRIPTS, STAGE, STAGE_NAME, put_binary, put_command, write_program,
};
use crate::admin::mariadb;
use crate::admin::mariadb_service;
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::{Problem, Result};
use crate::admin::release_service;
use crate::admin::watch_service;

#[derive(clap::Args, Clone, Debug)]
pub struct UninstallOptions {
    /// Do not ask whether to go on
    #[arg(long)]
    yes: bool,
}

/// Runs `stayput install`: writes all files and makes the initramfs. Run again,
/// it renews what is there.
///
/// # Errors
/// When something is missing or the initramfs cannot be made; the old
/// initramfs is then still in use.
pub fn install() -> Result<()> {
    // Without it the boot stage would not know its vault.
    vault_conf()?;
    must_have_initramfs_tools()?;
    put_binaries()?;
    for (path, text) in SCRIPTS {
        write_program(Path::new(path), text.as_bytes())?;
        println!("{path}: written");
    }
    if mariadb_service::is_enabled() {
        mariadb::put_gate_in_front()?;
        println!("MariaDB: the gate is in front of it");
    }
    update_initramfs()?;
    // Last, because nothing else depends on them.
    if release_service::UNIT.put()? && watch_service::UNIT.put()? {
        println!("stayput-release.service: a place that answers late opens the database");
        println!("stayput-watch.service: the running server is watched");
    } else {
        println!("There is no systemd here: the running server is not watched");
    }
    println!("Done. At the next boot this server opens only where it belongs.");
    println!("Whether it will: stayput check");
    Ok(())
}

/// Runs `stayput uninstall`: takes the boot stage out. The vault stays.
///
/// # Errors
/// Refused while a database depends on it.
pub fn uninstall(options: &UninstallOptions) -> Result<()> {
    if mariadb_service::is_enabled() {
        return Err(Problem::refused(
            "MariaDB is encrypted with keys that only the boot stage releases. \
             Without it the database would not start again. Nothing was changed.",
            "Keep stayput. To leave it: dump all databases, set up an unencrypted MariaDB, \
             restore the dump there.",
        ));
    }
    if !matches!(mariadb::find_original(), Ok(None)) {
        return Err(Problem::refused(
            "A run of `stayput mariadb enable` was interrupted and needs its gate. Nothing was \
             changed.",
            "Run `stayput mariadb enable` again, or `stayput mariadb enable --undo`.",
        ));
    }
    ask::confirm(
        "The boot stage is taken out. The vault and the sticks stay. Go on?",
        options.yes,
    )?;
    for (path, _) in SCRIPTS {
        remove(Path::new(path))?;
    }
    mariadb::take_gate_away()?;
    watch_service::UNIT.remove()?;
    release_service::UNIT.remove()?;
    update_initramfs()?;
    // Last: as long as the initramfs may still need it, it stays.
    remove(Path::new(STAGE))?;
    println!("Done. {COMMAND} and the vault are still there.");
    Ok(())
}

fn must_have_initramfs_tools() -> Result<()> {
    if Path::new("/usr/sbin/update-initramfs").exists() {
        return Ok(());
    }
    Err(Problem::refused(
        "This system does not make its initramfs with initramfs-tools. Nothing was changed.",
        "On Debian: apt-get install initramfs-tools",
    ))
}

/// Copies this program and the boot stage beside it to where they belong.
fn put_binaries() -> Result<()> {
    put_command()?;
    let here = std::env::current_exe().map_err(|error| Problem::of_file(COMMAND, &error))?;
    put_binary(&here.with_file_name(STAGE_NAME), Path::new(STAGE))
}

fn remove(path: &Path) -> Result<()> {
    let removed = match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_directory(path),
    };
    removed.map_err(|error| Problem::of_file(path, &error))?;
    println!("{}: removed", path.display());
    Ok(())
}

/// Makes the initramfs of every kernel: an older one must not start without the
/// boot stage.
fn update_initramfs() -> Result<()> {
    println!("Making the initramfs; this takes a minute or so ...");
    let failed = |what: String| {
        Problem::failed(
            what,
            "The initramfs that was there is still used. Mend what is said above, then run the \
             command again.",
        )
    };
    let mut child = Command::new("/usr/sbin/update-initramfs")
        .args(["-u", "-k", "all"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("update-initramfs cannot be run: {error}")))?;
    let output = child.stdout.take().map(BufReader::new);
    for line in output.into_iter().flat_map(BufRead::lines) {
        println!("  {}", line.unwrap_or_default());
    }
    let status = child
        .wait()
        .map_err(|error| failed(format!("update-initramfs: {error}")))?;
    if status.success() {
        return Ok(());
    }
    Err(failed(format!("update-initramfs failed ({status}).")))
}
