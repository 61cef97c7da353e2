//! MariaDB encrypted with the released keys, and the gate in front of it: what
//! several commands need of both.

pub mod after_start;
pub mod backup_source;
mod check_file;
mod clear_data;
pub mod cold_backups;
mod config;
mod conversion;
mod copying;
mod data_directory;
mod dependence;
pub mod disable;
pub mod enable;
mod environment;
pub mod gate;
mod gate_units;
mod known_database;
mod launch;
mod occupants;
mod open_for;
mod other_files;
mod overwrite;
mod process;
pub mod restore;
mod run_records;
mod service_user;
mod settings;
mod start_assessment;
mod start_faults;
pub mod stop;
mod swap;
mod version;

pub use clear_data::clear_data;
pub use data_directory::Door;
pub use dependence::{Dependence, KeySupply};
pub use gate_units::{is_gate_in_front, put_gate_in_front, take_gate_away};
pub use known_database::{release_for_backup, release_for_known_database};
pub use occupants::SEARCH as SEARCH_OCCUPANTS;
pub use process::Process;
pub use run_records::{CopyKind, Ends, KeptCopy, Original, find_original, kept_copies};
pub use start_assessment::{StartAssessment, Unit, assess_start};
pub use swap::{SwapChoice, System, refuse_clear_memory};
#[cfg(test)]
pub use version::version_fault;
