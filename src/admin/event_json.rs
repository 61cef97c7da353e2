//! The events of the vault's log for scripts: objects with a `kind`. On the disk they
//! have another form; these names stay when that one changes.

use serde_json::{Value, json};

use crate::theft::{Alarm, OnAlarm, ResetCause};
use crate::vault::{EventKind, LockedBecause, OpenedBy};

/// The event as docs/json.md describes it.
pub fn event_json(event: &EventKind) -> Value {
    let mut fields = match event {
        EventKind::Enrolled { place, factors } => json!({ "place": place, "factors": factors }),
        EventKind::Released { by, milliseconds } => {
            json!({ "by": opened_by(by), "milliseconds": milliseconds })
        }
        EventKind::Locked { because, answered } => {
            json!({ "because": because_word(*because), "answered": answered })
        }
        EventKind::WrongPin { stick }
        | EventKind::StickMade { stick }
        | EventKind::StickVerified { stick }
        | EventKind::StickRemoved { stick }
        | EventKind::KeyStickIn { stick, .. } => json!({ "stick": stick }),
        EventKind::OpenStickRemoved {
            stick, destroyed, ..
        } => json!({ "stick": stick, "destroyed": destroyed }),
        EventKind::Strike { strikes, of } => json!({ "strikes": strikes, "limit": of }),
        EventKind::Reset { cause, .. } | EventKind::ResetWithheld { cause } => {
            json!({ "cause": cause_word(*cause) })
        }
        EventKind::SticksWiped { wiped, left } => json!({ "wiped": wiped, "left": left }),
        EventKind::KeyReplaced { generation } => json!({ "generation": generation }),
        EventKind::PassphraseAdded { name }
        | EventKind::PassphraseChanged { name }
        | EventKind::PassphraseRemoved { name } => json!({ "name": name }),
        EventKind::Refreshed { place, changed } => json!({ "place": place, "changes": changed }),
        EventKind::WatchAlarm { alarm, wanted } => {
            json!({ "alarm": alarm_word(*alarm), "on_alarm": on_alarm_word(*wanted) })
        }
        EventKind::VaultMade
        | EventKind::MariadbEnabled
        | EventKind::MariadbDisabled
        | EventKind::StateMended
        | EventKind::SettingsMended
        | EventKind::PolicyChanged
        | EventKind::Rearmed
        | EventKind::WentOnLocked
        | EventKind::WrongPassphrase
        | EventKind::WrongCode
        | EventKind::CodeShown
        | EventKind::CodeVerified
        | EventKind::LogNotProven
        | EventKind::ReleasedByHand
        | EventKind::WatchAllClear => json!({}),
    };
    fields["kind"] = kind_word(event).into();
    fields
}

fn kind_word(event: &EventKind) -> &'static str {
    match event {
        EventKind::VaultMade => "vault_made",
        EventKind::Enrolled { .. } => "enrolled",
        EventKind::Released { .. } => "released",
        EventKind::Locked { .. } => "locked",
        EventKind::WrongPin { .. } => "wrong_pin",
        EventKind::StickMade { .. } => "stick_made",
        EventKind::StickVerified { .. } => "stick_verified",
        EventKind::StickRemoved { .. } => "stick_removed",
        EventKind::OpenStickRemoved { .. } => "open_stick_removed",
        EventKind::MariadbEnabled => "mariadb_enabled",
        EventKind::MariadbDisabled => "mariadb_disabled",
        EventKind::KeyReplaced { .. } => "key_replaced",
        EventKind::KeyStickIn { .. } => "key_stick_in",
        EventKind::Strike { .. } => "strike",
        EventKind::Reset { .. } => "reset",
        EventKind::ResetWithheld { .. } => "reset_withheld",
        EventKind::SticksWiped { .. } => "sticks_wiped",
        EventKind::StateMended => "state_mended",
        EventKind::SettingsMended => "settings_mended",
        EventKind::PolicyChanged => "policy_changed",
        EventKind::Rearmed => "rearmed",
        EventKind::WentOnLocked => "went_on_locked",
        EventKind::PassphraseAdded { .. } => "passphrase_added",
        EventKind::PassphraseChanged { .. } => "passphrase_changed",
        EventKind::PassphraseRemoved { .. } => "passphrase_removed",
        EventKind::WrongPassphrase => "wrong_passphrase",
        EventKind::WrongCode => "wrong_code",
        EventKind::CodeShown => "code_shown",
        EventKind::CodeVerified => "code_verified",
        EventKind::LogNotProven => "log_not_proven",
        EventKind::Refreshed { .. } => "refreshed",
        EventKind::ReleasedByHand => "released_by_hand",
        EventKind::WatchAlarm { .. } => "watch_alarm",
        EventKind::WatchAllClear => "watch_all_clear",
    }
}

fn opened_by(by: &OpenedBy) -> Value {
    match by {
        OpenedBy::Environment { place, same, need } => {
            json!({ "kind": "place", "place": place, "same": same, "need": need })
        }
        OpenedBy::Stick { label } => json!({ "kind": "stick", "stick": label }),
        OpenedBy::Passphrase { name } => json!({ "kind": "passphrase", "name": name }),
        OpenedBy::Code => json!({ "kind": "code" }),
    }
}

fn because_word(because: LockedBecause) -> &'static str {
    match because {
        LockedBecause::PlaceSilent => "place_silent",
        LockedBecause::NotRecognised => "not_recognised",
        LockedBecause::PepperDamaged => "pepper_damaged",
        LockedBecause::Altered => "altered",
        LockedBecause::Reset => "reset",
        LockedBecause::ChangedMachine => "changed_machine",
        LockedBecause::KeyServerLost => "key_server_lost",
    }
}

fn cause_word(cause: ResetCause) -> &'static str {
    match cause {
        ResetCause::Strikes => "strikes",
        ResetCause::WrongEntries => "wrong_entries",
        ResetCause::Prompt => "prompt",
        ResetCause::Owner => "owner",
        ResetCause::Duress => "duress",
        ResetCause::Watch => "watch",
    }
}

/// Why the watch has raised an alarm.
pub fn alarm_word(alarm: Alarm) -> &'static str {
    match alarm {
        Alarm::Foreign => "foreign",
        Alarm::Gone => "gone",
    }
}

/// What follows an alarm of the watch.
pub fn on_alarm_word(on_alarm: OnAlarm) -> &'static str {
    match on_alarm {
        OnAlarm::Off => "off",
        OnAlarm::Alert => "alert",
        OnAlarm::Lock => "lock",
        OnAlarm::Reset => "reset",
    }
}

/// An event of every kind.
#[cfg(test)]
pub fn examples() -> Vec<EventKind> {
    use crate::vault::{FactorCounts, Thresholds};

    let name = || "Office".try_into().unwrap();
    let (same, need) = (FactorCounts::default(), Thresholds::default());
    let released = |by| EventKind::Released {
        by,
        milliseconds: 740,
    };
    let place = || OpenedBy::Environment {
        place: name(),
        same,
        need,
    };
    let because = [
        LockedBecause::PlaceSilent,
        LockedBecause::NotRecognised,
        LockedBecause::PepperDamaged,
        LockedBecause::Altered,
        LockedBecause::Reset,
        LockedBecause::ChangedMachine,
        LockedBecause::KeyServerLost,
    ];
    let causes = [
        ResetCause::Strikes,
        ResetCause::WrongEntries,
        ResetCause::Prompt,
        ResetCause::Owner,
        ResetCause::Duress,
        ResetCause::Watch,
    ];
    let locked = because.map(|because| EventKind::Locked {
        because,
        answered: same,
    });
    let reset = causes.map(|cause| EventKind::Reset { cause, begun: 1 });
    let alarms = [
        (Alarm::Foreign, OnAlarm::Lock),
        (Alarm::Gone, OnAlarm::Reset),
    ];
    let alarms = alarms.map(|(alarm, wanted)| EventKind::WatchAlarm { alarm, wanted });
    let others = [
        EventKind::VaultMade,
        EventKind::Enrolled {
            place: name(),
            factors: same,
        },
        released(place()),
        released(OpenedBy::Stick { label: name() }),
        released(OpenedBy::Passphrase { name: name() }),
        released(OpenedBy::Code),
        EventKind::WrongPin { stick: name() },
        EventKind::StickMade { stick: name() },
        EventKind::StickVerified { stick: name() },
        EventKind::StickRemoved { stick: name() },
        EventKind::OpenStickRemoved {
            stick: name(),
            id: [1; 8],
            destroyed: false,
        },
        EventKind::MariadbEnabled,
        EventKind::MariadbDisabled,
        EventKind::KeyReplaced { generation: 2 },
        EventKind::KeyStickIn {
            stick: name(),
            id: [1; 8],
        },
        EventKind::Strike { strikes: 1, of: 3 },
        EventKind::ResetWithheld {
            cause: ResetCause::Watch,
        },
        EventKind::SticksWiped { wiped: 1, left: 0 },
        EventKind::StateMended,
        EventKind::SettingsMended,
        EventKind::PolicyChanged,
        EventKind::Rearmed,
        EventKind::WentOnLocked,
        EventKind::PassphraseAdded { name: name() },
        EventKind::PassphraseChanged { name: name() },
        EventKind::PassphraseRemoved { name: name() },
        EventKind::WrongPassphrase,
        EventKind::WrongCode,
        EventKind::CodeShown,
        EventKind::CodeVerified,
        EventKind::LogNotProven,
        EventKind::Refreshed {
            place: name(),
            changed: 1,
        },
        EventKind::ReleasedByHand,
        EventKind::WatchAllClear,
    ];
    let lists = [&locked[..], &reset, &alarms, &others];
    lists.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_an_object_of_a_kind_that_is_described() {
        let described = include_str!("../../docs/json.md");
        for event in examples() {
            let json = event_json(&event);
            let kind = json["kind"].as_str().unwrap();
            assert!(described.contains(&format!("| `{kind}` |")), "{kind}");
        }
    }

    #[test]
    fn an_opening_names_its_way_in_and_the_names_stay_as_typed() {
        let by = OpenedBy::Stick {
            label: "Otieno".try_into().unwrap(),
        };
        let opened = EventKind::Released {
            by,
            milliseconds: 740,
        };
        let expected = json!({
            "kind": "released",
            "by": { "kind": "stick", "stick": "Otieno" },
            "milliseconds": 740,
        });
        assert_eq!(event_json(&opened), expected);
    }
}
