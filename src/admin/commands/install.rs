//! `stayput install` and `uninstall`: the boot stage in the initramfs, the
//! gate's units, the watch, and what releases the keys later.

use std::path::{Path, PathBuf};

use crate::admin::ask;
use crate::admin::boot_files;
use crate::admin::durable::remove_durably;
use crate::admin::initramfs::{
    self, Found, Generator, InstalledCopy, Kernel, Missing, NoImage, holds_the_stage,
};
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
use crate::vault::VaultConf;

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
    for line in lacking_modules(&kernels) {
        println!("{line}");
    }
    println!("Done. At the next boot this server opens only where it belongs.");
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

/// Whether the images were made anew: `update-initramfs` succeeds without a word of it
/// where /boot is read-only, or where its owner has switched it off.
fn nothing_is_left(with_stage: &[String]) -> Result<()> {
    if with_stage.is_empty() {
        return Ok(());
    }
    Err(Problem::failed(
        format!(
            "The boot stage may still be in the initramfs of these kernels: {}.",
            with_stage.join(", ")
        ),
        "Is /boot writable? See /etc/initramfs-tools/update-initramfs.conf too. Then run the \
         command again.",
    ))
}

/// What makes this system's images, where the boot stage can run in them. Pure.
fn generator(found: Found) -> Result<Generator> {
    let (what, next) = match found {
        Found::Generator(Generator::Dracut { systemd: false }) => (
            "This system's initramfs was made by dracut without systemd in it: the boot stage \
             cannot run there."
                .into(),
            "On Debian: apt-get install systemd-sysv, then dracut --force, then the command again.",
        ),
        Found::Generator(generator) => return Ok(generator),
        Found::Gone(generator) => (
            format!(
                "The newest initramfs in /boot was made by {}, which is not installed any more.",
                generator.name()
            ),
            "Make the initramfs with what this system has now (on Debian: dracut --force, or \
             update-initramfs -u), then run the command again.",
        ),
        Found::NotKnown(path, None) => (
            format!(
                "{} was made neither by initramfs-tools nor by dracut.",
                path.display()
            ),
            "stayput works with these two.",
        ),
        Found::NotKnown(path, Some(why)) => (
            format!("{} cannot be read: {why}.", path.display()),
            "Have it made anew (on Debian: update-initramfs -u, or dracut --force), then run the \
             command again.",
        ),
        Found::NoImage => (
            "There is no initramfs in /boot.".into(),
            "Is /boot mounted? On Debian: apt-get install initramfs-tools",
        ),
    };
    Err(Problem::refused(
        format!("{what} Nothing was changed."),
        next,
    ))
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

/// Makes the initramfs of every kernel. `place` is what vault.conf says, where they are
/// to hold the stage.
fn make_initramfs(generator: Generator, place: Option<&VaultConf>) -> Result<()> {
    println!("Making the initramfs; this takes a minute or so ...");
    initramfs::make(generator, place).map_err(|what| {
        let kernels = place.map_or_else(Vec::new, initramfs::kernels);
        Problem::failed(
            format!("{what} {}", standing(&kernels)),
            "Mend what is said above, then run the command again. Until then each kernel starts \
             with what it has now.",
        )
    })
}

/// Names the kernels that have no image, and those whose image does not run the stage, or
/// does not run it before the disks are touched. Pure.
fn without_the_stage(kernels: &[Kernel]) -> Option<String> {
    if kernels.is_empty() {
        return Some("No kernel was found in /boot.".into());
    }
    let is_without = |kernel: &&Kernel| !kernel.image.as_ref().is_ok_and(holds_the_stage);
    let has_no_image = |kernel: &&Kernel| matches!(kernel.image, Err(NoImage::Absent));
    let (no_image, no_stage): (Vec<&Kernel>, Vec<&Kernel>) =
        kernels.iter().filter(is_without).partition(has_no_image);
    let mut said = Vec::new();
    if !no_stage.is_empty() {
        said.push(format!(
            "The initramfs was made, and does not run the boot stage before the disks are \
             touched: {}.",
            versions(&no_stage)
        ));
    }
    if !no_image.is_empty() {
        said.push(format!(
            "These kernels have no initramfs, and start without the boot stage if they start at \
             all: {}.",
            versions(&no_image)
        ));
    }
    (!said.is_empty()).then(|| {
        said.push(standing(kernels));
        said.join(" ")
    })
}

fn versions(kernels: &[&Kernel]) -> String {
    let versions: Vec<&str> = kernels
        .iter()
        .map(|kernel| kernel.version.as_str())
        .collect();
    versions.join(", ")
}

/// What the stage cannot do with its images. Pure.
fn lacking_modules(kernels: &[Kernel]) -> Vec<String> {
    let mut lines = Vec::new();
    for kernel in kernels {
        let missing = kernel.image.iter().flat_map(|image| &image.missing);
        lines.extend(missing.map(|Missing { module, device, .. }| {
            format!(
                "Warning: the initramfs of {} lacks the kernel module {module} ({device}).",
                kernel.version
            )
        }));
    }
    lines
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
    fn an_image_without_the_stage_is_not_called_done() {
        let good = || kernel("6.12", Ok(InstalledCopy::Same));
        let run = |mut kernel: Kernel, change: fn(&mut Image)| {
            if let Ok(image) = &mut kernel.image {
                image.before = Some(Vec::new());
                change(image);
            }
            kernel
        };
        assert_eq!(without_the_stage(&[run(good(), |_| ())]), None);
        for change in [
            (|image| image.stage = InstalledCopy::Missing) as fn(&mut Image),
            |image| image.vault_conf = InstalledCopy::Other,
            |image| image.script = InstalledCopy::Missing,
            |image| image.before = None,
        ] {
            let kernels = [
                run(kernel("6.11", Ok(InstalledCopy::Same)), |_| ()),
                run(good(), change),
            ];
            let told = without_the_stage(&kernels).unwrap();
            assert!(told.contains("touched: 6.12."), "{told}");
        }
        // Nothing was made for one without an image.
        let told = without_the_stage(&[kernel("6.9", Err(NoImage::Absent))]).unwrap();
        assert!(
            told.contains("no initramfs") && !told.contains("was made"),
            "{told}"
        );
        assert!(without_the_stage(&[]).is_some());
    }

    #[test]
    fn an_image_that_was_not_made_anew_is_told() {
        assert!(nothing_is_left(&[]).is_ok());
        let told = nothing_is_left(&["6.12".to_owned()]).unwrap_err().what;
        assert!(told.contains("these kernels: 6.12."), "{told}");
    }

    #[test]
    fn an_initramfs_of_another_kind_is_refused_with_words() {
        let told = |found| generator(found).unwrap_err().what;
        assert!(
            told(Found::Generator(Generator::Dracut { systemd: false }))
                .contains("without systemd")
        );
        assert!(told(Found::NotKnown("image".into(), None)).contains("neither by"));
        let torn = Found::NotKnown("image".into(), Some("it is torn".into()));
        assert!(told(torn).contains("cannot be read: it is torn."));
        let gone = Found::Gone(Generator::InitramfsTools);
        assert!(told(gone).contains("not installed any more"));
        assert!(told(Found::NoImage).contains("no initramfs"));
        for known in [
            Generator::InitramfsTools,
            Generator::Dracut { systemd: true },
        ] {
            assert_eq!(generator(Found::Generator(known)).ok(), Some(known));
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
