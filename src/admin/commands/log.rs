//! `stayput log`: what happened at each boot, and how much of that is proven.

use std::process::ExitCode;

use serde_json::Value;

use crate::admin::event_json::event_json;
use crate::admin::event_text::sentence;
use crate::admin::json;
use crate::admin::open_vault::open_vault;
use crate::admin::problem::{Problem, Result};
use crate::admin::timestamp::rfc3339;
use crate::admin::unlock::{UnlockOptions, unlock};
use crate::vault::{EventSpan, LoggedEvent, ProofStatus};

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

/// Runs `stayput log`.
///
/// # Errors
/// When the log cannot be read, or `--verify` finds it changed.
pub fn run(options: &LogOptions, for_scripts: bool) -> Result<ExitCode> {
    let (events, sealed, spans) = if options.verify {
        let unlocked = unlock(&options.unlock)?;
        let vault = &unlocked.vault;
        let spans = vault.prove_events(unlocked.master_key())?;
        (vault.events()?, vault.events_sealed()?, Some(spans))
    } else {
        let vault = open_vault()?;
        (vault.events()?, vault.events_sealed()?, None)
    };
    let found = spans.as_deref().map_or(Ok(()), judge);
    if for_scripts {
        json::print(document(&events, spans.as_deref(), found.as_ref().err()));
        return Ok(found.map_or_else(|problem| problem.exit.into(), |()| ExitCode::SUCCESS));
    }
    for event in &events {
        let (number, at) = (event.number, rfc3339(event.time));
        println!("{number:>4}  {at}  {}", sentence(&event.kind));
    }
    let last = events.last().map_or(0, |event| event.number);
    match &spans {
        Some(spans) => print!("{}", proof_in_words(spans)),
        None => print!("{}", unproven(sealed, last)),
    }
    found.map(|()| ExitCode::SUCCESS)
}

/// # Errors
/// When the proof does not hold.
fn judge(spans: &[EventSpan]) -> Result<()> {
    if !spans.iter().any(is_broken) {
        return Ok(());
    }
    Err(Problem::failed(
        "The log was changed or damaged.",
        "Somebody may have been at this disk. Do not believe what is not called whole.",
    ))
}

fn is_broken(span: &EventSpan) -> bool {
    matches!(
        span.status,
        ProofStatus::Changed | ProofStatus::Missing | ProofStatus::Unlinked
    )
}

/// What is known of the seal without the key.
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

/// The log for scripts: docs/json.md. `proof` is null without `--verify`.
fn document(
    events: &[LoggedEvent],
    proof: Option<&[EventSpan]>,
    problem: Option<&Problem>,
) -> Value {
    let event = |event: &LoggedEvent| {
        let boot: String = event.boot_id.iter().map(|b| format!("{b:02x}")).collect();
        serde_json::json!({
            "number": event.number,
            "at": rfc3339(event.time),
            "boot_id": boot,
            "event": event_json(&event.kind),
        })
    };
    let events: Vec<_> = events.iter().map(event).collect();
    let mut document = serde_json::json!({ "events": events, "proof": proof });
    if let Some(problem) = problem {
        document["error"] = json::error(problem);
    }
    document
}

/// A document with events of every kind.
#[cfg(test)]
pub fn example() -> Value {
    use crate::admin::event_json::examples;

    let event = |(number, kind)| LoggedEvent {
        number,
        time: 1_700_000_000,
        boot_id: [1; 16],
        kind,
    };
    let events: Vec<LoggedEvent> = (1..).zip(examples()).map(event).collect();
    let statuses = [
        ProofStatus::Older,
        ProofStatus::Whole,
        ProofStatus::Changed,
        ProofStatus::Missing,
        ProofStatus::Unlinked,
        ProofStatus::NotSealed,
    ];
    let spans = statuses.map(|status| EventSpan {
        from: 1,
        to: 1,
        status,
    });
    document(&events, Some(&spans), judge(&spans).as_ref().err())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::EventKind;

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
        let json = document(&[event], Some(&spans), None);
        let event = &json["events"][0];
        assert_eq!(event["event"]["kind"], "wrong_pin");
        assert_eq!(event["event"]["stick"], "office");
        assert_eq!(event["at"], "2023-11-14T22:13:20Z");
        assert_eq!(json["proof"][0]["status"], "not_sealed");
        assert_eq!(json["proof"][0]["to"], 3);
        assert_eq!(json.get("error"), None);
        // One document a run, also where it tells of a failure.
        let changed = [span(1, 1, ProofStatus::Changed)];
        let problem = judge(&changed).unwrap_err();
        let json = document(&[], Some(&changed), Some(&problem));
        assert_eq!(json["error"]["kind"], "failed");
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
