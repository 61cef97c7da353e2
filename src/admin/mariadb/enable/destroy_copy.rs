//! `stayput mariadb destroy-copy`: ends a copy of the database that a way back has kept,
//! or that a run has left whose journal is lost.

use std::path::{Path, PathBuf};

use crate::admin::ask;
use crate::admin::mariadb::check_file::read_check_file;
use crate::admin::mariadb::conversion::Form;
use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::launch::unit_start_command;
use crate::admin::mariadb::run_records::journal::{Journal, Stage};
use crate::admin::mariadb::run_records::{CopyKind, KeptCopy, Original, kept_copies, paths};
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::mariadb_service::is_enabled;
use crate::admin::problem::{Problem, Result};

use super::copy_mounts::CopyMounts;
use super::lost_journal::recover;
use super::original::{destroy_room, tell_at_login};
use super::{orphans, proofs, worker};

/// Which copy, and whether somebody was asked.
#[derive(Clone, Debug, clap::Args)]
pub struct DestroyCopyOptions {
    /// The copy's directory, as `stayput status` names it; needed where there are several
    path: Option<PathBuf>,
    /// Do not ask whether to go on
    #[arg(long)]
    yes: bool,
}

/// Destroys a copy that no run goes on with.
///
/// # Errors
/// When there is none, a run is under way, the copy lacks its mark or is in use, or
/// MariaDB does not serve from the database beside it. Then nothing was changed.
pub fn run(options: &DestroyCopyOptions) -> Result<()> {
    let _lock = worker::lock()?;
    refuse_a_run(recover()?.as_ref())?;
    let copies = kept_copies().map_err(paths::problem)?;
    let copy = chosen(&copies, options.path.as_deref())?;
    let room = copy.room().map_err(paths::problem)?.ok_or_else(|| {
        Problem::refused(format!("{} Nothing was changed.", copy.what()), copy.next())
    })?;
    if copy.kind == CopyKind::Unfinished {
        orphans::end()?;
        CopyMounts::end().map_err(paths::problem)?;
    }
    // What is left afterwards was seen before.
    let _serving = proofs::serving(&served_from()?)?;
    let _unused = proofs::unused(&room.data())?;
    ask::confirm(
        &format!(
            "{} It is destroyed, and there is no way back. Go on?",
            copy.what()
        ),
        options.yes,
    )?;
    let form = match copy.is_clear() {
        true => Form::Clear,
        false => Form::Encrypted,
    };
    destroy_room(room, form)?;
    tell_at_login();
    Ok(())
}

/// A run that has not ended may still need its copy.
fn refuse_a_run(journal: Option<&Journal>) -> Result<()> {
    let under_way = journal.filter(|journal| {
        let is_needed = Stage::Building..=Stage::Starting;
        is_needed.contains(&journal.stage)
    });
    under_way.map_or(Ok(()), |journal| {
        let original = Original::of(journal);
        Err(Problem::refused(
            format!("{} Nothing was changed.", original.what()),
            original.next(),
        ))
    })
}

/// The one that is meant. Pure.
fn chosen<'a>(copies: &'a [KeptCopy], path: Option<&Path>) -> Result<&'a KeptCopy> {
    let named = |copy: &&KeptCopy| path.is_none_or(|path| path == copy.path);
    let meant: Vec<&KeptCopy> = copies.iter().filter(named).collect();
    let all: Vec<_> = copies
        .iter()
        .map(|copy| copy.path.display().to_string())
        .collect();
    match (meant.as_slice(), all.is_empty()) {
        ([copy], _) => Ok(copy),
        (_, true) => Err(Problem::refused(
            "There is no kept copy of a database on this server.",
            "Nothing has to be done. `stayput status` shows how things stand.",
        )),
        ([], false) => Err(Problem::refused(
            "No kept copy of the database lies there. Nothing was changed.",
            format!("Name one of these: {}", all.join(", ")),
        )),
        (_, false) => Err(Problem::refused(
            "There are several kept copies of the database. Nothing was changed.",
            format!("Name one of these: {}", all.join(", ")),
        )),
    }
}

/// The data directory of the database that is to be left.
fn served_from() -> Result<PathBuf> {
    if is_enabled() {
        let check = read_check_file()?;
        let data = DataDirectory::seen_at(Path::new(check.data_directory()));
        return Ok(data.real().to_owned());
    }
    let started = unit_start_command(&ServiceUser::find()?)?;
    Ok(started.config.data_directory())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(path: &str) -> KeptCopy {
        KeptCopy {
            path: path.into(),
            kind: CopyKind::Unfinished,
            run: None,
            is_being_destroyed: false,
        }
    }

    #[test]
    fn one_of_several_copies_has_to_be_named() {
        let copies = [copy("/a"), copy("/b")];
        assert_eq!(chosen(&copies[..1], None).unwrap(), &copies[0]);
        let named = Some(Path::new("/b"));
        assert_eq!(chosen(&copies, named).unwrap(), &copies[1]);
        for (copies, path) in [
            (&copies[..], None),
            (&copies[..], Some(Path::new("/c"))),
            (&[], None),
            (&[], named),
        ] {
            assert!(chosen(copies, path).is_err(), "{path:?}");
        }
        let refused = chosen(&copies, None).unwrap_err();
        assert!(refused.next.contains("/a, /b"), "{refused}");
    }
}
