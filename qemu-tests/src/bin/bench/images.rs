//! The initramfs images that are compared, made once and kept.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use qemu_tests::{Failure, Generator, Result, Suite, System, prepared, project, shipped_binary};

/// What decides about the images, beside the base and the boot stage.
const SOURCES: [&str; 15] = [
    "images/build-bench",
    "images/bench/start",
    "images/bench/end",
    "images/bench/initramfs-tools",
    "images/bench/dracut",
    "dracut/50stayput/module-setup.sh",
    "dracut/50stayput/stayput-boot.service",
    "dracut/50stayput/after-stage.conf",
    "dracut/50stayput/waiting-units",
    "dracut/50stayput/device.conf",
    "dracut/50stayput/cmdline.conf",
    "initramfs-hooks/hooks/stayput",
    "initramfs-hooks/scripts/init-premount/stayput",
    "initramfs-hooks/run-stage",
    "initramfs-hooks/modules",
];

/// What `images/build-bench` made, and the base that it made it from.
pub struct Images {
    pub generator: Generator,
    base: PathBuf,
    made: PathBuf,
}

impl Images {
    pub fn made(generator: Generator) -> Result<Self> {
        let system = System {
            suite: Suite::Trixie,
            generator,
            ..System::USUAL
        };
        let base = system.image()?;
        let mut inputs = vec![
            base.as_os_str().as_encoded_bytes().to_vec(),
            std::fs::read(shipped_binary("stayput-boot")?)?,
        ];
        for source in SOURCES {
            inputs.push(std::fs::read(project().join(source))?);
        }
        let made = prepared(
            &format!("bench-{}", generator.name()),
            &inputs,
            |directory| {
                let status = Command::new(project().join(SOURCES[0]))
                    .args([base.as_path(), directory])
                    .arg(generator.name())
                    .status()?;
                if status.success() {
                    Ok(())
                } else {
                    Err(Failure::new(format!("{} failed", SOURCES[0])))
                }
            },
        )?;
        Ok(Self {
            generator,
            base,
            made,
        })
    }

    pub fn kernel(&self) -> PathBuf {
        self.base.join("vmlinux")
    }

    pub fn kernel_version(&self) -> Result<String> {
        let text = std::fs::read_to_string(self.base.join("version"))?;
        Ok(text.trim().to_string())
    }

    /// A file that was made, by its name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.made.join(name)
    }

    /// Bytes of this initramfs, compressed.
    pub fn size(&self, image: &str) -> Result<u64> {
        Ok(std::fs::metadata(self.path(&format!("{image}.img")))?.len())
    }

    /// How many files this initramfs has that the one with nothing lacks.
    pub fn files_added(&self, image: &str) -> Result<usize> {
        let list = |name: &str| std::fs::read_to_string(self.path(&format!("{name}.files")));
        Ok(added(&list("nothing")?, &list(image)?))
    }

    /// The packages that were compared, as "name version".
    pub fn versions(&self) -> Result<Vec<String>> {
        let text = std::fs::read_to_string(self.path("versions"))?;
        Ok(text.lines().map(str::to_string).collect())
    }
}

/// Files that only the second list has; a directory is none.
fn added(before: &str, after: &str) -> usize {
    let before: BTreeSet<&str> = before.lines().collect();
    let all: BTreeSet<&str> = after.lines().collect();
    let is_directory = |path: &str| {
        let inside = format!("{path}/");
        all.range(inside.as_str()..)
            .next()
            .is_some_and(|next| next.starts_with(&inside))
    };
    all.iter()
        .filter(|path| !before.contains(**path) && !is_directory(path))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_and_the_directories_around_them_are_not() {
        let before = "bin\nbin/sh\n";
        let after = "bin\nbin/sh\nbin/curl\nusr\nusr/lib\nusr/lib/a.so\nusr/lib-b\n";
        assert_eq!(added(before, after), 3);
        assert_eq!(added(after, after), 0);
    }
}
