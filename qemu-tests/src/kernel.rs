//! The kernel that a Debian starts with, and one that is newer by its name.

use std::path::{Path, PathBuf};

use crate::{Failure, Result};

/// A kernel as QEMU starts it, not compressed.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub(crate) image: PathBuf,
    version: String,
}

impl Kernel {
    /// The one that an image was made with.
    pub(crate) fn of_image(base: &Path) -> Result<Self> {
        let version = std::fs::read_to_string(base.join("version"))?;
        Ok(Self {
            image: base.join("vmlinux"),
            version: version.trim().to_owned(),
        })
    }

    /// What `uname -r` says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The same kernel, written to `image` under the name of a newer one. It takes the
    /// modules of this one: where they know the checksums of what they call, the version
    /// in them does not count (`CONFIG_MODVERSIONS`).
    ///
    /// # Errors
    /// The file cannot be written, or the name does not stand in the kernel.
    pub fn renamed(&self, image: &Path) -> Result<Self> {
        let version = format!("7{}", self.version.get(1..).unwrap_or_default());
        let (from, to) = (self.version.as_bytes(), version.as_bytes());
        let mut bytes = std::fs::read(&self.image)?;
        let mut found = 0;
        let mut at = 0;
        while let Some(place) = bytes.get_mut(at..at + from.len()) {
            if place == from {
                place.copy_from_slice(to);
                found += 1;
            }
            at += 1;
        }
        if found == 0 {
            let version = &self.version;
            return Err(Failure::new(format!("no {version} stands in the kernel")));
        }
        std::fs::write(image, bytes)?;
        Ok(Self {
            image: image.to_path_buf(),
            version,
        })
    }
}

/// What a server's shell makes a package of a kernel with, /root/kernel.deb: of its own
/// kernel's files, under the name of this version. Of it only the modules are there yet;
/// the package has its initramfs made, as Debian's do.
pub fn make_kernel_package(version: &str) -> String {
    format!(
        "cd /root && mkdir -p kernel/DEBIAN kernel/boot && old=$(ls /lib/modules) && \
         cp -al /lib/modules/$old /lib/modules/{version} && \
         for file in vmlinuz config; do cp /boot/$file-$old kernel/boot/$file-{version}; done && \
         printf '%s\\n' 'Package: linux-image-test' 'Version: 1' 'Architecture: all' \
             'Maintainer: a clinic <clinic@clinic.example>' 'Description: a kernel' \
             >kernel/DEBIAN/control && \
         printf '%s\\n' '#!/bin/sh' 'set -e' \
             'run-parts --exit-on-error --arg={version} --arg=/boot/vmlinuz-{version} \
              /etc/kernel/postinst.d' >kernel/DEBIAN/postinst && \
         chmod 755 kernel/DEBIAN/postinst && dpkg-deb -Znone -b kernel kernel.deb"
    )
}

/// What fills a server's /boot, once that package is made: it is a copy with room for the
/// kernel and its initramfs, and for no other one.
pub const FILL_BOOT: &str = "\
    mount -t tmpfs tmpfs /mnt && cp -a /boot/. /mnt && \
    size=$(du -skc /mnt /root/kernel/boot /boot/initrd.img-* | tail -n 1 | cut -f1) && \
    mount -o remount,size=$((size + 1024))k /mnt && mount --bind /mnt /boot";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    #[test]
    fn a_renamed_kernel_has_the_new_name_wherever_it_had_the_old() -> Result {
        let scratch = Scratch::new()?;
        let image = scratch.join("vmlinux");
        std::fs::write(&image, "Linux version 6.1.0-5 (x)\0 vermagic=6.1.0-5 SMP")?;
        std::fs::write(scratch.join("version"), "6.1.0-5\n")?;
        let own = Kernel::of_image(scratch.path())?;
        let newer = own.renamed(&scratch.join("newer"))?;
        assert_eq!(newer.version(), "7.1.0-5");
        let text = std::fs::read_to_string(&newer.image)?;
        assert_eq!(text, "Linux version 7.1.0-5 (x)\0 vermagic=7.1.0-5 SMP");
        std::fs::write(&image, "another one")?;
        assert!(own.renamed(&scratch.join("newer")).is_err());
        Ok(())
    }
}
