//! The vault as a file on the ESP or on a separate /boot.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::sys::statfs::{EXT4_SUPER_MAGIC, FsType, MSDOS_SUPER_MAGIC, statfs};

use crate::admin::durable::sync_directory;
use crate::admin::problem::{Problem, Result};
use crate::keys::random_bytes;
use crate::vault::partitions::partitions;
use crate::vault::{BLOCK_SIZE, PartitionId, Traces, VAULT_BYTES, VaultConf};

/// A path at which the vault's file can be made.
#[derive(PartialEq, Eq)]
pub struct VaultFile {
    /// Where the file is, or will be.
    pub path: PathBuf,
    /// Its path inside its filesystem.
    pub name: heapless::String<64>,
    /// The id of the partition with that filesystem.
    pub partition: PartitionId,
    /// Where that partition is.
    pub device: PathBuf,
    /// What is at the path.
    there: There,
}

/// What is at the path of a new vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum There {
    Nothing,
    /// The power went while an earlier run made it.
    Unfinished,
    /// A vault. Whose it is, and who must agree, is asked before it is overwritten.
    Vault,
    Foreign,
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
        let there = There::at(path);
        if there == There::Foreign {
            return Err(refuse("there is a file of this name, which is no vault"));
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
            device: partition.device,
            there,
        })
    }

    /// Makes the file, with allocated blocks for every byte; one with a vault stays
    /// as it is.
    ///
    /// # Errors
    /// When it cannot be written; it does not exist then.
    pub fn prepare(&self) -> Result<()> {
        if self.there == There::Vault && There::at(&self.path) == There::Vault {
            return Ok(());
        }
        let failed = |error: std::io::Error| {
            Problem::failed(
                format!("{} cannot be written: {error}.", self.path.display()),
                "The file needs 960 KiB; make room, then run the command again.",
            )
        };
        // It is looked at again: somebody may have made a vault there meanwhile.
        if self.there == There::Unfinished && There::at(&self.path) == There::Unfinished {
            fs::remove_file(&self.path).map_err(failed)?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(failed)?;
        let mut write = || {
            let noise: [u8; 4096] = random_bytes();
            for _ in 0..VAULT_BYTES / noise.len() as u64 {
                file.write_all(&noise)?;
            }
            file.sync_all()?;
            sync_directory(&self.path)
        };
        // From here on the file is ours.
        write().map_err(|error| {
            let _ = fs::remove_file(&self.path);
            failed(error)
        })
    }
}

impl There {
    /// A symbolic link is followed nowhere.
    fn at(path: &Path) -> Self {
        match path.symlink_metadata() {
            Ok(file) if file.file_type().is_file() && file.len() <= VAULT_BYTES => {
                fs::read(path).map_or(Self::Foreign, |content| Self::of(&content))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Self::Nothing,
            _ => Self::Foreign,
        }
    }

    fn of(content: &[u8]) -> Self {
        match Traces::of(content) {
            Traces::Vault => Self::Vault,
            Traces::Empty | Traces::Begun => Self::Unfinished,
            Traces::Foreign if is_filled(content) => Self::Unfinished,
            Traces::Foreign => Self::Foreign,
        }
    }
}

const SECTOR: usize = 512;

/// Whether this is what [`VaultFile::prepare`] writes, or a part of it: one block again
/// and again, and zeroes, torn at any sector. A single block could be anybody's.
fn is_filled(content: &[u8]) -> bool {
    let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let written = content.chunks(BLOCK_SIZE).filter(|block| !is_zero(block));
    if written.count() == 1 {
        return false;
    }
    let mut block = [None; BLOCK_SIZE / SECTOR];
    let sectors = content.chunks(SECTOR).enumerate();
    let mut written = sectors.filter(|(_, sector)| !is_zero(sector));
    written.all(|(at, sector)| {
        let known = block[at % (BLOCK_SIZE / SECTOR)].get_or_insert(sector);
        known.starts_with(sector)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;
    use crate::vault::{MemoryDevice, ServerId, SlotTable, Vault};

    #[test]
    fn a_file_without_a_header_is_an_interrupted_init() {
        let noise: [u8; BLOCK_SIZE] = random_bytes();
        let blocks = VAULT_BYTES as usize / BLOCK_SIZE;
        let mut file = noise.repeat(blocks);
        assert_eq!(There::of(&file), There::Unfinished, "filled");
        file[..5 * BLOCK_SIZE].fill(0);
        assert_eq!(There::of(&file), There::Unfinished, "zeroed in part");
        file[5 * BLOCK_SIZE..][..SECTOR].fill(0);
        assert_eq!(There::of(&file), There::Unfinished, "torn");
        for length in [0, 2 * BLOCK_SIZE, 9 * BLOCK_SIZE + 700] {
            let part = &noise.repeat(blocks)[..length];
            assert_eq!(There::of(part), There::Unfinished, "{length} bytes");
        }
        file.fill(0);
        assert_eq!(There::of(&file), There::Unfinished, "zeroed");
        let mut begun = vault();
        for copy in [0, blocks / 2] {
            begun[copy * BLOCK_SIZE..][..BLOCK_SIZE].fill(0);
        }
        assert_eq!(There::of(&begun), There::Unfinished, "without a header");
    }

    fn vault() -> Vec<u8> {
        let (id, name) = (ServerId([7; 16]), "clinic".try_into().unwrap());
        let (disk, key) = (MemoryDevice::default(), MasterKey::generate());
        let vault = Vault::create(disk, id, name, &key, &SlotTable::default()).unwrap();
        vault.into_device().bytes
    }

    #[test]
    fn a_file_that_holds_anything_is_kept() {
        assert_eq!(There::of(&vault()), There::Vault);
        let mut file = vec![0; VAULT_BYTES as usize];
        assert_eq!(There::of(&vault()[..9000]), There::Foreign, "a part of one");
        assert_eq!(There::of(b"a list of names\n"), There::Foreign);
        file[7] = 1;
        assert_eq!(There::of(&file), There::Foreign, "one byte");
        file[BLOCK_SIZE + 7] = 2;
        assert_eq!(There::of(&file), There::Foreign, "two bytes");
    }

    #[test]
    fn a_vault_made_meanwhile_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        for there in [There::Nothing, There::Unfinished, There::Vault] {
            fs::write(&path, "somebody's").unwrap();
            let file = VaultFile {
                path: path.clone(),
                name: "vault".try_into().unwrap(),
                partition: PartitionId::new(),
                device: PathBuf::new(),
                there,
            };
            assert!(file.prepare().is_err());
            assert_eq!(fs::read(&path).unwrap(), b"somebody's");
        }
    }
}
