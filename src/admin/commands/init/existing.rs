//! Vaults that are there though no vault.conf names them, and naming one again. Whoever
//! has lost that file has lost nothing else.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::file::VaultFile;
use super::overwrite::is_unused;
use super::target::USUAL_FILES;
use super::write_place_file;
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::{Exit, Problem, ProblemKind, Result};
use crate::printable::Printable;
use crate::vault::locate::{self, LocateError};
use crate::vault::partitions::{FoundPartition, partitions};
use crate::vault::{PartitionId, ServerId, ServerName, VaultConf};

/// A vault that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExistingVault {
    /// Its partition, or its file.
    pub path: PathBuf,
    /// What vault.conf says of it.
    pub conf: VaultConf,
    /// What people call its server.
    pub name: ServerName,
    /// Nothing was ever done with its key.
    pub is_unused: bool,
}

impl ExistingVault {
    /// The vault in this place; `None` where there is none.
    fn in_place(
        path: &Path,
        partition: PartitionId,
        file: Option<heapless::String<64>>,
    ) -> std::result::Result<Self, LocateError> {
        let mut conf = VaultConf {
            server_id: ServerId([0; 16]),
            partition,
            file,
        };
        let vault = locate::open_of_any_server(&conf)?;
        let header = vault.header();
        conf.server_id = header.server_id;
        Ok(Self {
            path: path.to_owned(),
            conf,
            name: header.server_name.clone(),
            is_unused: is_unused(&vault),
        })
    }

    /// What to do about it where vault.conf is lost.
    pub fn adopting(&self) -> String {
        format!("stayput init --adopt {}", self.path.display())
    }

    /// Whose it is and where, in words.
    pub fn in_words(&self) -> String {
        format!(
            "On {} is the vault of the server \"{}\"",
            self.path.display(),
            Printable(&self.name)
        )
    }
}

/// The vaults on partitions that are called so, and in the files where they usually are.
pub fn existing_vaults() -> Vec<ExistingVault> {
    let named = partitions().filter(FoundPartition::has_vaults_name);
    let on_partitions = named
        .filter_map(|found| ExistingVault::in_place(&found.device, found.id.clone(), None).ok());
    let in_files = USUAL_FILES.iter().filter_map(|path| {
        let path = Path::new(path);
        let file = VaultFile::check(path).ok()?;
        ExistingVault::in_place(path, file.partition.clone(), Some(file.name.clone())).ok()
    });
    on_partitions.chain(in_files).collect()
}

/// The vault that is perhaps this server's: one that was used, where no vault.conf names
/// any. `None` where vault.conf can be read.
/// It is looked for in `place` too, if any.
pub fn unnamed_vault(place: Option<&Path>) -> Option<ExistingVault> {
    match vault_conf() {
        Err(problem) if problem.kind != ProblemKind::NotAllowed => {}
        _ => return None,
    }
    let in_place = place.and_then(|place| at(place).ok());
    let mut found = in_place.into_iter().chain(existing_vaults());
    found.find(|found| !found.is_unused)
}

/// Refuses where a vault stands that nobody names, and says how it is named again.
///
/// # Errors
/// The way back.
pub fn refuse_beside(unnamed: Option<&ExistingVault>) -> Result<()> {
    let Some(found) = unnamed else {
        return Ok(());
    };
    Err(Problem::refused(
        format!(
            "{}, and /etc/stayput/vault.conf, which names this server's vault, is lost. Nothing \
             was changed.",
            found.in_words()
        ),
        format!(
            "To name it again: {}. If it is another server's, take its disk out.",
            found.adopting()
        ),
    ))
}

/// Runs `stayput init --adopt`: writes vault.conf, and nothing else.
///
/// # Errors
/// When another vault is named and can be read, or there is none at `path`.
pub fn adopt(path: &Path) -> Result<()> {
    let found = at(path)?;
    let known = match vault_conf() {
        Ok(conf) => Some(conf),
        Err(problem) if problem.kind == ProblemKind::NotAllowed => return Err(problem),
        Err(_) => None,
    };
    let is_readable = known
        .as_ref()
        .is_some_and(|conf| locate::open_read_only(conf).is_ok());
    if known.as_ref() == Some(&found.conf) {
        println!("This vault is named already.");
        return Ok(());
    }
    if is_readable {
        return Err(Problem::refused(
            "This server has a vault that can be read, and it is another one.",
            "Nothing was changed. `stayput status` shows it.",
        ));
    }
    write_place_file(&found.conf)?;
    println!(
        "{}: it is this server's now. Nothing in it was changed.\nNext: stayput install",
        found.in_words()
    );
    Ok(())
}

/// The vault on the partition, or in the file, of this name.
fn at(path: &Path) -> Result<ExistingVault> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let is_device = fs::metadata(&real).is_ok_and(|meta| meta.file_type().is_block_device());
    let found = if is_device {
        let found = partitions().find(|found| found.device == real);
        let found = found.ok_or_else(|| no_vault(path, "it is not a partition of a disk"))?;
        ExistingVault::in_place(&real, found.id, None)
    } else if real.is_file() {
        let file = VaultFile::check(&real)?;
        ExistingVault::in_place(&real, file.partition.clone(), Some(file.name.clone()))
    } else {
        return Err(no_vault(path, "there is no such partition or file"));
    };
    found.map_err(|error| no_vault(path, &error.to_string()))
}

fn no_vault(path: &Path, why: &str) -> Problem {
    let why = why.trim_end_matches('.');
    Problem::new(
        Exit::Usage,
        format!("No vault can be read on {}: {why}.", path.display()),
        "Nothing was changed. Name the partition or the file with this server's vault; `lsblk` \
         shows the partitions.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_that_nobody_names_is_adopted_not_overwritten() {
        assert!(refuse_beside(None).is_ok());
        let found = ExistingVault {
            path: "/boot/efi/stayput.vault".into(),
            conf: VaultConf {
                server_id: ServerId([7; 16]),
                partition: "8da63339-01".try_into().unwrap(),
                file: Some("stayput.vault".try_into().unwrap()),
            },
            name: "clinic".try_into().unwrap(),
            is_unused: false,
        };
        let problem = refuse_beside(Some(&found)).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Refused);
        let next = problem.next.to_string();
        assert!(
            next.contains("stayput init --adopt /boot/efi/stayput.vault"),
            "{next}"
        );
        assert!(!problem.to_string().contains("--force"), "{problem}");
    }
}
