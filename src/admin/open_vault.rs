//! The vault that vault.conf names, opened without the master key.

use crate::admin::problem::{Problem, Result};
use crate::sys::sysfs;
use crate::vault::locate::{self, COMMAND_WAITS, VaultDisk};
use crate::vault::{VAULT_CONF, VAULT_CONF_BYTES, Vault, VaultConf};

/// Reads vault.conf, which says where the vault is.
///
/// # Errors
/// When there is no such file or it makes no sense.
pub fn vault_conf() -> Result<VaultConf> {
    let text = sysfs::read_text::<VAULT_CONF_BYTES>(VAULT_CONF.as_ref()).ok_or_else(|| {
        Problem::failed(
            format!("This server has no vault yet ({VAULT_CONF} is not there)."),
            "Run: stayput init",
        )
    })?;
    VaultConf::parse(&text).map_err(|error| {
        Problem::failed(
            format!("{VAULT_CONF} makes no sense (line {}).", error.line),
            "Put the file back from a backup; the initramfs holds a copy.",
        )
    })
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
