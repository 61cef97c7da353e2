//! The commands of `stayput`, each in a file or a folder of its own. None of
//! them knows another.

pub mod audit;
pub mod backup;
pub mod check;
pub mod code;
pub mod enroll;
pub mod init;
pub mod install;
pub mod log;
pub mod mariadb;
pub mod package;
pub mod passphrase;
pub mod policy;
pub mod rekey;
pub mod release;
pub mod reset;
pub mod restore;
pub mod sheet;
pub mod simulate;
pub mod status;
pub mod stick;
pub mod watch;
