//! The backups of this server that lie in a folder, and what can be told of each without
//! reading its parts.

use std::io;

use sha2::{Digest, Sha256};

use crate::admin::problem::{Problem, Result};
use crate::backup::{
    MANIFEST, Manifest, ManifestKeys, Method, NoChoice, UNFINISHED, WAYS, choose, folder_name,
    number_of, part_name,
};
use crate::vault::ServerId;

use super::folder::Folder;
use super::parts::PartReader;
use super::pipeline::read_through;
use super::place::Place;

/// Most backups of a place that are looked at; those with the highest numbers.
const LOOKED_AT: usize = 2000;
/// Bytes of the copy of the ways in, at most.
const WAYS_MAX: usize = 1 << 16;

/// A folder that is named as a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The folder's name.
    pub name: String,
    /// The number in its name.
    pub number: u64,
    /// What it is.
    pub state: State,
}

/// What a folder is that is named as a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The owner's, and every part has its length. What is in the parts was not read.
    Whole(Summary),
    /// As whole, and made before the master key was replaced. Whoever has what was lost then
    /// can make such ones too, so it is restored only by its number, and never thinned.
    Earlier(Summary),
    /// It is being written, or that was interrupted.
    Unfinished,
    /// Why it is none, in words.
    Damaged(String),
}

/// What a list shows of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// When it was begun, in seconds since 1970 UTC.
    pub made: u64,
    /// The length of all parts.
    pub bytes: u64,
    /// How the database was read.
    pub method: Method,
    /// How many tables with rows it has.
    pub tables: usize,
    /// The rows of all tables.
    pub rows: u64,
    /// Generation of the master key that opens it.
    pub generation: u32,
    /// MariaDB's version.
    pub mariadb_version: String,
    /// What its owner calls it; mostly empty.
    pub label: String,
}

impl From<&Manifest> for Summary {
    fn from(manifest: &Manifest) -> Self {
        Self {
            made: manifest.made,
            bytes: manifest.bytes(),
            method: manifest.method,
            tables: manifest.tables.len(),
            rows: manifest.rows(),
            generation: manifest.generation,
            mariadb_version: manifest.mariadb_version.to_string(),
            label: manifest.label.to_string(),
        }
    }
}

/// All of them, the oldest first.
///
/// # Errors
/// When the place cannot be read.
pub fn find_all(place: &Place, keys: &ManifestKeys, server: &ServerId) -> Result<Vec<Found>> {
    all_in(place.folder()?, keys, server).map_err(|error| place.problem(&error))
}

fn all_in(folder: &Folder, keys: &ManifestKeys, server: &ServerId) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    let named = folder.names()?.into_iter();
    let named = named.filter_map(|name| Some((number_of(&name)?, name)));
    let mut named: Vec<(u64, String)> = named.collect();
    // Whoever writes the stick could have each look take hours.
    named.sort_unstable_by(|one, other| other.cmp(one));
    named.truncate(LOOKED_AT);
    for (number, name) in named {
        let state = match is_unfinished(folder, &name) {
            true => State::Unfinished,
            false => match look(folder, &name, keys, server) {
                Ok(manifest) if manifest.generation == keys.generation() => {
                    State::Whole(Summary::from(&manifest))
                }
                Ok(manifest) => State::Earlier(Summary::from(&manifest)),
                Err(why) => State::Damaged(why),
            },
        };
        found.push(Found {
            name,
            number,
            state,
        });
    }
    found.sort_by_key(|one| one.number);
    Ok(found)
}

/// Whether it is marked so, or has nothing in it yet, or any more.
fn is_unfinished(folder: &Folder, name: &str) -> bool {
    let names = folder.open(name).and_then(|inside| inside.names());
    names.is_ok_and(|names| names.is_empty() || names.iter().any(|name| name == UNFINISHED))
}

/// The manifest in a folder, if it is this server's, belongs there, and every part has its
/// length.
fn look(
    folder: &Folder,
    name: &str,
    keys: &ManifestKeys,
    server: &ServerId,
) -> std::result::Result<Manifest, String> {
    let words = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => "it has no manifest".into(),
        _ => error.to_string(),
    };
    let inside = folder.open(name).map_err(words)?;
    let bytes = inside.read(MANIFEST, Manifest::MAX).map_err(words)?;
    let manifest = Manifest::open_by_any(&bytes, keys).map_err(|why| why.to_string())?;
    if manifest.server_id != server.0 {
        return Err("it is of another server".into());
    }
    // Whoever swaps the folders of two backups changes neither.
    if folder_name(manifest.number, manifest.made) != name {
        let number = manifest.number;
        return Err(format!("it is backup {number}, in the folder of another"));
    }
    for stream in &manifest.streams {
        for (part, at) in stream.parts.iter().zip(1..) {
            let name = part_name(stream.kind, at);
            let file = inside.file(&name).and_then(|file| file.metadata());
            match file {
                Ok(file) if file.len() == part.bytes => {}
                Ok(_) => return Err(format!("{name} does not have its length")),
                Err(error) => return Err(format!("{name}: {error}")),
            }
        }
    }
    Ok(manifest)
}

/// The manifest of a backup in this folder.
///
/// # Errors
/// When it is none of this server's, or not whole any more.
pub fn read_manifest(
    place: &Place,
    name: &str,
    keys: &ManifestKeys,
    server: &ServerId,
) -> Result<(Folder, Manifest)> {
    let manifest = look(place.folder()?, name, keys, server).map_err(|why| {
        Problem::failed(
            format!("The backup {name} cannot be used: {why}."),
            "Take another one: stayput backup list",
        )
    })?;
    let inside = place.folder()?.open(name);
    Ok((inside.map_err(|error| place.problem(&error))?, manifest))
}

/// Reads all of a backup from the disk: whether it is what was written.
///
/// # Errors
/// InvalidData for what is not; what the filesystem says.
pub fn read_all(folder: &Folder, manifest: &Manifest) -> io::Result<()> {
    let ways = folder.read(WAYS, WAYS_MAX)?;
    if Sha256::digest(&ways)[..] != manifest.ways {
        let what = format!("{WAYS} is not what was written");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    let mut streams = manifest.streams.iter();
    streams.try_for_each(|stream| read_through(folder, stream))
}

/// The whole backups but the one of this name that cannot be read any more, by a look at
/// each: a stick that lies about its size writes over the older ones. All of them, where the
/// place shows nothing any more.
///
/// # Errors
/// When the stick was pulled out.
pub fn lost_besides(
    place: &Place,
    name: &str,
    keys: &ManifestKeys,
    server: &ServerId,
    known: &[Found],
) -> Result<Vec<String>> {
    let is_whole = |one: &&Found| matches!(one.state, State::Whole(_) | State::Earlier(_));
    let others = known.iter().filter(is_whole);
    let others = others.filter(|one| one.name != name);
    let can_be_read = |one: &Found| {
        let Ok((folder, manifest)) = read_manifest(place, &one.name, keys, server) else {
            return false;
        };
        let mut streams = manifest.streams.iter();
        streams.all(|stream| PartReader::look(&folder, stream).is_ok())
    };
    place.must_be_there()?;
    let lost = others.filter(|one| !can_be_read(one));
    Ok(lost.map(|one| one.name.clone()).collect())
}

/// The backup that was asked for, or the newest that is whole. `newest_made` is the number
/// of the newest that this server remembers.
///
/// # Errors
/// When there is none, or only an older one.
pub fn choose_whole(found: &[Found], wanted: Option<u64>, newest_made: u64) -> Result<&Found> {
    let of = |is_one: fn(&State) -> bool| -> Vec<&Found> {
        found.iter().filter(|one| is_one(&one.state)).collect()
    };
    let numbers = |of: &[&Found]| -> Vec<u64> { of.iter().map(|one| one.number).collect() };
    let whole = of(|state| matches!(state, State::Whole(_)));
    let earlier = of(|state| matches!(state, State::Earlier(_)));
    let chosen = choose(&numbers(&whole), &numbers(&earlier), wanted, newest_made);
    let chosen = chosen.map_err(|why| {
        let next = match why {
            NoChoice::None | NoChoice::NoSuch(_) => {
                "`stayput backup list` shows what is there, and what is wrong with it.".into()
            }
            NoChoice::Older { here, .. } => format!(
                "Is this the right stick? The newer ones may be on another. To use it all the \
                 same: --backup {here}"
            ),
            NoChoice::Earlier { here } => format!(
                "Whoever has what was lost then can have made it. Where you know it for yours: \
                 --backup {here}"
            ),
        };
        Problem::refused(format!("{why} Nothing was changed."), next)
    })?;
    // Two folders may claim one number: then both names were checked, and the times differ.
    // Those of the key of now come first.
    let newest_first = whole.into_iter().rev().chain(earlier.into_iter().rev());
    let mut chosen = newest_first.filter(|one| one.number == chosen);
    let one = chosen.next().expect("it was chosen from these");
    Ok(one)
}
