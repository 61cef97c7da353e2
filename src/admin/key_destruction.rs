//! The destruction of this server's keys, as at the prompt.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::admin::child_work::{ChildWork, NoAnswer};
use crate::admin::mariadb_service::end_starts;
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::ProblemKind;
use crate::release::{self, Turn};
use crate::reset::Reset;
use crate::stick::{PluggedKeys, Wiped};
use crate::sys::{clock, hangup, kmsg};
use crate::theft::ResetCause;
use crate::vault::locate::{LocateError, VaultDisk, reset_target};
use crate::vault::{Destroyed, ResetTarget};

/// Who releases keys has done so within milliseconds.
const TURN_WAITS: Duration = Duration::from_secs(2);

/// A disk that is well has taken the destruction by then.
const DURESS_TAKES: Duration = Duration::from_secs(1);

/// What became of the keys.
#[derive(Serialize, Deserialize)]
pub struct KeysDestroyed {
    /// How thoroughly pepper and slots were destroyed, or why the vault could not be opened.
    pub destroyed: Result<Destroyed, String>,
    /// How long it took until nothing of the pepper could be read; `None` where a part of
    /// it may still be there.
    pub verified: Option<Duration>,
    pub wiped: Wiped,
    /// Why a stick that was wiped may go on to count as verified.
    pub doubted: Result<(), String>,
    /// A log that cannot be written does not undo what was done.
    pub noted: Result<(), String>,
}

/// For [`destroy_keys`]: behind the cause it is told the keys on plugged sticks.
pub const DESTROY: ChildWork<Option<KeysDestroyed>> = ChildWork::new("destroy-keys", |words| {
    // Whoever waits for it may be gone before its disk answers.
    let _ = hangup::outlive();
    kmsg::use_for_logging();
    let (cause, plugged) = words.split_first()?;
    let cause = serde_json::from_slice(cause.as_encoded_bytes()).ok()?;
    Some(destroy_here(cause, &told_keys(plugged)?, true))
});

/// Has a child destroy the pepper, the slots and the released keys, of whatever is left of
/// the vault, and the keys on the sticks that are plugged in; waits for so long at most. A
/// MariaDB that is just starting is stopped before its keys go.
///
/// # Errors
/// When nobody knows whether it is done: the disk does not answer. A child that is at work
/// goes on, as far as its disk does.
pub fn destroy_keys(
    limit: Duration,
    cause: ResetCause,
    plugged: &PluggedKeys,
) -> Result<KeysDestroyed, NoAnswer> {
    let cause = serde_json::to_string(&cause).map_err(|_| NoAnswer::AtAll)?;
    let destroy = |keys: &str| {
        let words: Vec<&OsStr> = [OsStr::new(&cause)]
            .into_iter()
            .chain(in_words(keys).into_iter().map(OsStr::new))
            .collect();
        DESTROY.within(limit, &words)?.ok_or(NoAnswer::AtAll)
    };
    let keys = serde_json::to_string(plugged).map_err(|_| NoAnswer::AtAll)?;
    match destroy(&keys) {
        // More sticks than a command line has room for keep no key on the disk. What became of
        // theirs nobody knows.
        Err(NoAnswer::AtAll) => destroy(NO_KEYS).map(|done| KeysDestroyed {
            wiped: plugged.leave_unwiped(),
            ..done
        }),
        done => done,
    }
}

/// [`PluggedKeys`] without any.
const NO_KEYS: &str = r#"{"keys":[],"silent":[]}"#;

/// The kernel takes no word that is longer than 32 pages (MAX_ARG_STRLEN, execve(2)).
const WORD_MAX: usize = 64 << 10;

/// A text as words of a child, which puts them together again.
pub fn in_words(mut text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    while text.len() > WORD_MAX {
        let (word, rest) = text.split_at(text.floor_char_boundary(WORD_MAX));
        words.push(word);
        text = rest;
    }
    words.push(text);
    words
}

/// The keys that these words name.
fn told_keys(words: &[OsString]) -> Option<PluggedKeys> {
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    serde_json::from_slice(&words.concat()).ok()
}

/// For [`destroy_under_duress`]: it is told whether the keys on plugged sticks are destroyed,
/// and these keys. It says nothing, nor does the kernel's log; whoever lists the processes in
/// this moment sees it.
pub const DESTROY_UNDER_DURESS: ChildWork<()> = ChildWork::new("enter-passphrase", |words| {
    let _ = hangup::outlive();
    let Some((wipe, plugged)) = words.split_first() else {
        return;
    };
    let wipe = serde_json::from_slice(wipe.as_encoded_bytes());
    if let (Ok(wipe), Some(plugged)) = (wipe, told_keys(plugged)) {
        destroy_here(ResetCause::Duress, &plugged, wipe);
    }
});

/// Has a child destroy what [`destroy_keys`] destroys, unseen, after a passphrase for duress;
/// the keys on sticks only with `wipe`. Where the disk does not answer within the limit, or a
/// second where that is less, the released keys go all the same.
pub fn destroy_under_duress(limit: Duration, plugged: &PluggedKeys, wipe: bool) {
    let keys = serde_json::to_string(plugged).unwrap_or_else(|_| NO_KEYS.into());
    let words: Vec<&OsStr> = [OsStr::new(if wipe { "true" } else { "false" })]
        .into_iter()
        .chain(in_words(&keys).into_iter().map(OsStr::new))
        .collect();
    let done = DESTROY_UNDER_DURESS.within(limit.max(DURESS_TAKES), &words);
    if matches!(done, Err(NoAnswer::AtAll)) {
        // Nobody comes again to do it: it may take its time.
        destroy_here(ResetCause::Duress, plugged, wipe);
    }
    // A child that still wipes a stick has taken them already. What is asked of systemd for
    // that may take longer than a wrong passphrase does.
    if release::is_open() && TAKE_KEYS.start(&[]).is_err() {
        take_keys(|_| {});
    }
}

/// For [`destroy_under_duress`].
pub const TAKE_KEYS: ChildWork<()> = ChildWork::new("enter-passphrase-again", |_| {
    let _ = hangup::outlive();
    take_keys(|_| {});
});

fn destroy_here(cause: ResetCause, plugged: &PluggedKeys, wipe: bool) -> KeysDestroyed {
    let reset = Reset {
        cause,
        plugged,
        wipe,
    };
    let done = reset.destroy(target(), || {
        end_starts_in_turn(|problem| log::warn!("{problem}"))
    });
    KeysDestroyed {
        destroyed: done.destroyed.map_err(|error| error.to_string()),
        verified: done.verified,
        wiped: done.wiped,
        doubted: done.doubted.map_err(|error| error.to_string()),
        noted: done.noted.map(drop).map_err(|error| error.to_string()),
    }
}

/// Takes the released keys out of memory. A MariaDB that is just starting is stopped before;
/// what fails of that is told, and the keys go all the same.
pub fn take_keys(tell: impl Fn(String)) {
    let turn = end_starts_in_turn(tell);
    release::revoke();
    drop(turn);
}

/// Destroys once more the pepper and the slots of a vault that was reset, and nothing
/// else: where a disk has failed, blocks may be left.
///
/// # Errors
/// When the vault cannot be found.
pub fn destroy_pepper(cause: ResetCause) -> Result<Destroyed, LocateError> {
    let mut target = target()?;
    Ok(target.reset(cause, clock::now(), &mut || {}))
}

/// Lets no stick count that was seen to open the server since its reset: one of them is
/// about to be wiped.
///
/// # Errors
/// When the vault cannot be found or written, or does not say that it was reset.
pub fn doubt_sticks() -> Result<(), LocateError> {
    target()?.doubt_sticks()?;
    Ok(())
}

/// Lets no start of MariaDB begin, and ends one that is under way; until the turn is
/// given back, nobody releases keys. What fails is told, and the keys go all the same.
fn end_starts_in_turn(tell: impl Fn(String)) -> Option<Turn> {
    let turn = Turn::take(TURN_WAITS);
    if let Err(problem) = end_starts() {
        tell(problem.what);
    }
    turn.map_err(|error| tell(format!("another command is releasing keys: {error}")))
        .ok()
}

fn target() -> Result<ResetTarget<VaultDisk>, LocateError> {
    let conf = vault_conf().map_err(|problem| match problem.kind {
        ProblemKind::NotThere => LocateError::NoPartition,
        ProblemKind::NotAllowed => LocateError::NotAllowed(libc::EACCES),
        _ => LocateError::Open(libc::EINVAL),
    })?;
    reset_target(&conf)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stick::StickInfo;
    use std::path::Path;

    #[test]
    fn keys_on_a_thousand_volumes_reach_the_child() {
        let mut plugged = PluggedKeys::default();
        for id in 0..1000_u32 {
            let mut stick = [0; 8];
            stick[..4].copy_from_slice(&id.to_le_bytes());
            plugged.add(Path::new("/dev/sdb1"), &StickInfo::example(stick));
        }
        let text = serde_json::to_string(&plugged).unwrap();
        let words: Vec<OsString> = in_words(&text).into_iter().map(OsString::from).collect();
        assert!(words.len() > 1 && words.iter().all(|word| word.len() <= WORD_MAX));
        assert_eq!(told_keys(&words).unwrap().ids(), plugged.ids());
        assert!(told_keys(&words[1..]).is_none(), "half of them are none");
        assert_eq!(told_keys(&[NO_KEYS.into()]).unwrap().ids().len(), 0);
    }
}
