//! The master key from what a person types: a passphrase or the recovery code.

use std::time::{Duration, Instant};

use crate::admin::ask;
use crate::admin::key_destruction::destroy_under_duress;
use crate::admin::mariadb_service::stop_mariadb_later;
use crate::admin::open_vault::{copies_on_sticks, copy_beside, ways_or_copies};
use crate::admin::problem::{Exit, Problem, Result};
use crate::keys::{MasterKey, RecoveryCode};
use crate::stick::PluggedKeys;
use crate::sys::clock;
use crate::theft::{ResetCause, UnderDuress, under_duress};
use crate::vault::locate::VaultDisk;
use crate::vault::{EventKind, PassphraseOutcome, Vault, VaultError};

/// Time from a wrong passphrase to the answer.
const WRONG_TAKES: Duration = Duration::from_secs(3);
/// How long one for duress waits for the sticks: one that hangs must not show
/// which it was.
const STICKS_TAKE: Duration = Duration::from_secs(1);

/// Asks for a passphrase and returns the master key that it opens, and what was typed. A passphrase
/// for duress destroys the key, and is called wrong like any other.
///
/// # Errors
/// [`Exit::Locked`] when it opens nothing.
pub fn key_from_passphrase(
    vault: &mut Vault<VaultDisk>,
    from_stdin: bool,
) -> Result<(MasterKey, ask::Pin)> {
    let locked = |what: &str, next: &str| Problem::new(Exit::Locked, what, next);
    let slots = match vault.slots() {
        Ok(slots) if slots.passphrases.is_empty() => {
            return Err(locked(
                "This server has no passphrases.",
                "Use a backup stick: --stick /dev/sdX1",
            ));
        }
        Ok(slots) => slots,
        // After duress the next passphrase is asked for as if nothing had happened.
        Err(VaultError::WasReset) if was_reset_unseen(vault) => Box::default(),
        Err(error) => {
            return Err(locked(
                &error.to_string(),
                "Passphrases went with it. Use a backup stick (--stick /dev/sdX1) or --code, then \
                 add them again.",
            ));
        }
    };
    let typed = ask::passphrase("Passphrase: ", from_stdin)?;
    let answer_at = Instant::now() + WRONG_TAKES;
    match slots.passphrases.enter(vault.header(), &typed) {
        PassphraseOutcome::Opened { key, .. } => return Ok((key, typed)),
        PassphraseOutcome::Duress => reset_unseen(vault, answer_at),
        PassphraseOutcome::Wrong => {}
    }
    // The pause hides the reset, which takes a fraction of a second, or two
    // seconds where a stick is wiped as well.
    std::thread::sleep(answer_at.saturating_duration_since(Instant::now()));
    Err(locked(
        "The passphrase is wrong.",
        "Run the command again; or use a backup stick: --stick /dev/sdX1",
    ))
}

/// Whether the passphrase for duress was entered during this boot.
fn was_reset_unseen(vault: &Vault<VaultDisk>) -> bool {
    let boot_id = clock::boot_id();
    vault.events().is_ok_and(|events| {
        events.iter().any(|event| {
            let cause = ResetCause::Duress;
            let reset = matches!(event.kind, EventKind::Reset { cause: c, .. } if c == cause);
            reset && event.boot_id == boot_id
        })
    })
}

/// Destroys what `stayput reset` destroys, without a word, and waits for it until the answer
/// is due. MariaDB is stopped in the background.
fn reset_unseen(vault: &mut Vault<VaultDisk>, answer_at: Instant) {
    let keys = PluggedKeys::found_within(STICKS_TAKE, vault);
    let list = vault.sticks_that_open().unwrap_or_default();
    let list = list.as_claimed();
    let cause = ResetCause::Duress;
    let elsewhere = keys.way_back(vault.header(), list);
    let anywhere = list.way_back(vault.header().generation, &[]);
    match under_duress(elsewhere, anywhere) {
        UnderDuress::Withhold => {
            let (time, boot_id) = (clock::now(), clock::boot_id());
            // A failure must not be visible.
            let _ = vault.append(time, boot_id, EventKind::ResetWithheld { cause });
        }
        UnderDuress::Destroy { plugged_sticks } => {
            let limit = answer_at.saturating_duration_since(Instant::now());
            destroy_under_duress(limit, &keys, plugged_sticks);
            stop_mariadb_later();
        }
    }
}

/// Asks for the recovery code and returns the master key.
///
/// # Errors
/// [`Exit::Locked`] when it is not this server's, or an old one.
pub fn key_from_code(vault: &Vault<VaultDisk>, from_stdin: bool) -> Result<MasterKey> {
    let locked = |what: String| {
        Problem::new(
            Exit::Locked,
            what,
            "Look at the code again; it has 9 groups of 8 letters.",
        )
    };
    let header = vault.header();
    let typed = ask::code("Recovery code: ", from_stdin)?;
    let code = RecoveryCode::parse(&typed, &header.server_id.0);
    let code = code.map_err(|error| locked(error.to_string()))?;
    let id = &header.server_id;
    let copies = copy_beside(id).into_iter().chain(copies_on_sticks(id));
    let opened = ways_or_copies(vault, copies).key_of_code(header, &code);
    opened.map_err(|refused| locked(refused.to_string()))
}
