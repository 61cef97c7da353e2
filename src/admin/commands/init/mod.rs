//! `stayput init`: makes the vault and the master key; of a server whose vault is
//! lost, the vault alone.

mod content;
mod existing;
mod file;
mod lost_vault;
mod overwrite;
mod partition;
mod target;

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::admin::ask;
use crate::admin::durable::write_durably;
use crate::admin::lock_file;
use crate::admin::mariadb::release_for_known_database;
use crate::admin::names::{self, NameError, SETUP_PLACE};
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::unlock::Unlocked;
use crate::admin::watch_service;
use crate::admin::ways_copies;
use crate::environment::{enrol, observe_machine, select_parts};
use crate::keys::{EarlierKeys, MasterKey};
use crate::theft::{OnStrikes, TheftPolicy};
use crate::vault::locate;
use crate::vault::{
    EventKind, FirstRecords, Header, Identity, MAX_FACTORS, Policy, ServerId, ServerName,
    SlotTable, Thresholds, VAULT_CONF, Vault, VaultConf,
};
pub use existing::{ExistingVault, refuse_beside, unnamed_vaults};
use lost_vault::{LostVault, Recovered};
use overwrite::{refuse_needed_key, refuse_second_vault, refuse_vault_there};
use target::Target;

/// Held by the one that makes a vault.
const LOCK: &str = "/run/stayput-init.lock";

#[derive(clap::Args, Debug)]
pub struct InitOptions {
    /// What people call this server (default: its host name)
    #[arg(long, value_name = "SERVER")]
    name: Option<String>,
    /// Make the vault's partition on this disk (default: the system's disk)
    #[arg(long, value_name = "DEVICE", conflicts_with = "vault")]
    disk: Option<PathBuf>,
    /// Keep the vault here: an empty partition, or a new file on the ESP or on
    /// a separate /boot
    #[arg(long, value_name = "PATH")]
    vault: Option<PathBuf>,
    /// Overwrite the vault there is; asks for the server's name
    #[arg(long)]
    force: bool,
    /// What shall follow when this server was started in foreign places too
    /// often; in force only after `stayput policy` (default: it is asked; with
    /// --yes: halt)
    #[arg(long, value_name = "WHAT")]
    on_strikes: Option<OnStrikes>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// The vault is lost: make it anew with the server's own key, from this backup
    /// stick (for example /dev/sdb1)
    #[arg(long, value_name = "DEVICE", conflicts_with_all = ["from_code", "on_strikes"])]
    from_stick: Option<PathBuf>,
    /// The vault is lost: make it anew with the server's own key, from the recovery
    /// code
    #[arg(long, conflicts_with = "on_strikes")]
    from_code: bool,
    /// /etc/stayput/vault.conf is lost, and the vault is there: name it again, by its
    /// partition or its file. Nothing is made
    #[arg(long, value_name = "PATH", exclusive = true)]
    adopt: Option<PathBuf>,
    /// A copy of /etc/stayput/ways, from the server's disk or a backup: what the code, or
    /// a stick of before the key was replaced, needs beside it
    #[arg(long, value_name = "FILE")]
    ways: Option<PathBuf>,
    /// Of which server the stick or the code is, where /etc/stayput/vault.conf does
    /// not say so: 32 digits, written beside the code and in the stick's file names
    #[arg(long, value_name = "ID", value_parser = server_id)]
    server: Option<ServerId>,
    /// Make the vault anew with this key of the server though a copy of a later one was
    /// found: who was left out when the key was replaced opens it again
    #[arg(long)]
    earlier_key: bool,
    /// Read the stick's PIN from standard input
    #[arg(long, requires = "from_stick")]
    pin_stdin: bool,
    /// Read the recovery code from standard input
    #[arg(long, requires = "from_code")]
    passphrase_stdin: bool,
}

/// Where `init` would put the vault, in words, and what `--vault` has to name for that.
/// `vault` is what the owner names.
///
/// # Errors
/// When no place can be found, or the one that is named cannot be used.
pub fn place_of_vault(vault: Option<&Path>) -> Result<(String, Option<PathBuf>)> {
    if vault.is_some() {
        let target = target::select_target(None, vault)?;
        return Ok((target.to_string(), vault.map(Path::to_owned)));
    }
    let (target, file) = target::usual_target()?;
    Ok((target.to_string(), file.map(PathBuf::from)))
}

/// What people call this server where nobody has said it: its host name.
///
/// # Errors
/// When that is no name.
pub fn usual_name() -> Result<ServerName> {
    host_name()
}

fn server_id(text: &str) -> std::result::Result<ServerId, &'static str> {
    let text = text.trim().to_ascii_lowercase();
    text.parse()
        .map_err(|_| "it has 32 digits, 0 to 9 and a to f")
}

/// Runs `stayput init`.
///
/// # Errors
/// When there is no room for a vault, or there is one already.
pub fn run(options: &InitOptions) -> Result<()> {
    if let Some(path) = &options.adopt {
        return existing::adopt(path);
    }
    match LostVault::named(options)? {
        Some(lost) => make_again(lost, options),
        None => make_new(options),
    }
}

fn make_new(options: &InitOptions) -> Result<()> {
    let name = server_name(options)?;
    if !options.force {
        refuse_beside(&unnamed_vaults(options.vault.as_deref()))?;
    }
    refuse_needed_key()?;
    let before = Before::look(options)?;
    refuse_second_vault(options)?;
    println!("The vault of \"{name}\" will be {}.", before.target);
    let wants_reset = wants_reset(options)?;
    ask::confirm("Make it now?", options.yes)?;

    let _alone = only_one()?;
    let (target, known) = before.still_holds(options)?;
    let identity = Identity {
        server_id: ServerId::random(),
        server_name: name,
        generation: 1,
        earlier: EarlierKeys::default(),
    };
    let place = target.prepare(identity.server_id)?;
    refuse_vault_there(&place, open_disk(&place)?, None, known, options)?;
    let mut unlocked = make_vault(&place, identity, MasterKey::generate(), |_| {
        let policy = Policy {
            wants_reset,
            ..Policy::default()
        };
        FirstRecords {
            policy,
            ..FirstRecords::default()
        }
    })?;
    unlocked.log(EventKind::VaultMade)?;
    write_place_file(&place)?;
    ways_copies::write_beside(&unlocked)?;
    println!(
        "The vault is made. Until a place is enrolled, this machine opens it anywhere.\n\
         Next: stayput enroll"
    );
    if wants_reset {
        println!(
            "It will not destroy its key before a stick was verified that is kept elsewhere; \
             `stayput status`\nsays what to do for that."
        );
    }
    Ok(())
}

/// Makes the vault of a server anew, whose key a stick or the code has.
fn make_again(lost: LostVault, options: &InitOptions) -> Result<()> {
    lost.must_be_lost()?;
    let lost_id = lost.server_id;
    if vault_conf().is_ok_and(|conf| conf.server_id != lost_id) {
        refuse_second_vault(options)?;
    }
    let before = Before::look(options)?;
    let name = options.name.as_deref().map(checked_name);
    let recovered = lost.recover(options, name.transpose()?)?;
    let mariadb = release_for_known_database(&recovered.keys)?;
    let name = recovered.identity.server_name.clone();
    println!(
        "The vault of \"{name}\" will be {}, with the key that it had: number {}.",
        before.target,
        recovered.keys.generation()
    );
    ask::confirm("Make it now?", options.yes)?;

    let _alone = only_one()?;
    lost.must_be_lost()?;
    let (target, known) = before.still_holds(options)?;
    let place = target.prepare(lost_id)?;
    refuse_vault_there(&place, open_disk(&place)?, Some(lost_id), known, options)?;
    let Recovered {
        identity,
        keys,
        way_in,
        ways,
        event,
    } = recovered;
    let has_database = mariadb.is_some();
    let mut unlocked = make_vault(&place, identity, keys.current().clone(), |header| {
        let (sticks, ways) = way_in.noted(header, keys.current(), ways);
        let policy = Policy {
            mariadb,
            ..Policy::default()
        };
        FirstRecords {
            policy,
            sticks,
            ways,
        }
    })?;
    unlocked.log(EventKind::VaultMade)?;
    unlocked.log(event)?;
    if has_database {
        unlocked.log(EventKind::MariadbEnabled)?;
    }
    write_place_file(&place)?;
    if let Some(kept) = ways_copies::keep_unknown_copy(&unlocked)? {
        println!("The copy of the other key is now {}.", kept.display());
    }
    ways_copies::write_beside(&unlocked)?;
    watch_service::UNIT.start_anew();
    print!("{}", after_recovery(has_database));
    Ok(())
}

/// What was seen before anybody was asked. The question may stand for hours.
struct Before {
    target: Target,
    /// vault.conf, where there was one that makes sense.
    known: Option<VaultConf>,
}

impl Before {
    fn look(options: &InitOptions) -> Result<Self> {
        let known = vault_conf().ok();
        let target = target::select_target(options.disk.as_deref(), options.vault.as_deref())?;
        Ok(Self { target, known })
    }

    /// What the owner has agreed to, if it is as it was then.
    fn still_holds(self, options: &InitOptions) -> Result<(Target, Option<VaultConf>)> {
        let Self { mut target, known } = self;
        target.let_go();
        let now = Self::look(options)?;
        if now.known == known && now.target.is_same(&target) {
            return Ok((now.target, known));
        }
        Err(Problem::refused(
            "The disk, or the vault of this server, has changed since you were asked.",
            "Nothing was changed by this. Run the command again.",
        ))
    }
}

/// Two of these commands at once would make their vaults over each other.
fn only_one() -> Result<File> {
    lock_file::only_one(LOCK, "`stayput init`")
}

/// What is there again, and what is not.
fn after_recovery(has_database: bool) -> String {
    let database = match has_database {
        true => "stayput release             the database gets its keys, here and now",
        false => "stayput mariadb enable      once its disk is mounted where it was",
    };
    format!(
        "The vault is made, with the key that this server had. Places, people, the list of other \
         sticks\nand the policy were in the lost one. Until a place is enrolled, this machine opens \
         it anywhere.\nNext, in this order:\n  {database}\n  \
         stayput enroll              this machine and what stands around it\n  \
         stayput passphrase add NAME each person who had a passphrase\n  \
         stayput stick verify DEVICE each other stick: it opens as before, and is listed again\n  \
         stayput policy              what follows a theft: it is as in a new vault\n  \
         stayput install             the next boot looks for the vault where it is now\n"
    )
}

/// Asks whether the owner wants the key destroyed when the limit of strikes is
/// reached. It is only noted: without a stick the data could be lost.
fn wants_reset(options: &InitOptions) -> Result<bool> {
    match options.on_strikes {
        Some(wish) => return Ok(wish == OnStrikes::Reset),
        None if options.yes => return Ok(false),
        None => {}
    }
    println!(
        "When it was started in foreign places {} times, this server can destroy the key on its \
         own disk:\nno place opens it then, only a backup stick. A false alarm then costs a walk \
         to the office\nstick, no data.",
        TheftPolicy::default().strikes
    );
    ask::yes("Do you want that, as soon as there is such a stick?")
}

fn server_name(options: &InitOptions) -> Result<ServerName> {
    match &options.name {
        Some(name) => checked_name(name),
        None => host_name(),
    }
}

fn host_name() -> Result<ServerName> {
    let name = nix::unistd::gethostname();
    let name = name.ok().and_then(|name| name.into_string().ok());
    checked_name(name.as_deref().unwrap_or("server"))
}

fn checked_name(name: &str) -> Result<ServerName> {
    names::name(name).map_err(|error| {
        let (what, next) = match error {
            NameError::NotReadable => ("This is no name for a server.".into(), "a plain name"),
            NameError::TooLong(most) => (
                format!("The server's name is longer than {most} bytes."),
                "a shorter one",
            ),
        };
        let next = format!("Give it {next}: stayput init --name SERVER");
        Problem::new(Exit::Usage, what, next)
    })
}

fn open_disk(place: &VaultConf) -> Result<locate::VaultDisk> {
    locate::open_disk(place).map_err(|error| {
        Problem::failed(
            format!("The vault's place cannot be opened: {error}"),
            "Check the disk, then run the command again.",
        )
    })
}

/// Makes the vault with its first slot, which this machine opens anywhere.
/// `enroll` replaces that slot by a place.
fn make_vault(
    place: &VaultConf,
    identity: Identity,
    key: MasterKey,
    first: impl FnOnce(&Header) -> FirstRecords,
) -> Result<Unlocked> {
    let observed = observe_machine();
    let chosen = select_parts(&observed, MAX_FACTORS).chosen;
    let need = Thresholds {
        machine: chosen.len() as u8,
        neighbours: 0,
        ..Thresholds::default()
    };
    let failed = |_| {
        Problem::failed(
            "This machine has nothing that tells it from another one.",
            "It has no serial number, network card or disk that says who it is.",
        )
    };
    // The slot needs the header's identity, and the vault needs the slot.
    let nobody = SlotTable::default();
    let vault = Vault::create_as(open_disk(place)?, identity, &key, &nobody, first)?;
    let setup = SETUP_PLACE.try_into().expect("a short name fits");
    let slot = enrol(vault.header(), &key, 0, setup, &chosen, need, |_, _| ()).map_err(failed)?;
    let mut slots = SlotTable {
        next_id: 1,
        ..SlotTable::default()
    };
    slots.environments.extend([Box::new(slot)]);
    let mut vault = Unlocked::new(vault, key)?;
    vault.replace_slots(&slots)?;
    Ok(vault)
}

fn write_place_file(place: &VaultConf) -> Result<()> {
    write_durably(Path::new(VAULT_CONF), place.text().as_bytes()).map_err(|error| {
        Problem::failed(
            format!("{VAULT_CONF} cannot be written: {error}."),
            "The vault itself is there. Make room or mount the disk writable, then run `stayput \
             init` again: it goes on, or says how the vault is named.",
        )
    })
}

impl Target {
    /// Makes the partition or the file, and returns how it is found again.
    fn prepare(&self, server_id: ServerId) -> Result<VaultConf> {
        let (partition, file) = match self {
            Self::NewPartition(gap) => (gap.make()?, None),
            Self::Partition { id, .. } => (id.clone(), None),
            Self::File(file) => {
                file.prepare()?;
                (file.partition.clone(), Some(file.name.clone()))
            }
        };
        Ok(VaultConf {
            server_id,
            partition,
            file,
        })
    }
}
