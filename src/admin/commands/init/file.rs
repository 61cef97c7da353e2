//! The vault as a file on the ESP or on a separate /boot.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::sys::statfs::{EXT4_SUPER_MAGIC, FsType, MSDOS_SUPER_MAGIC, statfs};

use crate::admin::problem::{Problem, Result};
use crate::keys::random_bytes;
use crate::vault::partitions::partitions;
use crate::vault::{PartitionId, VAULT_BYTES, VaultConf};

/// A path at which the vault's file can be made.
pub struct VaultFile {
    /// Where the file is, or will be.
    pub path: PathBuf,
    /// Its path inside its filesystem.
    pub name: heapless::String<64>,
    /// The partition with that filesystem.
    pub partition: PartitionId,
}

impl VaultFile {
    /// # Errors
    /// When the boot stage could not use a file there: on the root
    /// filesystem, on a copy-on-write one, on LVM or RAID, or not in the top
    /// folder.
    pub fn check(path: &Path) -> Result<Self> {
        let refuse = |what: &str| {
            Problem::refused(
                format!("The vault cannot be {}: {what}.", path.display()),
                "Name a new file in the top folder of the ESP or of a separate /boot, \
                 for example /boot/efi/stayput.vault",
            )
        };
        if path.exists() {
            return Err(refuse("there is a file of this name"));
        }
        let folder = path.parent().filter(|folder| folder.is_dir());
        let folder = folder.ok_or_else(|| refuse("the folder does not exist"))?;
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name
            .filter(|name| VaultConf::is_file_name(name))
            .and_then(|name| name.try_into().ok())
            .ok_or_else(|| refuse("the name has more than letters, digits, dot, - and _"))?;
        let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
        let own = device(folder);
        if own == device(Path::new("/")) {
            return Err(refuse("it would be on the root filesystem"));
        }
        if folder.parent().and_then(device) == own {
            return Err(refuse(
                "it would not be in the top folder of its filesystem",
            ));
        }
        let kind = statfs(folder).map(|fs| fs.filesystem_type());
        if !kind.is_ok_and(|kind: FsType| kind == EXT4_SUPER_MAGIC || kind == MSDOS_SUPER_MAGIC) {
            return Err(refuse("its filesystem is neither FAT nor ext4"));
        }
        let own = own.ok_or_else(|| refuse("the folder cannot be read"))?;
        let partition = partitions()
            .find(|found| fs::metadata(&found.device).is_ok_and(|meta| meta.rdev() == own))
            .ok_or_else(|| refuse("its filesystem is not on a plain partition"))?;
        Ok(Self {
            path: path.to_owned(),
            name,
            partition: partition.id,
        })
    }

    /// Makes the file, with allocated blocks for every byte.
    ///
    /// # Errors
    /// When it cannot be written; it does not exist then.
    pub fn fill(&self) -> Result<()> {
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&self.path)?;
            let noise: [u8; 4096] = random_bytes();
            for _ in 0..VAULT_BYTES / noise.len() as u64 {
                file.write_all(&noise)?;
            }
            file.sync_all()
        };
        write().map_err(|error: std::io::Error| {
            let _ = fs::remove_file(&self.path);
            Problem::failed(
                format!("{} cannot be written: {error}.", self.path.display()),
                "The file needs 960 KiB; make room, then run the command again.",
            )
        })
    }
}
