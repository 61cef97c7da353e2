//! How things stand, for scripts: docs/json.md.

use serde_json::{Value, json};

use super::Status;
use crate::admin::backup::LastBackup;
use crate::admin::event_json::{alarm_word, event_json, on_alarm_word};
use crate::admin::mariadb::{CopyKind, KeptCopy, Original};
use crate::admin::names::SETUP_PLACE;
use crate::admin::timestamp::rfc3339;
use crate::admin::unlock::Recognition;
use crate::admin::watch_service::Report;
use crate::environment::Margin;
use crate::vault::{LoggedEvent, VaultError};

impl Status<'_> {
    pub fn document(&self) -> Value {
        let opened_here = self.recognition.filter(|found| found.key.is_some());
        json!({
            "server": self.vault.header.server_name,
            "server_id": self.vault.header.server_id.to_string(),
            "generation": self.vault.header.generation,
            "fault": self.fault().map(|fault| fault.to_string()),
            "opens_here": self.opens_here(),
            "enrolled": self.is_enrolled(),
            "place": opened_here.map(place),
            "sticks": self.sticks().map(|list| list.sticks.len()),
            "mariadb": self.mariadb(),
            "key_file": self.key_file,
            "clear_copy": self.clear_copy(),
            "encrypted_original": self.encrypted_original(),
            "kept_copies": self.kept_copies(),
            "newest_backup": self.newest_backup(),
            "wants_reset": self.policy().map(|policy| policy.wants_reset),
            "margin": self.margin().map(margin),
            "last_opened": self.opened.map(|event| self.last_opened(event)),
            "strikes": self.theft().map(|state| state.strikes()),
            "reset": self.theft().map(|state| state.is_reset()),
            "watch": self.watch.map(watch),
            "without_keys": self.without_keys,
            "held": self.held,
            "waits_for_release": self.waits_for_release,
        })
    }

    /// Whether a place is enrolled; `None` where the slots cannot be read.
    fn is_enrolled(&self) -> Option<bool> {
        match self.vault.slots() {
            Ok(slots) => {
                let mut places = slots.environments.iter();
                Some(places.any(|slot| slot.name != SETUP_PLACE))
            }
            // A reset destroys every place.
            Err(VaultError::WasReset) => Some(false),
            Err(_) => None,
        }
    }

    fn clear_copy(&self) -> Value {
        match &self.original {
            Ok(None) => Value::Null,
            Ok(Some(original)) if original.is_clear_copy() => found(original),
            Ok(Some(_)) => Value::Null,
            Err(error) => json!({ "kind": "not_readable", "what": error.to_string() }),
        }
    }

    /// What `mariadb disable --clear` has left; whether there is one is told with the
    /// clear copy where that cannot be seen.
    fn encrypted_original(&self) -> Value {
        let original = self.original.as_ref().ok().and_then(Option::as_ref);
        let original = original.filter(|original| !original.is_clear_copy());
        original.map_or(Value::Null, found)
    }

    /// The copies that wait for their owner; null where they cannot be looked for.
    fn kept_copies(&self) -> Value {
        let copies = self.copies.as_ref();
        copies.map_or(Value::Null, |copies| copies.iter().map(kept).collect())
    }

    fn newest_backup(&self) -> Value {
        match self.backup {
            LastBackup::Never | LastBackup::NotKnown => Value::Null,
            LastBackup::NoneGood => json!({ "number": null, "made_at": null, "too_old": true }),
            LastBackup::Good(good) => json!({
                "number": good.number,
                "made_at": rfc3339(good.made),
                "too_old": self.backup.is_too_old(self.now),
            }),
        }
    }

    fn last_opened(&self, event: &LoggedEvent) -> Value {
        json!({
            "at": rfc3339(event.time),
            "event": event_json(&event.kind),
            "margin": self.margin_then().map(margin),
        })
    }
}

fn place(found: &Recognition) -> Value {
    let comparison = found.comparison.as_ref();
    json!({
        "name": found.place,
        "need": found.need,
        "same": comparison.map(|comparison| comparison.same),
        "changed": comparison.map(|comparison| &comparison.changed),
        "silent": comparison.map(|comparison| &comparison.silent),
        "not_asked": comparison.map(|comparison| &comparison.not_asked),
    })
}

fn margin(margin: Margin) -> Value {
    json!({ "left": margin.left, "used_up": margin.is_used_up })
}

fn watch(report: Report) -> Value {
    let alarm = report
        .alarm
        .map(|(alarm, since)| json!({ "kind": alarm_word(alarm), "since": rfc3339(since) }));
    json!({
        "on_alarm": on_alarm_word(report.on_alarm),
        "enrolled": report.enrolled,
        "same": report.same,
        "different": report.different,
        "silent": report.silent,
        "who": report.who,
        "alarm": alarm,
        "unfinished": report.unfinished.list().map(|(word, _)| word).collect::<Vec<_>>(),
    })
}

fn found(original: &Original) -> Value {
    json!({
        "kind": "there",
        "path": original.path,
        "since": original.since.map(rfc3339),
        "ends": original.ends,
    })
}

fn kept(copy: &KeptCopy) -> Value {
    let (kind, served) = match copy.kind {
        CopyKind::TakenBack { served, .. } => ("taken_back", served),
        CopyKind::Unfinished => ("unfinished", None),
    };
    json!({
        "kind": kind,
        "path": copy.path,
        "clear": copy.is_clear(),
        "marked": copy.run.is_some(),
        "served_from": served.map(|served| rfc3339(served.from)),
        "served_until": served.map(|served| rfc3339(served.until)),
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::admin::mariadb::KeySupply;
    use crate::admin::release_service::WithoutKeys;
    use crate::admin::watch_service::Unfinished;
    use crate::backup::Verified;
    use crate::environment::{Comparison, Watched, test_slot};
    use crate::keys::{CheapFactors, MasterKey};
    use crate::opening::snapshot::Snapshot;
    use crate::theft::{Alarm, OnAlarm, ResetCause, TheftState};
    use crate::vault::{
        EventKind, FactorCounts, Group, MemoryDevice, OpenedBy, ServerId, SlotTable, Thresholds,
        Value as FactorValue, Vault,
    };

    fn vault() -> (Vault<MemoryDevice>, MasterKey) {
        let key = MasterKey::generate();
        let (id, name) = (ServerId::random(), "clinic".try_into().unwrap());
        let (disk, table) = (MemoryDevice::default(), SlotTable::default());
        (Vault::create(disk, id, name, &key, &table).unwrap(), key)
    }

    pub fn with_place(name: &str) -> Snapshot {
        let _cheap = CheapFactors::begin();
        let (vault, key) = vault();
        let board = (
            Group::Machine,
            "board",
            FactorValue::from_slice(b"1").unwrap(),
        );
        let need = Thresholds {
            machine: 1,
            ..Thresholds::default()
        };
        let mut table = SlotTable::default();
        let slot = test_slot(vault.header(), &key, (0, name), [board], need);
        assert!(table.environments.push(Box::new(slot)).is_ok());
        Snapshot {
            slots: Ok(Box::new(table)),
            ..Snapshot::of(&vault)
        }
    }

    pub fn of(snapshot: &Snapshot) -> Status<'_> {
        Status {
            vault: snapshot,
            recognition: None,
            proven: None,
            opened: None,
            keys: KeySupply::None,
            original: Ok(None),
            copies: Ok(Vec::new()),
            backup: LastBackup::Never,
            backup_sticks: Vec::new(),
            now: 1_764_300_000,
            watch: None,
            without_keys: None,
            key_file: None,
            held: false,
            waits_for_release: false,
        }
    }

    /// A document with every field.
    pub fn example() -> Value {
        let label = |text: &str| [text.try_into().unwrap()].into_iter().collect();
        let comparison = Comparison {
            changed: label("board"),
            silent: label("arp 10.0.0.1"),
            not_asked: label("tang 10.0.0.2"),
            ..Comparison::default()
        };
        with_everything(comparison, |status| {
            let key_file = Some("/etc/mysql/mariadb.keys".into());
            Status { key_file, ..status }.document()
        })
    }

    /// A status with something in every field, and this in its place.
    pub fn with_everything<T>(comparison: Comparison, look: impl FnOnce(Status<'_>) -> T) -> T {
        let (vault, key) = vault();
        let snapshot = Snapshot::of(&vault);
        let proven = vault.prove(&key).unwrap();
        let (same, need) = (FactorCounts::default(), Thresholds::default());
        let opened = LoggedEvent {
            number: 1,
            time: 1_700_000_000,
            boot_id: [1; 16],
            kind: EventKind::Released {
                by: OpenedBy::Environment {
                    place: "home".try_into().unwrap(),
                    same,
                    need,
                },
                milliseconds: 740,
            },
        };
        let recognition = Recognition {
            key: Some(key),
            place: "home".into(),
            comparison: Some(comparison),
            need,
            observed: Default::default(),
            all_answered: true,
            places: Default::default(),
        };
        let status = Status {
            recognition: Some(&recognition),
            proven: Some(&proven),
            opened: Some(&opened),
            original: Ok(Some(Original::example())),
            copies: Ok(vec![KeptCopy::example()]),
            backup: LastBackup::Good(Verified {
                number: 12,
                made: 1_764_274_500,
            }),
            watch: Some(Report {
                on_alarm: OnAlarm::Lock,
                enrolled: true,
                same: 1,
                different: 2,
                silent: 0,
                who: Watched::KeyServers,
                alarm: Some((Alarm::Foreign, 1_700_000_000)),
                unfinished: Unfinished {
                    database: true,
                    ..Unfinished::default()
                },
            }),
            without_keys: Some(WithoutKeys::GivenUp),
            ..of(&snapshot)
        };
        look(status)
    }

    #[test]
    fn a_server_that_was_reset_has_no_place() {
        let mut snapshot = with_place("home");
        assert_eq!(of(&snapshot).document()["enrolled"], true);
        snapshot.slots = Err(VaultError::WasReset);
        snapshot.state = Ok(TheftState::Reset {
            cause: ResetCause::Owner,
            time: 1_700_000_000,
        });
        let document = of(&snapshot).document();
        assert_eq!(document["enrolled"], false);
        assert_eq!(document["reset"], true);
    }

    #[test]
    fn the_place_of_setup_is_none_and_an_unreadable_one_unknown() {
        let mut snapshot = with_place(SETUP_PLACE);
        assert_eq!(of(&snapshot).document()["enrolled"], false);
        snapshot.slots = Err(VaultError::PepperDamaged);
        assert_eq!(of(&snapshot).document()["enrolled"], Value::Null);
    }

    #[test]
    fn starts_that_an_alarm_holds_are_told() {
        let snapshot = with_place("home");
        assert_eq!(of(&snapshot).document()["held"], false);
        let status = Status {
            key_file: Some("/etc/mysql/mariadb.keys".into()),
            held: true,
            ..of(&snapshot)
        };
        assert_eq!(status.document()["held"], true);
    }

    #[test]
    fn a_clear_copy_that_cannot_be_looked_for_is_not_called_absent() {
        let snapshot = with_place("home");
        let status = Status {
            original: Err(std::io::ErrorKind::PermissionDenied.into()),
            ..of(&snapshot)
        };
        assert_eq!(status.document()["clear_copy"]["kind"], "not_readable");
    }
}
