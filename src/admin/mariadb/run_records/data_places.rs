//! Where MariaDB may have its data, by everything that names it: what a run has left lies
//! beside it.

use std::io;
use std::path::{Path, PathBuf};

use crate::admin::mariadb::check_file::load_check_file;
use crate::admin::mariadb::data_directory::DataDirectory;
use crate::admin::mariadb::launch::{EnvironmentSource, Launch, UNIT};
use crate::admin::mariadb::service_user::ServiceUser;
use crate::admin::problem::Result;
use crate::admin::program;

use super::journal::Journal;

/// Where Debian's MariaDB has its data.
const USUAL: &str = "/var/lib/mysql";

/// Every directory that may be MariaDB's, as MariaDB sees it; the likeliest first.
///
/// # Errors
/// When nothing names it, and MariaDB does not say where it is.
pub fn data_places() -> io::Result<Vec<PathBuf>> {
    let journal = Journal::read().ok().flatten();
    let journal = journal.map(|journal| journal.data);
    let journal = journal.or_else(Journal::still_names);
    let check = load_check_file().ok();
    let check = check.map(|check| PathBuf::from(check.data_directory()));
    let named = journal.into_iter().chain(check);
    all(named.collect(), configured)
}

/// Where it is usual, and nothing else.
pub fn usual() -> [PathBuf; 1] {
    [USUAL.into()]
}

fn all(
    mut places: Vec<PathBuf>,
    configured: impl FnOnce() -> Result<Option<PathBuf>>,
) -> io::Result<Vec<PathBuf>> {
    if places.is_empty() {
        let configured = configured().map_err(|problem| {
            let what = problem.what.trim_end_matches('.');
            io::Error::other(format!("where MariaDB has its data is not known: {what}"))
        })?;
        places.extend(configured);
    }
    places.extend(usual());
    let mut seen = Vec::new();
    places.retain(|place| {
        let is_new = !seen.contains(place);
        seen.push(place.clone());
        is_new
    });
    Ok(places)
}

/// What MariaDB's settings say; `None` where no MariaDB is installed. Where its unit
/// does not tell how it is started, as while it is masked, the option files do.
fn configured() -> Result<Option<PathBuf>> {
    let Ok(user) = ServiceUser::find() else {
        return Ok(None);
    };
    if program::find("mariadbd").is_none() {
        return Ok(None);
    }
    let launch = Launch::of(UNIT, EnvironmentSource::ByHand, &user, &[]);
    let by_unit = launch.and_then(|launch| launch.configuration(&user));
    let config = match by_unit {
        Ok(Some(config)) => config,
        _ => user.configuration(&[])?,
    };
    Ok(Some(config.data_directory()))
}

/// The directories in which the rooms of runs lie, for each of these places.
pub fn rooms_beside(places: &[PathBuf]) -> Vec<PathBuf> {
    let beside = |seen: &PathBuf| {
        let data = DataDirectory::seen_at(seen);
        data.real().parent().map(Path::to_owned)
    };
    let mut rooms: Vec<PathBuf> = places.iter().filter_map(beside).collect();
    rooms.sort();
    rooms.dedup();
    rooms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::problem::Problem;

    #[test]
    fn data_elsewhere_is_looked_for_where_the_settings_say() {
        let places = all(Vec::new(), || Ok(Some("/srv/mysql".into()))).unwrap();
        assert_eq!(places, [Path::new("/srv/mysql"), Path::new(USUAL)]);
        // What names it is enough.
        let places = all(vec!["/srv/a".into(), USUAL.into()], || panic!("asked")).unwrap();
        assert_eq!(places, [Path::new("/srv/a"), Path::new(USUAL)]);
    }

    #[test]
    fn settings_that_say_nothing_are_not_taken_for_the_usual() {
        let error = all(Vec::new(), || {
            Err(Problem::failed("it is broken.", "Mend it."))
        });
        assert!(error.unwrap_err().to_string().contains("it is broken"));
        assert_eq!(all(Vec::new(), || Ok(None)).unwrap(), [Path::new(USUAL)]);
    }
}
