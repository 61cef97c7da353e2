//! The key files of all servers on a stick, for a computer that has no vault: it
//! does not know yet whose file it looks for.

use std::fs;
use std::path::Path;

use super::error::StickError;
use super::file::{StickFile, file_names};
use super::volume::{FOLDER, open_folder, read_file};
use crate::filesystem::Mounted;
use crate::vault::ServerId;

/// Names that are looked at in the folder; somebody may have made hundreds.
const MOST_NAMES: usize = 256;

/// Reads one whole key file of each server that has one on this volume, sorted by
/// the server's id. Nothing on the volume is changed or followed.
///
/// # Errors
/// What is wrong with the volume; [`StickError::NoKey`]; what is wrong with the last
/// file where none is whole.
pub fn read_all_servers(device: &Path) -> Result<Vec<StickFile>, StickError> {
    let mounted = Mounted::for_reading(device)?;
    let path = mounted.path().join(FOLDER);
    let folder = open_folder(&path)?;
    let entries = fs::read_dir(&path).map_err(|_| StickError::NoKey)?;
    let names = entries.take(MOST_NAMES).filter_map(Result::ok);
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut wrong = StickError::NoKey;
    let mut files = Vec::new();
    for server_id in servers_of(names) {
        let copies = file_names(&server_id).map(|name| read_file(&folder, &name));
        match whole(copies.iter().flatten().map(|bytes| &bytes[..]), &server_id) {
            Ok(file) => files.push(file),
            Err(error) => wrong = error,
        }
    }
    match files.is_empty() {
        true => Err(wrong),
        false => Ok(files),
    }
}

/// The servers whose files have these names, each once.
fn servers_of(names: impl Iterator<Item = String>) -> Vec<ServerId> {
    let id = |name: String| -> Option<ServerId> {
        let id: ServerId = name.get(..32)?.parse().ok()?;
        file_names(&id)
            .iter()
            .any(|known| *known == *name)
            .then_some(id)
    };
    let mut ids: Vec<ServerId> = names.filter_map(id).collect();
    ids.sort_by_key(|id| id.0);
    ids.dedup();
    ids
}

/// The first copy that is whole and of the server that its name says.
fn whole<'a>(
    copies: impl Iterator<Item = &'a [u8]>,
    server_id: &ServerId,
) -> Result<StickFile, StickError> {
    let mut wrong = StickError::Damaged;
    for bytes in copies {
        match StickFile::parse_any(bytes) {
            Ok(file) if file.info.server_id == *server_id => return Ok(file),
            Ok(_) => wrong = StickError::Damaged,
            Err(error) => wrong = error,
        }
    }
    Err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;
    use crate::vault::Header;

    #[test]
    fn servers_are_told_by_the_names_of_their_files() {
        let (one, two) = (ServerId([1; 16]), ServerId([2; 16]));
        let mut names: Vec<String> = Vec::new();
        names.extend(file_names(&two).map(|name| name.to_string()));
        names.push(file_names(&one)[1].to_string());
        names.extend(["README.txt", "x.key", ".key", "new.tmp"].map(String::from));
        names.push(format!("{}.key.bak", ServerId([3; 16])));
        assert_eq!(servers_of(names.into_iter()), [one, two]);
    }

    #[test]
    fn the_second_copy_counts_where_the_first_is_no_good() {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let other = Header::of_a_new_server(&key);
        let stick = |header: &Header| StickFile::for_test(header, &key, "a", b"");
        let (good, others) = (stick(&header), stick(&other));
        let id = &header.server_id;
        let (bytes, renamed) = (good.encode(), others.encode());
        let read = |copies: &[&[u8]]| whole(copies.iter().copied(), id);
        assert_eq!(read(&[b"gone", &bytes]), Ok(good.clone()));
        assert_eq!(read(&[&renamed, &bytes]), Ok(good));
        assert_eq!(read(&[&renamed]), Err(StickError::Damaged));
        assert_eq!(read(&[b"gone"]), Err(StickError::Damaged));
    }
}
