//! Copies of the database that no run goes on with: a way back has put them aside, because
//! rows may stand in them alone, or the journal of the run that made them is lost.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::admin::durable::write_durably;
use crate::admin::mariadb::check_file::MARK;
use crate::admin::mariadb::conversion::Form;
use crate::admin::mariadb::data_directory::is_empty_or_missing;
use crate::admin::root::as_typed;
use crate::admin::timestamp::rfc3339;

use super::data_places::{data_places, rooms_beside, usual};
use super::journal::Journal;
use super::lost_journal::{BEING_DESTROYED, reconstruct};
use super::marked_room::{MarkedRoom, RunId};
use super::paths::{MAKING, RunPaths};

/// Before the run's id in the name of the room.
const TAKEN_BACK: &str = "mariadb.taken-back.";

/// In that room: the copy's form, and from when until when it served.
const SERVED: &str = "served";

/// A copy that waits for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCopy {
    /// The room that it lies in.
    pub path: PathBuf,
    /// Where it comes from.
    pub kind: CopyKind,
    /// The run that made it; `None` where the room lacks its mark.
    pub run: Option<RunId>,
    /// Some of its files are overwritten.
    pub is_being_destroyed: bool,
}

/// Where a copy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyKind {
    /// MariaDB has served from it, until its owner went back to the original.
    TakenBack { form: Form, served: Option<Served> },
    /// MariaDB has never served from it. Nothing tells its form.
    Unfinished,
}

/// From when until when MariaDB has served from a copy, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    pub from: u64,
    pub until: u64,
}

impl KeptCopy {
    #[cfg(test)]
    pub fn example() -> Self {
        let (from, until) = (1_700_000_000, 1_700_003_600);
        Self {
            path: "/var/lib/stayput/mariadb.taken-back.12".into(),
            kind: CopyKind::TakenBack {
                form: Form::Clear,
                served: Some(Served { from, until }),
            },
            run: Some(RunId::new()),
            is_being_destroyed: false,
        }
    }

    /// Whether somebody with the disk may be able to read it.
    pub fn is_clear(&self) -> bool {
        !matches!(
            self.kind,
            CopyKind::TakenBack {
                form: Form::Encrypted,
                ..
            }
        )
    }

    /// What it is, in a sentence or two.
    pub fn what(&self) -> String {
        let path = self.path.display();
        let rows = |served: Option<Served>| {
            let when = served.map_or_else(
                || "while it served".into(),
                |Served { from, until }| {
                    format!("between {} and {}", rfc3339(from), rfc3339(until))
                },
            );
            format!("Rows that were written {when} may be in it alone.")
        };
        match self.kind {
            CopyKind::TakenBack {
                form: Form::Clear,
                served,
            } => format!(
                "A clear copy of the database, which you went back from, is in {path}: anybody \
                 with the disk can read it. {}",
                rows(served)
            ),
            CopyKind::TakenBack {
                form: Form::Encrypted,
                served,
            } => format!(
                "The encrypted copy of the database, which you went back from, is in {path}. {}",
                rows(served)
            ),
            CopyKind::Unfinished => format!(
                "A copy of the database that was never used is in {path}, and the journal of its \
                 run is lost: anybody with the disk may be able to read it."
            ),
        }
    }

    /// What ends it.
    pub fn next(&self) -> String {
        match self {
            Self {
                run: None, path, ..
            } => format!(
                "It lacks the mark of a run, so no command destroys it. Look what it is; then \
                 remove it by hand: find {path} -type f -exec shred -u {{}} +; rm -r {path}",
                path = as_typed(&[path.to_string_lossy().into_owned()])
            ),
            Self {
                is_being_destroyed: true,
                ..
            } => "Its destruction was begun. Run it again: stayput mariadb destroy-copy".into(),
            Self {
                kind: CopyKind::Unfinished,
                ..
            } => "Destroy it: stayput mariadb destroy-copy".into(),
            _ => "Look whether rows of that time are missing in the database. When none are, \
                  destroy it: stayput mariadb destroy-copy"
                .into(),
        }
    }

    /// Its room, through which alone it is deleted; `None` where it lacks the mark.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn room(&self) -> io::Result<Option<MarkedRoom>> {
        match self.run {
            Some(run) => MarkedRoom::find(&self.path, run),
            None => Ok(None),
        }
    }
}

/// Puts the copy of a run aside, where its owner finds it. Returns where it is; `None`
/// where there is none. One that lies there already stays: what lies in its place then is
/// no copy of this run.
///
/// # Errors
/// What the filesystem says; it can be done again.
pub fn put_aside(journal: &Journal, paths: &RunPaths, now: u64) -> io::Result<Option<KeptCopy>> {
    let name = format!("{TAKEN_BACK}{}", journal.run);
    let path = paths.data.real().with_file_name(name);
    let room = MarkedRoom::find(&path, journal.run)?;
    let lies_there = room.as_ref().is_some_and(|room| room.data().exists());
    if !lies_there {
        if !paths.is_copy_home()? {
            return Ok(None);
        }
        paths.data.close()?;
        let room = match room {
            Some(room) => room,
            None => MarkedRoom::make(&path, journal.run)?,
        };
        let form = journal.conversion.to().word();
        let served = format!("{form} {} {now}\n", journal.since);
        write_durably(&room.file(SERVED), served.as_bytes())?;
        room.take_in(paths.home_of_copy())?;
    }
    Ok(taken_back(&path))
}

/// Every copy that waits for its owner.
///
/// # Errors
/// When it cannot be told; also when nothing says where they would be.
pub fn kept_copies() -> io::Result<Vec<KeptCopy>> {
    let places = data_places()?;
    let knows_run = matches!(reconstruct(Journal::read(), &places), Ok(Some(_)));
    is_mounted(&places)?;
    let mut found = Vec::new();
    for room in rooms_beside(&places) {
        found.extend(in_folder(&room, knows_run)?);
    }
    Ok(found)
}

/// Where nothing is at all, the disk of the data may be missing, and a copy with it.
fn is_mounted(places: &[PathBuf]) -> io::Result<()> {
    let usual = usual();
    let named = places.iter().filter(|place| !usual.contains(place));
    for seen in named {
        let places = [seen.clone()];
        let rooms = rooms_beside(&places);
        let mut all = places.iter().chain(&rooms);
        if all.all(|at| at.symlink_metadata().is_err()) {
            let what = format!("{} is not there: is its disk mounted?", seen.display());
            return Err(io::Error::other(what));
        }
    }
    Ok(())
}

fn in_folder(folder: &Path, knows_run: bool) -> io::Result<Vec<KeptCopy>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(taken_back(&entry?.path()));
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    let making = folder.join(MAKING);
    let unfinished = (!knows_run).then(|| MarkedRoom::owner(&making)).flatten();
    found.extend(
        unfinished
            .filter(|_| holds_data(&making))
            .map(|run| KeptCopy {
                run: Some(run),
                kind: CopyKind::Unfinished,
                is_being_destroyed: is_being_destroyed(&making),
                path: making,
            }),
    );
    Ok(found)
}

/// The copy in a room of this name, if it is one and holds something.
fn taken_back(path: &Path) -> Option<KeptCopy> {
    let id = path.file_name()?.to_str()?.strip_prefix(TAKEN_BACK)?;
    let run = MarkedRoom::owner(path).filter(|run| run.to_string() == id);
    let holds_copy = match run {
        Some(_) => holds_data(path),
        // A room that is being made holds a mark at most.
        None => id != "unmarked" && path.is_dir() && !is_empty_or_missing(path),
    };
    let noted = fs::read_to_string(path.join(SERVED)).unwrap_or_default();
    let (noted, served) = served(&noted);
    // The mark of an encrypted database says it as well, in a room and where the copy lies
    // bare. What is said to be encrypted nowhere counts as clear.
    let mut marks = [path.join(MARK), path.join("data").join(MARK)].into_iter();
    let form = match noted.filter(|_| run.is_some()) {
        Some(form) => form,
        None if marks.any(|mark| mark.exists()) => Form::Encrypted,
        None => Form::Clear,
    };
    holds_copy.then(|| KeptCopy {
        path: path.to_owned(),
        kind: CopyKind::TakenBack { form, served },
        run,
        is_being_destroyed: is_being_destroyed(path),
    })
}

fn holds_data(room: &Path) -> bool {
    room.join("data").symlink_metadata().is_ok()
}

fn is_being_destroyed(room: &Path) -> bool {
    room.join(BEING_DESTROYED).exists()
}

fn served(text: &str) -> (Option<Form>, Option<Served>) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let form = |word: &&str| Form::ALL.into_iter().find(|form| form.word() == *word);
    let form = words.first().and_then(form);
    let time = |at: usize| words.get(at).and_then(|word| word.parse().ok());
    let times = time(1).zip(time(2)).filter(|(from, _)| *from > 0);
    (form, times.map(|(from, until)| Served { from, until }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::mariadb::conversion::Conversion;
    use crate::admin::mariadb::run_records::journal::Stage;

    /// A server that goes back to its original; the copy holds a row.
    fn gone_back(home: &Path, conversion: Conversion) -> (Journal, RunPaths) {
        let paths = RunPaths::of(&home.join("mysql"), conversion);
        fs::create_dir_all(paths.home_of_copy()).unwrap();
        fs::write(paths.home_of_copy().join("ibdata1"), "row").unwrap();
        paths.make_root().unwrap();
        let journal = Journal {
            since: 1_700_000_000,
            ..Journal::example(conversion, Stage::TakingBack, home.join("mysql"))
        };
        (journal, paths)
    }

    #[test]
    fn copy_that_has_served_is_told_for_as_long_as_it_is_there() {
        for conversion in Conversion::ALL {
            let home = tempfile::tempdir().unwrap();
            let (journal, paths) = gone_back(home.path(), conversion);
            let kept = put_aside(&journal, &paths, 1_700_003_600).unwrap().unwrap();
            assert_eq!(kept.is_clear(), conversion == Conversion::Decrypt);
            assert_eq!(fs::read(kept.path.join("data/ibdata1")).unwrap(), b"row");
            let what = kept.what();
            assert!(what.contains(conversion.to().word()), "{what}");
            assert!(what.contains("2023-11-14T23:13:20Z"), "{what}");
            assert!(kept.next().contains("stayput mariadb destroy-copy"));
            let folder = home.path().join("stayput");
            assert_eq!(
                in_folder(&folder, true).unwrap(),
                std::slice::from_ref(&kept)
            );
            // After an interruption nothing else is taken for the copy.
            fs::create_dir_all(paths.home_of_copy()).unwrap();
            fs::write(paths.home_of_copy().join("ibdata1"), "another").unwrap();
            let again = put_aside(&journal, &paths, 1_700_007_200).unwrap();
            assert_eq!(again, Some(kept.clone()));
            kept.room().unwrap().unwrap().delete().unwrap();
            assert!(in_folder(&folder, true).unwrap().is_empty());
        }
    }

    #[test]
    fn copy_without_the_mark_is_told_and_has_no_room_to_delete() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("mariadb.taken-back.0123");
        fs::create_dir(&path).unwrap();
        assert!(in_folder(home.path(), true).unwrap().is_empty());
        fs::write(path.join("ibdata1"), "row").unwrap();
        // Nor does the mark of another run count.
        fs::write(path.join("mark"), format!("{}\n", RunId::new())).unwrap();
        let found = in_folder(home.path(), true).unwrap();
        assert_eq!(found.len(), 1);
        assert!(found[0].is_clear() && found[0].room().unwrap().is_none());
        assert!(found[0].next().contains("by hand"), "{}", found[0].next());
    }

    #[test]
    fn copy_of_a_run_that_nobody_knows_may_be_clear() {
        let home = tempfile::tempdir().unwrap();
        let run = RunId::new();
        let room = MarkedRoom::make(&home.path().join(MAKING), run).unwrap();
        assert!(in_folder(home.path(), false).unwrap().is_empty());
        fs::create_dir(room.data()).unwrap();
        let found = in_folder(home.path(), false).unwrap();
        assert!(found.len() == 1 && found[0].is_clear());
        assert!(found[0].what().contains("journal of its run is lost"));
        // It belongs to the run that the journal tells of.
        assert!(in_folder(home.path(), true).unwrap().is_empty());
    }

    #[test]
    fn copy_on_a_disk_that_is_not_mounted_is_not_called_absent() {
        let home = tempfile::tempdir().unwrap();
        let places = [home.path().join("mysql"), "/var/lib/mysql".into()];
        let error = is_mounted(&places).unwrap_err().to_string();
        assert!(error.contains("mounted"), "{error}");
        fs::create_dir(home.path().join("stayput")).unwrap();
        is_mounted(&places).unwrap();
        // A server without MariaDB has none.
        is_mounted(&usual()).unwrap();
    }

    #[test]
    fn form_is_what_was_noted_and_nothing_else() {
        let times = Some(Served { from: 5, until: 9 });
        assert_eq!(served("encrypted 5 9\n"), (Some(Form::Encrypted), times));
        assert_eq!(served("clear 5 9\n"), (Some(Form::Clear), times));
        assert_eq!(served("encrypted 0 9\n"), (Some(Form::Encrypted), None));
        for damaged in ["", "encrypt", "ncrypted 5 9"] {
            assert_eq!(served(damaged).0, None, "{damaged}");
        }
    }

    /// A reset overwrites what is clear.
    #[test]
    fn lost_note_makes_no_encrypted_copy_a_clear_one() {
        for has_mark in [true, false] {
            let home = tempfile::tempdir().unwrap();
            let (journal, paths) = gone_back(home.path(), Conversion::Encrypt);
            let kept = put_aside(&journal, &paths, 1_700_003_600).unwrap().unwrap();
            fs::remove_file(kept.path.join(SERVED)).unwrap();
            if has_mark {
                fs::write(kept.path.join("data").join(MARK), "check").unwrap();
            }
            let found = in_folder(&home.path().join("stayput"), true).unwrap();
            assert_eq!(found[0].is_clear(), !has_mark);
        }
    }

    #[test]
    fn what_is_to_be_typed_names_the_folder_and_no_other() {
        let copy = KeptCopy {
            path: "/srv/my data/stayput/mariadb.taken-back.1".into(),
            run: None,
            ..KeptCopy::example()
        };
        let path = "'/srv/my data/stayput/mariadb.taken-back.1'";
        let next = copy.next();
        assert!(next.contains(&format!("find {path} ")), "{next}");
        assert!(next.ends_with(&format!("rm -r {path}")), "{next}");
    }
}
