//! The vault that vault.conf names, as it stands: without the master key.

use crate::admin::problem::{Problem, Result};
use crate::sys::sysfs;
use crate::vault::locate::{self, VaultDisk};
use crate::vault::{PLACE_FILE, PLACE_FILE_BYTES, Vault, VaultPlace};

/// Where vault.conf says that the vault is.
///
/// # Errors
/// When there is no such file or it makes no sense.
pub fn vault_place() -> Result<VaultPlace> {
    let text = sysfs::read_text::<PLACE_FILE_BYTES>(PLACE_FILE.as_ref()).ok_or_else(|| {
        Problem::failed(
            format!("This server has no vault yet ({PLACE_FILE} is not there)."),
            "Run: stayput init",
        )
    })?;
    VaultPlace::parse(&text).map_err(|error| {
        Problem::failed(
            format!("{PLACE_FILE} makes no sense (line {}).", error.line),
            "Put the file back from a backup; the initramfs holds a copy.",
        )
    })
}

/// Opens the vault that vault.conf names.
///
/// # Errors
/// What [`locate::open`] says, in a person's words.
pub fn open_vault() -> Result<Vault<VaultDisk>> {
    Ok(locate::open(&vault_place()?)?)
}

/// Opens it for reading only: nothing in it is mended, nothing can be written.
///
/// # Errors
/// As [`open_vault`].
pub fn look_at_vault() -> Result<Vault<VaultDisk>> {
    Ok(locate::look(&vault_place()?)?)
}
