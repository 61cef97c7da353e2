//! `stayput log`: what happened at each boot.

use super::unlock::open_vault;
use super::{Problem, Result, watch};
use crate::vault::{Event, EventKind, LockedBecause, OpenedBy};

pub fn run(json: bool) -> Result<()> {
    let vault = open_vault()?;
    let events = vault
        .events()
        .map_err(|error| Problem::failed(error.to_string(), "Check the disk."))?;
    if json {
        println!("{:#}", as_json(&events));
    } else {
        for event in &events {
            println!("{}  {}", time(event.time), sentence(&event.kind));
        }
    }
    Ok(())
}

/// RFC 3339, in UTC.
pub fn time(seconds: u64) -> String {
    let since = std::time::Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
}

fn sentence(kind: &EventKind) -> String {
    match kind {
        EventKind::VaultMade => "The vault was made.".into(),
        EventKind::Enrolled { place, factors } => format!(
            "The place \"{place}\" was enrolled: {} of {} machine factors, {} of {} neighbours.",
            factors.machine, factors.machine_of, factors.place, factors.place_of
        ),
        EventKind::Released { by, milliseconds } => match by {
            OpenedBy::Environment { place, same } => format!(
                "Opened at \"{place}\" after {milliseconds} ms: {} of {} machine factors and {} \
                 of {} neighbours as enrolled.",
                same.machine, same.machine_of, same.place, same.place_of
            ),
            OpenedBy::Stick { label } => format!("Opened with the stick \"{label}\"."),
        },
        EventKind::Locked { because, answered } => format!(
            "Stayed locked: {} ({} of {} machine factors and {} of {} neighbours answered.)",
            reason(*because),
            answered.machine,
            answered.machine_of,
            answered.place,
            answered.place_of
        ),
        EventKind::WrongPin { stick } => format!("Wrong PIN for the stick \"{stick}\"."),
        EventKind::StickMade { stick } => format!("The stick \"{stick}\" was made."),
        EventKind::StickVerified { stick } => format!("The stick \"{stick}\" was verified."),
        EventKind::MariadbEnabled => "MariaDB was given its keys.".into(),
        EventKind::Strike { strikes, of } => {
            format!("Started in a foreign place: strike {strikes} of {of}.")
        }
        EventKind::Reset { cause, .. } => {
            format!("Reset, {cause}: only a stick opens it.")
        }
        EventKind::ResetWithheld { cause } => format!(
            "Not reset, although it was due ({cause}): no verified stick is listed but those \
             that are plugged in."
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
        EventKind::ReleasedByHand => "The keys were put into memory by hand.".into(),
        EventKind::WatchAlarm { alarm, wanted } => {
            let wanted = watch::meaning(*wanted);
            format!("Alarm: {alarm} ({wanted}).")
        }
        EventKind::WatchAllClear => "The alarm is over: the server is at home.".into(),
    }
}

fn reason(because: LockedBecause) -> &'static str {
    match because {
        LockedBecause::PlaceSilent => "too few factors answered.",
        LockedBecause::NotRecognised => "the place was not recognised.",
        LockedBecause::PepperDamaged => "the vault is damaged.",
        LockedBecause::Altered => "the vault was changed by somebody without the key.",
        LockedBecause::Reset => "the server was reset.",
    }
}

fn as_json(events: &[Event]) -> serde_json::Value {
    events
        .iter()
        .map(|event| {
            let boot: String = event.boot_id.iter().map(|b| format!("{b:02x}")).collect();
            serde_json::json!({
                "number": event.number,
                "time": time(event.time),
                "boot_id": boot,
                "event": event.kind,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_finds_the_event_by_its_name() {
        let event = Event {
            number: 3,
            time: 1_700_000_000,
            boot_id: [1; 16],
            kind: EventKind::WrongPin {
                stick: "office".try_into().unwrap(),
            },
        };
        let json = as_json(&[event]);
        assert_eq!(json[0]["event"]["WrongPin"]["stick"], "office");
        assert_eq!(json[0]["time"], "2023-11-14T22:13:20Z");
    }
}
