//! The events of the vault's log as sentences.

use crate::admin::factor_counts::{counts, counts_as_enrolled};
use crate::admin::watch_service;
use crate::printable::Printable;
use crate::theft::ResetCause;
use crate::vault::{EventKind, LockedBecause, OpenedBy};

/// What happened, in one sentence.
pub fn sentence(kind: &EventKind) -> String {
    match kind {
        EventKind::VaultMade => "The vault was made.".into(),
        EventKind::Enrolled { place, factors } => {
            format!(
                "The place \"{}\" was enrolled: {}.",
                Printable(place),
                counts(*factors)
            )
        }
        EventKind::Released { by, milliseconds } => match by {
            OpenedBy::Environment { place, same, need } => format!(
                "Opened at \"{}\" after {}: {}.",
                Printable(place),
                duration(*milliseconds),
                counts_as_enrolled(*same, *need)
            ),
            OpenedBy::Stick { label } => format!("Opened with the stick \"{}\".", Printable(label)),
            OpenedBy::Passphrase { name } => {
                format!("Opened with the passphrase of \"{}\".", Printable(name))
            }
            OpenedBy::Code => "Opened with the recovery code.".into(),
        },
        EventKind::Locked { because, answered } => format!(
            "Stayed locked: {} ({} answered.)",
            reason(*because),
            counts(*answered)
        ),
        EventKind::WrongPin { stick } => {
            format!("Wrong PIN for the stick \"{}\".", Printable(stick))
        }
        EventKind::StickMade { stick } => format!("The stick \"{}\" was made.", Printable(stick)),
        EventKind::StickVerified { stick } => {
            format!("The stick \"{}\" was verified.", Printable(stick))
        }
        EventKind::MariadbEnabled => "MariaDB was given its keys.".into(),
        EventKind::MariadbDisabled => "MariaDB gets no keys from here any more.".into(),
        EventKind::KeyReplaced { generation } => {
            format!("The master key was replaced: it is number {generation} of this server.")
        }
        EventKind::KeyStickIn { stick, .. } => format!(
            "The stick \"{}\", which opens this server, was in it.",
            Printable(stick)
        ),
        EventKind::Strike { strikes, of } => {
            format!("Started in a foreign place: strike {strikes} of {of}.")
        }
        EventKind::Reset { cause, .. } => format!(
            "Reset, {}: only a stick or the recovery code opens it.",
            why(*cause)
        ),
        EventKind::ResetWithheld { cause } => format!(
            "Not reset, although it was due ({}): neither a recovery code is listed nor a \
             verified stick that is not plugged in.",
            why(*cause)
        ),
        EventKind::SticksWiped { wiped, left } => {
            format!("Keys on plugged sticks: {wiped} destroyed, {left} left.")
        }
        EventKind::StateMended => {
            "The theft state was not written by this server; it was written anew.".into()
        }
        EventKind::SettingsMended => {
            "Settings that were changed without the key were replaced by safe ones.".into()
        }
        EventKind::PolicyChanged => "The policy was changed.".into(),
        EventKind::Rearmed => "A place opens the server again.".into(),
        EventKind::WentOnLocked => "The system was started without the keys.".into(),
        EventKind::PassphraseAdded { name } => {
            format!("\"{}\" was given a passphrase.", Printable(name))
        }
        EventKind::PassphraseChanged { name } => {
            format!("The passphrase of \"{}\" was changed.", Printable(name))
        }
        EventKind::PassphraseRemoved { name } => {
            format!("The passphrase of \"{}\" was removed.", Printable(name))
        }
        EventKind::WrongPassphrase => "Wrong passphrase.".into(),
        EventKind::WrongCode => "Wrong recovery code.".into(),
        EventKind::CodeShown => "The recovery code was shown.".into(),
        EventKind::CodeVerified => "The recovery code was typed back.".into(),
        EventKind::StickRemoved { stick } => {
            format!("The stick \"{}\" was taken off the list.", Printable(stick))
        }
        EventKind::OpenStickRemoved {
            stick, destroyed, ..
        } => format!(
            "The stick \"{}\", which has no PIN, was taken off the list. {}",
            Printable(stick),
            match destroyed {
                true => "Its key was destroyed.",
                false => "It still opens the server.",
            }
        ),
        EventKind::LogNotProven => {
            "The log before this did not prove: it may have been changed.".into()
        }
        EventKind::Refreshed { place, changed } => {
            format!(
                "The place \"{}\" was taken as it is now. Changes: {changed}.",
                Printable(place)
            )
        }
        EventKind::ReleasedByHand => "The keys were put into memory by hand.".into(),
        EventKind::WatchAlarm { alarm, wanted } => {
            let wanted = watch_service::meaning(*wanted);
            format!("Alarm: {alarm} ({wanted}).")
        }
        EventKind::WatchAllClear => "The alarm is over: the server is at home.".into(),
    }
}

/// A place that answers late may have been waited for for hours.
fn duration(milliseconds: u32) -> String {
    match milliseconds {
        ..120_000 => format!("{milliseconds} ms"),
        _ => format!("{} minutes", milliseconds / 60_000),
    }
}

/// The cause of a reset, duress included: the owner reads this with the server
/// at home again.
fn why(cause: ResetCause) -> String {
    match cause {
        ResetCause::Duress => "with a passphrase for duress".into(),
        cause => cause.to_string(),
    }
}

/// Why the server stayed locked.
fn reason(because: LockedBecause) -> &'static str {
    match because {
        LockedBecause::PlaceSilent => "too few factors answered.",
        LockedBecause::NotRecognised => "the place was not recognised.",
        LockedBecause::PepperDamaged => "the vault is damaged.",
        LockedBecause::Altered => "the vault was changed by somebody without the key.",
        LockedBecause::Reset => "the server was reset.",
        LockedBecause::ChangedMachine => "the place is right, but the machine has changed.",
        LockedBecause::KeyServerLost => {
            "the neighbours are right, but a key server did not know its key."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{FactorCounts, Thresholds};

    #[test]
    fn no_name_in_an_event_forges_a_line_or_writes_over_the_screen() {
        const HOSTILE: &str = "a\x1b[2J\u{202e}\n 9  Reset";
        let text = || HOSTILE.try_into().unwrap();
        let (place, stick, name) = (text(), text(), text());
        let by = |by| EventKind::Released {
            by,
            milliseconds: 1,
        };
        let counts = FactorCounts::default();
        let events = [
            EventKind::Enrolled {
                place,
                factors: counts,
            },
            by(OpenedBy::Environment {
                place: text(),
                same: counts,
                need: Thresholds::default(),
            }),
            by(OpenedBy::Stick { label: text() }),
            by(OpenedBy::Passphrase { name: text() }),
            EventKind::WrongPin { stick },
            EventKind::StickMade { stick: text() },
            EventKind::StickVerified { stick: text() },
            EventKind::StickRemoved { stick: text() },
            EventKind::OpenStickRemoved {
                stick: text(),
                id: [1; 8],
                destroyed: false,
            },
            EventKind::KeyStickIn {
                stick: text(),
                id: [1; 8],
            },
            EventKind::PassphraseAdded { name },
            EventKind::PassphraseChanged { name: text() },
            EventKind::PassphraseRemoved { name: text() },
            EventKind::Refreshed {
                place: text(),
                changed: 1,
            },
        ];
        for event in events {
            let words = sentence(&event);
            assert!(
                words.contains("a\\u001b[2J\\u202e\\u000a 9  Reset"),
                "{words}"
            );
        }
    }
}
