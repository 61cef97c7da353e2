//! The keys of backups where they are in memory, and what the server remembers of its
//! backups on the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::admin::durable::write_durably;
use crate::admin::problem::{Problem, Result};
use crate::backup::keys::MANIFEST_KEY_FILE;
use crate::backup::{ManifestKey, ManifestKeys, Newest, NotAuthentic};
use crate::release::RELEASE_FOLDER;

use super::tools::AGE_KEYGEN;

/// Held by the one command that writes or removes backups.
pub const LOCK: &str = "/run/stayput-backup.lock";

const FILE: &str = "/var/lib/stayput/backup.newest";

/// The keys of the manifests, which were released with MariaDB's.
///
/// # Errors
/// When they are not in memory.
pub fn released_manifest_keys() -> Result<ManifestKeys> {
    let path = Path::new(RELEASE_FOLDER).join(MANIFEST_KEY_FILE);
    let mut options = OpenOptions::new();
    let options = options.read(true).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Problem::refused(
            "The key that backups are signed with is not in memory.",
            "Run: stayput release --no-start. It is put there at each boot from the next one on.",
        ),
        _ => Problem::of_file(&path, &error),
    })?;
    let mut bytes = Zeroizing::new([0; ManifestKeys::RELEASED_MAX + 1]);
    let read = file.read(&mut bytes[..]).unwrap_or(0);
    let owner = file.metadata().map(|file| file.uid());
    let keys = ManifestKeys::from_released(&bytes[..read]);
    keys.filter(|_| owner.ok() == Some(0)).ok_or_else(|| {
        Problem::failed(
            format!("{} is damaged.", path.display()),
            "Run: stayput release --no-start",
        )
    })
}

/// Whether this server has never made a backup.
pub fn is_nothing_remembered() -> bool {
    matches!(Path::new(FILE).try_exists(), Ok(false))
}

/// The keys of the manifests, where they are in memory and whole.
pub fn read_released_keys() -> Option<ManifestKeys> {
    released_manifest_keys().ok()
}

/// What the server remembers of its backups; `None` before the first one. What somebody
/// else has written there is said, and counts as nothing.
///
/// # Errors
/// When it cannot be read.
pub fn newest(keys: &ManifestKeys) -> Result<Option<Newest>> {
    match read_newest(keys) {
        Err(NotRead::NotAuthentic(why)) => {
            eprintln!("stayput: warning: {FILE} does not count: {why}");
            Ok(None)
        }
        Err(NotRead::File(error)) => Err(Problem::of_file(FILE, &error)),
        Ok(newest) => Ok(newest),
    }
}

/// Why nobody knows what the server remembers.
pub enum NotRead {
    /// What the filesystem says.
    File(io::Error),
    /// Somebody else has written it.
    NotAuthentic(NotAuthentic),
}

/// As [`newest`], and says nothing.
///
/// # Errors
/// [`NotRead`].
pub fn read_newest(keys: &ManifestKeys) -> std::result::Result<Option<Newest>, NotRead> {
    let file = match File::open(FILE) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(NotRead::File)?,
    };
    let mut bytes = Vec::new();
    let read = file.take(Newest::MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(NotRead::File)?;
    let newest = Newest::open_by_any(&bytes, keys);
    newest.map(Some).map_err(NotRead::NotAuthentic)
}

/// Notes what the server is to remember of its backups.
///
/// # Errors
/// What the filesystem says.
pub fn remember(newest: &Newest, key: &ManifestKey) -> Result<()> {
    let written = write_durably(Path::new(FILE), &newest.close(key));
    written.map_err(|error| Problem::of_file(FILE, &error))
}

/// Whom to encrypt for, so that this identity of age decrypts it.
///
/// # Errors
/// When age does not tell.
pub fn recipient_of(identity: &str) -> Result<heapless::String<128>> {
    let failed = |why: String| {
        Problem::failed(
            format!("age-keygen failed: {why}."),
            "Is the package age installed whole? `dpkg --audit` tells.",
        )
    };
    let mut command = Command::new(AGE_KEYGEN);
    command.arg("-y").env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let child = command.stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| failed(error.to_string()))?;
    let mut input = child.stdin.take().expect("it is piped");
    // Why it takes no more is told below.
    let _ = input.write_all(identity.as_bytes());
    drop(input);
    let output = child.wait_with_output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        return Err(failed(words(&output.stderr)));
    }
    let recipient = words(&output.stdout);
    let is_one =
        recipient.starts_with("age1") && recipient.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let short = heapless::String::try_from(recipient.as_str()).ok();
    short
        .filter(|_| is_one)
        .ok_or_else(|| failed("it names no recipient".into()))
}
