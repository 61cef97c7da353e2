//! `stayput status`: how things stand, on one screen.

use crate::admin::event_text::sentence;
use crate::admin::factor_counts::counts_as_enrolled;
use crate::admin::mariadb;
use crate::admin::mariadb::ClearOriginal;
use crate::admin::names::SETUP_PLACE;
use crate::admin::open_vault::open_vault;
use crate::admin::pending_reset::reminder;
use crate::admin::problem::{Problem, Result};
use crate::admin::release_service::{WithoutKeys, without_keys};
use crate::admin::timestamp::rfc3339;
use crate::admin::unlock::{Recognition, recognise};
use crate::admin::watch_service;
use crate::environment::{Cards, LIVE_NETWORK_WAIT, Margin, Patience};
use crate::opening::messages::Reason;
use crate::opening::snapshot::Snapshot;
use crate::printable::Printable;
use crate::theft::{OnAlarm, TheftState};
use crate::vault::{EventKind, Header, LoggedEvent, Policy, ProvenRecords, StickList, VaultError};

/// Everything that `status` shows, to people and to scripts.
struct Status<'a> {
    vault: &'a Snapshot,
    recognition: Option<&'a Recognition>,
    /// `None` where the place does not open the vault.
    proven: Option<&'a ProvenRecords>,
    /// The last opening in the log.
    opened: Option<&'a LoggedEvent>,
    /// The clear original that `mariadb enable` has left.
    original: std::io::Result<Option<ClearOriginal>>,
    /// The report of the watch, if it runs.
    watch: Option<watch_service::Report>,
    /// Whether this boot went on without the keys, and who looks for the place.
    without_keys: Option<WithoutKeys>,
}

/// Runs `stayput status`.
///
/// # Errors
/// When the vault cannot be read, or was changed without the key.
pub fn run(json: bool) -> Result<()> {
    let vault = open_vault()?;
    let snapshot = Snapshot::of(&vault);
    let slots = snapshot.slots().ok();
    let patience = Patience::until_all_answer(LIVE_NETWORK_WAIT);
    let recognition =
        slots.and_then(|slots| recognise(vault.header(), slots, Cards::LeftDown, patience));
    let key = recognition.as_ref().and_then(|found| found.key.as_ref());
    let proven = key
        .map(|key| vault.prove(key))
        .transpose()
        .map_err(|error| Problem::failed(error.to_string(), "Use a backup stick to open it."))?;
    // A log that cannot be read is not worth failing for.
    let events = vault.events().unwrap_or_default();
    let opened = events.iter().rfind(|event| is_opening(event));
    let status = Status {
        vault: &snapshot,
        recognition: recognition.as_ref(),
        proven: proven.as_ref(),
        opened,
        original: mariadb::find_original(),
        watch: watch_service::report(),
        without_keys: without_keys(),
    };
    if json {
        println!("{:#}", status.json());
    } else {
        status.print();
    }
    Ok(())
}

fn is_opening(event: &LoggedEvent) -> bool {
    matches!(event.kind, EventKind::Released { .. })
}

impl Status<'_> {
    fn policy(&self) -> Option<&Policy> {
        self.proven.map(|proven| &*proven.policy)
    }

    fn sticks(&self) -> Option<&StickList> {
        self.proven.map(|proven| &*proven.sticks)
    }

    /// Why the slots cannot be read, if they cannot.
    fn fault(&self) -> Option<VaultError> {
        self.vault.slots().err()
    }

    fn theft(&self) -> Option<TheftState> {
        self.vault.state.ok()
    }

    fn mariadb(&self) -> Option<bool> {
        self.policy().map(|policy| policy.mariadb.is_some())
    }

    /// How much may still change, as observed now.
    fn margin(&self) -> Option<Margin> {
        let found = self.recognition?;
        let comparison = found.comparison.as_ref()?;
        Some(Margin::of(&comparison.same, found.need))
    }

    /// How much could still change when the server opened last.
    fn margin_then(&self) -> Option<Margin> {
        match &self.opened?.kind {
            EventKind::Released { by, .. } => Margin::at_opening(by),
            _ => None,
        }
    }

    fn opens_here(&self) -> bool {
        self.recognition.is_some_and(|found| found.key.is_some())
    }

    /// What has changed where this is an enrolled place that does not open.
    fn changed(&self) -> Option<Reason> {
        let Recognition {
            observed, places, ..
        } = self.recognition?;
        let reason = self.vault.situation(observed, places).reason(None);
        matches!(reason, Reason::ChangedMachine | Reason::KeyServerLost).then_some(reason)
    }

    fn only_setup(&self) -> bool {
        self.recognition
            .is_some_and(|found| found.place == SETUP_PLACE)
    }

    fn print(&self) {
        let Header {
            server_name,
            server_id,
            ..
        } = &self.vault.header;
        println!("Server: {} ({server_id})", Printable(server_name));
        if let Some(fault) = self.fault() {
            println!("Vault: {fault}");
        }
        if let Some(TheftState::Suspect { strikes, .. }) = self.theft() {
            println!("Theft: started in foreign places since it last opened: {strikes}.");
        }
        if let Some(TheftState::Reset { cause, time: at }) = self.theft() {
            println!("Theft: reset {}, {cause}.", rfc3339(at));
        }
        if self.opens_here() && self.only_setup() {
            println!("Place: none is enrolled; this machine opens anywhere. Run: stayput enroll");
        } else if self.opens_here() {
            self.print_place();
        } else {
            println!("Place: not recognised. The next boot here would ask for a stick.");
            if let Some(changed) = self.changed() {
                println!("{changed}");
            }
        }
        if let Some(words) = self.recognition.and_then(Recognition::unasked) {
            println!("{words}");
        }
        if let Some(event) = self.opened {
            println!(
                "Last start: {}  {}",
                rfc3339(event.time),
                sentence(&event.kind)
            );
        }
        if let Some(words) = self.policy().and_then(reminder) {
            println!("{words}");
        }
        match self.sticks() {
            Some(list) if list.sticks.is_empty() => {
                println!("Backup sticks: none. Run: stayput stick make DEVICE --label NAME");
            }
            Some(list) => {
                println!("Backup sticks:");
                for stick in &list.sticks {
                    let pin = if stick.has_pin {
                        "with a PIN"
                    } else {
                        "WITHOUT a PIN"
                    };
                    let label = Printable(&stick.label);
                    println!("  {label}: made {}, {pin}", rfc3339(stick.made));
                }
            }
            None => {}
        }
        match self.mariadb() {
            Some(true) => println!("MariaDB: gets its keys from here."),
            Some(false) => println!("MariaDB: not set up. Run: stayput mariadb enable"),
            None => {}
        }
        match &self.original {
            Ok(None) => {}
            Ok(Some(original)) => {
                println!("CLEAR COPY: {}\n  {}", original.what(), original.next());
            }
            Err(error) => println!("CLEAR COPY: perhaps; {error}."),
        }
        if let Some(path) = mariadb::enable::rehearsal_left_behind() {
            println!(
                "Rehearsal: one was interrupted; its encrypted copy takes room in {}.\n  \
                 To remove it: stayput mariadb enable --undo",
                path.display()
            );
        }
        if let Some(without) = self.without_keys {
            println!("Keys: {}", without_keys_in_words(without));
        }
        println!("Watch: {}", self.watch_in_words());
    }

    fn watch_in_words(&self) -> String {
        if self.without_keys.is_some() {
            return "waits for the keys.".into();
        }
        let Some(watch) = self.watch else {
            return match self.policy().map(|policy| policy.theft.watch.on_alarm) {
                Some(OnAlarm::Off) => "off.".into(),
                _ => "does not run. `systemctl status stayput-watch` tells why.".into(),
            };
        };
        let as_what = match watch.enrolled {
            true => "as enrolled",
            false => "as found when it was started",
        };
        let counts = [watch.same, watch.different, watch.silent];
        let all: u32 = counts.into_iter().map(u32::from).sum();
        let same = watch.same;
        let stands = format!("{same} of {all} neighbours {as_what}.");
        match watch.alarm {
            None => stands,
            Some((alarm, since)) => format!("{stands}\n  ALARM since {}: {alarm}.", rfc3339(since)),
        }
    }

    fn print_place(&self) {
        let Some((found, comparison)) = self
            .recognition
            .and_then(|found| Some((found, found.comparison.as_ref()?)))
        else {
            return;
        };
        println!(
            "Place: \"{}\". {}.",
            Printable(&found.place),
            counts_as_enrolled(comparison.same, found.need)
        );
        for label in &comparison.changed {
            println!("  changed: {label}");
        }
        for label in &comparison.silent {
            println!("  no answer: {label}");
        }
        if let Some(margin) = self.margin() {
            println!("{}", margin_in_words(margin));
        }
    }

    fn json(&self) -> serde_json::Value {
        let place = self
            .recognition
            .filter(|found| found.key.is_some())
            .map(|found| {
                let comparison = found.comparison.as_ref();
                serde_json::json!({
                    "name": found.place,
                    "need": {
                        "machine": found.need.machine,
                        "place": found.need.neighbours,
                        "servers": found.need.servers,
                    },
                    "same": comparison.map(|comparison| comparison.same),
                    "changed": comparison.map(|comparison| &comparison.changed),
                    "silent": comparison.map(|comparison| &comparison.silent),
                })
            });
        serde_json::json!({
            "server": self.vault.header.server_name,
            "server_id": self.vault.header.server_id.to_string(),
            "generation": self.vault.header.generation,
            "fault": self.fault().map(|fault| fault.to_string()),
            "opens_here": self.opens_here(),
            "enrolled": !self.only_setup(),
            "place": place,
            "sticks": self.sticks().map(|list| list.sticks.len()),
            "mariadb": self.mariadb(),
            "clear_copy": match &self.original {
                Ok(original) => serde_json::json!(original),
                Err(error) => serde_json::json!({ "unknown": error.to_string() }),
            },
            "wants_reset": self.policy().map(|policy| policy.wants_reset),
            "margin": self.margin().map(margin_as_json),
            "last_opened": self.opened.map(|event| serde_json::json!({
                "time": rfc3339(event.time),
                "event": event.kind,
                "margin": self.margin_then().map(margin_as_json),
            })),
            "strikes": self.theft().map(|state| state.strikes()),
            "reset": self.theft().map(|state| state.is_reset()),
            "watch": self.watch,
            "without_keys": self.without_keys,
        })
    }
}

fn without_keys_in_words(without: WithoutKeys) -> &'static str {
    match without {
        WithoutKeys::Looking => {
            "NOT IN MEMORY. The system was started without them. stayput-release.service looks for\n  \
             the place and then starts MariaDB; with a stick: stayput release --stick /dev/sdX1"
        }
        WithoutKeys::GivenUp => {
            "NOT IN MEMORY. The system was started without them, and nobody looks for the place.\n  \
             To open it: stayput release. Why: journalctl -k -b | grep stayput"
        }
    }
}

fn margin_in_words(margin: Margin) -> String {
    match margin {
        Margin {
            is_used_up: true, ..
        } => "Margin: USED UP. One change more, and the next start asks for a stick.\n\
              To take the place as it is now: stayput enroll --refresh"
            .into(),
        Margin { left: 0, .. } => "Margin: none. Nothing has changed, and nothing may: \
                                   the next start would ask for a stick."
            .into(),
        Margin { left, .. } => {
            format!("Margin: {left} more may change before a start asks for a stick.")
        }
    }
}

fn margin_as_json(margin: Margin) -> serde_json::Value {
    serde_json::json!({ "left": margin.left, "used_up": margin.is_used_up })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_that_is_used_up_says_how_it_is_mended() {
        let words = |left, is_used_up| margin_in_words(Margin { left, is_used_up });
        assert!(words(0, true).contains("stayput enroll --refresh"));
        assert!(!words(0, false).contains("USED UP"));
        assert!(words(2, false).starts_with("Margin: 2 more"));
    }
}
