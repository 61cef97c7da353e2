//! Asks the server of MariaDB's unit what it writes in the clear.

use std::path::Path;

use crate::admin::mariadb::copying::{Client, clear_data_of};
use crate::admin::mariadb::launch::unit_start_command;
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::problem::Result;

/// Where Debian's MariaDB listens.
const USUAL_SOCKET: &str = "/run/mysqld/mysqld.sock";

/// Everything that it writes in the clear, in words.
///
/// # Errors
/// When it does not answer.
pub fn clear_data() -> Result<Vec<String>> {
    let started = ServiceUser::find().and_then(|user| unit_start_command(&user));
    let socket = started.as_ref().ok();
    let socket = socket.and_then(|started| started.config.value("socket"));
    let client = Client::of_the_unit(Path::new(socket.unwrap_or(USUAL_SOCKET)))?;
    clear_data_of(&client)
}
