//! The command line of `stayput`: the commands, and beside them what several
//! of them share.

#[macro_use]
mod output;

mod ask;
mod backup;
mod backup_service;
mod boot_files;
mod brought_back;
mod by_hand;
mod child_work;
mod children;
pub mod cli;
mod commands;
mod durable;
mod event_json;
mod event_text;
mod everybody;
mod factor_counts;
mod filled;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod guessing_time;
mod initramfs;
mod installed_files;
mod json;
mod key_destruction;
mod key_release;
mod key_sticks;
mod lock_file;
mod mariadb;
mod mariadb_service;
mod named_stick;
mod names;
mod one_screen;
mod open_vault;
mod own_addresses;
mod packaged;
mod pending_reset;
mod problem;
mod program;
mod release_service;
mod root;
mod service_unit;
mod setup;
mod skipped_units;
mod suggested_secret;
mod systemd;
mod tang_advertisement;
mod timestamp;
mod typed_secrets;
mod unlock;
mod watch_service;
mod ways_copies;
mod ways_in;

pub use children::run_as_child;
