//! `stayput stick renew`: brings the sticks that are plugged in up to what the vault has
//! now, without their PINs.

use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::admin::ways_copies::{renew_plugged, tell, write_beside};

#[derive(clap::Args, Clone, Debug)]
pub struct RenewOptions {
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// Runs `stayput stick renew`.
///
/// # Errors
/// When the vault does not open, no stick of this server is plugged in, or one of them
/// was not renewed.
pub fn renew(options: &RenewOptions) -> Result<()> {
    let mut unlocked = unlock(&options.unlock)?;
    let sticks = renew_plugged(&mut unlocked)?;
    if sticks.is_empty() {
        return Err(Problem::refused(
            "No stick of this server is plugged in.",
            "Plug it in, then run the command again.",
        ));
    }
    let beside = write_beside(&unlocked);
    tell(&sticks);
    match sticks.iter().all(|stick| stick.failed.is_none()) {
        true => beside,
        false => Err(Problem::failed(
            "Not every stick was renewed.",
            "What was said above tells why.",
        )),
    }
}
