//! Tests whether mariadbd would read the file that stayput writes, before anything
//! is copied: with a file in the same folder that holds one option in a group that
//! only the program asked here reads.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::admin::mariadb::service_user::{PRINT_DEFAULTS, ServiceUser, leading};
use crate::admin::mariadb::settings::SETTINGS_FILE;
use crate::admin::problem::{Problem, Result};

use super::{EnvironmentSource, Launch, UNIT};

const PROBE_FILE: &str = "/etc/mysql/mariadb.conf.d/zz-stayput-probe.cnf";
const GROUP: &str = "stayput-probe";
const OPTION: &str = "--read=yes";

/// Whether MariaDB, started by its unit, would read [`SETTINGS_FILE`].
///
/// # Errors
/// When it would not: nothing that stayput sets would be in force.
pub fn settings_would_be_read(user: &ServiceUser) -> Result<()> {
    let launch = Launch::of(UNIT, EnvironmentSource::ByHand, user, &[])?;
    let arguments = launch.arguments.clone().unwrap_or_default();
    let folder = Path::new(SETTINGS_FILE).parent().unwrap_or(Path::new("/"));
    let unwritable = |error: std::io::Error| {
        Problem::refused(
            format!("{} cannot be written: {error}", folder.display()),
            "Is MariaDB installed from Debian's packages? `ls -ld /etc/mysql/*` tells.",
        )
    };
    put().map_err(unwritable)?;
    let ask = [leading(&arguments).as_slice(), &[GROUP]].concat();
    let printed = user.printed(PRINT_DEFAULTS, &ask, &launch.environment);
    fs::remove_file(PROBE_FILE).map_err(unwritable)?;
    if printed?.lines().any(|line| line == OPTION) {
        return Ok(());
    }
    Err(Problem::refused(
        format!(
            "MariaDB does not read {}, where its settings would go.",
            folder.display()
        ),
        format!(
            "Put the line `!includedir {}/` at the end of the file that it reads \
             (`my_print_defaults --help` lists them), and remove --no-defaults or --defaults-file \
             from its unit.",
            folder.display()
        ),
    ))
}

fn put() -> std::io::Result<()> {
    let _ = fs::remove_file(PROBE_FILE);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(PROBE_FILE)?;
    // MariaDB reads as another user.
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    writeln!(
        file,
        "# A trial of stayput; it may be removed.\n[{GROUP}]\n{}",
        OPTION.trim_start_matches("--")
    )
}
