//! `stayput mariadb gate` and `close`: what stands between a start of MariaDB
//! and its files.
//!
//! The unit runs the gate before everything else of a start. The gate gathers,
//! leaves the decision to [`settings_faults`], and opens the data directory only
//! where there is no fault.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use zeroize::Zeroizing;

use crate::admin::key_release;
use crate::admin::mariadb_service::CHECK_FILE;
use crate::admin::problem::{Problem, Result};
use crate::admin::systemd;
use crate::admin::unlock::{UnlockOptions, unlock_with_cards};
use crate::environment::Cards;
use crate::release;
use crate::release::mariadb::{KeyFile, ReleasedKey};

use crate::admin::mariadb::check_file::{not_started, read_bounded, read_check_file};
use crate::admin::mariadb::data_directory::{DataDirectory, Door};
use crate::admin::mariadb::launch::{EnvironmentSource, Launch, UNIT, own_unit};
use crate::admin::mariadb::open_for::OpenFor;
use crate::admin::mariadb::process::working_in;
use crate::admin::mariadb::run_records::{Ends, find_original};
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::settings::KEY_FILE;
use crate::admin::mariadb::start_faults::{StartFault, settings_faults};
use crate::admin::mariadb::version::version_fault;

const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

/// Opens the data directory for the unit of MariaDB that runs this command, or for
/// the package's unit.
///
/// # Errors
/// When something stands against the start; with what to do.
pub fn gate() -> Result<()> {
    let (unit, asked) = match own_unit() {
        Some(unit) => (unit, EnvironmentSource::ByUnit),
        None => (UNIT.into(), EnvironmentSource::ByHand),
    };
    admit(&unit, asked)
}

/// Opens the data directory for a start of this unit.
///
/// # Errors
/// When something stands against the start; with what to do.
pub fn gate_of(unit: &str) -> Result<()> {
    admit(unit, EnvironmentSource::ByUnit)
}

fn admit(unit: &str, asked: EnvironmentSource) -> Result<()> {
    let check = read_check_file()?;
    let data = DataDirectory::seen_at(Path::new(check.data_directory()));
    check_data_directory(&data)?;
    let user = ServiceUser::find()?;
    bring_keys_back()?;
    let keys = read_key_file(Path::new(KEY_FILE), &user)?;
    let stopped = |problem: Problem| not_started(problem.what, problem.next);
    let launch = Launch::of(unit, asked, &user, &[data.seen(), data.real()]).map_err(stopped)?;
    let config = launch.configuration(&user).map_err(stopped)?;
    let settings = config
        .iter()
        .flat_map(|config| settings_faults(config, &check, &keys));
    let mut faults = launch
        .faults
        .iter()
        .cloned()
        .map(StartFault::Launch)
        .chain(settings);
    if let Some(first) = faults.next() {
        let problem = not_started(first.to_string(), first.next());
        for also in faults {
            eprintln!("stayput: also: {also}");
        }
        return Err(problem);
    }
    // Only a warning: refusing would do more harm than it prevents.
    if let Some(fault) = config.and_then(|config| version_fault(config.program())) {
        eprintln!("stayput: warning: {fault}. {}", fault.next());
    }
    let mut open_for = OpenFor::read();
    if let Some(other) = open_for.another_that_is_up(Some(unit)) {
        return Err(not_started(
            format!("{other} has the database open"),
            format!("One MariaDB at a time: `systemctl stop {other}`."),
        ));
    }
    data.open().map_err(|error| {
        not_started(
            format!("{} cannot be opened: {error}", data.real().display()),
            "Look at the kernel's log (`dmesg`) for a disk that fails.",
        )
    })?;
    if asked == EnvironmentSource::ByUnit {
        open_for.add(unit);
    }
    println!(
        "stayput: every key and setting is right; {} is open",
        data.seen().display()
    );
    Ok(())
}

/// Closes the data directory. Does nothing on a server that was not enrolled, nor
/// while a mariadbd works in it or is being started: the failed start of a second
/// instance must not close it under another one.
///
/// # Errors
/// When it cannot be closed.
pub fn close() -> Result<()> {
    if !Path::new(CHECK_FILE).exists() {
        return Ok(());
    }
    let check = read_check_file()?;
    let data = DataDirectory::seen_at(Path::new(check.data_directory()));
    let mut open_for = OpenFor::read();
    if let Some(unit) = own_unit() {
        open_for.remove(&unit);
    }
    if let Some(process) = working_in(data.real()) {
        println!("stayput: mariadbd (process {process}) still works in its data; it stays open");
        return Ok(());
    }
    if let Some(unit) = open_for.another_that_is_up(None) {
        println!("stayput: {unit} is being started; its data stays open");
        return Ok(());
    }
    // The cover would be another filesystem at the place whose end systemd waits for while
    // the machine goes down: with data on LUKS, it then waits for ever (257). The cover is
    // for updates of the package, which come only after the next start.
    let closed = match systemd::is_stopping() {
        true => data.take_away(),
        false => data.close(),
    };
    closed.map_err(|error| {
        Problem::failed(
            format!("{} could not be closed: {error}", data.seen().display()),
            "Do not start MariaDB by hand; restart the server.",
        )
    })
}

fn check_data_directory(data: &DataDirectory) -> Result<()> {
    let seen = data.seen().display();
    let unreadable = |error: io::Error| {
        not_started(
            format!("{seen} cannot be read: {error}"),
            "Look at `dmesg`.",
        )
    };
    let real = fs::read_dir(data.real()).and_then(|mut entries| entries.next().transpose());
    if !matches!(real, Ok(Some(_))) {
        let original = find_original().ok().flatten();
        return Err(not_started(
            format!("{} is empty or missing", data.real().display()),
            original
                .filter(|original| original.ends == Ends::Run)
                .map_or(
                    "Is its disk mounted? Otherwise restore the database from a backup.",
                    |original| original.next(),
                ),
        ));
    }
    match data.door().map_err(unreadable)? {
        Door::Open | Door::Covered => Ok(()),
        Door::Bare if data.has_notice() => Ok(()),
        Door::Bare | Door::Unguarded | Door::Missing => {
            let owner = fs::metadata(data.real()).map_err(unreadable)?;
            data.guard(owner.uid(), owner.gid()).map_err(unreadable)
        }
        Door::Foreign => Err(not_started(
            format!("{seen} holds files that are not this server's database"),
            format!("Move them away: `mv {seen} {seen}.foreign`. Then start MariaDB again."),
        )),
    }
}

/// Releases the keys again that were removed after the last start, if this place
/// opens the vault. Nothing unproven decides: the mark was left by a release that
/// had proven the policy, and the vault is proven again before anything is
/// released.
fn bring_keys_back() -> Result<()> {
    if Path::new(KEY_FILE).exists() || !release::leaves_when_read() {
        return Ok(());
    }
    let bring = || {
        // As the boot stage, which a card that nobody has configured has opened.
        let unlocked = unlock_with_cards(&UnlockOptions::default(), Cards::PutUp)?;
        key_release::release_keys(unlocked.keys(), &unlocked.proven.policy)
    };
    bring().map_err(|problem: Problem| {
        let why = problem.what.trim_end_matches('.');
        not_started(
            format!("its keys left memory after the last start, and do not come back: {why}"),
            "Plug in a backup stick and run: stayput release --stick /dev/sdX1. \
             Then start MariaDB again.",
        )
    })
}

/// Reads the key file. It must be in memory and readable by MariaDB alone.
fn read_key_file(path: &Path, user: &ServiceUser) -> Result<Vec<ReleasedKey>> {
    let again = "Run `stayput release`, or restart the server. Then start MariaDB again.";
    let refuse = |what: String| not_started(format!("{} {what}", path.display()), again);
    let directory = path.parent().unwrap_or(Path::new("/"));
    let in_memory = statfs(directory)
        .is_ok_and(|fs| [TMPFS_MAGIC, RAMFS_MAGIC].contains(&fs.filesystem_type()));
    let own = |path: &Path| fs::metadata(path).map(|at| at.dev()).ok();
    if !in_memory || own(directory) == directory.parent().and_then(own) {
        return Err(not_started(
            format!(
                "nothing was released: {} is not mounted",
                directory.display()
            ),
            again,
        ));
    }
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let at = file
        .metadata()
        .map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let mode = at.permissions().mode() & 0o7777;
    if !at.is_file() || at.uid() != user.uid || mode != 0o400 {
        return Err(refuse(format!(
            "is owned by {} with mode {mode:04o} instead of {} with mode 0400",
            at.uid(),
            user.uid
        )));
    }
    if !user.may_read(path) {
        return Err(refuse("cannot be read by the user mysql".into()));
    }
    let bytes = read_bounded(file, KeyFile::MAX)
        .map_err(|error| refuse(format!("cannot be read: {error}")))?;
    let keys = KeyFile::parse(&Zeroizing::new(bytes))
        .map_err(|error| refuse(format!("is damaged ({error:?})")))?;
    Ok(keys.into_iter().collect())
}
