//! Sticks with this server's key that sit in it while it runs: whoever takes the server
//! takes them along. The log tells at how many starts that was so.

use crate::admin::child_work::ChildWork;
use crate::admin::open_vault::{open_vault, open_vault_read_only};
use crate::admin::problem::{Problem, Result};
use crate::stick::Beside;
use crate::sys::clock;
use crate::vault::{EventKind, LoggedEvent};

/// For those who go on meanwhile: a stick may never answer.
pub const NOTE: ChildWork<()> = ChildWork::new("note-key-sticks", |_| {
    // Nobody waits for it, and the next start notes it.
    let _ = note();
});

/// Notes each stick of the vault's list once in each boot: anybody can make files that look
/// like others, and the log has room for some hundred events. One that does not answer is
/// left out.
///
/// # Errors
/// When the vault cannot be read or written.
pub fn note() -> Result<()> {
    let vault = open_vault_read_only()?;
    let listed = vault.listed_sticks()?;
    let events = vault.events()?;
    let beside = Beside::of(&vault);
    drop(vault);
    let boot_id = clock::boot_id();
    let is_listed = |id| {
        let mut sticks = listed.as_claimed().sticks.iter();
        sticks.any(|stick| stick.id == id)
    };
    for (_, info) in beside.keys().found() {
        // A stick that stays in is looked at every few minutes.
        if !is_listed(info.stick_id) || is_noted(&events, boot_id, info.stick_id) {
            continue;
        }
        let mut vault = open_vault()?;
        // Another process may have noted it meanwhile.
        if is_noted(&vault.events()?, boot_id, info.stick_id) {
            continue;
        }
        let event = EventKind::KeyStickIn {
            stick: info.label.clone(),
            id: info.stick_id,
        };
        let written = vault.append(clock::now(), boot_id, event);
        written.map_err(|error| {
            Problem::failed(
                format!("The vault's log cannot be written: {error}."),
                "`stayput check` says more.",
            )
        })?;
    }
    Ok(())
}

fn is_noted(events: &[LoggedEvent], boot_id: [u8; 16], stick: [u8; 8]) -> bool {
    events.iter().any(|event| {
        let same_stick = matches!(event.kind, EventKind::KeyStickIn { id, .. } if id == stick);
        same_stick && event.boot_id == boot_id
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stick_that_stays_in_is_noted_once_in_each_boot() {
        let noted = [LoggedEvent {
            number: 1,
            time: 0,
            boot_id: [1; 16],
            kind: EventKind::KeyStickIn {
                stick: "office".try_into().unwrap(),
                id: [2; 8],
            },
        }];
        assert!(is_noted(&noted, [1; 16], [2; 8]));
        assert!(!is_noted(&noted, [1; 16], [3; 8]), "another stick");
        assert!(!is_noted(&noted, [9; 16], [2; 8]), "another boot");
    }
}
