//! Gathering what there is to see, with the boot stage's own code. The vault is
//! only read, and the key that opens it is dropped before anything is said.

use super::initramfs::{self, InitramfsFacts};
use super::key_servers::{self, KeyServerFacts};
use super::mariadb::MariadbFacts;
use super::sticks::SticksFacts;
use super::vault::{Place, VaultFacts};
use crate::admin::mariadb;
use crate::admin::mariadb::ClearOriginal;
use crate::admin::mariadb::cold_backups::{self, ColdBackup};
use crate::admin::mariadb_service::is_enabled;
use crate::admin::names::SETUP_PLACE;
use crate::admin::open_vault::vault_place;
use crate::admin::own_addresses::{Moved, moved, own_addresses_now};
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::{Recognition, recognise};
use crate::environment::Observed;
use crate::keys::MasterKey;
use crate::opening::messages::Reason;
use crate::opening::snapshot::Snapshot;
use crate::sys::clock;
use crate::vault::locate::{self, LocateError, VaultDisk};
use crate::vault::{Policy, SlotTable, Vault};

pub struct Facts {
    /// Seconds since 1970 (UTC).
    pub now: u64,
    pub initramfs: InitramfsFacts,
    pub vault: std::result::Result<VaultFacts, LocateError>,
    pub key_servers: Vec<KeyServerFacts>,
    pub mariadb: MariadbFacts,
    /// A clear copy of the database, and what ends it.
    pub original: std::io::Result<Option<ClearOriginal>>,
    /// Backups that copy the database's files, which the gate takes away.
    pub backups: Vec<ColdBackup>,
    /// `None` where the list cannot be read.
    pub sticks: Option<SticksFacts>,
}

/// # Errors
/// When there is no vault to be looked for, or the caller may not look.
pub fn gather() -> Result<Facts> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Problem::refused(
            "Only root can look at the vault and the initramfs.",
            "Run the command as root.",
        ));
    }
    let place = vault_place()?;
    let initramfs = initramfs::look(&place);
    let (vault, policy, key, sticks, key_servers) = match locate::look(&place) {
        Ok(vault) => {
            let Seen {
                facts,
                policy,
                key,
                sticks,
                key_servers,
            } = look_at(&vault);
            (Ok(facts), policy, key, sticks, key_servers)
        }
        Err(error) => (Err(error), None, None, None, Vec::new()),
    };
    let release = policy.and_then(|policy| policy.mariadb);
    let standing =
        (release.is_some() || is_enabled()).then(|| mariadb::look(release.as_ref(), key.as_ref()));
    Ok(Facts {
        now: clock::now(),
        initramfs,
        vault,
        key_servers,
        mariadb: standing,
        original: mariadb::find_original(),
        backups: match is_enabled() {
            true => cold_backups::here(),
            false => Vec::new(),
        },
        sticks,
    })
}

struct Seen {
    facts: VaultFacts,
    policy: Option<Policy>,
    key: Option<MasterKey>,
    sticks: Option<SticksFacts>,
    key_servers: Vec<KeyServerFacts>,
}

fn look_at(vault: &Vault<VaultDisk>) -> Seen {
    let found = Snapshot::of(vault);
    let slots = found.slots();
    let recognition = slots.ok().and_then(|slots| recognise(vault, slots));
    let policy = found.policy.as_ref();
    let policy = policy.map(|policy| policy.as_claimed().clone());
    let facts = VaultFacts {
        state: found.state,
        policy: policy.as_ref().map(|policy| policy.theft),
        wants_reset: policy.as_ref().is_some_and(|policy| policy.wants_reset),
        once: vault.standing_once().unwrap_or_default(),
        place: place(vault, &found, recognition.as_ref()),
        way_back: found.way_back(&[]),
    };
    let key_servers = slots.map_or_else(|_| Vec::new(), key_servers::look);
    let passphrases = slots.map_or(0, |slots| slots.passphrases.slots().len());
    Seen {
        facts,
        policy,
        key: recognition.and_then(|found| found.key),
        sticks: found.listed().map(|list| SticksFacts {
            list: list.clone(),
            generation: found.header.generation,
            passphrases,
        }),
        key_servers,
    }
}

fn place(
    vault: &Vault<VaultDisk>,
    snapshot: &Snapshot,
    recognition: Option<&Recognition>,
) -> Place {
    let opened = recognition.and_then(|found| Some((found, found.key.as_ref()?)));
    let Some((found, key)) = opened else {
        let nothing = Observed::default();
        let observed = recognition.map_or(&nothing, |found| &found.observed);
        return Place::Locked(match snapshot.situation(observed).reason(None) {
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
    Place::Opens {
        setup: found.place == SETUP_PLACE,
        name: found.place.clone(),
        same: compared.map(|compared| compared.same).unwrap_or_default(),
        need: found.need,
        changed: compared.map_or_else(Vec::new, |compared| labels(&compared.changed)),
        silent: compared.map_or_else(Vec::new, |compared| labels(&compared.silent)),
        moved: snapshot
            .slots()
            .map_or_else(|_| Vec::new(), |slots| moved_at(slots, &found.place)),
        altered: vault.prove(key).err(),
    }
}

/// At the other place this server has other addresses anyway.
fn moved_at(slots: &SlotTable, place: &str) -> Vec<Moved> {
    let mut places = slots.environments.iter();
    let here = places.find(|slot| slot.name == place);
    here.map_or_else(Vec::new, |slot| {
        moved(&slot.addresses, &own_addresses_now(slot))
    })
}
