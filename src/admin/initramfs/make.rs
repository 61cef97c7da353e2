//! Makes the initramfs images anew, by what has made them before.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::archive::read_image;
use super::generator::{Generator, image_path, image_path_or_default};
use super::inspect::inspect_new;
use super::kernels::{installed_versions, is_configured};
use super::{Image, InstalledCopy, NoImage};
use crate::admin::boot_files::DRACUT;
use crate::admin::durable::sync_directory;
use crate::admin::installed_files::STAGE;
use crate::vault::VaultConf;

/// What Debian's generators run when an image has changed: boot loaders that keep a
/// copy of it.
const AFTERWARDS: [&str; 2] = [
    "/etc/initramfs/post-update.d",
    "/usr/share/initramfs/post-update.d",
];

/// Ends the name of an image that is just being made. No other program uses it.
const NEW: &str = ".stayput-new";

/// Makes the image of every kernel: an older one must not start without the boot stage.
/// `place` is what vault.conf says, where the images are to hold the stage. What the
/// programs print goes to standard output.
///
/// # Errors
/// What failed, in words. An image that could not be made anew is as it was.
pub fn make(generator: Generator, place: Option<&VaultConf>) -> Result<(), String> {
    match generator {
        Generator::InitramfsTools => run("/usr/sbin/update-initramfs", &["-u", "-k", "all"]),
        Generator::Dracut { .. } => {
            remove_leftovers();
            // What fails for one kernel is no reason to leave out the others. One that is
            // only unpacked gets its image when its package is configured.
            let mut versions = installed_versions();
            versions.retain(|version| is_configured(version));
            let made = versions.iter().map(|version| with_dracut(version, place));
            let failed: Vec<String> = made.filter_map(Result::err).collect();
            match failed.is_empty() {
                true => Ok(()),
                false => Err(failed.join(" ")),
            }
        }
    }
}

/// dracut writes over the image: on a full disk nothing would be left of it. So the
/// new one is made beside it, and takes its place when it was seen to be whole.
fn with_dracut(version: &str, place: Option<&VaultConf>) -> Result<(), String> {
    let image = image_path_or_default(version);
    let mut new = image.clone().into_os_string();
    new.push(NEW);
    let new = Path::new(&new);
    let made = made_with_dracut(version, new, place);
    if let Err(why) = made {
        let _ = fs::remove_file(new);
        return Err(why);
    }
    let failed = |error| format!("{}: {error}.", image.display());
    File::open(new)
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    fs::rename(new, &image).map_err(failed)?;
    sync_directory(&image).map_err(failed)?;
    let folders = AFTERWARDS
        .iter()
        .filter(|folder| Path::new(folder).is_dir());
    folders.into_iter().try_for_each(|folder| {
        let words = [
            &format!("--arg={version}"),
            &format!("--arg={}", image.display()),
            *folder,
        ];
        run("/usr/bin/run-parts", &words)
    })
}

fn made_with_dracut(version: &str, new: &Path, place: Option<&VaultConf>) -> Result<(), String> {
    println!("  {}", new.display());
    let path = new.to_string_lossy();
    // dracut would hand the new image to the boot loader, and nobody has seen it yet.
    let no_boot_loader = [("NO_POST_UPDATE_HOOKS", "1")];
    let words = ["--force", "--quiet", &path, version];
    run_with(DRACUT, &words, &no_boot_loader)?;
    let Some(place) = place else {
        return match has_systemd_without_stage(new) {
            true => Ok(()),
            false => Err(format!(
                "What dracut made for {version} is not as expected."
            )),
        };
    };
    match inspect_new(new, version, place) {
        Ok(image) if holds_the_stage(&image) => Ok(()),
        Ok(_) => Err(format!("dracut left the boot stage out for {version}.")),
        Err(NoImage::Absent) => Err(format!("dracut made nothing for {version}.")),
        Err(NoImage::Unreadable(why)) => Err(format!(
            "What dracut made for {version} cannot be read: {why}."
        )),
    }
}

/// Removes the images that were being made when the power went. Only for whoever has
/// [`crate::admin::boot_files::alone`].
pub fn remove_leftovers() {
    remove_leftovers_in(Path::new("/boot"));
}

fn remove_leftovers_in(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let leftovers = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(NEW));
    for leftover in leftovers {
        match fs::remove_file(leftover.path()) {
            Ok(()) => println!("{}: removed, half made", leftover.path().display()),
            Err(error) => println!("{}: {error}", leftover.path().display()),
        }
    }
}

/// The kernels whose image holds the stage, or cannot be read.
pub fn images_with_stage() -> Vec<String> {
    let mut versions = installed_versions();
    versions.retain(|version| {
        image_path(version).is_some_and(|path| {
            let image = read_image(&path, |_| false);
            image.map_or(true, |image| image.get(STAGE).is_some())
        })
    });
    versions
}

/// Whether the stage runs from an image, and finds its vault.
pub fn holds_the_stage(image: &Image) -> bool {
    let copies = [image.stage, image.vault_conf, image.script];
    copies.iter().all(|copy| *copy == InstalledCopy::Same) && image.before.is_some()
}

/// Whether this is an image of dracut from which the stage was taken out.
fn has_systemd_without_stage(path: &Path) -> bool {
    read_image(path, |_| false).is_ok_and(|image| {
        Generator::of(&image) == Some(Generator::Dracut { systemd: true })
            && image.get(STAGE).is_none()
    })
}

/// Runs a program, and prints what it prints.
fn run(program: &str, words: &[&str]) -> Result<(), String> {
    run_with(program, words, &[])
}

fn run_with(program: &str, words: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    let failed = |error| format!("{program} cannot be run: {error}.");
    let mut child = Command::new(program)
        .args(words)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let output = child.stdout.take().map(BufReader::new);
    for line in output.into_iter().flat_map(BufRead::lines) {
        println!("  {}", line.unwrap_or_default());
    }
    let status = child.wait().map_err(failed)?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{program} failed ({status}).")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_images_that_stayput_was_making_are_leftovers() {
        let boot = tempfile::tempdir().unwrap();
        let others = [
            "initrd.img-6.1",
            "initrd.img-6.1.new",
            "initrd.img-6.1.dpkg-bak",
        ];
        for name in others.iter().chain(&["initrd.img-6.1.stayput-new"]) {
            fs::write(boot.path().join(name), "").unwrap();
        }
        remove_leftovers_in(boot.path());
        let left = fs::read_dir(boot.path()).unwrap();
        let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(
            left,
            [
                "initrd.img-6.1",
                "initrd.img-6.1.dpkg-bak",
                "initrd.img-6.1.new"
            ]
        );
    }
}
