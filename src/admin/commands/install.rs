//! `stayput install` and `uninstall`: the boot stage in the initramfs, the
//! gate's units, the watch, and what releases the keys later.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::admin::ask;
use crate::admin::durable::sync_directory;
use crate::admin::initramfs::{self, InstalledCopy, Kernel, NoImage};
use crate::admin::installed_files::{
    COMMAND, SCRIPTS, STAGE, STAGE_NAME, fitting_stage, put_binary, put_command, write_program,
};
use crate::admin::mariadb;
use crate::admin::mariadb::Dependence;
use crate::admin::mariadb_service;
use crate::admin::open_vault::{open_vault_read_only, vault_conf};
use crate::admin::problem::{Problem, Result};
use crate::admin::release_service;
use crate::admin::watch_service;
use crate::vault::VaultConf;

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
/// When something is missing, the boot stage is of another build, or an initramfs
/// cannot be made.
pub fn install() -> Result<()> {
    // Without it the boot stage would not know its vault.
    let place = vault_conf()?;
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
    update_initramfs(Some(&place))?;
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
    if let Some(why) = Dependence::seen(vault_gives_keys()).why() {
        return Err(Problem::refused(
            format!(
                "{why} Without stayput the database would not start again. Nothing was changed."
            ),
            "Keep stayput; `stayput mariadb enable` puts back what is lost. To leave it: dump all \
             databases, set up an unencrypted MariaDB, restore the dump there.",
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
    update_initramfs(vault_conf().ok().as_ref())?;
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
    let beside = stage_beside()?;
    fitting_stage(&beside, Path::new(STAGE))?;
    // First: the command says where the stage does not fit it.
    put_binary(&beside, Path::new(STAGE))?;
    put_command()
}

/// Where the boot stage lies when both programs have just been built or unpacked.
fn stage_beside() -> Result<PathBuf> {
    let here = std::env::current_exe().map_err(|error| Problem::of_file(COMMAND, &error))?;
    Ok(here.with_file_name(STAGE_NAME))
}

/// Whether the vault's policy gives MariaDB keys; `None` where that cannot be read.
fn vault_gives_keys() -> Option<bool> {
    let vault = open_vault_read_only().ok()?;
    let policy = vault.unproven_policy().ok()?;
    Some(policy.as_claimed().mariadb.is_some())
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
/// boot stage. `place` is what vault.conf says.
fn update_initramfs(place: Option<&VaultConf>) -> Result<()> {
    println!("Making the initramfs; this takes a minute or so ...");
    let failed = |what: String| {
        let kernels = place.map_or_else(Vec::new, initramfs::kernels);
        Problem::failed(
            format!("{what} {}", standing(&kernels)),
            "Mend what is said above, then run the command again. Until then each kernel starts \
             with what it has now.",
        )
    };
    let mut child = Command::new("/usr/sbin/update-initramfs")
        .args(["-u", "-k", "all"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("update-initramfs cannot be run: {error}.")))?;
    let output = child.stdout.take().map(BufReader::new);
    for line in output.into_iter().flat_map(BufRead::lines) {
        println!("  {}", line.unwrap_or_default());
    }
    let status = child
        .wait()
        .map_err(|error| failed(format!("update-initramfs: {error}.")))?;
    if status.success() {
        return Ok(());
    }
    Err(failed(format!("update-initramfs failed ({status}).")))
}

/// What each kernel has after a failure, which may have come before, between or
/// behind them. Pure.
fn standing(kernels: &[Kernel]) -> String {
    const STANDINGS: [&str; 5] = [
        "With the installed boot stage",
        "With another boot stage",
        "Without a boot stage",
        "Without an initramfs",
        "Not known",
    ];
    let of = |kernel: &Kernel| match &kernel.image {
        Ok(image) => match image.stage {
            InstalledCopy::Same => 0,
            InstalledCopy::Other => 1,
            InstalledCopy::Missing => 2,
        },
        Err(NoImage::Absent) => 3,
        Err(NoImage::Unreadable(_)) => 4,
    };
    let named = STANDINGS.iter().enumerate().filter_map(|(at, standing)| {
        let versions = kernels.iter().filter(|kernel| of(kernel) == at);
        let versions: Vec<&str> = versions.map(|kernel| kernel.version.as_str()).collect();
        (!versions.is_empty()).then(|| format!("{standing}: {}.", versions.join(", ")))
    });
    let named: Vec<String> = named.collect();
    match named.is_empty() {
        true => "What each kernel has is not known.".into(),
        false => named.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::initramfs::{Image, ImageNetwork};

    fn kernel(version: &str, stage: std::result::Result<InstalledCopy, NoImage>) -> Kernel {
        Kernel {
            version: version.into(),
            is_next: false,
            image: stage.map(|stage| Image {
                stage,
                vault_conf: InstalledCopy::Same,
                script: InstalledCopy::Same,
                before: None,
                missing: Vec::new(),
                network: ImageNetwork::default(),
            }),
        }
    }

    #[test]
    fn failure_at_one_kernel_is_told_of_each_kernel() {
        let kernels = [
            kernel("6.12", Ok(InstalledCopy::Same)),
            kernel("6.11", Ok(InstalledCopy::Other)),
            kernel("6.10", Ok(InstalledCopy::Same)),
            kernel("6.9", Err(NoImage::Absent)),
        ];
        assert_eq!(
            standing(&kernels),
            "With the installed boot stage: 6.12, 6.10. With another boot stage: 6.11. \
             Without an initramfs: 6.9."
        );
        let unread = [
            kernel("6.12", Err(NoImage::Unreadable("no room".into()))),
            kernel("6.11", Ok(InstalledCopy::Missing)),
        ];
        assert_eq!(
            standing(&unread),
            "Without a boot stage: 6.11. Not known: 6.12."
        );
        assert!(standing(&[]).contains("not known"));
    }
}
