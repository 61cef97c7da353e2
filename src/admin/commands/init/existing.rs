//! Vaults that are there though no vault.conf names them, and naming one again. Whoever
//! has lost that file has lost nothing else.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use super::file::VaultFile;
use super::overwrite::is_unused;
use super::target::{USUAL_FILES, system_disk};
use super::write_place_file;
use crate::admin::ask;
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::{Exit, Problem, ProblemKind, Result};
use crate::printable::Printable;
use crate::vault::locate::{self, LocateError};
use crate::vault::partitions::{FoundPartition, partitions};
use crate::vault::{ServerId, ServerName, VaultConf};

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
    /// The vault on this partition, or in this file on it.
    fn on(
        partition: &FoundPartition,
        file: Option<&VaultFile>,
    ) -> std::result::Result<Self, LocateError> {
        let path = file.map_or(&partition.device, |file| &file.path);
        let mut conf = VaultConf {
            server_id: ServerId([0; 16]),
            partition: partition.id.clone(),
            file: file.map(|file| file.name.clone()),
        };
        let vault = locate::open_of_any_server(&conf, partition)?;
        let header = vault.header();
        conf.server_id = header.server_id;
        Ok(Self {
            path: path.clone(),
            conf,
            name: header.server_name.clone(),
            is_unused: is_unused(&vault),
        })
    }

    /// What to do about it where vault.conf is lost.
    pub fn adopting(&self) -> String {
        adopting(&self.path)
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

/// The command that names the vault on this partition or in this file.
pub fn adopting(path: &Path) -> String {
    format!("stayput init --adopt {}", path.display())
}

/// The partition on which this file is.
fn partition_of(file: &VaultFile) -> Option<FoundPartition> {
    partitions().find(|found| found.device == file.device)
}

/// The vaults on partitions that are called so, and in the files where they usually are.
/// Disks on USB may be anybody's: of these only the system's is looked at.
pub fn existing_vaults() -> Vec<ExistingVault> {
    let system = system_disk().ok();
    let named = partitions()
        .filter(|found| is_of_this_server(found.is_on_usb(), &found.disk, system.as_deref()))
        .filter(FoundPartition::has_vaults_name);
    let on_partitions = named.filter_map(|found| ExistingVault::on(&found, None).ok());
    let in_files = USUAL_FILES.iter().filter_map(|path| {
        let file = VaultFile::check(Path::new(path)).ok()?;
        ExistingVault::on(&partition_of(&file)?, Some(&file)).ok()
    });
    on_partitions.chain(in_files).collect()
}

fn is_of_this_server(is_on_usb: bool, disk: &str, system: Option<&str>) -> bool {
    !is_on_usb || system == Some(disk)
}

/// The vaults that are perhaps this server's: those that were used, where no vault.conf
/// names any; none where vault.conf can be read. They are looked for in `place` too, if
/// any.
pub fn unnamed_vaults(place: Option<&Path>) -> Vec<ExistingVault> {
    match vault_conf() {
        Err(problem) if problem.kind != ProblemKind::NotAllowed => {}
        _ => return Vec::new(),
    }
    let mut found: Vec<_> = place.and_then(|place| at(place).ok()).into_iter().collect();
    for existing in existing_vaults() {
        if !found.contains(&existing) {
            found.push(existing);
        }
    }
    found.retain(|found| !found.is_unused);
    found
}

/// Refuses where vaults stand that nobody names, and says how one is named again.
///
/// # Errors
/// The ways back.
pub fn refuse_beside(unnamed: &[ExistingVault]) -> Result<()> {
    if unnamed.is_empty() {
        return Ok(());
    }
    let found: Vec<_> = unnamed.iter().map(ExistingVault::in_words).collect();
    let ways: Vec<_> = unnamed.iter().map(ExistingVault::adopting).collect();
    Err(Problem::refused(
        format!(
            "{}. No /etc/stayput/vault.conf names this server's vault. Nothing was changed.",
            found.join(". ")
        ),
        format!(
            "Is it this server's? To name it again: {}. If it is another server's, take its \
             disk out.",
            ways.join(", or ")
        ),
    ))
}

/// Runs `stayput init --adopt`: writes vault.conf, and nothing else.
///
/// # Errors
/// When another vault is named and can be read, or there is none at `path`, or its owner
/// does not say that it is the one.
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
    if is_of_another_server(known.as_ref(), &found.conf) {
        confirm(&found)?;
    }
    write_place_file(&found.conf)?;
    println!(
        "{}: it is this server's now. Nothing in it was changed.\nNext: stayput install",
        found.in_words()
    );
    Ok(())
}

/// Whether vault.conf names another server's vault, which cannot be read now.
fn is_of_another_server(known: Option<&VaultConf>, found: &VaultConf) -> bool {
    known.is_some_and(|known| known.server_id != found.server_id)
}

fn confirm(found: &ExistingVault) -> Result<()> {
    println!(
        "{}. /etc/stayput/vault.conf names the vault of another server, which cannot be read \
         now.",
        found.in_words()
    );
    let name = Printable(&found.name);
    let typed = ask::line(&format!(
        "Type the server's name ({name}) to name its vault instead: "
    ))?;
    match typed == found.name.as_str() {
        true => Ok(()),
        false => Err(Problem::refused(
            "That is not the server's name.",
            "Nothing was changed.",
        )),
    }
}

/// The vault on the partition, or in the file, of this name.
fn at(path: &Path) -> Result<ExistingVault> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let is_device = fs::metadata(&real).is_ok_and(|meta| meta.file_type().is_block_device());
    let no_partition = || no_vault(path, "it is not a partition of a disk");
    let found = if is_device {
        let found = partitions().find(|found| found.device == real);
        ExistingVault::on(&found.ok_or_else(no_partition)?, None)
    } else if real.is_file() {
        let file = VaultFile::check(&real)?;
        let partition = partition_of(&file).ok_or_else(no_partition)?;
        ExistingVault::on(&partition, Some(&file))
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

    fn found(file: &str, id: u8) -> ExistingVault {
        ExistingVault {
            path: Path::new("/boot/efi").join(file),
            conf: VaultConf {
                server_id: ServerId([id; 16]),
                partition: "8da63339-01".try_into().unwrap(),
                file: Some(file.try_into().unwrap()),
            },
            name: "clinic".try_into().unwrap(),
            is_unused: false,
        }
    }

    #[test]
    fn vaults_that_nobody_names_are_adopted_not_overwritten() {
        assert!(refuse_beside(&[]).is_ok());
        let both = [found("stayput.vault", 7), found("old.vault", 8)];
        let problem = refuse_beside(&both).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Refused);
        for path in ["/boot/efi/stayput.vault", "/boot/efi/old.vault"] {
            let way = format!("stayput init --adopt {path}");
            assert!(problem.next.contains(&way), "{problem}");
            assert!(problem.what.contains(path), "{problem}");
        }
        let told = problem.to_string();
        assert!(
            !told.contains("--force") && !told.contains("lost"),
            "{told}"
        );
    }

    #[test]
    fn a_disk_on_usb_is_nobodys_unless_the_system_is_on_it() {
        assert!(is_of_this_server(false, "sdb", Some("sda")));
        assert!(!is_of_this_server(true, "sdb", Some("sda")));
        assert!(!is_of_this_server(true, "sdb", None));
        assert!(is_of_this_server(true, "sda", Some("sda")));
    }

    #[test]
    fn a_conf_of_another_server_is_replaced_only_by_its_owner() {
        let adopted = found("stayput.vault", 7).conf;
        let moved = VaultConf {
            file: None,
            ..adopted.clone()
        };
        assert!(!is_of_another_server(None, &adopted));
        assert!(!is_of_another_server(Some(&moved), &adopted));
        let other = found("stayput.vault", 8).conf;
        assert!(is_of_another_server(Some(&other), &adopted));
    }
}
