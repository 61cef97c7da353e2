//! What makes the initramfs of this system, told by the images that it has made:
//! a program that is installed may be another one's.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::archive::read_image;
use super::kernels::installed_versions;
use super::tree::Tree;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It has made the newest of the images.
    Generator(Generator),
    /// The newest image is of neither, or cannot be read.
    NotKnown,
    /// No kernel in /boot has an image.
    NoImage,
}

/// What makes this system's images: what has made the newest one.
pub fn find() -> Found {
    let versions = installed_versions();
    let images = versions.iter().filter_map(|version| image_path(version));
    let written = |path: &PathBuf| {
        let modified = fs::metadata(path).and_then(|at| at.modified());
        modified.unwrap_or(SystemTime::UNIX_EPOCH)
    };
    let Some(newest) = images.max_by_key(written) else {
        return Found::NoImage;
    };
    let image = read_image(&newest, |_| false).ok();
    let generator = image.as_ref().and_then(Generator::of);
    generator.map_or(Found::NotKnown, Found::Generator)
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
