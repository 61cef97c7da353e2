//! The files that put the boot stage into an initramfs and run it there.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::admin::by_hand::WrittenByHand;
use crate::admin::durable::{remove_durably, write_durably};
use crate::admin::installed_files::write_program;
use crate::admin::lock_file;
use crate::admin::packaged::{Owner, is_packaged, owner};
use crate::admin::problem::{Problem, Result};

/// While this file has a text, the boot stage belongs in every initramfs. Without one
/// the others put nothing there. An empty one says that an image may still hold it.
/// Its text ends with the list of what was written into /etc.
const MARK: &str = "/etc/stayput/installed";
const LOCK: &str = "/run/stayput-install.lock";
const MARK_TEXT: &str = "`stayput install` has put the boot stage into the initramfs.\n\
    `stayput uninstall` takes it out and removes this file.\n";

/// One of these files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootFile {
    pub path: &'static str,
    pub text: &'static str,
    /// Whether it is run, and not only read.
    pub is_program: bool,
}

macro_rules! boot_file {
    ($path:literal, $source:literal, $is_program:literal) => {
        BootFile {
            path: $path,
            text: include_str!(concat!("../../", $source)),
            is_program: $is_program,
        }
    };
}

/// How the stage is run, whatever has made the initramfs.
pub const RUN_STAGE: BootFile = boot_file!(
    "/usr/lib/stayput/run-stage",
    "initramfs-hooks/run-stage",
    false
);
/// Kernel modules that belong into every initramfs, one a line.
pub const MODULES: BootFile =
    boot_file!("/usr/lib/stayput/modules", "initramfs-hooks/modules", false);
const HOOK: BootFile = boot_file!(
    "/etc/initramfs-tools/hooks/stayput",
    "initramfs-hooks/hooks/stayput",
    true
);
/// What initramfs-tools runs.
pub const SCRIPT: BootFile = boot_file!(
    "/etc/initramfs-tools/scripts/init-premount/stayput",
    "initramfs-hooks/scripts/init-premount/stayput",
    true
);
const DRACUT_MODULE: BootFile = boot_file!(
    "/usr/lib/dracut/modules.d/50stayput/module-setup.sh",
    "dracut/50stayput/module-setup.sh",
    true
);
/// The unit of an initramfs that dracut has made.
pub const DRACUT_UNIT: BootFile = boot_file!(
    "/usr/lib/dracut/modules.d/50stayput/stayput-boot.service",
    "dracut/50stayput/stayput-boot.service",
    false
);
/// The drop-in by which another unit there waits for it.
pub const DRACUT_AFTER_STAGE: BootFile = boot_file!(
    "/usr/lib/dracut/modules.d/50stayput/after-stage.conf",
    "dracut/50stayput/after-stage.conf",
    false
);
/// The units that wait for it, one a line.
pub const DRACUT_WAITING: BootFile = boot_file!(
    "/usr/lib/dracut/modules.d/50stayput/waiting-units",
    "dracut/50stayput/waiting-units",
    false
);
/// The drop-in by which the wait for a device begins after it.
pub const DRACUT_DEVICE: BootFile = boot_file!(
    "/usr/lib/dracut/modules.d/50stayput/device.conf",
    "dracut/50stayput/device.conf",
    false
);
/// The words by which dracut restarts where it would offer a shell.
pub const DRACUT_WORDS: BootFile = boot_file!(
    "/usr/lib/dracut/modules.d/50stayput/cmdline.conf",
    "dracut/50stayput/cmdline.conf",
    false
);
const DRACUT_PAUSE: BootFile = boot_file!(
    "/usr/lib/dracut/modules.d/50stayput/pause.sh",
    "dracut/50stayput/pause.sh",
    false
);

/// All of them, of every generator: an upgrade of the system may change which one
/// makes the initramfs.
pub const BOOT_FILES: [BootFile; 11] = [
    RUN_STAGE,
    MODULES,
    HOOK,
    SCRIPT,
    DRACUT_MODULE,
    DRACUT_UNIT,
    DRACUT_AFTER_STAGE,
    DRACUT_WAITING,
    DRACUT_DEVICE,
    DRACUT_WORDS,
    DRACUT_PAUSE,
];

/// Whose files lie in a folder, and the program that reads them.
const GENERATORS: [(&str, &str); 2] = [
    ("/etc/initramfs-tools/", MKINITRAMFS),
    ("/usr/lib/dracut/", DRACUT),
];
/// What makes an image with initramfs-tools.
pub const MKINITRAMFS: &str = "/usr/sbin/mkinitramfs";
/// What makes an image with dracut.
pub const DRACUT: &str = "/usr/bin/dracut";

impl BootFile {
    /// Where it lies. /etc is the owner's: a package brings scripts below /usr.
    fn path(&self, owner: &Owner) -> PathBuf {
        match owner {
            Owner::Hand => self.path.into(),
            Owner::Package | Owner::OtherPackage { .. } => self
                .path
                .replace("/etc/initramfs-tools/", "/usr/share/initramfs-tools/")
                .into(),
        }
    }

    /// Whether it lies in /etc, where no package brings it.
    fn is_in_etc(&self) -> bool {
        self.path.starts_with("/etc/")
    }

    /// Whether anything here reads it. `exists`: whether a program is there. Pure.
    fn is_read(&self, exists: impl Fn(&str) -> bool) -> bool {
        let mut generators = GENERATORS.iter();
        generators
            .find(|(folder, _)| self.path.starts_with(folder))
            .is_none_or(|(_, program)| exists(program))
    }

    /// Whether it is there as it should be.
    fn is_in_place(&self, owner: &Owner) -> bool {
        let path = self.path(owner);
        let is_run = fs::metadata(&path)
            .is_ok_and(|at| at.is_file() && at.permissions().mode() & 0o111 != 0);
        (is_run || !self.is_program)
            && fs::read(path).is_ok_and(|there| there == self.text.as_bytes())
    }
}

/// Whether `stayput install` has been run here, and no `uninstall` begun since.
pub fn are_wanted() -> bool {
    fs::metadata(MARK).is_ok_and(|mark| mark.len() > 0)
}

/// Whether an image may hold the boot stage: `uninstall` has not ended since it was
/// put there.
pub fn may_be_in_images() -> bool {
    Path::new(MARK).exists()
}

/// What `stayput install` has written into /etc, and no package has taken over yet.
pub fn written_by_hand() -> WrittenByHand {
    WrittenByHand::parse(&fs::read_to_string(MARK).unwrap_or_default())
}

/// Has the boot stage put into every initramfs from now on. `by_hand` is what was or is
/// about to be written into /etc.
///
/// # Errors
/// What the filesystem says.
pub fn want(by_hand: &WrittenByHand) -> Result<()> {
    write_text(Path::new(MARK), &format!("{MARK_TEXT}{}", by_hand.lines()))
}

/// Held by whoever changes them or makes images: two at once would put each other's
/// half-made images in place.
///
/// # Errors
/// Where another one has it.
pub fn alone() -> Result<File> {
    alone_within(Duration::ZERO)
}

/// As [`alone`], and waits for it.
///
/// # Errors
/// Where another one still has it after `wait`.
pub fn alone_within(wait: Duration) -> Result<File> {
    lock_file::only_one_within(LOCK, "`stayput install` or `uninstall`", wait)
}

/// Whether the next initramfs will get the boot stage. A package may bring no files for a
/// generator that this system does not have.
pub fn are_in_place() -> bool {
    let owner = owner();
    let mut read = BOOT_FILES
        .iter()
        .filter(|file| file.is_read(|path| Path::new(path).exists()));
    are_wanted() && read.all(|file| file.is_in_place(&owner))
}

/// Writes all that no package brings. The mark by which they count comes first: what is
/// interrupted leaves hooks that refuse, and none that leave the stage out. `also` is
/// what will be written into /etc after them, each with its text.
///
/// # Errors
/// What the filesystem says.
pub fn put(also: &[(PathBuf, &str)]) -> Result<()> {
    let by_hand = by_hand()?;
    let mut list = written_by_hand();
    if !by_hand.is_empty() {
        for file in by_hand.iter().filter(|file| file.is_in_etc()) {
            list.add(file.path, file.text);
        }
        for (path, text) in also {
            list.add(&path.to_string_lossy(), text);
        }
    }
    want(&list)?;
    for file in by_hand {
        let path = Path::new(file.path);
        match file.is_program {
            true => write_program(path, file.text.as_bytes())?,
            false => write_text(path, file.text)?,
        }
        println!("{}: written", file.path);
    }
    Ok(())
}

/// Removes all that no package brings. An empty mark stays for as long as an image may
/// still hold the boot stage; see [`forget`].
///
/// # Errors
/// What the filesystem says.
pub fn leave() -> Result<()> {
    let by_hand = by_hand()?;
    write_text(Path::new(MARK), "")?;
    for file in by_hand {
        remove_file(Path::new(file.path))?;
    }
    Ok(())
}

/// Removes the mark: no image holds the boot stage any more.
///
/// # Errors
/// What the filesystem says.
pub fn forget() -> Result<()> {
    remove_file(Path::new(MARK))
}

/// Those that no package brings.
fn by_hand() -> Result<&'static [BootFile]> {
    Ok(match is_packaged()? {
        true => &[],
        false => &BOOT_FILES,
    })
}

fn remove_file(path: &Path) -> Result<()> {
    if remove_durably(path).map_err(|error| Problem::of_file(path, &error))? {
        println!("{}: removed", path.display());
    }
    Ok(())
}

fn write_text(path: &Path, text: &str) -> Result<()> {
    write_durably(path, text.as_bytes()).map_err(|error| Problem::of_file(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    mod hooks;

    #[test]
    fn every_script_can_be_read_by_its_shell() {
        let directory = tempfile::tempdir().unwrap();
        for (file, shell) in [
            (RUN_STAGE, "sh"),
            (HOOK, "sh"),
            (SCRIPT, "sh"),
            (DRACUT_MODULE, "bash"),
        ] {
            let at = directory.path().join("script");
            fs::write(&at, file.text).unwrap();
            let checked = Command::new(shell).arg("-n").arg(&at).status().unwrap();
            assert!(checked.success(), "{}", file.path);
            let interpreter = format!("#!/bin/{shell}\n");
            assert_eq!(
                file.text.starts_with(&interpreter),
                file.is_program,
                "{}",
                file.path
            );
        }
    }

    #[test]
    fn files_of_a_generator_that_is_not_there_are_not_missed() {
        let missed = |program: &'static str| {
            let read = BOOT_FILES
                .iter()
                .filter(|file| file.is_read(|there| there == program));
            read.map(|file| file.path).collect::<Vec<_>>()
        };
        let with_dracut = missed(DRACUT);
        assert!(!with_dracut.contains(&HOOK.path) && !with_dracut.contains(&SCRIPT.path));
        assert!(with_dracut.contains(&DRACUT_MODULE.path) && with_dracut.contains(&MODULES.path));
        let with_tools = missed(MKINITRAMFS);
        assert!(with_tools.contains(&HOOK.path) && with_tools.contains(&RUN_STAGE.path));
        assert!(!with_tools.contains(&DRACUT_UNIT.path));
    }

    #[test]
    fn package_brings_every_boot_file() {
        let contents = include_str!("../../packaging/contents");
        for file in BOOT_FILES {
            let path = file.path(&Owner::Package);
            let mode = if file.is_program { "755" } else { "644" };
            let is_brought = contents.lines().any(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                let [given, source, folder] = words[..] else {
                    return false;
                };
                let name = Path::new(source).file_name().unwrap_or_default();
                given == mode && Path::new("/").join(folder).join(name) == path
            });
            assert!(is_brought, "{}", file.path);
        }
    }

    /// The script ends a splash screen that runs, and whoever asks for passphrases later
    /// sees that. systemd sees it only where it comes after the stage.
    #[test]
    fn the_stage_runs_after_udev_and_beside_no_splash_screen() {
        assert!(SCRIPT.text.contains("PREREQ=\"udev dropbear plymouth\""));
        let named = |key: &str| -> Vec<&str> {
            let lines = DRACUT_UNIT.text.lines();
            let values = lines.filter_map(|line| line.strip_prefix(key));
            values.flat_map(str::split_whitespace).collect()
        };
        // Beside udev's look at all devices: it need not wait for that, and starts it.
        assert!(named("After=").contains(&"systemd-udevd.service"));
        assert!(named("Wants=").contains(&"systemd-udev-trigger.service"));
        assert!(named("Before=").contains(&"plymouth-start.service"));
    }
}
