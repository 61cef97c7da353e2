//! Asks one server, as root, over one socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::admin::problem::{Problem, Result};

use super::login::Login;
use super::protocol::{Cell, Connection, Patience, SqlError};
use super::sql_problem;

/// Longest silence during a query. Counting a table of a hundred gigabytes on a
/// slow disk is silent for an hour.
pub const SILENT_MAX: Duration = Duration::from_secs(6 * 3600);

/// Longest silence during a query about definitions.
const SHORT: Duration = Duration::from_secs(600);

/// One row of an answer. NULL is an empty text.
pub type Row = Vec<String>;

/// A server that can be asked.
pub struct Client {
    /// Its name in messages.
    who: &'static str,
    socket: PathBuf,
    login: Login,
    /// People work with it: nothing may be left behind in it.
    live: bool,
}

impl Client {
    /// The server that the machine's own unit runs.
    ///
    /// # Errors
    /// When it does not answer, or none of root's accounts is let in.
    pub fn of_the_unit(socket: &Path) -> Result<Self> {
        let mut last = None;
        for login in Login::known() {
            let client = Self {
                who: "running",
                socket: socket.to_owned(),
                login,
                live: true,
            };
            match client.open(&Patient(SHORT)) {
                Ok(_) => return Ok(client),
                Err(error) => last = last.or(Some(error)),
            }
        }
        let error = last.expect("root without a password was tried");
        let shut = matches!(
            &error,
            SqlError::Refused {
                code: 1044 | 1045 | 1698,
                ..
            }
        );
        Err(match shut {
            true => Problem::refused(
                "MariaDB does not let root in over its socket.",
                "Nothing was changed. Write root's password into /root/.my.cnf (group [client], \
                 mode 0600), or let the system's root in: `ALTER USER root@localhost IDENTIFIED \
                 VIA unix_socket OR mysql_native_password USING PASSWORD('...');`",
            ),
            false => sql_problem::problem(
                &error,
                &format!("asking the running server at {}", socket.display()),
            ),
        })
    }

    /// A client of a server that only this process can talk to.
    pub(super) fn private(who: &'static str, socket: PathBuf) -> Self {
        Self {
            who,
            socket,
            login: Login::root(),
            live: false,
        }
    }

    /// Which server it is, for messages.
    pub fn who(&self) -> &'static str {
        self.who
    }

    /// Whether people work with it meanwhile, so that what was there a moment
    /// ago may be gone.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// Opens a session in UTC and without the owner's SQL modes.
    pub(super) fn open<'a>(
        &self,
        patience: &'a dyn Patience,
    ) -> std::result::Result<Connection<'a>, SqlError> {
        let mut connection = Connection::open(&self.socket, &self.login, patience)?;
        if self.live {
            for quiet in QUIET {
                match connection.run(quiet) {
                    // Of no weight: only questions are asked.
                    Ok(()) | Err(SqlError::Refused { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        connection.run(SESSION)?;
        Ok(connection)
    }

    /// The rows of a query.
    ///
    /// # Errors
    /// When the server does not answer; without MariaDB's text, which may
    /// quote rows.
    pub fn rows(&self, sql: &str) -> Result<Vec<Row>> {
        self.open(&Patient(SHORT))
            .and_then(|mut connection| connection.rows(sql))
            .map_err(|error| {
                sql_problem::problem(&error, &format!("asking the {} server", self.who))
            })
    }
}

impl Client {
    /// Runs statements that change the server, in one session, as long as each takes. None of
    /// them goes into the binary log: it is this server alone that is changed.
    ///
    /// # Errors
    /// What MariaDB says of the first that it does not run.
    pub fn change(&self, statements: &[String]) -> std::result::Result<(), SqlError> {
        let patience = Patient(Duration::MAX);
        let mut connection = self.open(&patience)?;
        let logs = connection.rows("SELECT @@SESSION.sql_log_bin")?;
        if logs.concat().concat() != "0" {
            return Err(SqlError::Refused {
                code: NOT_ALLOWED,
                state: "42000".into(),
            });
        }
        let mut statements = statements.iter();
        statements.try_for_each(|statement| connection.run(statement))
    }
}

/// MariaDB's number of "Access denied; you need a privilege for this operation".
const NOT_ALLOWED: u16 = 1227;

/// Waits for this long.
pub struct Patient(pub Duration);

impl Patience for Patient {
    fn wait(&self, silent: Duration) -> std::result::Result<(), SqlError> {
        match silent > self.0 {
            true => Err(SqlError::Silent(silent)),
            false => Ok(()),
        }
    }
}

const SESSION: &str = "SET NAMES utf8mb4, SESSION time_zone = '+00:00', sql_mode = '', \
     net_write_timeout = 86400, net_read_timeout = 86400, wait_timeout = 86400, \
     max_statement_time = 0, lock_wait_timeout = 600, foreign_key_checks = 0, \
     sql_quote_show_create = 1";

/// Keeps questions out of a running server's logs.
const QUIET: [&str; 3] = [
    "SET SESSION slow_query_log = 0",
    "SET SESSION sql_log_off = 1",
    "SET SESSION sql_log_bin = 0",
];

impl Connection<'_> {
    /// # Errors
    /// What stood in the way.
    pub fn run(&mut self, sql: &str) -> std::result::Result<(), SqlError> {
        self.query(sql.as_bytes(), |_| Ok(()))
    }

    /// # Errors
    /// What stood in the way.
    pub fn rows(&mut self, sql: &str) -> std::result::Result<Vec<Row>, SqlError> {
        let mut rows = Vec::new();
        let text = |cell: &Cell<'_>| String::from_utf8_lossy(cell.unwrap_or_default()).into_owned();
        self.query(sql.as_bytes(), |cells| {
            rows.push(cells.iter().map(text).collect());
            Ok(())
        })?;
        Ok(rows)
    }
}
