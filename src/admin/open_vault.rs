//! The vault that vault.conf names, opened without the master key.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::admin::child_work::{ChildWork, NoAnswer};
use crate::admin::problem::{Problem, ProblemKind, Result};
use crate::stick;
use crate::vault::locate::{self, COMMAND_WAITS, VaultDisk};
use crate::vault::{
    Header, ServerId, VAULT_CONF, VAULT_CONF_BYTES, Vault, VaultConf, WAYS_COPY, Ways, WaysCopy,
};

/// Reads vault.conf, which says where the vault is.
///
/// # Errors
/// When there is no such file or it makes no sense.
pub fn vault_conf() -> Result<VaultConf> {
    let mut text = String::new();
    let read = File::open(VAULT_CONF).and_then(|file| {
        let longest = VAULT_CONF_BYTES as u64 + 1;
        file.take(longest).read_to_string(&mut text)
    });
    read.map_err(|error| no_conf(&error))?;
    VaultConf::parse(&text).map_err(|error| {
        Problem::failed(
            format!("{VAULT_CONF} makes no sense (line {}).", error.line),
            NOT_READABLE,
        )
        .of_kind(ProblemKind::NotReadable)
    })
}

const NOT_READABLE: &str = "Put the file back from a backup; the initramfs holds a copy. Or name \
                            the vault again: stayput init --adopt PATH";

/// Why vault.conf was not read. Only where it is not there has the server no vault.
fn no_conf(error: &io::Error) -> Problem {
    match error.kind() {
        ErrorKind::NotFound => Problem::failed(
            format!("This server has no vault yet ({VAULT_CONF} is not there)."),
            "Run: stayput init",
        )
        .of_kind(ProblemKind::NotThere),
        ErrorKind::PermissionDenied => Problem::of_file(VAULT_CONF, error),
        _ => Problem::failed(
            format!("{VAULT_CONF} cannot be read: {error}"),
            NOT_READABLE,
        )
        .of_kind(ProblemKind::NotReadable),
    }
}

/// Opens the vault that vault.conf names.
///
/// # Errors
/// What [`locate::open`] says, in a person's words.
pub fn open_vault() -> Result<Vault<VaultDisk>> {
    Ok(locate::open(&vault_conf()?, COMMAND_WAITS)?)
}

/// Opens the vault for reading only: nothing in it is mended or written.
///
/// # Errors
/// When vault.conf or the vault cannot be read, in a person's words.
pub fn open_vault_read_only() -> Result<Vault<VaultDisk>> {
    Ok(locate::open_read_only(&vault_conf()?)?)
}

/// The copy of the ways in beside vault.conf; `None` where there is none of this server
/// that can be read.
pub fn copy_beside(server_id: &ServerId) -> Option<WaysCopy> {
    let bytes = fs::read(WAYS_COPY).ok()?;
    WaysCopy::parse(&bytes, server_id).ok()
}

/// How long a stick is waited for that may have a copy of the ways in.
const STICK_ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Reads the copy of the ways in on this volume, of the server with this id.
pub const READ_WAYS: ChildWork<Option<Vec<u8>>> = ChildWork::new("read-ways", |words| {
    let [volume, id] = words else {
        return None;
    };
    let id = id.to_str()?.parse().ok()?;
    let bytes = stick::read_ways(Path::new(volume), &id)?;
    Some(bytes.to_vec())
});

/// The copies of the ways in on all sticks that are plugged in. One that does not answer is
/// waited for no longer.
pub fn copies_on_sticks(server_id: &ServerId) -> Vec<WaysCopy> {
    let sticks = stick::plugged_in().into_iter();
    let volumes = sticks.flat_map(|stick| stick.volumes);
    let id = server_id.to_string();
    let read = |volume: PathBuf| {
        let words = [volume.as_os_str(), OsStr::new(&id)];
        match READ_WAYS.within(STICK_ANSWERS_WITHIN, &words) {
            Ok(bytes) => bytes,
            Err(NoAnswer::AtAll) => None,
            Err(NoAnswer::InTime(_)) => {
                eprintln!(
                    "stayput: {} does not answer; what it has is not used.",
                    volume.display()
                );
                None
            }
        }
    };
    let copies = volumes.filter_map(read);
    let copies = copies.map(|bytes| WaysCopy::parse(&bytes, server_id));
    copies.filter_map(std::result::Result::ok).collect()
}

/// The ways in that the vault has, not yet proven; what it has lost of them is taken from
/// these copies. Each opens by its own way key alone, whoever wrote it.
pub fn ways_or_copies(
    vault: &Vault<VaultDisk>,
    copies: impl IntoIterator<Item = WaysCopy>,
) -> Ways {
    let claimed = vault.unproven_ways().unwrap_or_default();
    with_copies(claimed.as_claimed().clone(), vault.header(), copies)
}

fn with_copies(
    mut ways: Ways,
    header: &Header,
    copies: impl IntoIterator<Item = WaysCopy>,
) -> Ways {
    let of_now = copies.into_iter().filter(|copy| copy.is_of(header));
    of_now.for_each(|copy| ways.fill_from(&copy.ways()));
    ways
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;
    use nix::errno::Errno;

    #[test]
    fn only_where_no_file_is_has_the_server_no_vault() {
        let kind = |errno: Errno| {
            let problem = no_conf(&errno.into());
            let has_none = problem.what.contains("no vault yet");
            assert_eq!(has_none, errno == Errno::ENOENT, "{problem}");
            problem.kind
        };
        assert_eq!(kind(Errno::ENOENT), ProblemKind::NotThere);
        assert_eq!(kind(Errno::EACCES), ProblemKind::NotAllowed);
        assert_eq!(kind(Errno::EIO), ProblemKind::NotReadable);
    }

    #[test]
    fn what_the_vault_has_lost_opens_by_a_copy_of_the_same_key() {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let mut ways = Ways::default();
        let code = ways.make_code(&header, &key);
        let copy = || WaysCopy::of(&header, &ways);
        let filled = with_copies(Ways::default(), &header, [copy()]);
        assert!(filled.key_of_code(&header, &code).is_ok());
        // One that another code has replaced does not come back.
        let mut now = Ways::default();
        let another = now.make_code(&header, &key);
        let filled = with_copies(now.clone(), &header, [copy()]);
        assert_eq!(filled, now);
        assert!(filled.key_of_code(&header, &another).is_ok());
        // Nor does what was left out when the key was replaced.
        let next = Header {
            generation: 2,
            ..header.clone()
        };
        let filled = with_copies(Ways::default(), &next, [copy()]);
        assert_eq!(filled, Ways::default());
    }
}
