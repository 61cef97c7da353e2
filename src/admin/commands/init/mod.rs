//! `stayput init`: makes the vault and the master key.

mod file;
mod partition;
mod target;

use std::path::{Path, PathBuf};

use crate::admin::ask;
use crate::admin::durable::write_durably;
use crate::admin::names::{self, NameError, SETUP_PLACE};
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::unlock::Unlocked;
use crate::environment::{enrol, observe_machine, select_parts};
use crate::keys::MasterKey;
use crate::theft::{OnStrikes, TheftPolicy};
use crate::vault::locate;
use crate::vault::{
    EventKind, MAX_FACTORS, Policy, ServerId, ServerName, SlotTable, Thresholds, VAULT_CONF, Vault,
    VaultConf,
};
use target::Target;

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
}

/// Runs `stayput init`.
///
/// # Errors
/// When there is no room for a vault, or there is one already.
pub fn run(options: &InitOptions) -> Result<()> {
    let name = server_name(options)?;
    refuse_second_vault(options)?;
    let target = target::select_target(options.disk.as_deref(), options.vault.as_deref())?;
    println!("The vault of \"{name}\" will be {target}.");
    let wants_reset = wants_reset(options)?;
    ask::confirm("Make it now?", options.yes)?;

    let server_id = ServerId::random();
    let place = target.prepare(server_id)?;
    refuse_vault_there(&place, options)?;
    make_vault(&place, server_id, name, wants_reset)?;
    write_place_file(&place)?;
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
    let answer = ask::line("Do you want that, as soon as there is such a stick? [yes/no] ")?;
    Ok(matches!(answer.as_str(), "yes" | "y"))
}

fn server_name(options: &InitOptions) -> Result<ServerName> {
    let host = || {
        nix::unistd::gethostname()
            .ok()
            .and_then(|name| name.into_string().ok())
            .unwrap_or_else(|| "server".into())
    };
    let name = options.name.clone().unwrap_or_else(host);
    names::name(&name).map_err(|error| {
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

/// One server has one vault.
fn refuse_second_vault(options: &InitOptions) -> Result<()> {
    if !Path::new(VAULT_CONF).exists() {
        return Ok(());
    }
    // A place file that makes no sense needs --force as well.
    let vault = vault_conf()
        .ok()
        .and_then(|conf| locate::open_read_only(&conf).ok());
    may_overwrite(
        vault.as_ref().map(|vault| &vault.header().server_name),
        options,
    )
}

/// A partition that was found may hold a vault that no file here names.
fn refuse_vault_there(place: &VaultConf, options: &InitOptions) -> Result<()> {
    let disk = open_disk(place)?;
    match Vault::open_unrepaired(disk) {
        Ok(vault)
            if vault_conf().is_ok_and(|known| known.server_id == vault.header().server_id) =>
        {
            // The owner has agreed already.
            Ok(())
        }
        Ok(vault) => may_overwrite(Some(&vault.header().server_name), options),
        Err(_) => Ok(()),
    }
}

fn may_overwrite(name: Option<&ServerName>, options: &InitOptions) -> Result<()> {
    let name = name.map_or("unknown", |name| name.as_str());
    if !options.force {
        return Err(Problem::refused(
            format!("There is a vault already: of the server \"{name}\"."),
            "Nothing was changed. To replace it, and lose what only its key opens: --force",
        ));
    }
    // Scripts confirm it with --name.
    if options.yes && options.name.as_deref() == Some(name) {
        return Ok(());
    }
    println!("What is encrypted with the old key is lost, unless a stick still has it.");
    if ask::line(&format!(
        "Type the server's name ({name}) to replace its vault: "
    ))? == name
    {
        return Ok(());
    }
    Err(Problem::refused(
        "That is not the server's name.",
        "Nothing was changed.",
    ))
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
    server_id: ServerId,
    name: ServerName,
    wants_reset: bool,
) -> Result<()> {
    let key = MasterKey::generate();
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
    let vault = Vault::create(
        open_disk(place)?,
        server_id,
        name,
        &key,
        &SlotTable::default(),
    )?;
    let setup = SETUP_PLACE.try_into().expect("a short name fits");
    let slot = enrol(vault.header(), &key, 0, setup, &chosen, need, |_, _| ()).map_err(failed)?;
    let mut slots = SlotTable {
        next_id: 1,
        ..SlotTable::default()
    };
    slots.environments.extend([Box::new(slot)]);
    let mut vault = Unlocked::new(vault, key)?;
    vault.replace_slots(&slots)?;
    if wants_reset {
        vault.set_policy(Policy {
            wants_reset,
            ..Policy::default()
        })?;
    }
    vault.log(EventKind::VaultMade)
}

fn write_place_file(place: &VaultConf) -> Result<()> {
    write_durably(Path::new(VAULT_CONF), place.text().as_bytes()).map_err(|error| {
        Problem::failed(
            format!("{VAULT_CONF} cannot be written: {error}."),
            "Make room or mount the disk writable, then run: stayput init --force",
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
                file.fill()?;
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
