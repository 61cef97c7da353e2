//! `stayput release --wait`, which stayput-release.service runs: looks for the place
//! until it opens the vault. Nobody is asked, and no network card is put up.

use std::thread::sleep;

use crate::admin::open_vault::vault_conf;
use crate::admin::problem::{Problem, Result};
use crate::admin::skipped_units;
use crate::admin::unlock::{Recognition, Unlocked, recognise_on_live_links};
use crate::admin::watch_service;
use crate::environment::{Arrangements, Margin};
use crate::opening::late_release::{
    GivenUp, LateRelease, after_fault, arrangements_at, decide_late, pause_after,
};
use crate::opening::messages::LoginNotice;
use crate::release::notice::{Topic, put as put_notice};
use crate::release::without_keys;
use crate::release::{self, NotReleased};
use crate::sys::at_end::{Undivided, undivided};
use crate::sys::{clock, kmsg};
use crate::vault::locate::{self, COMMAND_WAITS, LocateError};
use crate::vault::{EventKind, OpenedBy, VaultError};

/// What one look has found.
enum Look {
    /// The place has opened the vault: the keys are in memory. MariaDB is to be started
    /// before this process may end: whoever comes after it has no reason to.
    Released(Undivided),
    /// Somebody else has released them.
    ByAnother,
    /// The place does not answer, or it is another one.
    NotYet,
    Never(GivenUp),
}

/// Runs until the keys are released, by this or by somebody else.
///
/// # Errors
/// When they cannot be put into memory, or MariaDB does not start.
pub fn run() -> Result<()> {
    kmsg::use_for_logging();
    tell(NOTICE);
    for looks in 0.. {
        sleep(pause_after(looks));
        let found = match without_keys::is_there() {
            true => look(arrangements_at(looks))?,
            false => Look::ByAnother,
        };
        match found {
            Look::NotYet => {}
            Look::ByAnother => {
                log::info!("the keys were released by somebody else");
                break;
            }
            Look::Released(_undivided) => return skipped_units::start_database(),
            Look::Never(why) => {
                log::warn!("the place is not looked for any longer: {}", in_words(why));
                tell(&notice_given_up(why, is_readable()));
                return Ok(());
            }
        }
    }
    Ok(())
}

const NOTICE: &str = "stayput: started without the keys; the database is closed. It opens when the \
                      place answers,\nor with a stick: stayput release --stick /dev/sdX1\n";

/// Whether the vault is there; then a stick opens it, and mends what is wrong in it.
fn is_readable() -> bool {
    vault_conf().is_ok_and(|conf| locate::open_read_only(&conf).is_ok())
}

/// What whoever logs in reads when nobody looks for the place any longer.
fn notice_given_up(why: GivenUp, is_readable: bool) -> String {
    let open = "To open it: stayput release --stick /dev/sdX1";
    let (because, next) = match why {
        GivenUp::Policy | GivenUp::Reset | GivenUp::Vault(PEPPER_DAMAGED) => (String::new(), open),
        GivenUp::Vault(error) if is_readable => (format!("\n{error}"), open),
        GivenUp::Vault(error) if error.is_lost() => (
            format!("\n{error}"),
            "A backup stick makes the vault anew: stayput init --from-stick /dev/sdX1",
        ),
        GivenUp::Vault(error) => (format!("\n{error}"), "What to do: stayput release"),
    };
    format!("stayput: started without the keys; the database is closed.{because}\n{next}\n")
}

const PEPPER_DAMAGED: LocateError = LocateError::Vault(VaultError::PepperDamaged);

/// Whoever logs in reads it, until the keys are released.
fn tell(text: &str) {
    if let Err(error) = put_notice(Topic::WithoutKeys, text) {
        log::warn!("the notice for the next log-in was not written: {error}");
    }
}

fn in_words(why: GivenUp) -> String {
    match why {
        GivenUp::Policy => "the policy wants a server that does not open to stay locked".into(),
        GivenUp::Reset => "the server was reset".into(),
        GivenUp::Vault(error) => error.to_string(),
    }
}

/// Looks at the place once. The disk is only read, unless something is to be settled.
fn look(arrangements: Arrangements) -> Result<Look> {
    let fault = |error: LocateError| match after_fault(error) {
        Some(why) => Look::Never(why),
        None => Look::NotYet,
    };
    let conf = vault_conf()?;
    let vault = match locate::repair_and_open_read_only(&conf, COMMAND_WAITS) {
        Ok(vault) => vault,
        Err(error) => return Ok(fault(error)),
    };
    let slots = match vault.slots() {
        Ok(slots) => slots,
        Err(error) => return Ok(fault(error.into())),
    };
    // Where the vault is a file, its filesystem is not mounted meanwhile.
    let header = vault.header().clone();
    drop(vault);
    let Some(found) = recognise_on_live_links(&header, &slots, arrangements) else {
        return Ok(Look::NotYet);
    };
    let Some(key) = &found.key else {
        return Ok(Look::NotYet);
    };
    let vault = match locate::open(&conf, COMMAND_WAITS) {
        Ok(vault) => vault,
        Err(error) => return Ok(fault(error)),
    };
    let unlocked = match Unlocked::new(vault, key.clone()) {
        Ok(unlocked) => unlocked,
        Err(error) => return Ok(fault(error.into())),
    };
    match decide_late(&unlocked.proven, clock::boot_id(), without_keys::is_there()) {
        LateRelease::Never(why) => Ok(Look::Never(why)),
        LateRelease::ByAnother => Ok(Look::ByAnother),
        LateRelease::Now { arms } => {
            let undivided = undivided();
            match release::release_unless_held(unlocked.keys(), &unlocked.proven.policy) {
                Err(NotReleased::Held) => return Ok(Look::NotYet),
                released => released?,
            }
            // From here on nothing may fail: MariaDB is still to be started.
            settle(unlocked, &found, arms);
            Ok(Look::Released(undivided))
        }
    }
}

/// Puts the records right, as a boot does. The keys are in memory by now: what
/// fails here is told and does no harm.
fn settle(mut unlocked: Unlocked, found: &Recognition, arms: bool) {
    let strikes = unlocked.proven.state.strikes();
    let warn = |problem: Problem| log::warn!("{}", problem.what);
    if arms {
        unlocked.arm().unwrap_or_else(warn);
    }
    let compared = found.comparison.as_ref();
    let by = OpenedBy::Environment {
        place: found.place.as_str().try_into().unwrap_or_default(),
        same: compared.map(|compared| compared.same).unwrap_or_default(),
        need: found.need,
    };
    let has_changed = compared.is_some_and(|compared| !compared.changed.is_empty());
    let notice = LoginNotice {
        margin: Margin::at_opening(&by).filter(|_| has_changed),
        strikes,
    };
    if let Err(error) = put_notice(Topic::Boot, &notice.to_string()) {
        log::warn!("the notice for the next log-in was not written: {error}");
    }
    let milliseconds = clock::since_boot().as_millis();
    let milliseconds = u32::try_from(milliseconds).unwrap_or(u32::MAX);
    log::warn!("the place has answered: the keys are in memory");
    let opened = EventKind::Released { by, milliseconds };
    unlocked.log(opened).unwrap_or_else(warn);
    watch_service::UNIT.start_anew();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_vault_is_not_to_be_opened_but_made_anew() {
        let lost = LocateError::Vault(VaultError::NotAVault);
        let notice = notice_given_up(GivenUp::Vault(lost), false);
        assert!(notice.contains("stayput init --from-stick"), "{notice}");
        assert!(!notice.contains("release"), "{notice}");
        for stays in [
            GivenUp::Policy,
            GivenUp::Reset,
            GivenUp::Vault(PEPPER_DAMAGED),
            // Of the policy in a vault that is there.
            GivenUp::Vault(VaultError::Damaged.into()),
        ] {
            let notice = notice_given_up(stays, true);
            assert!(notice.contains("stayput release --stick"), "{notice}");
        }
        let newer = GivenUp::Vault(VaultError::Newer.into());
        let notice = notice_given_up(newer, false);
        assert!(!notice.contains("--from-stick"), "{notice}");
        assert!(notice.contains("newer version"), "{notice}");
    }
}
