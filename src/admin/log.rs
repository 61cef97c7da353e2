//! `stayput log`: what happened at each boot, and how much of that is proven.

use super::open_vault::open_vault;
use super::unlock::{UnlockOptions, unlock};
use super::{Problem, Result, watch};
use crate::theft::ResetCause;
use crate::vault::{
    EventKind, EventSpan, FactorCounts, LockedBecause, LoggedEvent, OpenedBy, ProofStatus,
};

/// What was logged is sealed whenever the server opens. The seal shows that
/// nothing was changed since; it cannot show what was changed before.
#[derive(clap::Args, Clone, Debug)]
pub struct LogOptions {
    /// Check the seal: the vault is opened by the place, or by --stick
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    unlock: UnlockOptions,
}

pub fn run(options: &LogOptions, json: bool) -> Result<()> {
    let (vault, spans) = if options.verify {
        let unlocked = unlock(&options.unlock)?;
        let spans = unlocked.vault.prove_events(unlocked.master_key());
        (unlocked.vault, Some(spans?))
    } else {
        (open_vault()?, None)
    };
    let events = vault.events()?;
    if json {
        let proof = spans.as_deref();
        println!("{:#}", as_json(&events, proof));
    } else {
        for event in &events {
            let (number, at) = (event.number, time(event.time));
            println!("{number:>4}  {at}  {}", sentence(&event.kind));
        }
        let last = events.last().map_or(0, |event| event.number);
        match &spans {
            Some(spans) => print!("{}", proof_in_words(spans)),
            None => print!("{}", unproven(vault.events_sealed()?, last)),
        }
    }
    match spans {
        Some(spans) if spans.iter().any(is_broken) => Err(Problem::failed(
            "The log was changed or damaged.",
            "Somebody may have been at this disk. Do not believe what is not called whole.",
        )),
        _ => Ok(()),
    }
}

fn is_broken(span: &EventSpan) -> bool {
    matches!(
        span.status,
        ProofStatus::Changed | ProofStatus::Missing | ProofStatus::Unlinked
    )
}

/// What is known without the key.
fn unproven(sealed: u64, last: u64) -> String {
    let since = last.saturating_sub(sealed);
    format!(
        "Sealed when the server last opened: up to number {sealed}; logged since: {since}.\n\
         Whether the seal holds: stayput log --verify\n"
    )
}

fn proof_in_words(spans: &[EventSpan]) -> String {
    let line = |span: &EventSpan| {
        let EventSpan { from, to, status } = *span;
        let which = match from == to {
            true => format!("{from}"),
            false => format!("{from} to {to}"),
        };
        let what = match status {
            ProofStatus::Older => "older than what the log keeps",
            ProofStatus::Whole => "whole, as sealed when the server opened after them",
            ProofStatus::Changed => "CHANGED since they were sealed",
            ProofStatus::Missing => "MISSING, and perhaps what came after them",
            ProofStatus::Unlinked => "cannot be proven: what follows them is not whole",
            ProofStatus::NotSealed => "not proven: logged since the server last opened",
        };
        format!("Events {which}: {what}.\n")
    };
    spans.iter().map(line).collect()
}

/// RFC 3339, in UTC.
pub fn time(seconds: u64) -> String {
    let since = std::time::Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
}

/// The end of a list of counts; nothing where there are no key servers.
fn key_servers(answered: &FactorCounts, behind: &str) -> String {
    match answered.servers.of {
        0 => String::new(),
        of => format!(", {} of {of} key servers{behind}", answered.servers.count),
    }
}

pub fn sentence(kind: &EventKind) -> String {
    match kind {
        EventKind::VaultMade => "The vault was made.".into(),
        EventKind::Enrolled { place, factors } => format!(
            "The place \"{place}\" was enrolled: {} of {} machine factors, {} of {} neighbours{}.",
            factors.machine.count,
            factors.machine.of,
            factors.neighbours.count,
            factors.neighbours.of,
            key_servers(factors, "")
        ),
        EventKind::Released { by, milliseconds } => match by {
            OpenedBy::Environment { place, same, need } => format!(
                "Opened at \"{place}\" after {milliseconds} ms: {} of {} machine factors as \
                 enrolled ({} needed), {} of {} neighbours ({} needed){}.",
                same.machine.count,
                same.machine.of,
                need.machine,
                same.neighbours.count,
                same.neighbours.of,
                need.neighbours,
                key_servers(same, &format!(" ({} needed)", need.servers))
            ),
            OpenedBy::Stick { label } => format!("Opened with the stick \"{label}\"."),
            OpenedBy::Passphrase { name } => format!("Opened with the passphrase of \"{name}\"."),
            OpenedBy::Code => "Opened with the recovery code.".into(),
        },
        EventKind::Locked { because, answered } => format!(
            "Stayed locked: {} ({} of {} machine factors, {} of {} neighbours{} answered.)",
            reason(*because),
            answered.machine.count,
            answered.machine.of,
            answered.neighbours.count,
            answered.neighbours.of,
            key_servers(answered, "")
        ),
        EventKind::WrongPin { stick } => format!("Wrong PIN for the stick \"{stick}\"."),
        EventKind::StickMade { stick } => format!("The stick \"{stick}\" was made."),
        EventKind::StickVerified { stick } => format!("The stick \"{stick}\" was verified."),
        EventKind::MariadbEnabled => "MariaDB was given its keys.".into(),
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
        EventKind::PassphraseAdded { name } => format!("\"{name}\" was given a passphrase."),
        EventKind::PassphraseChanged { name } => {
            format!("The passphrase of \"{name}\" was changed.")
        }
        EventKind::PassphraseRemoved { name } => {
            format!("The passphrase of \"{name}\" was removed.")
        }
        EventKind::WrongPassphrase => "Wrong passphrase.".into(),
        EventKind::WrongCode => "Wrong recovery code.".into(),
        EventKind::CodeShown => "The recovery code was shown.".into(),
        EventKind::CodeVerified => "The recovery code was typed back.".into(),
        EventKind::StickRemoved { stick } => {
            format!("The stick \"{stick}\" was taken off the list.")
        }
        EventKind::LogNotProven => {
            "The log before this did not prove: it may have been changed.".into()
        }
        EventKind::Refreshed { place, changed } => {
            format!("The place \"{place}\" was taken as it is now. Changes: {changed}.")
        }
        EventKind::ReleasedByHand => "The keys were put into memory by hand.".into(),
        EventKind::WatchAlarm { alarm, wanted } => {
            let wanted = watch::meaning(*wanted);
            format!("Alarm: {alarm} ({wanted}).")
        }
        EventKind::WatchAllClear => "The alarm is over: the server is at home.".into(),
    }
}

/// To the owner, who reads this with the server at home again, all of it is
/// said.
fn why(cause: ResetCause) -> String {
    match cause {
        ResetCause::Duress => "with a passphrase for duress".into(),
        cause => cause.to_string(),
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

/// `proof` is null where nobody asked for it.
fn as_json(events: &[LoggedEvent], proof: Option<&[EventSpan]>) -> serde_json::Value {
    let event = |event: &LoggedEvent| {
        let boot: String = event.boot_id.iter().map(|b| format!("{b:02x}")).collect();
        serde_json::json!({
            "number": event.number,
            "time": time(event.time),
            "boot_id": boot,
            "event": event.kind,
        })
    };
    let events: Vec<_> = events.iter().map(event).collect();
    serde_json::json!({ "events": events, "proof": proof })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, to: u64, status: ProofStatus) -> EventSpan {
        EventSpan { from, to, status }
    }

    #[test]
    fn a_script_finds_the_event_and_what_is_proven_by_name() {
        let event = LoggedEvent {
            number: 3,
            time: 1_700_000_000,
            boot_id: [1; 16],
            kind: EventKind::WrongPin {
                stick: "office".try_into().unwrap(),
            },
        };
        let spans = [span(1, 3, ProofStatus::NotSealed)];
        let json = as_json(&[event], Some(&spans));
        let event = &json["events"][0];
        assert_eq!(event["event"]["WrongPin"]["stick"], "office");
        assert_eq!(event["time"], "2023-11-14T22:13:20Z");
        assert_eq!(json["proof"][0]["standing"], "not-sealed");
        assert_eq!(json["proof"][0]["to"], 3);
    }

    #[test]
    fn an_edited_log_is_called_so_and_a_whole_one_is_not() {
        let whole = [
            span(1, 5, ProofStatus::Older),
            span(6, 9, ProofStatus::Whole),
            span(10, 11, ProofStatus::NotSealed),
        ];
        assert!(!whole.iter().any(is_broken));
        let text = proof_in_words(&whole);
        assert!(text.contains("Events 6 to 9: whole"), "{text}");
        assert!(text.contains("Events 10 to 11: not proven"), "{text}");
        for status in [
            ProofStatus::Changed,
            ProofStatus::Missing,
            ProofStatus::Unlinked,
        ] {
            assert!(is_broken(&span(1, 1, status)));
        }
        let text = proof_in_words(&[span(7, 7, ProofStatus::Changed)]);
        assert_eq!(text, "Events 7: CHANGED since they were sealed.\n");
        let lines = text.lines().chain(whole.iter().map(|_| ""));
        assert!(lines.clone().all(|line| line.len() <= 79));
    }
}
