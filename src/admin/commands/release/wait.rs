//! `stayput release --wait`, which stayput-release.service runs: looks for the place
//! until it opens the vault. Nobody is asked, and no network card is put up.

use std::thread::sleep;

use crate::admin::key_release::release_keys;
use crate::admin::open_vault::{open_vault, vault_conf};
use crate::admin::problem::{Problem, Result};
use crate::admin::skipped_units;
use crate::admin::unlock::{Recognition, Unlocked, recognise_on_live_links};
use crate::admin::watch_service;
use crate::environment::Margin;
use crate::opening::late_release::{GivenUp, LateRelease, after_fault, decide_late, pause_after};
use crate::opening::messages::LoginNotice;
use crate::release::notice::{Topic, put as put_notice};
use crate::release::without_keys;
use crate::sys::{clock, kmsg};
use crate::vault::locate::{self, COMMAND_WAITS, LocateError};
use crate::vault::{EventKind, OpenedBy};

/// What one look has found.
enum Look {
    /// The place has opened the vault: the keys are in memory.
    Released,
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
        if !without_keys::is_there() {
            log::info!("the keys were released by somebody else");
            break;
        }
        match look()? {
            Look::NotYet => {}
            Look::Released => return skipped_units::start_database(),
            Look::Never(why) => {
                log::warn!("the place is not looked for any longer: {}", in_words(why));
                tell(NOTICE_GIVEN_UP);
                return Ok(());
            }
        }
    }
    Ok(())
}

const NOTICE: &str = "stayput: started without the keys; the database is closed. It opens when the \
                      place answers,\nor with a stick: stayput release --stick /dev/sdX1\n";
const NOTICE_GIVEN_UP: &str = "stayput: started without the keys; the database is closed. To open \
                               it: stayput release --stick /dev/sdX1\n";

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

/// Looks at the place once.
fn look() -> Result<Look> {
    let fault = |error: LocateError| match after_fault(error) {
        Some(why) => Look::Never(why),
        None => Look::NotYet,
    };
    let vault = match locate::open(&vault_conf()?, COMMAND_WAITS) {
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
    let Some(found) = recognise_on_live_links(&header, &slots) else {
        return Ok(Look::NotYet);
    };
    let Some(key) = &found.key else {
        return Ok(Look::NotYet);
    };
    let vault = open_vault()?;
    let proven = match vault.prove(key) {
        Ok(proven) => proven,
        Err(error) => return Ok(fault(error.into())),
    };
    match decide_late(&proven, clock::boot_id()) {
        LateRelease::Never(why) => Ok(Look::Never(why)),
        LateRelease::Now { arms } => {
            release_keys(key, &proven.policy)?;
            let strikes = proven.state.strikes();
            let unlocked = Unlocked::new(vault, key.clone())?;
            settle(unlocked, &found, arms, strikes);
            Ok(Look::Released)
        }
    }
}

/// Puts the records right, as a boot does. The keys are in memory by now: what
/// fails here is told and does no harm.
fn settle(mut unlocked: Unlocked, found: &Recognition, arms: bool, strikes: u8) {
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
