//! `stayput status`: how things stand, on one screen.

mod document;

use crate::admin::event_text::sentence;
use crate::admin::factor_counts::counts_as_enrolled;
use crate::admin::json;
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
use crate::environment::{Cards, LIVE_NETWORK_WAIT, Margin, Patience, Watched};
use crate::opening::messages::Reason;
use crate::opening::snapshot::Snapshot;
use crate::printable::Printable;
use crate::release::no_start;
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
    /// No start of MariaDB begins: an alarm or a reset has taken the keys.
    held: bool,
}

/// Runs `stayput status`.
///
/// # Errors
/// When the vault cannot be read, or was changed without the key.
pub fn run(for_scripts: bool) -> Result<()> {
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
        held: no_start::is_forbidden(),
    };
    if for_scripts {
        json::print(status.document());
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
        if self.held {
            println!("{HELD}");
        }
        println!("Watch: {}", self.watch_in_words());
    }

    /// Whether no enrolled place has anybody who could be watched.
    fn is_unwatched(&self) -> bool {
        let places = self.vault.slots().map(|slots| &slots.environments);
        places.is_ok_and(|places| places.iter().all(|slot| Watched::at(slot).is_none()))
    }

    fn watch_in_words(&self) -> String {
        if self.without_keys.is_some() {
            return "waits for the keys.".into();
        }
        let Some(watch) = self.watch else {
            return match self.policy().map(|policy| policy.theft.watch.on_alarm) {
                Some(OnAlarm::Off) => "off.".into(),
                Some(_) if self.is_unwatched() => {
                    "nobody: no place with neighbours or key servers is enrolled.".into()
                }
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
        let who = watch_service::who_in_words(watch.who);
        let mut text = format!("{same} of {all} {who} {as_what}.");
        if let Some((alarm, since)) = watch.alarm {
            text += &format!("\n  ALARM since {}: {alarm}.", rfc3339(since));
        }
        for (_, left) in watch.unfinished.list() {
            text += &format!("\n  NOT DONE YET, tried again: {left}.");
        }
        text
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
        for label in &comparison.not_asked {
            println!("  not asked: {label}");
        }
        if let Some(margin) = self.margin() {
            println!("{}", margin_in_words(margin));
        }
    }
}

const HELD: &str = "Starts: HELD. An alarm of the watch or a reset has taken the keys, and MariaDB does not start.\n  \
                    Is the server where it belongs? stayput release";

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

#[cfg(test)]
pub use document::tests::example;

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
