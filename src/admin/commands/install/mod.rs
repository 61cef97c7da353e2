//! `stayput install` and `uninstall`: the boot stage in the initramfs, the
//! gate's units, the watch, and what releases the keys later.

mod images;

use std::path::{Path, PathBuf};

use crate::admin::ask;
use crate::admin::backup_service;
use crate::admin::boot_files;
use crate::admin::durable::remove_durably;
use crate::admin::initramfs;
use crate::admin::installed_files::{
    COMMAND, STAGE, STAGE_NAME, fitting_stage, put_binary, put_command,
};
use crate::admin::mariadb;
use crate::admin::mariadb::{Dependence, Ends};
use crate::admin::mariadb_service;
use crate::admin::open_vault::{open_vault_read_only, vault_conf};
use crate::admin::packaged::is_packaged;
use crate::admin::problem::{Problem, Result};
use crate::admin::release_service;
use crate::admin::watch_service;
use images::{generator, make_initramfs, nothing_is_left, warnings, without_the_stage};

#[derive(clap::Args, Clone, Debug)]
pub struct UninstallOptions {
    /// Do not ask whether to go on
    #[arg(long)]
    yes: bool,
}

/// Runs `stayput install`: writes all files that no package brings, and makes the
/// initramfs. Run again, it renews what is there.
///
/// # Errors
/// When something is missing, the boot stage or the package is of another build, or an
/// initramfs cannot be made.
pub fn install() -> Result<()> {
    // Without it the boot stage would not know its vault.
    let place = vault_conf()?;
    let _alone = boot_files::alone()?;
    let generator = generator(initramfs::find_generator())?;
    put_binaries()?;
    boot_files::put(&[
        release_service::UNIT.by_hand(),
        watch_service::UNIT.by_hand(),
    ])?;
    if mariadb_service::is_enabled() {
        mariadb::put_gate_in_front()?;
        println!("MariaDB: the gate is in front of it");
    }
    if backup_service::is_on() {
        backup_service::put()?;
    }
    // Before the images: one of them may fail, and these need none.
    if release_service::UNIT.put()? && watch_service::UNIT.put()? {
        println!("stayput-release.service: a place that answers late opens the database");
        println!("stayput-watch.service: the running server is watched");
    } else {
        println!("There is no systemd here: the running server is not watched");
    }
    make_initramfs(generator, Some(&place))?;
    let kernels = initramfs::kernels(&place);
    if let Some(without) = without_the_stage(&kernels) {
        return Err(Problem::failed(
            without,
            "Mend what is said above, then: stayput install. A kernel that nobody needs can be \
             removed. Until then the database stays locked at the next boot of such a kernel.",
        ));
    }
    let warnings = warnings(&kernels);
    for line in &warnings {
        println!("{line}");
    }
    // Done is what has nothing in its way.
    match warnings.is_empty() {
        true => println!("Done. At the next boot this server opens only where it belongs."),
        false => println!("The boot stage is in the initramfs, with what the warnings say."),
    }
    println!("Whether it will: stayput check");
    Ok(())
}

/// Without stayput nobody tells any more of a copy that anybody with the disk can read.
fn refuse_clear_copies() -> Result<()> {
    let copies = mariadb::kept_copies().map_err(|error| {
        Problem::refused(
            format!(
                "Whether a clear copy of the database is there cannot be told: {error}. Nothing \
                 was changed."
            ),
            "`stayput status` says more.",
        )
    })?;
    let Some(copy) = copies.iter().find(|copy| copy.is_clear()) else {
        return Ok(());
    };
    Err(Problem::refused(
        format!("{} Nothing was changed.", copy.what()),
        copy.next(),
    ))
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
            "Keep stayput; `stayput mariadb enable` puts back what is lost. To leave it, either keep \
             the database encrypted with its keys in a file of your choice (`stayput mariadb \
             disable --key-file PATH`), or have it copied into a clear one (`stayput mariadb \
             disable --clear`).",
        ));
    }
    if mariadb::disable::is_under_way() {
        return Err(Problem::refused(
            "A run of `stayput mariadb disable` was interrupted. Nothing was changed.",
            "Run it again: it puts back first what that run has begun.",
        ));
    }
    let original = mariadb::find_original().map_err(|error| {
        Problem::refused(
            format!("Whether a run is under way cannot be told: {error}. Nothing was changed."),
            "Run `stayput mariadb enable`: it says what to do.",
        )
    })?;
    if let Some(original) = original {
        let conversion = original.conversion;
        let end = match original.ends {
            Ends::Run => format!("Run `{}` again, or", conversion.command()),
            _ => "Run `stayput mariadb destroy-original`, or".into(),
        };
        return Err(Problem::refused(
            format!("{} Nothing was changed.", original.what()),
            format!("{end} `{}`.", conversion.undo_command()),
        ));
    }
    refuse_clear_copies()?;
    ask::confirm(
        "The boot stage is taken out. The vault and the sticks stay. Go on?",
        options.yes,
    )?;
    let _alone = boot_files::alone()?;
    let is_packaged = is_packaged()?;
    // A package that was never put to use is in no image.
    let generator = match boot_files::may_be_in_images() || !is_packaged {
        true => Some(generator(initramfs::find_generator())?),
        false => None,
    };
    boot_files::leave()?;
    mariadb::take_gate_away()?;
    backup_service::remove()?;
    watch_service::UNIT.remove()?;
    release_service::UNIT.remove()?;
    if let Some(generator) = generator {
        make_initramfs(generator, None)?;
        nothing_is_left(&initramfs::images_with_stage())?;
    }
    boot_files::forget()?;
    // Last: as long as the initramfs may still need it, it stays.
    if !is_packaged
        && remove_durably(Path::new(STAGE)).map_err(|error| Problem::of_file(STAGE, &error))?
    {
        println!("{STAGE}: removed");
    }
    println!("Done. {COMMAND} and the vault are still there.");
    Ok(())
}

/// Copies this program and the boot stage beside it to where they belong, unless a
/// package has.
fn put_binaries() -> Result<()> {
    let beside = stage_beside()?;
    fitting_stage(&beside, Path::new(STAGE))?;
    if is_packaged()? {
        return Ok(());
    }
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
