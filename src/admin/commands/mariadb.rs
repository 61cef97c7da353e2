//! `stayput mariadb`: MariaDB encrypted with the released keys, and the gate
//! in front of it.

use crate::admin::mariadb::after_start;
use crate::admin::mariadb::disable;
use crate::admin::mariadb::enable;
use crate::admin::mariadb::gate;
use crate::admin::mariadb::rotate;
use crate::admin::problem::Result;

/// What `stayput mariadb` can be asked for.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum MariadbCommand {
    /// Encrypt MariaDB with the keys that stayput releases
    ///
    /// It is rehearsed on the running server first. Then MariaDB is stopped, and everything is
    /// copied into a new, encrypted data directory and compared. The original stays, closed, until
    /// the server has started again; then it is overwritten. If it fails or the power goes, run it
    /// again.
    Enable(enable::EnableOptions),
    /// Take MariaDB from behind the gate: it then starts without stayput
    ///
    /// With --key-file it stays encrypted, with its keys in a file of your choice: MariaDB is
    /// stopped for some seconds, and the gate and all else that `enable` has put in front of it is
    /// removed. If MariaDB does not serve with that file, or the power goes, everything is put
    /// back. With --clear everything is copied into a clear data directory and compared, as
    /// `enable` does it the other way; the encrypted original stays, closed, until the server has
    /// started again. `stayput mariadb enable` leads back from both.
    Disable(disable::DisableOptions),
    /// Move the tables to a key of the master key of now, after `stayput rekey`
    ///
    /// MariaDB is restarted once, to read the new key. Then the tables are rebuilt one after the
    /// other while people work. If it is interrupted, run it again: it goes on. Keys of before stay
    /// with MariaDB: backups need them. `stayput mariadb progress` says what no rotation changes.
    Rotate(rotate::RotateOptions),
    /// Show which key MariaDB's tables have, and how many are still to be moved
    Progress,
    /// Destroy the original that `enable`, or `disable --clear`, has left
    DestroyOriginal(enable::DestroyOptions),
    /// Destroy a copy of the database that a way back has kept
    ///
    /// Going back to an original (`--undo`) keeps the copy, because rows that were written into it
    /// stand nowhere else. `stayput status` names it. Look whether rows are missing in the database
    /// before you destroy it: a clear one is overwritten, an encrypted one removed. Only what
    /// carries the mark of a run is destroyed.
    DestroyCopy(enable::DestroyCopyOptions),
    /// Check every key and setting, then open the data directory (MariaDB's unit runs it)
    Gate {
        /// The unit that runs it
        #[arg(hide = true)]
        unit: Option<String>,
    },
    /// Close the data directory (MariaDB's unit runs it)
    Close,
    /// Look at the process that was started, and remove the keys if that is the policy
    /// (MariaDB's unit runs it)
    Started {
        /// The unit that runs it
        #[arg(hide = true)]
        unit: Option<String>,
    },
    /// Go on with a run of `enable` or `disable` (stayput-mariadb-enable.service runs it)
    #[command(hide = true)]
    Continue,
    /// Put things back after a run of `enable` or `disable` (stayput-mariadb-enable.service runs it)
    #[command(hide = true)]
    LetGo,
}

impl MariadbCommand {
    /// Whether it prints a document for scripts.
    pub const fn has_document(&self) -> bool {
        matches!(self, Self::Progress)
    }

    /// Whether a unit runs it, and no person.
    pub const fn is_run_by_a_unit(&self) -> bool {
        matches!(
            self,
            Self::Gate { .. } | Self::Close | Self::Started { .. } | Self::Continue | Self::LetGo
        )
    }
}

/// # Errors
/// What the command says.
pub fn run(command: &MariadbCommand, for_scripts: bool) -> Result<()> {
    match command {
        MariadbCommand::Enable(options) => match disable::take_back(options)? {
            true => Ok(()),
            false => enable::enable(options),
        },
        MariadbCommand::Disable(options) => disable::disable(options),
        MariadbCommand::Rotate(options) => rotate::rotate(options),
        MariadbCommand::Progress => rotate::progress(for_scripts),
        MariadbCommand::DestroyOriginal(options) => enable::destroy_original(options),
        MariadbCommand::DestroyCopy(options) => enable::destroy_copy(options),
        MariadbCommand::Gate { unit: Some(unit) } => gate::gate_of(unit),
        MariadbCommand::Gate { unit: None } => gate::gate(),
        MariadbCommand::Close => {
            enable::tell_at_login();
            gate::close()
        }
        MariadbCommand::Started { unit } => after_start::started(unit.as_deref()),
        MariadbCommand::Continue => match disable::go_on()? {
            true => Ok(()),
            false => enable::go_on(),
        },
        MariadbCommand::LetGo => match disable::let_go()? {
            true => Ok(()),
            false => enable::let_go(),
        },
    }
}

/// A document of `mariadb progress` with every field.
#[cfg(test)]
pub fn example() -> serde_json::Value {
    rotate::example()
}
