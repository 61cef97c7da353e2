//! Brings MariaDB one key more, in an order in which the gate lets a start pass at every
//! moment: the check file says that the key may come, the vault gives it, it is put into
//! memory, and only then the check file says that it must be there, and new tables get it.

use std::fs;
use std::path::Path;

use crate::admin::durable::write_durably;
use crate::admin::key_release;
use crate::admin::mariadb::check_file::{MARK, load_check_file};
use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::run_records::paths;
use crate::admin::mariadb::settings::{SETTINGS_FILE, settings_file};
use crate::admin::mariadb_service::CHECK_FILE;
use crate::admin::problem::{Problem, Result};
use crate::admin::unlock::Unlocked;
use crate::release::mariadb::{CheckFile, KeyFault, KeyId, MariadbRelease, ReleasedKey};
use crate::vault::EventKind;

/// Brings the key. What is done already is done once more, or is left.
///
/// # Errors
/// When the vault or a file cannot be written, an alarm has taken the keys, or there is no
/// room for another key. MariaDB starts as before; it can be run again.
pub fn bring(unlocked: &mut Unlocked, key: KeyId) -> Result<()> {
    let check = load_check_file().map_err(|(what, next)| Problem::refused(what, next))?;
    let with = release_with(unlocked, key)?;
    let keys: Vec<ReleasedKey> = with.keys(unlocked.keys()).collect();
    let derived = keys.iter().find(|derived| derived.id == key.id);
    let announced = check.announcing(derived.ok_or_else(no_room)?);
    let announced = announced.map_err(|_| no_room())?;
    announced.verify(&keys).map_err(other_keys)?;
    write(&announced)?;
    give(unlocked, key)?;
    key_release::release_keys(unlocked.keys(), &unlocked.proven.policy)?;
    let required = announced.requiring(&keys);
    write(&required)?;
    let settings = settings_file(required.key_of_new_tables());
    write_if_other(Path::new(SETTINGS_FILE), settings.as_bytes())
}

/// What the vault gives MariaDB, and this key.
fn release_with(unlocked: &Unlocked, key: KeyId) -> Result<MariadbRelease> {
    let given = unlocked.proven.policy.mariadb.as_ref();
    given.and_then(|given| given.with(key)).ok_or_else(no_room)
}

/// Has the vault give it from now on.
fn give(unlocked: &mut Unlocked, key: KeyId) -> Result<()> {
    // A person was asked meanwhile.
    unlocked.read_again()?;
    let with = release_with(unlocked, key)?;
    let mut policy = unlocked.proven.policy.draft();
    if policy.mariadb.as_ref() == Some(&with) {
        return Ok(());
    }
    policy.mariadb = Some(with);
    unlocked.set_policy(policy)?;
    unlocked.log(EventKind::PolicyChanged)
}

/// Writes the check file, and its copy beside the data first: the gate goes by the other.
fn write(check: &CheckFile) -> Result<()> {
    let data = DataDirectory::seen_at(Path::new(check.data_directory()));
    let (text, beside) = (check.to_text(), data.real().join(MARK));
    for path in [beside.as_path(), Path::new(CHECK_FILE)] {
        write_if_other(path, text.as_bytes())?;
    }
    Ok(())
}

fn write_if_other(path: &Path, text: &[u8]) -> Result<()> {
    match fs::read(path) {
        Ok(there) if there == text => Ok(()),
        _ => write_durably(path, text).map_err(paths::problem),
    }
}

fn other_keys(_: KeyFault) -> Problem {
    Problem::refused(
        "The database has other keys than this vault. Nothing was changed.",
        "Use the vault, or a backup stick, of the server that it comes from.",
    )
}

/// That MariaDB cannot be given another key.
pub fn no_room() -> Problem {
    Problem::refused(
        "MariaDB has as many keys as the vault gives it. Nothing was changed.",
        "A database that is made anew needs none of them: stayput mariadb disable --clear, then \
         stayput mariadb enable.",
    )
}
