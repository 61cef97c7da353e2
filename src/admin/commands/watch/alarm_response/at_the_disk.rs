//! What an alarm does that may hang with a disk. Children do it.

use std::ffi::OsString;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::admin::child_work::ChildWork;
use crate::admin::everybody::tell;
use crate::admin::key_destruction::{destroy_pepper, doubt_sticks};
use crate::admin::mariadb::enable::{RunInAnAlarm, end_decryption_in_an_alarm};
use crate::admin::mariadb_service::is_enabled;
use crate::admin::open_vault::{open_vault, open_vault_read_only};
use crate::stick::{PluggedKeys, Wiped};
use crate::sys::{clock, kmsg};
use crate::vault::{Destroyed, EventKind};

use super::{CAUSE, SticksSeen};

/// What was asked for, or why not.
pub type Answer<T> = Result<T, String>;

/// The sticks, and this server's keys on them.
#[derive(Serialize, Deserialize)]
pub struct SeenAndPlugged {
    pub seen: SticksSeen,
    pub plugged: PluggedKeys,
}

pub const SEE_STICKS: ChildWork<Answer<SeenAndPlugged>> =
    ChildWork::new("alarm-see-sticks", |_| logging(see_sticks));

/// Trusts the unproven list of sticks: whoever wrote a wrong one could destroy the
/// pepper as well.
fn see_sticks() -> Answer<SeenAndPlugged> {
    let vault = open_vault_read_only().map_err(|problem| problem.what)?;
    let was_reset = match vault.slots() {
        Ok(_) => false,
        Err(error) if error.may_be_a_reset() => true,
        // It may answer at the next try.
        Err(error) => return Err(error.to_string()),
    };
    let listed = vault.listed_sticks().map_err(|error| error.to_string())?;
    let (ways, generation) = (
        vault.unproven_ways().unwrap_or_default(),
        vault.header().generation,
    );
    let plugged = PluggedKeys::beside(&vault);
    Ok(SeenAndPlugged {
        seen: SticksSeen {
            listed: listed
                .as_claimed()
                .clone()
                .backed_by(ways.as_claimed(), generation),
            generation,
            plugged: plugged.ids(),
            was_reset,
        },
        plugged,
    })
}

pub const IS_ARMED: ChildWork<Answer<bool>> = ChildWork::new("alarm-is-armed", |_| {
    logging(|| {
        let vault = open_vault_read_only().map_err(|problem| problem.what)?;
        let state = vault.state().map_err(|error| error.to_string())?;
        Ok(!state.is_reset())
    })
});

pub const DESTROY_REST: ChildWork<Answer<Destroyed>> = ChildWork::new("alarm-destroy-rest", |_| {
    logging(|| destroy_pepper(CAUSE).map_err(|error| error.to_string()))
});

/// It is told these keys on sticks.
pub const WIPE_STICKS: ChildWork<Answer<Wiped>> = ChildWork::new("alarm-wipe-sticks", |words| {
    logging(|| {
        let plugged: PluggedKeys = told(words)?;
        // Its owner may have seen one of them open the server meanwhile.
        doubt_sticks().map_err(|error| error.to_string())?;
        Ok(plugged.wipe())
    })
});

/// It is told this event.
pub const ADD_TO_LOG: ChildWork<Answer<()>> = ChildWork::new("alarm-add-to-log", |words| {
    logging(|| {
        let event: EventKind = told(words)?;
        let mut vault = open_vault().map_err(|problem| problem.what)?;
        let appended = vault.append(clock::now(), clock::boot_id(), event);
        appended.map(drop).map_err(|error| error.to_string())
    })
});

/// What an alarm has found beside MariaDB.
#[derive(Serialize, Deserialize)]
pub struct Database {
    pub run: Answer<RunInAnAlarm>,
    /// MariaDB depends on the keys.
    pub is_enabled: bool,
}

/// Ends a run that makes the database clear.
pub const END_RUN: ChildWork<Database> = ChildWork::new("alarm-end-run", |_| {
    logging(|| Database {
        run: end_decryption_in_an_alarm().map_err(|problem| problem.what),
        is_enabled: is_enabled(),
    })
});

/// Tells this everybody who is logged in.
pub const TELL: ChildWork<()> = ChildWork::new("alarm-tell", |words| {
    logging(|| {
        let text = words.first().map(|word| word.to_string_lossy());
        tell(&text.unwrap_or_default());
    });
});

fn logging<T>(work: impl FnOnce() -> T) -> T {
    kmsg::use_for_logging();
    work()
}

fn told<T: DeserializeOwned>(words: &[OsString]) -> Answer<T> {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_encoded_bytes()).collect();
    serde_json::from_slice(&words.concat()).map_err(|error| error.to_string())
}
