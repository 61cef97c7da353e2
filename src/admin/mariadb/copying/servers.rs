//! The two private servers of a copy: the old one, if it was stopped, and the
//! one that is made.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::statvfs::statvfs;

use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::problem::{Problem, Result};
use crate::admin::program;

use super::memory::{self, Sizes};
use super::options::{CARELESS, CLEAR, NO_THREADS, ServerPaths, encrypting};
use super::private::{PrivateServer, Start, prepare_room};
use super::{NewTables, Stopped, Target, on_disk, plugins};

/// Making an empty server.
const BIRTH_SECONDS: &str = "900";

/// Below this much room in /run the old server's temporary files go into the
/// scratch directory, in bytes.
const MEMORY_ENOUGH: u64 = 256 << 20;

/// A directory of mysql's alone.
///
/// # Errors
/// When it cannot be made.
pub fn directory(user: &ServiceUser, path: &Path) -> Result<PathBuf> {
    let made = fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)))
        .and_then(|()| chown(path, Some(user.uid), Some(user.gid)));
    made.map_err(|error| {
        Problem::failed(
            format!("{}: {error}", path.display()),
            "Is the disk full? `df` tells.",
        )
    })?;
    Ok(path.to_owned())
}

/// How a server's files are written: encrypted with the keys in this file, or clear.
fn protection(key_file: Option<&Path>, new_tables: NewTables) -> Vec<OsString> {
    match key_file {
        Some(key_file) => encrypting(key_file, new_tables),
        None => CLEAR
            .iter()
            .chain([&NO_THREADS])
            .map(OsString::from)
            .collect(),
    }
}

/// What both servers are started with.
pub struct Servers<'a> {
    user: &'a ServiceUser,
    arguments: &'a [String],
    target: &'a Target<'a>,
    room: PathBuf,
    sizes: Sizes,
}

impl<'a> Servers<'a> {
    /// `old_data` is what is copied; `both` when its server is started, too.
    ///
    /// # Errors
    /// When there is no room for their sockets.
    pub fn prepare(
        user: &'a ServiceUser,
        arguments: &'a [String],
        target: &'a Target<'a>,
        old_data: &Path,
        both: bool,
    ) -> Result<Self> {
        Ok(Self {
            user,
            arguments,
            target,
            room: prepare_room(user)?,
            sizes: memory::sizes(memory::available(), on_disk(old_data), both),
        })
    }

    /// Starts the stopped server for us alone.
    ///
    /// # Errors
    /// When it does not come up in its own places.
    pub fn start_old(&self, original: &Stopped<'_>) -> Result<PrivateServer> {
        let temporary = self.temporary()?;
        let start = |engines: Vec<OsString>| {
            let mut more = vec!["--read-only".into()];
            more.extend(protection(original.key_file, NewTables::OnTheFirstKey));
            // Nothing of the original is written anew with other keys, or without.
            more.push(NO_THREADS.into());
            if let Some(pool) = self.sizes.old_pool {
                more.push(format!("--innodb-buffer-pool-size={pool}").into());
            }
            more.extend(engines);
            let paths = ServerPaths {
                name: "old",
                data: original.data.to_owned(),
                temporary: temporary.clone(),
                room: self.room.clone(),
            };
            self.start(paths, more).start()
        };
        let server = start(Vec::new())?;
        // A server without accounts does not load what INSTALL SONAME noted.
        let engines = plugins::engines(server.client())?;
        if engines.is_empty() {
            return Ok(server);
        }
        server.stop()?;
        start(engines)
    }

    /// A directory for the old server's temporary files. They may be clear, but
    /// hold no row: rows are read in the order of their table, and only
    /// questions about definitions are sorted. In memory all the same, unless
    /// they could fill it.
    fn temporary(&self) -> Result<PathBuf> {
        let free = statvfs(&*self.room).map_or(0, |at| at.blocks_available() * at.fragment_size());
        let parent = match free >= MEMORY_ENOUGH {
            true => &self.room,
            false => self.target.scratch,
        };
        directory(self.user, &parent.join("old-tmp"))
    }

    fn start(&self, paths: ServerPaths, more: Vec<OsString>) -> Start<'_> {
        Start {
            user: self.user,
            unit_arguments: self.arguments,
            paths,
            more,
        }
    }

    fn new_server(&self, engines: Vec<OsString>) -> Result<Start<'_>> {
        let mut more = protection(self.target.key_file, self.target.new_tables);
        more.extend(CARELESS.map(OsString::from));
        more.push(format!("--innodb-buffer-pool-size={}", self.sizes.new_pool).into());
        more.push(format!("--innodb-log-file-size={}", self.sizes.new_log).into());
        more.extend(engines);
        let paths = ServerPaths {
            name: "new",
            data: self.target.data.to_owned(),
            temporary: directory(self.user, &self.target.scratch.join("new-tmp"))?,
            room: self.room.clone(),
        };
        Ok(self.start(paths, more))
    }

    /// Makes the files of an empty new server.
    ///
    /// # Errors
    /// When its paths lead elsewhere, or `mariadb-install-db` fails.
    pub fn give_birth(&self) -> Result<()> {
        let start = self.new_server(Vec::new())?;
        // Before the first file is made: on whose files would it work?
        start.foresee()?;
        program::run(
            // Were this process killed, timeout would end what it has started.
            Command::new("/usr/bin/setpriv")
                .args(["--pdeathsig=TERM", "--", "/usr/bin/timeout"])
                .args(["--kill-after=5", BIRTH_SECONDS])
                .arg("/usr/bin/mariadb-install-db")
                .args(start.arguments())
                .args(["--user=mysql", "--skip-test-db"])
                // As the package calls it: it then asks for no host's name.
                .args(["--rpm", "--cross-bootstrap"])
                .env_clear()
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .env("HOME", "/nonexistent"),
            "Nothing was changed. Look at MariaDB's own words above.",
        )
        .map(drop)
    }

    /// # Errors
    /// When it does not come up in its own places.
    pub fn start_new(&self, engines: Vec<OsString>) -> Result<PrivateServer> {
        self.new_server(engines)?.start()
    }
}
