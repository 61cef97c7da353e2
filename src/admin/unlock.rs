//! Opens the vault for a command: by the place, or by what a person has or
//! knows.

mod recognition;
mod unlocked;

use std::path::{Path, PathBuf};

use crate::admin::ask;
use crate::admin::open_vault::{copy_beside, open_vault, ways_or_copies};
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::typed_secrets::{key_from_code, key_from_passphrase};
use crate::environment::{Cards, LIVE_NETWORK_WAIT, Patience};
use crate::keys::MasterKey;
use crate::stick::{self, StickError, StickInfo};
use crate::vault::locate::VaultDisk;
use crate::vault::{Header, Vault, WaysCopy};

pub use recognition::{Recognition, cards_left_down, recognise, recognise_on_live_links};
pub use unlocked::Unlocked;

/// What gives an old copy of the vault the later key of a stick.
pub const ADOPTING: &str = "To give this vault the later key: stayput rekey --adopt DEVICE";

/// How a command gets the master key.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct UnlockOptions {
    /// Open the vault with this backup stick (for example /dev/sdb1)
    #[arg(long, value_name = "DEVICE")]
    pub stick: Option<PathBuf>,
    /// Read the stick's PIN from standard input
    #[arg(long)]
    pub pin_stdin: bool,
    /// Open the vault with a passphrase
    #[arg(long, conflicts_with_all = ["stick", "code"])]
    pub passphrase: bool,
    /// Open the vault with the recovery code
    #[arg(long, conflicts_with = "stick")]
    pub code: bool,
    /// Read passphrases and the code from standard input, one a line
    #[arg(long)]
    pub passphrase_stdin: bool,
}

/// Opens the vault and proves it: by the place, or by what was named.
///
/// # Errors
/// [`Exit::Locked`] when that does not open it.
pub fn unlock(options: &UnlockOptions) -> Result<Unlocked> {
    unlock_with_cards(options, Cards::LeftDown)
}

/// Opens the vault and proves it as [`unlock`] does; `cards` says whether network cards
/// that are down are put up for it.
///
/// # Errors
/// As [`unlock`].
pub fn unlock_with_cards(options: &UnlockOptions, cards: Cards) -> Result<Unlocked> {
    let mut vault = open_vault()?;
    let (mut stick, mut typed) = (None, None);
    let key = match &options.stick {
        Some(device) => {
            let (key, used) = key_from_stick(&vault, device, options.pin_stdin)?;
            stick = Some(used);
            key
        }
        None if options.passphrase => {
            let (key, passphrase) = key_from_passphrase(&mut vault, options.passphrase_stdin)?;
            typed = Some(passphrase);
            key
        }
        None if options.code => key_from_code(&vault, options.passphrase_stdin)?,
        None => key_from_place(&vault, cards)?,
    };
    let mut unlocked = Unlocked::new(vault, key)?.opened_by(stick, typed);
    unlocked.restore_ways();
    Ok(unlocked)
}

/// What a stick needs besides its own file where the vault has lost it: the copies of the
/// ways in on the stick, and beside vault.conf.
pub fn copies_for_stick(device: &Path, header: &Header) -> Vec<WaysCopy> {
    let id = &header.server_id;
    let on_it = stick::read_ways(device, id);
    let on_it = on_it.and_then(|bytes| WaysCopy::parse(&bytes, id).ok());
    on_it.into_iter().chain(copy_beside(id)).collect()
}

fn key_from_place(vault: &Vault<VaultDisk>, cards: Cards) -> Result<MasterKey> {
    let locked = |what: String| {
        Problem::new(
            Exit::Locked,
            what,
            "Plug in a backup stick and name it (--stick /dev/sdX1), or use --passphrase or --code.",
        )
    };
    let not_recognised = |found: Option<&Recognition>| {
        let unasked = found.and_then(Recognition::unasked).unwrap_or_default();
        locked(
            format!("The server does not recognise this place. {unasked}")
                .trim_end()
                .into(),
        )
    };
    let slots = vault.slots().map_err(|error| locked(error.to_string()))?;
    let patience = Patience::until_all_answer(LIVE_NETWORK_WAIT);
    let found = recognise(vault.header(), &slots, cards, patience);
    let key = found.as_ref().and_then(|found| found.key.clone());
    key.ok_or_else(|| not_recognised(found.as_ref()))
}

/// Reads the key from the stick that was named, asking for its PIN.
fn key_from_stick(
    vault: &Vault<VaultDisk>,
    device: &Path,
    pin_stdin: bool,
) -> Result<(MasterKey, StickInfo)> {
    let header = vault.header();
    let refused = |error: StickError| match error {
        StickError::Later => Problem::new(Exit::Locked, error.to_string(), ADOPTING),
        StickError::NotAllowed => Problem::forbidden(format!("{}: {error}", device.display())),
        _ => Problem::new(
            Exit::Locked,
            error.to_string(),
            "Name a backup stick of this server: --stick /dev/sdX1",
        ),
    };
    let file = stick::read(device, header).map_err(refused)?;
    let pin = if file.info.has_pin() {
        ask::pin(
            &format!("PIN of stick \"{}\": ", file.info.label),
            pin_stdin,
        )?
    } else {
        ask::Pin::default()
    };
    let ways = ways_or_copies(vault, copies_for_stick(device, header));
    let opened = file.open_in(header, &ways, &pin);
    let key = opened.map_err(refused)?;
    if file.generation > header.generation {
        eprintln!("{} {ADOPTING}", StickError::Later);
    }
    Ok((key, file.info))
}
