//! Assesses a start of MariaDB before it happens: what the gate would see, and how
//! systemd has loaded the gate's drop-in. Nothing is changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::admin::problem::Problem;
use crate::admin::program;
use crate::admin::systemd::{SYSTEMCTL, running};
use crate::keys::Keyring;
use crate::release::mariadb::{MariadbRelease, ReleasedKey};

use crate::admin::mariadb::check_file::load_check_file;
use crate::admin::mariadb::config::Configuration;
use crate::admin::mariadb::data_directory::{DataDirectory, Door};
use crate::admin::mariadb::gate_units::{CLOSED_UNIT, not_as_written};
use crate::admin::mariadb::launch::{EnvironmentSource, Launch, UNIT};
use crate::admin::mariadb::process::{
    Process, main_process, of_others, process_serves, working_in, works_in,
};
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb::start_faults::{StartFault, settings_faults};
use crate::admin::mariadb::swap::System;
use crate::admin::mariadb::version::{VersionFault, version_fault};

/// What was seen. Each pair is what is wrong and what to do.
pub struct StartAssessment {
    /// Files of the gate that are missing or were changed.
    pub drop_ins: Vec<&'static str>,
    /// `None` where systemd does not tell.
    pub unit: Option<Unit>,
    /// The socket that starts MariaDB when somebody connects, where there is one.
    pub socket: Option<Unit>,
    /// The data directory is closed at every start of the system.
    pub closed: Option<Unit>,
    /// What stands against a start; an error where that is unknown.
    pub faults: Result<Vec<(String, String)>, (String, String)>,
    /// The keys were compared with their check values, because the place gave the
    /// master key.
    pub keys_tried: bool,
    /// Ways in which memory gets onto a disk in clear.
    pub dangers: Vec<(String, String)>,
    /// What stands where MariaDB looks for its data; `None` where that cannot
    /// be told.
    pub door: Option<Door>,
    /// The real data directory; `None` where the check file does not tell.
    pub data: Option<PathBuf>,
    /// The real data directory holds something.
    pub has_data: bool,
    /// A mariadbd works in the real data directory.
    pub runs: bool,
    /// Why MariaDB's unit does not serve from the real data directory, while it
    /// runs.
    pub not_serving: Option<String>,
    /// Every other mariadbd, and processes that may be one.
    pub others: Vec<Process>,
    /// This version of MariaDB is a danger to encrypted data.
    pub version: Option<VersionFault>,
    /// Who gets the key file, where that is not the user that MariaDB runs as.
    pub other_user: Option<u32>,
}

/// What `systemctl show` prints of one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit(BTreeMap<String, String>);

impl Unit {
    /// Lines of NAME=VALUE; a name that stands more than once (one for each
    /// command) keeps all its values.
    pub fn parse(text: &str) -> Self {
        let mut properties: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let all = properties.entry(name.to_owned()).or_default();
            if !all.is_empty() {
                all.push('\n');
            }
            all.push_str(value);
        }
        Self(properties)
    }

    /// Empty where there is none.
    pub fn value(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn of(unit: &str) -> Option<Self> {
        if !running() {
            return None;
        }
        let mut show = Command::new(SYSTEMCTL);
        let text = program::run(show.args(["show", "--no-pager", unit]), "").ok()?;
        Some(Self::parse(&text))
    }
}

/// Assesses a start now. `release` is what the policy gives MariaDB; `keys` are the
/// master keys, where the place gives them.
pub fn assess_start(release: Option<&MariadbRelease>, keys: Option<&Keyring>) -> StartAssessment {
    let unit = Unit::of("mariadb.service");
    let user = ServiceUser::find().ok();
    let check = load_check_file();
    let data = check.as_ref().ok();
    let data = data.map(|check| DataDirectory::seen_at(Path::new(check.data_directory())));
    let keys: Option<Vec<ReleasedKey>> = release
        .zip(keys)
        .map(|(release, keys)| release.keys(keys).collect());
    let mut version = None;
    let faults = match (&check, &user, &data) {
        (Ok(check), Some(user), Some(data)) => launched(user, data).map(|(launch, config)| {
            version = config
                .as_ref()
                .and_then(|config| version_fault(config.program()));
            let keys = keys.as_deref();
            let settings = config
                .iter()
                .flat_map(|config| settings_faults(config, check, keys.unwrap_or_default()));
            let launch = launch.faults.into_iter().map(StartFault::Launch);
            told(&launch.chain(settings).collect::<Vec<_>>(), keys.is_some())
        }),
        (Err((what, next)), ..) => Ok(vec![(what.clone(), (*next).to_owned())]),
        _ => Err((
            "there is no user mysql".to_owned(),
            "Is MariaDB installed?".to_owned(),
        )),
    };
    let dangers = System::here().dangers();
    let dangers = dangers.iter();
    StartAssessment {
        drop_ins: not_as_written(),
        socket: Unit::of("mariadb.socket"),
        closed: Unit::of(CLOSED_UNIT),
        faults,
        keys_tried: keys.is_some(),
        dangers: dangers
            .map(|danger| (danger.to_string(), danger.next().to_owned()))
            .collect(),
        door: data.as_ref().and_then(|data| data.door().ok()),
        data: data.as_ref().map(|data| data.real().to_owned()),
        has_data: data.as_ref().is_some_and(|data| {
            fs::read_dir(data.real()).is_ok_and(|mut entries| entries.next().is_some())
        }),
        runs: data
            .as_ref()
            .is_some_and(|data| working_in(data.real()).is_some()),
        others: of_others()
            .unwrap_or_default()
            .into_iter()
            .filter(|other| {
                !data
                    .as_ref()
                    .is_some_and(|data| works_in(other.pid, data.real()))
            })
            .collect(),
        not_serving: data.and_then(|data| {
            let pid = main_process(UNIT)?;
            let serves = process_serves(pid, data.real());
            serves.err().map(|why| why.to_string())
        }),
        version,
        other_user: release
            .zip(user)
            .filter(|(release, user)| release.uid != user.uid)
            .map(|(release, _)| release.uid),
        unit,
    }
}

/// What the gate would see of a start.
fn launched(
    user: &ServiceUser,
    data: &DataDirectory,
) -> Result<(Launch, Option<Configuration>), (String, String)> {
    let pair = |problem: Problem| (problem.what, problem.next);
    let launch = Launch::of(
        UNIT,
        EnvironmentSource::ByHand,
        user,
        &[data.seen(), data.real()],
    )
    .map_err(pair)?;
    let config = launch.configuration(user).map_err(pair)?;
    Ok((launch, config))
}

/// The faults for people. Without the keys none is told of the keys.
fn told(faults: &[StartFault], keys_tried: bool) -> Vec<(String, String)> {
    let of_a_key =
        |fault: &StartFault| matches!(fault, StartFault::Key(_) | StartFault::DefaultKey(_));
    let faults = faults.iter();
    let faults = faults.filter(|fault| keys_tried || !of_a_key(fault));
    faults
        .map(|fault| (fault.to_string(), fault.next()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::mariadb::KeyFault;

    /// As systemd 252 prints it.
    const SHOWN: &str = "\
ExecCondition={ path=/bin/sh ; argv[]=/bin/sh -c /usr/bin/nsenter --target=1 --mount /usr/sbin/stayput mariadb gate || exit 255 ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
ExecStartPre={ path=/usr/bin/install ; argv[]=/usr/bin/install -m 755 ; pid=0 }
ExecStartPre={ path=/bin/sh ; argv[]=/bin/sh -c systemctl unset-environment ; pid=0 }
MemorySwapMax=0
LimitCORE=0
LoadState=loaded
";

    #[test]
    fn what_systemd_shows_is_read_by_name() {
        let unit = Unit::parse(SHOWN);
        assert_eq!(unit.value("MemorySwapMax"), "0");
        assert!(unit.value("ExecCondition").contains("stayput mariadb gate"));
        assert_eq!(unit.value("ExecStartPre").lines().count(), 2);
        assert_eq!(unit.value("NoSuchThing"), "");
    }

    #[test]
    fn without_the_key_no_key_is_called_wrong() {
        let faults = [
            StartFault::Key(KeyFault::Missing(1)),
            StartFault::PluginAbsent,
        ];
        assert_eq!(told(&faults, true).len(), 2);
        let told = told(&faults, false);
        assert_eq!(told.len(), 1);
        assert!(told[0].0.contains("file_key_management"), "{told:?}");
    }
}
