//! How things stand, for people.

use super::Status;
use crate::admin::event_text::sentence;
use crate::admin::one_screen::Item;
use crate::admin::one_screen::Urgency::{Never, Now, Soon};
use crate::admin::pending_reset::reminder;
use crate::admin::release_service::WithoutKeys;
use crate::admin::timestamp::rfc3339;
use crate::admin::watch_service;
use crate::environment::Watched;
use crate::printable::Printable;
use crate::theft::{OnAlarm, TheftState};
use crate::vault::Header;

impl Status<'_> {
    /// Everything that people are told, in the order in which it stands where all of it
    /// is as it should be.
    pub fn items(&self) -> Vec<Item> {
        let mut items = Vec::from_iter(self.keys_item());
        items.extend(self.theft_items());
        items.extend(self.place_items());
        let Header {
            server_name,
            server_id,
            ..
        } = &self.vault.header;
        let server = format!("Server: {} ({server_id})", Printable(server_name));
        items.push(Item::new(Never, server));
        if let Some(event) = self.opened {
            let start = format!(
                "Last start: {}  {}",
                rfc3339(event.time),
                sentence(&event.kind)
            );
            items.push(Item::new(Never, start));
        }
        if let Some(words) = self.policy().and_then(reminder) {
            items.push(Item::new(Soon, words));
        }
        items.extend(self.stick_item());
        items.extend(self.database_items());
        items.extend(self.backup_items());
        items.push(self.watch_item());
        items
    }

    /// Why the database does not run, where its keys are why.
    fn keys_item(&self) -> Option<Item> {
        let text = match (self.held, self.without_keys) {
            (true, _) => HELD.into(),
            (false, Some(without)) => format!("Keys: {}", without_keys_in_words(without)),
            (false, None) if self.waits_for_release => WAITS_FOR_RELEASE.into(),
            (false, None) => return None,
        };
        Some(Item::new(Now, text))
    }

    fn theft_items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        if let Some(fault) = self.fault() {
            items.push(Item::new(Now, format!("Vault: {fault}")));
        }
        match self.theft() {
            Some(TheftState::Suspect { strikes, .. }) => {
                let text =
                    format!("Theft: started in foreign places since it last opened: {strikes}.");
                items.push(Item::new(Now, text));
            }
            Some(TheftState::Reset { cause, time: at }) => {
                let text = format!("Theft: reset {}, {cause}.", rfc3339(at));
                items.push(Item::new(Now, text));
            }
            _ => {}
        }
        items
    }

    fn stick_item(&self) -> Option<Item> {
        let list = self.sticks()?;
        if list.sticks.is_empty() {
            let text = "Backup sticks: none. Run: stayput stick make DEVICE --label NAME";
            return Some(Item::new(Soon, text));
        }
        let mut text = String::from("Backup sticks:");
        for stick in &list.sticks {
            let pin = if stick.has_pin {
                "with a PIN"
            } else {
                "WITHOUT a PIN"
            };
            let label = Printable(&stick.label);
            text += &format!("\n  {label}: made {}, {pin}", rfc3339(stick.made));
        }
        Some(Item::new(Never, text))
    }

    fn watch_item(&self) -> Item {
        let is_alarmed = self
            .watch
            .is_some_and(|watch| watch.alarm.is_some() || watch.unfinished.list().next().is_some());
        let is_off = self
            .policy()
            .is_some_and(|policy| policy.theft.watch.on_alarm == OnAlarm::Off);
        let urgency = match (is_alarmed, self.watch) {
            (true, _) => Now,
            (false, None) if !is_off => Soon,
            (false, _) => Never,
        };
        Item::new(urgency, format!("Watch: {}", self.watch_in_words()))
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
}

const HELD: &str = "Starts: HELD. An alarm of the watch or a reset has taken the keys, and MariaDB does not start.\n  \
                    Is the server where it belongs? stayput release";

const WAITS_FOR_RELEASE: &str = "Keys: NOT IN MEMORY. MariaDB is stopped, and does not start without them.\n  \
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

#[cfg(test)]
mod tests {
    use super::super::document::tests::{of, with_everything, with_place};
    use super::*;
    use crate::admin::backup::LastBackup;
    use crate::admin::mariadb::{KeptCopy, KeySupply};
    use crate::admin::one_screen::{ROWS, Room, screen};
    use crate::backup::Verified;
    use crate::columns::COLUMNS;
    use crate::environment::{Comparison, neighbour_label};
    use crate::theft::ResetCause;
    use crate::vault::VaultError;

    fn lines(status: &Status) -> Vec<String> {
        let text = screen(status.items(), Room::OneScreen, "stayput status --all");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert!(lines.len() <= ROWS, "{text}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= COLUMNS),
            "{text}"
        );
        lines
    }

    #[test]
    fn server_at_home_says_its_place_first() {
        with_everything(Comparison::default(), |status| {
            let status = Status {
                watch: None,
                without_keys: None,
                original: Ok(None),
                copies: Ok(Vec::new()),
                ..status
            };
            let lines = lines(&status);
            assert!(
                !lines.iter().any(|line| line.contains("--all")),
                "{lines:?}"
            );
            let place = lines
                .iter()
                .position(|line| line.starts_with("Place: \"home\""));
            let server = lines
                .iter()
                .position(|line| line.starts_with("Server: clinic"));
            assert!(place < server, "{lines:?}");
        });
    }

    #[test]
    fn alarm_stands_above_a_long_list_of_changes() {
        let labels = (0..30).map(|n| neighbour_label([10, 0, 0, n].into()));
        let comparison = Comparison {
            changed: labels.collect(),
            ..Comparison::default()
        };
        with_everything(comparison, |status| {
            let status = Status {
                without_keys: None,
                ..status
            };
            let lines = lines(&status);
            let alarm = lines.iter().position(|line| line.contains("ALARM since"));
            assert!(alarm.is_some_and(|at| at < 12), "{lines:?}");
            let place = lines.iter().position(|line| line.starts_with("Place: "));
            assert!(
                place
                    < lines
                        .iter()
                        .position(|line| line.starts_with("Not as enrolled"))
            );
            let last = &lines[ROWS - 1];
            assert!(last.ends_with("lines more: stayput status --all"), "{last}");
        });
    }

    #[test]
    fn server_that_was_reset_says_so_in_its_first_line() {
        let mut snapshot = with_place("home");
        snapshot.slots = Err(VaultError::WasReset);
        snapshot.state = Ok(TheftState::Reset {
            cause: ResetCause::Strikes,
            time: 1_700_000_000,
        });
        let lines = lines(&of(&snapshot));
        assert!(lines[0].contains("This server was reset"), "{lines:?}");
        assert!(lines[2].starts_with("Theft: reset"), "{lines:?}");
    }

    #[test]
    fn a_database_that_stays_stopped_is_the_first_line() {
        let snapshot = with_place("home");
        let status = |waits_for_release, held| Status {
            waits_for_release,
            held,
            ..of(&snapshot)
        };
        let first = lines(&status(true, false))[..2].concat();
        assert!(first.contains("MariaDB is stopped"), "{first}");
        assert!(first.contains("stayput release"), "{first}");
        let held = lines(&status(true, true)).join("\n");
        assert!(
            held.starts_with("Starts: HELD") && !held.contains("NOT IN MEMORY"),
            "{held}"
        );
        assert!(
            !lines(&status(false, false))
                .join("\n")
                .contains("NOT IN MEMORY")
        );
    }

    #[test]
    fn keys_are_not_said_to_come_from_here_by_the_policy_alone() {
        let snapshot = with_place("home");
        let told = |keys: KeySupply| {
            let status = Status {
                keys,
                ..of(&snapshot)
            };
            lines(&status).join(" ")
        };
        let whole = told(KeySupply::Whole);
        assert!(whole.contains("gets its keys from here"), "{whole}");
        let broken = KeySupply::Broken(vec!["the gate in front of it is missing".into()]);
        for (keys, words) in [
            (KeySupply::Unused, "nothing takes them"),
            (broken, "the gate in front of it"),
        ] {
            let told = told(keys);
            assert!(told.contains(words), "{told}");
            assert!(!told.contains("gets its keys from here"), "{told}");
        }
    }

    #[test]
    fn copy_that_a_way_back_has_kept_is_told_until_it_is_destroyed() {
        let snapshot = with_place("home");
        let status = Status {
            copies: Ok(vec![KeptCopy::example()]),
            ..of(&snapshot)
        };
        let told = lines(&status).join(" ");
        assert!(told.contains("CLEAR COPY: A clear copy"), "{told}");
        assert!(told.contains("stayput mariadb destroy-copy"), "{told}");
        let unknown = Status {
            copies: Err(std::io::Error::other("no settings")),
            ..of(&snapshot)
        };
        let told = lines(&unknown).join(" ");
        assert!(told.contains("CLEAR COPY: perhaps; no settings"), "{told}");
    }

    #[test]
    fn backup_that_is_too_old_stands_above_what_is_well() {
        let snapshot = with_place("home");
        let made = of(&snapshot).now;
        let told = |after| {
            let status = Status {
                backup: LastBackup::Good(Verified { number: 12, made }),
                now: made + after,
                ..of(&snapshot)
            };
            lines(&status)
        };
        let fresh = told(3600);
        let server = |lines: &[String]| lines.iter().position(|line| line.starts_with("Server: "));
        let backup = |lines: &[String]| lines.iter().position(|line| line.contains("number 12"));
        assert!(backup(&fresh) > server(&fresh), "{fresh:?}");
        let old = told(30 * 24 * 3600);
        assert!(backup(&old) < server(&old), "{old:?}");
        assert!(old.join(" ").contains("stayput backup --to"), "{old:?}");
    }
}
