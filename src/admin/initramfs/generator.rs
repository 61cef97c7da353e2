//! What makes the initramfs of this system, told by the images that it has made:
//! a program that is installed may be another one's.

use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::archive::read_image;
use super::kernels::installed_versions;
use super::tree::Tree;
use crate::admin::boot_files::{DRACUT, MKINITRAMFS};

/// Makes initramfs images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    InitramfsTools,
    /// dracut, with systemd in the initramfs or without.
    Dracut {
        systemd: bool,
    },
}

impl Generator {
    /// Whether its programs are there. An `update-initramfs` may be the other one's.
    fn is_installed(self) -> bool {
        Path::new(match self {
            Self::InitramfsTools => MKINITRAMFS,
            Self::Dracut { .. } => DRACUT,
        })
        .exists()
    }

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::InitramfsTools => "initramfs-tools",
            Self::Dracut { .. } => "dracut",
        }
    }

    /// What has made this image; `None` where its marks are of neither.
    pub fn of(image: &Tree) -> Option<Self> {
        // initramfs-tools' own functions for the scripts that it runs.
        if image.get("scripts/functions").is_some() {
            return Some(Self::InitramfsTools);
        }
        let dracut = ["usr/lib/dracut", "lib/dracut"];
        if dracut
            .iter()
            .all(|folder| image.below(folder).next().is_none())
        {
            return None;
        }
        let systemd = image.get("usr/lib/systemd/systemd").is_some();
        Some(Self::Dracut { systemd })
    }
}

/// What is known of the generator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It has made the newest of the images that could be read, and is installed.
    Generator(Generator),
    /// It has made the newest image, and is not there any more.
    Gone(Generator),
    /// No image is of either, or none could be read: the newest, and why where that is
    /// the reason.
    NotKnown(PathBuf, Option<String>),
    /// No kernel in /boot has an image.
    NoImage,
}

/// What makes this system's images: what has made the newest one that tells it. A torn
/// one does not hide what the one before it says.
pub fn find() -> Found {
    let versions = installed_versions();
    let mut images: Vec<PathBuf> = versions
        .iter()
        .filter_map(|version| image_path(version))
        .collect();
    let written = |path: &PathBuf| {
        let modified = fs::metadata(path).and_then(|at| at.modified());
        Reverse(modified.unwrap_or(SystemTime::UNIX_EPOCH))
    };
    images.sort_by_key(written);
    let read = |path: PathBuf| {
        let image = read_image(&path, |_| false).map_err(|error| error.to_string());
        let generator = image.map(|image| Generator::of(&image));
        (path, generator)
    };
    told_by(images.into_iter().map(read), Generator::is_installed)
}

/// By the images, the newest first. Pure.
fn told_by(
    images: impl Iterator<Item = (PathBuf, Result<Option<Generator>, String>)>,
    is_installed: impl Fn(Generator) -> bool,
) -> Found {
    let mut newest = None;
    for (path, image) in images {
        match image {
            Ok(Some(generator)) if is_installed(generator) => return Found::Generator(generator),
            Ok(Some(generator)) => return Found::Gone(generator),
            Ok(None) => newest = newest.or(Some((path, None))),
            Err(why) => newest = newest.or(Some((path, Some(why)))),
        }
    }
    newest.map_or(Found::NoImage, |(path, why)| Found::NotKnown(path, why))
}

/// Where the image of a kernel is: the names of Debian, and of Fedora. `None` where
/// there is none.
pub fn image_path(version: &str) -> Option<PathBuf> {
    let names = [
        format!("/boot/initrd.img-{version}"),
        format!("/boot/initramfs-{version}.img"),
    ];
    names.iter().map(PathBuf::from).find(|path| path.exists())
}

/// Where a kernel's image is or, where it has none, will be.
pub fn image_path_or_default(version: &str) -> PathBuf {
    let default = || Path::new("/boot").join(format!("initrd.img-{version}"));
    image_path(version).unwrap_or_else(default)
}

#[cfg(test)]
mod tests {
    use super::super::tree::Node;
    use super::*;

    fn image(paths: &[&str]) -> Tree {
        let mut image = Tree::default();
        for path in paths {
            let (mode, content) = (0o100_644, None);
            image.put(path, Node { mode, content });
        }
        image
    }

    #[test]
    fn a_torn_image_does_not_hide_what_the_one_before_says() {
        use Generator::InitramfsTools;
        let torn = || Err("it ends too early".to_owned());
        let told = |images: Vec<Result<Option<Generator>, String>>, is_installed: bool| {
            let images = images
                .into_iter()
                .map(|image| (PathBuf::from("image"), image));
            told_by(images, |_| is_installed)
        };
        let known = || Ok(Some(InitramfsTools));
        assert_eq!(
            told(vec![torn(), known()], true),
            Found::Generator(InitramfsTools)
        );
        assert_eq!(
            told(vec![torn(), known()], false),
            Found::Gone(InitramfsTools)
        );
        let why = Some("it ends too early".to_owned());
        assert_eq!(
            told(vec![torn(), Ok(None)], true),
            Found::NotKnown("image".into(), why)
        );
        assert_eq!(
            told(vec![Ok(None), torn()], true),
            Found::NotKnown("image".into(), None)
        );
        assert_eq!(told(vec![], true), Found::NoImage);
    }

    #[test]
    fn the_images_own_marks_tell_what_made_it() {
        let of = |paths: &[&str]| Generator::of(&image(paths));
        // Debian's dracut ships a program called update-initramfs.
        let dracut = ["usr/lib/dracut/hostonly-files", "init"];
        assert_eq!(of(&dracut), Some(Generator::Dracut { systemd: false }));
        let with_systemd = [
            "usr/lib/dracut/build-parameter.txt",
            "usr/lib/systemd/systemd",
        ];
        assert_eq!(of(&with_systemd), Some(Generator::Dracut { systemd: true }));
        let tools = ["scripts/functions", "conf/initramfs.conf", "init"];
        assert_eq!(of(&tools), Some(Generator::InitramfsTools));
        assert_eq!(of(&["init", "kernel/x86/microcode/GenuineIntel.bin"]), None);
    }
}
