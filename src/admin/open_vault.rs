//! The vault that vault.conf names, opened without the master key.

use std::fs::File;
use std::io::{self, ErrorKind, Read};

use crate::admin::problem::{Problem, ProblemKind, Result};
use crate::vault::locate::{self, COMMAND_WAITS, VaultDisk};
use crate::vault::{VAULT_CONF, VAULT_CONF_BYTES, Vault, VaultConf};

/// Reads vault.conf, which says where the vault is.
///
/// # Errors
/// When there is no such file or it makes no sense.
pub fn vault_conf() -> Result<VaultConf> {
    let mut text = String::new();
    let read = File::open(VAULT_CONF).and_then(|file| {
        let longest = VAULT_CONF_BYTES as u64 + 1;
        file.take(longest).read_to_string(&mut text)
    });
    read.map_err(|error| no_conf(&error))?;
    VaultConf::parse(&text).map_err(|error| {
        Problem::failed(
            format!("{VAULT_CONF} makes no sense (line {}).", error.line),
            NOT_READABLE,
        )
        .of_kind(ProblemKind::NotReadable)
    })
}

const NOT_READABLE: &str = "Put the file back from a backup; the initramfs holds a copy. Or name \
                            the vault again: stayput init --adopt PATH";

/// Why vault.conf was not read. Only where it is not there has the server no vault.
fn no_conf(error: &io::Error) -> Problem {
    match error.kind() {
        ErrorKind::NotFound => Problem::failed(
            format!("This server has no vault yet ({VAULT_CONF} is not there)."),
            "Run: stayput init",
        )
        .of_kind(ProblemKind::NotThere),
        ErrorKind::PermissionDenied => Problem::of_file(VAULT_CONF, error),
        _ => Problem::failed(
            format!("{VAULT_CONF} cannot be read: {error}"),
            NOT_READABLE,
        )
        .of_kind(ProblemKind::NotReadable),
    }
}

/// Opens the vault that vault.conf names.
///
/// # Errors
/// What [`locate::open`] says, in a person's words.
pub fn open_vault() -> Result<Vault<VaultDisk>> {
    Ok(locate::open(&vault_conf()?, COMMAND_WAITS)?)
}

/// Opens the vault for reading only: nothing in it is mended or written.
///
/// # Errors
/// When vault.conf or the vault cannot be read, in a person's words.
pub fn open_vault_read_only() -> Result<Vault<VaultDisk>> {
    Ok(locate::open_read_only(&vault_conf()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::errno::Errno;

    #[test]
    fn only_where_no_file_is_has_the_server_no_vault() {
        let kind = |errno: Errno| {
            let problem = no_conf(&errno.into());
            let has_none = problem.what.contains("no vault yet");
            assert_eq!(has_none, errno == Errno::ENOENT, "{problem}");
            problem.kind
        };
        assert_eq!(kind(Errno::ENOENT), ProblemKind::NotThere);
        assert_eq!(kind(Errno::EACCES), ProblemKind::NotAllowed);
        assert_eq!(kind(Errno::EIO), ProblemKind::NotReadable);
    }
}
