//! Units that systemd stops together with MariaDB (systemd.unit(5): Requires=,
//! BindsTo=, PartOf=), and its sockets. Nobody else starts them again, so they are
//! noted before the stop and started afterwards.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use crate::admin::mariadb::copying::ROOM;
use crate::admin::program;
use crate::admin::systemd::{SYSTEMCTL, show, systemctl};

use super::say;

/// The file with their names, in memory.
const FILE: &str = "stopped-along";

/// Most units that are followed.
const MAX: usize = 1000;

/// Notes the running units that are stopped together with MariaDB.
pub fn note() {
    let mut known = BTreeSet::from(["mariadb.service".to_owned()]);
    let mut next: Vec<String> = known.iter().cloned().collect();
    while let Some(unit) = next.pop() {
        for name in stopped_with(&unit) {
            if known.len() < MAX && known.insert(name.clone()) {
                next.push(name);
            }
        }
    }
    let ours = |unit: &String| unit.starts_with("mariadb") || unit.starts_with("mysql");
    known.retain(|unit| !ours(unit));
    known.extend(sockets());
    let running = known.iter().filter(|unit| is_active(unit));
    let text: String = running.map(|unit| format!("{unit}\n")).collect();
    let add = || {
        fs::create_dir_all(ROOM)?;
        // Appends to what an earlier stop has noted.
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(Path::new(ROOM).join(FILE))?;
        file.write_all(text.as_bytes())
    };
    // A failure stops nothing: MariaDB matters more.
    let _: io::Result<()> = add();
}

/// MariaDB's sockets, as [`mariadb_service::stop_units`] stops them.
///
/// [`mariadb_service::stop_units`]: crate::admin::mariadb_service::stop_units
fn sockets() -> Vec<String> {
    let mut list = Command::new(SYSTEMCTL);
    list.args(["list-units", "--plain", "--no-legend", "--state=active"]);
    let text = program::run(list.arg("mariadb*.socket"), "").unwrap_or_default();
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    text.lines().filter_map(first).collect()
}

fn stopped_with(unit: &str) -> Vec<String> {
    let text = show(
        unit,
        &["RequiredBy", "BoundBy", "ConsistsOf", "RequisiteOf"],
    );
    let values = text.lines().filter_map(|line| line.split_once('='));
    let units = values.flat_map(|(_, units)| units.split_whitespace());
    units.map(str::to_owned).collect()
}

fn is_active(unit: &str) -> bool {
    systemctl(&["is-active", "--quiet", "--", unit], "").is_ok()
}

/// Starts the noted units again, once MariaDB runs.
pub fn start() {
    let Ok(text) = fs::read_to_string(Path::new(ROOM).join(FILE)) else {
        return;
    };
    for unit in text.lines().filter(|unit| !is_active(unit)) {
        let next = format!("`systemctl status {unit}` tells more.");
        match systemctl(&["start", "--no-block", "--", unit], &next) {
            Ok(()) => say(format!(
                "{unit} was stopped with MariaDB; it is started again."
            )),
            Err(problem) => say(format!("{unit} was stopped with MariaDB. {problem}")),
        }
    }
}
