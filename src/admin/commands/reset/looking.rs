//! What a reset sees of the vault before it says anything. A child looks: the disk may hang,
//! and the keys in memory are taken all the same.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::admin::child_work::{ChildWork, NoAnswer};
use crate::admin::open_vault::{open_vault_read_only, vault_conf};
use crate::admin::problem::Result;
use crate::stick::{Beside, PluggedKeys};
use crate::theft::WayBack;
use crate::vault::VaultError;
use crate::vault::locate::{VaultDisk, reset_target};
use crate::vault::{ServerName, Vault};

use super::announcement::opens_afterwards;

/// Longest time for a look, in which another command may finish with the vault, and sticks
/// are read.
pub const LOOK_TAKES: Duration = Duration::from_secs(30);

/// What there is to be reset.
#[derive(Serialize, Deserialize)]
pub enum Seen {
    Vault(SeenVault),
    /// Whose vault it is is lost, not where everything stands.
    WithoutHeader,
}

/// A vault, and this server's keys on the sticks that are plugged in.
#[derive(Serialize, Deserialize)]
pub struct SeenVault {
    pub name: ServerName,
    pub plugged: PluggedKeys,
    /// It was reset before.
    pub again: bool,
    /// Whether the owner has a way in afterwards.
    pub way_back: bool,
    /// What that is, in words.
    pub afterwards: String,
}

/// The look, for [`look`].
pub const LOOK_AT_VAULT: ChildWork<Result<Seen>> =
    ChildWork::new("look-at-vault", |_| match open_vault_read_only() {
        Ok(vault) => Ok(Seen::Vault(SeenVault::of(vault))),
        Err(problem) => {
            reset_target(&vault_conf()?).map_err(|_| problem)?;
            Ok(Seen::WithoutHeader)
        }
    });

/// Has a child look at the vault, and waits for so long at most.
///
/// # Errors
/// [`NoAnswer`] where its disk does not answer. Inside, what stands in the way of a reset.
pub fn look(limit: Duration) -> std::result::Result<Result<Seen>, NoAnswer> {
    LOOK_AT_VAULT.within(limit, &[])
}

impl SeenVault {
    /// No key is asked for: whoever is root could overwrite the disk as well.
    fn of(vault: Vault<VaultDisk>) -> Self {
        let header = vault.header().clone();
        let again = vault.slots().is_err_and(VaultError::may_be_a_reset);
        let sticks = vault.sticks_that_open().unwrap_or_default();
        let sticks = sticks.as_claimed();
        // A stick that hangs does not keep others from the vault.
        let beside = Beside::of(&vault);
        drop(vault);
        let plugged = beside.keys();
        Self {
            name: header.server_name.clone(),
            again,
            way_back: plugged.way_back(&header, sticks) == WayBack::Listed,
            afterwards: opens_afterwards(&plugged, &header, sticks),
            plugged,
        }
    }
}
