//! `stayput status`: how things stand, on one screen.

mod database_items;
mod document;
mod items;
mod place_items;

use std::path::PathBuf;

use crate::admin::backup::{LastBackup, PluggedStick, PluggedSticks};
use crate::admin::json;
use crate::admin::mariadb;
use crate::admin::mariadb::{Dependence, KeptCopy, KeySupply, Original};
use crate::admin::mariadb_service::waits_for_release;
use crate::admin::names::SETUP_PLACE;
use crate::admin::one_screen::{Room, screen};
use crate::admin::open_vault::open_vault;
use crate::admin::problem::{Problem, Result};
use crate::admin::release_service::{WithoutKeys, without_keys};
use crate::admin::unlock::{Recognition, recognise};
use crate::admin::watch_service;
use crate::environment::{Cards, LIVE_NETWORK_WAIT, Margin, Patience};
use crate::opening::messages::Reason;
use crate::opening::snapshot::Snapshot;
use crate::release::no_start;
use crate::stick::plugged_in;
use crate::sys::clock;
use crate::theft::TheftState;
use crate::vault::{EventKind, LoggedEvent, Policy, ProvenRecords, StickList, VaultError};

/// Everything that `status` shows, to people and to scripts.
struct Status<'a> {
    vault: &'a Snapshot,
    recognition: Option<&'a Recognition>,
    /// `None` where the place does not open the vault.
    proven: Option<&'a ProvenRecords>,
    /// The last opening in the log.
    opened: Option<&'a LoggedEvent>,
    /// What MariaDB has of the keys from here.
    keys: KeySupply,
    /// The original that `mariadb enable`, or `disable --clear`, has left.
    original: std::io::Result<Option<Original>>,
    /// The copies that wait for their owner.
    copies: std::io::Result<Vec<KeptCopy>>,
    /// What is known of the newest backup of the database.
    backup: LastBackup,
    /// The sticks that are plugged in and get backups by themselves.
    backup_sticks: Vec<PluggedStick>,
    /// Seconds since 1970 UTC.
    now: u64,
    /// The report of the watch, if it runs.
    watch: Option<watch_service::Report>,
    /// Whether this boot went on without the keys, and who looks for the place.
    without_keys: Option<WithoutKeys>,
    /// The file of the owner's with MariaDB's keys, if they are in one.
    key_file: Option<PathBuf>,
    /// No start of MariaDB begins: an alarm or a reset has taken the keys.
    held: bool,
    /// MariaDB is stopped, and waits for somebody who releases its keys.
    waits_for_release: bool,
}

#[derive(clap::Args, Clone, Debug)]
pub struct StatusOptions {
    /// Show all of it, also where that is more than one screen
    #[arg(long)]
    all: bool,
}

/// Runs `stayput status`.
///
/// # Errors
/// When the vault cannot be read, or was changed without the key.
pub fn run(options: &StatusOptions, for_scripts: bool) -> Result<()> {
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
    let gives = proven.as_ref();
    let gives = gives.map(|proven| proven.policy.mariadb.is_some());
    let status = Status {
        keys: Dependence::seen(gives).supply(),
        vault: &snapshot,
        recognition: recognition.as_ref(),
        proven: proven.as_ref(),
        opened,
        original: mariadb::find_original(),
        copies: mariadb::kept_copies(),
        backup: LastBackup::look(),
        backup_sticks: PluggedSticks::read(&plugged_in()).sticks().to_vec(),
        now: clock::now(),
        watch: watch_service::report(),
        without_keys: without_keys(),
        key_file: mariadb::disable::key_file_in_use(),
        held: no_start::is_forbidden(),
        waits_for_release: waits_for_release(),
    };
    if for_scripts {
        json::print(status.document());
    } else {
        let room = Room::of_output(options.all);
        print!("{}", screen(status.items(), room, "stayput status --all"));
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

    /// Whether MariaDB gets its keys from here; `None` where that is not known.
    fn mariadb(&self) -> Option<bool> {
        let gives = self.policy()?.mariadb.is_some();
        Some(gives && self.keys == KeySupply::Whole)
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
}

#[cfg(test)]
pub use document::tests::example;
