//! Gathers what the check judges, with the boot stage's own code. The vault is only
//! read, and the key that opens it is dropped before anything is printed.

use std::path::PathBuf;

use super::held::KeyFacts;
use super::key_servers::{self, KeyServerFacts};
use super::late_release::LateReleaseFacts;
use super::mariadb::MariadbFacts;
use super::sticks::SticksFacts;
use super::vault::{PlaceResult, VaultFacts};
use super::watch::WatchFacts;
use super::ways::{self, WaysFacts};
use crate::admin::backup::LastBackup;
use crate::admin::initramfs::{self, InitramfsFacts};
use crate::admin::mariadb;
use crate::admin::mariadb::cold_backups::{self, ColdBackup};
use crate::admin::mariadb::{KeptCopy, Original};
use crate::admin::mariadb_service::{is_enabled, waits_for_release};
use crate::admin::names::SETUP_PLACE;
use crate::admin::open_vault::{copy_beside, vault_conf};
use crate::admin::own_addresses::{AddressChange, address_changes, current_addresses};
use crate::admin::problem::Result;
use crate::admin::release_service;
use crate::admin::systemd;
use crate::admin::unlock::{Recognition, recognise};
use crate::admin::watch_service;
use crate::environment::{
    Cards, LIVE_NETWORK_WAIT, Observed, Patience, Unsuitable, note_latecomers, unsuitable_today,
};
use crate::keys::{Keyring, MasterKey};
use crate::opening::messages::Reason;
use crate::opening::places::Places;
use crate::opening::snapshot::Snapshot;
use crate::release::no_start;
use crate::sys::clock;
use crate::theft::{OnAlarm, OnFailure};
use crate::vault::locate::{self, LocateError, VaultDisk};
use crate::vault::{Header, Policy, SlotTable, Vault, VaultConf};

/// Everything that the check judges.
pub struct Facts {
    /// Seconds since 1970 (UTC).
    pub now: u64,
    /// The installed initramfs images.
    pub initramfs: InitramfsFacts,
    /// The vault and the place, or why the vault cannot be opened.
    pub vault: std::result::Result<VaultFacts, LocateError>,
    /// The ways to what answers; `None` where no place opens the vault.
    pub ways: Option<WaysFacts>,
    /// Each enrolled key server.
    pub key_servers: Vec<KeyServerFacts>,
    /// The watch over the running server.
    pub watch: WatchFacts,
    /// `None` where MariaDB gets no keys from here.
    pub mariadb: MariadbFacts,
    /// The file of the owner's with MariaDB's keys, where nothing of the gate is left.
    pub key_file: Option<PathBuf>,
    /// A move from behind the gate, or back, has not ended.
    pub move_under_way: bool,
    /// Whether MariaDB waits for somebody who releases its keys.
    pub keys: KeyFacts,
    /// What follows a start without the keys.
    pub late_release: LateReleaseFacts,
    /// A clear copy of the database, and what ends it.
    pub original: std::io::Result<Option<Original>>,
    /// The copies that wait for their owner.
    pub copies: std::io::Result<Vec<KeptCopy>>,
    /// Backups that copy the database's files, which are absent while MariaDB is
    /// stopped.
    pub backups: Vec<ColdBackup>,
    /// What is known of the newest backup that `stayput backup` has made.
    pub newest_backup: LastBackup,
    /// `None` where the list cannot be read.
    pub sticks: Option<SticksFacts>,
}

/// # Errors
/// When there is no vault.conf.
pub fn gather(cards: Cards) -> Result<Facts> {
    let place = vault_conf()?;
    let initramfs = initramfs::inspect(&place);
    let read = locate::open_read_only(&place).map(|vault| read_vault(vault, &place, cards));
    let (vault, read) = match read {
        Ok((facts, read)) => (Ok(facts), read),
        Err(error) => (Err(error), VaultReading::default()),
    };
    let VaultReading {
        policy,
        keys,
        sticks,
        key_servers,
        ways,
    } = read;
    let watch = watch(policy.as_ref(), ways.as_ref());
    let goes_on = policy.as_ref().map(|policy| policy.theft.on_failure);
    let late_release = LateReleaseFacts {
        goes_on_locked: goes_on == Some(OnFailure::Continue),
        has_systemd: systemd::installed(),
        unit_in_place: release_service::UNIT.is_in_place(),
        hides_a_packages: release_service::UNIT.hides_a_packages(),
    };
    let release = policy.and_then(|policy| policy.mariadb);
    let assessment = (release.is_some() || is_enabled())
        .then(|| mariadb::assess_start(release.as_ref(), keys.as_ref()));
    Ok(Facts {
        now: clock::now(),
        initramfs,
        vault,
        ways,
        key_servers,
        watch,
        mariadb: assessment,
        key_file: mariadb::disable::key_file_in_use(),
        move_under_way: mariadb::disable::is_under_way(),
        keys: KeyFacts {
            held: no_start::is_forbidden(),
            // One that was started without them is told of, and looks for its place.
            waits_for_release: release_service::without_keys().is_none() && waits_for_release(),
        },
        late_release,
        original: mariadb::find_original(),
        copies: mariadb::kept_copies(),
        backups: match is_enabled() {
            true => cold_backups::of_this_server(),
            false => Vec::new(),
        },
        newest_backup: LastBackup::look(),
        sticks,
    })
}

/// The watch, as this policy and the place that opens the vault want it.
fn watch(policy: Option<&Policy>, place: Option<&WaysFacts>) -> WatchFacts {
    let on_alarm = policy.map(|policy| policy.theft.watch.on_alarm);
    WatchFacts {
        is_wanted: on_alarm.is_some_and(|on_alarm| on_alarm != OnAlarm::Off)
            && place.is_some_and(|place| place.need.binds_to_a_place()),
        has_systemd: systemd::running(),
        unit_in_place: watch_service::UNIT.is_in_place(),
        hides_a_packages: watch_service::UNIT.hides_a_packages(),
        is_running: watch_service::UNIT.is_running(),
        waits_for_keys: release_service::without_keys().is_some(),
    }
}

/// What is read of the vault besides what is judged of it.
#[derive(Default)]
struct VaultReading {
    policy: Option<Policy>,
    keys: Option<Keyring>,
    sticks: Option<SticksFacts>,
    key_servers: Vec<KeyServerFacts>,
    ways: Option<WaysFacts>,
}

fn read_vault(
    vault: Vault<VaultDisk>,
    conf: &VaultConf,
    cards: Cards,
) -> (VaultFacts, VaultReading) {
    let found = Snapshot::of(&vault);
    let single_copies = vault.degraded_records();
    // Looking around takes seconds. Where the vault is a file, a reset could not mount its
    // filesystem meanwhile.
    drop(vault);
    let slots = found.slots();
    let patience = Patience::until_all_answer(LIVE_NETWORK_WAIT).and_second_answers();
    let recognition = slots.ok();
    let mut recognition =
        recognition.and_then(|slots| recognise(&found.header, slots, cards, patience));
    if let (Some(found), Some(started)) = (&mut recognition, systemd::start_finished()) {
        note_latecomers(&mut found.observed, started);
    }
    let policy = found.policy.as_ref();
    let policy = policy.map(|policy| policy.as_claimed().clone());
    let facts = VaultFacts {
        state: found.state,
        policy: policy.as_ref().map(|policy| policy.theft),
        wants_reset: policy.as_ref().is_some_and(|policy| policy.wants_reset),
        single_copies,
        place: place(conf, &found, recognition.as_ref()),
        unasked: recognition.as_ref().and_then(Recognition::unasked),
        way_back: found.way_back(&[]),
    };
    let key_servers = slots.map_or_else(|_| Vec::new(), key_servers::ask_all);
    let passphrases = slots.map_or(0, |slots| slots.passphrases.slots().len());
    let ways = recognition.as_ref().and_then(|found| {
        let mut places = slots.ok()?.environments.iter();
        let here = places.find(|slot| slot.name == *found.place)?;
        ways::look(here, found)
    });
    let reading = VaultReading {
        policy,
        keys: recognition.and_then(|place| found.header.keyring(&place.key?).ok()),
        sticks: found.listed().map(|list| SticksFacts {
            list: list.clone(),
            ways: found.ways.as_claimed().clone(),
            generation: found.header.generation,
            passphrases,
            copy: copy_beside(&found.header.server_id).map(|copy| copy.generation),
        }),
        key_servers,
        ways,
    };
    (facts, reading)
}

fn place(conf: &VaultConf, snapshot: &Snapshot, recognition: Option<&Recognition>) -> PlaceResult {
    let opened = recognition.and_then(|found| Some((found, found.key.as_ref()?)));
    let Some((found, key)) = opened else {
        let (nothing, untried) = (Observed::default(), Places::default());
        let tried = recognition.map(|found| (&found.observed, &found.places));
        let (observed, places) = tried.unwrap_or((&nothing, &untried));
        return PlaceResult::Locked(match snapshot.situation(observed, places).reason(None) {
            // Everybody who was waited for has answered.
            Reason::NotYetRecognised => Reason::NotRecognised,
            reason => reason,
        });
    };
    let compared = found.comparison.as_ref();
    let labels = |labels: &[crate::vault::Label]| {
        let labels = labels.iter();
        labels.map(|label| label.to_string()).collect()
    };
    PlaceResult::Opens {
        setup: found.place == SETUP_PLACE,
        name: found.place.clone(),
        same: compared.map(|compared| compared.same).unwrap_or_default(),
        need: found.need,
        changed: compared.map_or_else(Vec::new, |compared| labels(&compared.changed)),
        silent: compared.map_or_else(Vec::new, |compared| labels(&compared.silent)),
        unsuitable: snapshot.slots().map_or_else(
            |_| Vec::new(),
            |slots| unsuitable_at(&snapshot.header, slots, found, key),
        ),
        address_changes: snapshot.slots().map_or_else(
            |_| Vec::new(),
            |slots| address_changes_at(slots, &found.place),
        ),
        altered: prove(conf, key).err(),
    }
}

fn prove(conf: &VaultConf, key: &MasterKey) -> std::result::Result<(), LocateError> {
    locate::open_read_only(conf)?.prove(key)?;
    Ok(())
}

/// What of the place that was recognised would not be enrolled today.
fn unsuitable_at(
    header: &Header,
    slots: &SlotTable,
    found: &Recognition,
    key: &MasterKey,
) -> Vec<(String, Unsuitable)> {
    let mut places = slots.environments.iter();
    let here = places.find(|slot| slot.name == *found.place);
    let unsuitable = here.and_then(|slot| {
        let enrolled = slot.enrolled_values(header, key).ok()?;
        Some(unsuitable_today(slot, &enrolled, &found.observed))
    });
    let unsuitable = unsuitable.into_iter().flatten();
    unsuitable
        .map(|(label, why)| (label.to_string(), why))
        .collect()
}

/// The changed own addresses of the place that was recognised. At another place
/// the server has other addresses anyway.
fn address_changes_at(slots: &SlotTable, place: &str) -> Vec<AddressChange> {
    let mut places = slots.environments.iter();
    let here = places.find(|slot| slot.name == place);
    here.map_or_else(Vec::new, |slot| {
        address_changes(&slot.addresses, &current_addresses(slot))
    })
}
