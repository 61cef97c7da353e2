//! The check file, by which the gate recognises the right keys without holding them. It is
//! text that a person can read:
//!
//! ```text
//! stayput mariadb check v1
//! data /var/lib/mysql
//! 1 <64 hex digits>
//! 2 <64 hex digits>
//! 201 <64 hex digits> new
//! ```
//!
//! `new` stands behind a key that is about to be released: it may be missing, and has to be
//! right where it is there. Whenever the power goes, the gate lets the keys of before pass, and
//! those of afterwards, and no others.

use core::fmt::Write;

use super::key_file::{parse_hex, parse_id};
use super::{MAX_KEY_IDS, ReleasedKey};
use crate::keys::CheckValue;
use crate::vault::DEFAULT_KEY_IDS;

const FIRST_LINE: &str = "stayput mariadb check v1";

/// The longest path of a data directory, in bytes.
const PATH_MAX: usize = 255;

/// Behind a key that may be missing.
const NEW: &str = " new";

/// The context of a check value, beside the key.
const CONTEXT: &[u8] = b"stayput mariadb check v1";

/// The enrolled data directory, and the check value of each of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFile {
    data_directory: heapless::String<PATH_MAX>,
    checks: heapless::Vec<KeyCheck, MAX_KEY_IDS>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KeyCheck {
    id: u32,
    value: CheckValue,
    /// It is about to be released. No file of the database was written with it.
    is_new: bool,
}

/// Why a check file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckFileError {
    /// It is no check file, or one of another version.
    Version,
    /// This line (from 1) cannot be read.
    Line(usize),
    /// More than [`MAX_KEY_IDS`] ids.
    TooMany,
    /// No id at all, or not id 1, without which MariaDB cannot encrypt.
    NoFirstKey,
    /// The data directory's path is relative, too long, or has a line break.
    Path,
}

/// What is wrong with the keys in a key file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The key of this id is missing.
    Missing(u32),
    /// The key of this id is wrong.
    Wrong(u32),
    /// This id was never released.
    Unknown(u32),
}

impl CheckFile {
    /// The longest check file, in bytes.
    pub const MAX: usize =
        FIRST_LINE.len() + 1 + 5 + PATH_MAX + 1 + MAX_KEY_IDS * (10 + 1 + 64 + NEW.len() + 1);

    pub(super) fn of(
        data_directory: &str,
        keys: impl Iterator<Item = ReleasedKey>,
    ) -> Result<Self, CheckFileError> {
        let mut checks = heapless::Vec::new();
        for key in keys {
            let check = KeyCheck::of(&key, false);
            checks.push(check).map_err(|_| CheckFileError::TooMany)?;
        }
        Self::checked(path(data_directory)?, checks)
    }

    fn checked(
        data_directory: heapless::String<PATH_MAX>,
        checks: heapless::Vec<KeyCheck, MAX_KEY_IDS>,
    ) -> Result<Self, CheckFileError> {
        if checks.iter().all(|check| check.id != 1) {
            return Err(CheckFileError::NoFirstKey);
        }
        Ok(Self {
            data_directory,
            checks,
        })
    }

    /// The path at which MariaDB sees its data directory, not the one of the closed data.
    pub fn data_directory(&self) -> &str {
        &self.data_directory
    }

    /// This file, with one key more that is about to be released. One that it has is left
    /// as it is.
    ///
    /// # Errors
    /// [`CheckFileError::TooMany`].
    pub fn announcing(&self, key: &ReleasedKey) -> Result<Self, CheckFileError> {
        let mut with = self.clone();
        if with.checks.iter().all(|check| check.id != key.id) {
            let check = KeyCheck::of(key, true);
            let pushed = with.checks.push(check);
            pushed.map_err(|_| CheckFileError::TooMany)?;
        }
        Ok(with)
    }

    /// This file once these keys are released: from then on files of the database may need
    /// any of them, and none may be missing. One that was announced and is not among them is
    /// left out: it was never released, and a start that waits for it would wait for ever.
    pub fn requiring(&self, released: &[ReleasedKey]) -> Self {
        let mut required = self.clone();
        let is_released = |id| released.iter().any(|key| key.id == id);
        let checks = &mut required.checks;
        checks.retain(|check| !check.is_new || is_released(check.id));
        checks.iter_mut().for_each(|check| check.is_new = false);
        required
    }

    /// Whether this file has every key of another one, and more.
    pub fn has_more_than(&self, other: &Self) -> bool {
        let is_here = |check: &KeyCheck| {
            let mut here = self.checks.iter();
            here.any(|here| (here.id, here.value) == (check.id, check.value))
        };
        other.checks.iter().all(is_here) && other.checks.len() < self.checks.len()
    }

    /// The key that new tables are made with; `None` where that is MariaDB's own choice,
    /// which is key 1.
    pub fn key_of_new_tables(&self) -> Option<u32> {
        let released = self.checks.iter().filter(|check| !check.is_new);
        let mut rotated = released.filter(|check| !DEFAULT_KEY_IDS.contains(&check.id));
        rotated.next_back().map(|check| check.id)
    }

    /// The text that [`CheckFile::parse`] reads.
    pub fn to_text(&self) -> heapless::String<{ Self::MAX }> {
        let mut text = heapless::String::new();
        self.write(&mut text).expect("the bound counts every line");
        text
    }

    fn write(&self, text: &mut impl Write) -> core::fmt::Result {
        writeln!(text, "{FIRST_LINE}\ndata {}", self.data_directory)?;
        for KeyCheck { id, value, is_new } in &self.checks {
            write!(text, "{id} ")?;
            for byte in value.0 {
                write!(text, "{byte:02x}")?;
            }
            writeln!(text, "{}", if *is_new { NEW } else { "" })?;
        }
        Ok(())
    }

    /// # Errors
    /// [`CheckFileError`]; the bytes may come from anyone.
    pub fn parse(text: &[u8]) -> Result<Self, CheckFileError> {
        let text = core::str::from_utf8(text).map_err(|_| CheckFileError::Version)?;
        let mut lines = text.lines().zip(1..);
        if lines.next().is_none_or(|(line, _)| line != FIRST_LINE) {
            return Err(CheckFileError::Version);
        }
        let data_directory = lines
            .next()
            .and_then(|(line, _)| line.strip_prefix("data "))
            .ok_or(CheckFileError::Line(2))?;
        let data_directory = path(data_directory)?;
        let mut checks: heapless::Vec<KeyCheck, MAX_KEY_IDS> = heapless::Vec::new();
        for (line, number) in lines {
            let check = parse_check(line).ok_or(CheckFileError::Line(number))?;
            if checks.iter().any(|known| known.id == check.id) {
                return Err(CheckFileError::Line(number));
            }
            checks.push(check).map_err(|_| CheckFileError::TooMany)?;
        }
        Self::checked(data_directory, checks)
    }

    /// The ids of the keys that the data was written with.
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> {
        let written_with = self.checks.iter().filter(|check| !check.is_new);
        written_with.map(|check| check.id)
    }

    /// Whether the data was written with this key.
    pub(super) fn recognises(&self, key: &ReleasedKey) -> bool {
        let mut of_id = self.checks.iter().filter(|check| check.id == key.id);
        of_id.any(|check| check.value.matches(&key.key, CONTEXT))
    }

    /// Whether these are exactly the keys that the data was written with; one that is about
    /// to be released may be there or not.
    ///
    /// # Errors
    /// The first [`KeyFault`].
    pub fn verify(&self, keys: &[ReleasedKey]) -> Result<(), KeyFault> {
        for check in &self.checks {
            let found = match keys.iter().find(|key| key.id == check.id) {
                Some(found) => found,
                None if check.is_new => continue,
                None => return Err(KeyFault::Missing(check.id)),
            };
            if !check.value.matches(&found.key, CONTEXT) {
                return Err(KeyFault::Wrong(check.id));
            }
        }
        let known = |id| self.checks.iter().any(|check| check.id == id);
        match keys.iter().find(|key| !known(key.id)) {
            Some(key) => Err(KeyFault::Unknown(key.id)),
            None => Ok(()),
        }
    }
}

impl KeyCheck {
    fn of(key: &ReleasedKey, is_new: bool) -> Self {
        Self {
            id: key.id,
            value: CheckValue::of(&key.key, CONTEXT),
            is_new,
        }
    }
}

fn parse_check(line: &str) -> Option<KeyCheck> {
    let (line, is_new) = match line.strip_suffix(NEW) {
        Some(line) => (line, true),
        None => (line, false),
    };
    let (id, hex) = line.split_once(' ')?;
    let mut value = CheckValue([0; 32]);
    parse_hex(hex.as_bytes(), &mut value.0)?;
    Some(KeyCheck {
        id: parse_id(id.as_bytes())?,
        value,
        is_new,
    })
}

/// An absolute path without a trailing slash.
fn path(text: &str) -> Result<heapless::String<PATH_MAX>, CheckFileError> {
    let plain =
        text.starts_with('/') && !text.ends_with('/') && !text.chars().any(char::is_control);
    if !plain {
        return Err(CheckFileError::Path);
    }
    heapless::String::try_from(text).map_err(|_| CheckFileError::Path)
}

#[cfg(test)]
mod tests {
    use super::super::{KeyId, MariadbRelease};
    use super::*;
    use crate::keys::{Keyring, MasterKey, Secret32};
    use proptest::prelude::*;

    fn master(byte: u8) -> MasterKey {
        MasterKey::from_secret(Secret32::new([byte; 32]))
    }

    fn release(ids: &[u32]) -> MariadbRelease {
        MariadbRelease {
            key_ids: ids
                .iter()
                .map(|id| KeyId {
                    id: *id,
                    generation: 1,
                })
                .collect(),
            ..MariadbRelease::new(104, 111, 1)
        }
    }

    fn keyring(byte: u8) -> Keyring {
        Keyring::of_one(1, master(byte))
    }

    fn keys(ids: &[u32], byte: u8) -> Vec<ReleasedKey> {
        release(ids).keys(&keyring(byte)).collect()
    }

    fn checks(ids: &[u32]) -> CheckFile {
        release(ids)
            .check_file(&keyring(1), "/var/lib/mysql")
            .unwrap()
    }

    #[test]
    fn the_right_keys_pass_in_any_order() {
        assert_eq!(checks(&[1, 2]).verify(&keys(&[1, 2], 1)), Ok(()));
        assert_eq!(checks(&[1, 2]).verify(&keys(&[2, 1], 1)), Ok(()));
    }

    #[test]
    fn keys_that_would_destroy_data_are_named() {
        let file = checks(&[1, 2]);
        assert_eq!(file.verify(&[]), Err(KeyFault::Missing(1)));
        assert_eq!(file.verify(&keys(&[1], 1)), Err(KeyFault::Missing(2)));
        assert_eq!(file.verify(&keys(&[2], 1)), Err(KeyFault::Missing(1)));
        assert_eq!(file.verify(&keys(&[1, 2, 3], 1)), Err(KeyFault::Unknown(3)));
        // Key 2 wrong is the silent one: MariaDB would start with it.
        let mut wrong = keys(&[1, 2], 1);
        wrong[1].key = super::super::key(&master(9), 2);
        assert_eq!(file.verify(&wrong), Err(KeyFault::Wrong(2)));
        // Two ids whose keys were exchanged.
        let mut exchanged = keys(&[1, 2], 1);
        exchanged[0].id = 2;
        exchanged[1].id = 1;
        assert_eq!(file.verify(&exchanged), Err(KeyFault::Wrong(1)));
    }

    #[test]
    fn key_that_is_about_to_come_may_be_missing_and_never_wrong() {
        let [new] = &keys(&[201], 1)[..] else {
            panic!("one key");
        };
        let before = checks(&[1, 2]);
        let announced = before.announcing(new).unwrap();
        let read = CheckFile::parse(announced.to_text().as_bytes());
        assert_eq!(read.as_ref(), Ok(&announced));
        // The power may go before it is released, and afterwards.
        assert_eq!(announced.verify(&keys(&[1, 2], 1)), Ok(()));
        assert_eq!(announced.verify(&keys(&[1, 2, 201], 1)), Ok(()));
        assert_eq!(announced.verify(&keys(&[1], 1)), Err(KeyFault::Missing(2)));
        let mut wrong = keys(&[1, 2, 201], 1);
        wrong[2].key = super::super::key(&master(9), 201);
        assert_eq!(announced.verify(&wrong), Err(KeyFault::Wrong(201)));
        let more = keys(&[1, 2, 202], 1);
        assert_eq!(announced.verify(&more), Err(KeyFault::Unknown(202)));
        // Tables are written with it only when it cannot be missing any more.
        assert_eq!(announced.key_of_new_tables(), None);
        let released = announced.requiring(&keys(&[1, 2, 201], 1));
        assert_eq!(released, checks(&[1, 2, 201]));
        assert_eq!(released.announcing(new), Ok(released.clone()));
        assert_eq!(
            released.verify(&keys(&[1, 2], 1)),
            Err(KeyFault::Missing(201))
        );
        assert_eq!(released.key_of_new_tables(), Some(201));
        assert_eq!(checks(&[1, 2, 201, 301]).key_of_new_tables(), Some(301));
    }

    #[test]
    fn check_file_of_before_a_key_more_is_told() {
        let (before, now) = (checks(&[1, 2]), checks(&[1, 2, 201]));
        assert!(now.has_more_than(&before) && !before.has_more_than(&now));
        assert!(!now.has_more_than(&now));
        let of_another = release(&[1, 2]).check_file(&keyring(9), "/data").unwrap();
        assert!(!now.has_more_than(&of_another));
    }

    #[test]
    fn key_that_was_announced_and_never_came_is_not_waited_for() {
        let new = |id| keys(&[id], 1).remove(0);
        // The power went before the vault gave 201; then the master key was replaced.
        let announced = checks(&[1, 2]).announcing(&new(201)).unwrap();
        let announced = announced.announcing(&new(301)).unwrap();
        let released = keys(&[1, 2, 301], 1);
        assert_eq!(announced.verify(&released), Ok(()));
        let required = announced.requiring(&released);
        assert_eq!(required, checks(&[1, 2, 301]));
        assert_eq!(required.verify(&released), Ok(()));
    }

    #[test]
    fn a_check_file_does_not_give_the_key_away() {
        let text = checks(&[1, 2]).to_text();
        let file = release(&[1, 2]).key_file(&keyring(1));
        let file = core::str::from_utf8(file.as_bytes()).unwrap();
        for line in file.lines() {
            let hex = line.split_once(';').unwrap().1;
            assert!(!text.contains(hex));
        }
    }

    #[test]
    fn a_damaged_check_file_is_refused() {
        let text = checks(&[1, 2]).to_text();
        let error = |text: &str| CheckFile::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error(""), CheckFileError::Version);
        assert_eq!(error(&text.replace("v1", "v2")), CheckFileError::Version);
        assert_eq!(
            error(&text.replace("data /var/lib/mysql\n", "")),
            CheckFileError::Line(2)
        );
        assert_eq!(error(&text.replace("/var", "var")), CheckFileError::Path);
        let (head, last) = text.trim_end().rsplit_once('\n').unwrap();
        assert_eq!(error(&text[..text.len() - 2]), CheckFileError::Line(4));
        assert_eq!(
            error(&format!("{head}\n{last}\n{last}\n")),
            CheckFileError::Line(5)
        );
        let first_key_gone = text.replace("\n1 ", "\n7 ");
        assert_eq!(error(&first_key_gone), CheckFileError::NoFirstKey);
        let many: String = (100..117)
            .map(|id| format!("{id} {}\n", "0".repeat(64)))
            .collect();
        assert_eq!(error(&format!("{text}{many}")), CheckFileError::TooMany);
    }

    #[test]
    fn the_longest_check_file_fits() {
        let ids: Vec<u32> = (0..15).map(|n| u32::MAX - n).chain([1]).collect();
        let path = format!("/{}", "x".repeat(254));
        let file = release(&ids).check_file(&keyring(1), &path).unwrap();
        assert_eq!(
            CheckFile::parse(file.to_text().as_bytes()),
            Ok(file.clone())
        );
        let mut all_new = file.clone();
        all_new
            .checks
            .iter_mut()
            .for_each(|check| check.is_new = true);
        assert_eq!(
            CheckFile::parse(all_new.to_text().as_bytes()),
            Ok(all_new.clone())
        );
        let one_more = &keys(&[7], 1)[0];
        assert_eq!(file.announcing(one_more), Err(CheckFileError::TooMany));
        let longer = format!("{path}x");
        assert_eq!(
            release(&ids).check_file(&keyring(1), &longer),
            Err(CheckFileError::Path)
        );
    }

    proptest! {
        #[test]
        fn a_check_file_is_read_back(ids in proptest::collection::hash_set(2..u32::MAX, 0..=15)) {
            let ids: Vec<u32> = ids.into_iter().chain([1]).collect();
            let file = checks(&ids);
            let read = CheckFile::parse(file.to_text().as_bytes()).unwrap();
            prop_assert_eq!(&read, &file);
            prop_assert_eq!(read.verify(&keys(&ids, 1)), Ok(()));
            prop_assert!(read.verify(&keys(&ids, 2)).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = CheckFile::parse(&bytes);
        }

        #[test]
        fn no_text_makes_it_panic(lines in "(stayput mariadb check v1\n)(data /[a-z]{0,300}\n)?([0-9]{0,11} [0-9a-f]{0,70}\n){0,20}") {
            let _ = CheckFile::parse(lines.as_bytes());
        }
    }
}
