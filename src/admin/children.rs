//! All that children of this program do for its commands.

use std::process::ExitCode;

use crate::admin::child_work::{self, AnyChildWork};
use crate::admin::commands::{reset, watch};
use crate::admin::key_destruction;
use crate::admin::key_sticks;
use crate::admin::mariadb::{self, disable, enable, stop};
use crate::admin::mariadb_service;
use crate::admin::open_vault;

const OF_SEVERAL: [&dyn AnyChildWork; 15] = [
    &disable::KEY_FILES,
    &enable::DESTROY_CLEAR,
    &key_destruction::DESTROY,
    &key_destruction::DESTROY_UNDER_DURESS,
    &key_destruction::TAKE_KEYS,
    &key_sticks::NOTE,
    &mariadb::SEARCH_OCCUPANTS,
    &mariadb_service::END_START,
    &open_vault::READ_WAYS,
    &mariadb_service::STOP_LATER,
    &reset::LOOK_AT_VAULT,
    &reset::ON_DATABASE_DISK,
    &reset::SWITCH_OFF,
    &stop::STOP,
    &stop::STOP_ENCRYPTED,
];

fn all() -> impl Iterator<Item = &'static dyn AnyChildWork> {
    OF_SEVERAL.into_iter().chain(watch::WORK)
}

/// Does what the program's words ask for, where it was started as such a child; else `None`.
pub fn run_as_child() -> Option<ExitCode> {
    child_work::run_as_child(all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::cli::Cli;
    use clap::CommandFactory;

    #[test]
    fn a_child_is_asked_by_no_words_of_a_command() {
        for work in all() {
            let word = work.word();
            let same = all().filter(|other| other.word() == word);
            assert_eq!(same.count(), 1, "{word}");
            assert!(Cli::command().find_subcommand(word).is_none(), "{word}");
        }
    }
}
