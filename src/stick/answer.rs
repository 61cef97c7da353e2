//! What the child that reads a stick says of one volume: always as many bytes,
//! so that nothing has to be believed of their length. It has looked into no key
//! file; whoever reads the answer does.

use zeroize::Zeroizing;

use super::error::StickError;
use super::file::STICK_FILE_BYTES;
use super::volume::UncheckedFile;
use crate::filesystem::{DRIVERS, FORMATS};

/// Bytes of one answer: the finding, then for each copy whether it is there, and
/// a key file.
pub const ANSWER_BYTES: usize = 1 + 2 * COPY_BYTES;
const COPY_BYTES: usize = 1 + STICK_FILE_BYTES;

const UNREADABLE: u8 = 0;
const NO_KEY: u8 = 1;
const OTHER_SERVER: u8 = 2;
const COPIES: u8 = 3;
const NOT_ALLOWED: u8 = 4;
/// From here on, as many as there are [`FORMATS`].
const FORMAT: u8 = 0x20;
/// From here on, as many as there are [`DRIVERS`].
const NO_DRIVER: u8 = 0x40;

const MISSING: u8 = 0;
/// As long as a key file is.
const THERE: u8 = 1;
/// Shorter or longer, so that no key file can be in it.
const DAMAGED: u8 = 2;

/// What was found on a volume, as [`super::volume::read_unchecked`] gives it, in
/// [`ANSWER_BYTES`].
pub fn encode(found: &Result<[Option<UncheckedFile>; 2], StickError>) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; ANSWER_BYTES]);
    let (finding, copies) = bytes.split_at_mut(1);
    finding[0] = match found {
        Ok(_) => COPIES,
        Err(StickError::OtherServer) => OTHER_SERVER,
        Err(StickError::NoKey) => NO_KEY,
        Err(StickError::NotAllowed) => NOT_ALLOWED,
        Err(StickError::Format(format)) => in_list(FORMAT, &FORMATS, format),
        Err(StickError::NoDriver(driver)) => in_list(NO_DRIVER, &DRIVERS, driver),
        Err(_) => UNREADABLE,
    };
    for (into, file) in copies
        .chunks_exact_mut(COPY_BYTES)
        .zip(found.iter().flatten())
    {
        let (state, content) = into.split_at_mut(1);
        state[0] = match file {
            None => MISSING,
            Some(file) if file.len() == STICK_FILE_BYTES => {
                content.copy_from_slice(file);
                THERE
            }
            Some(_) => DAMAGED,
        };
    }
    bytes
}

/// One volume's answer.
///
/// # Errors
/// What the child found wrong with the volume, as
/// [`super::volume::read_unchecked`] says it; [`StickError::Unreadable`] for bytes
/// that are no answer.
///
/// # Panics
/// If there are not [`ANSWER_BYTES`] of them.
pub fn decode(bytes: &[u8]) -> Result<[Option<UncheckedFile>; 2], StickError> {
    assert_eq!(bytes.len(), ANSWER_BYTES);
    let (finding, copies) = bytes.split_at(1);
    match finding[0] {
        COPIES => {}
        NO_KEY => return Err(StickError::NoKey),
        OTHER_SERVER => return Err(StickError::OtherServer),
        NOT_ALLOWED => return Err(StickError::NotAllowed),
        finding => {
            let at = |base: u8| usize::from(finding.wrapping_sub(base));
            let format = FORMATS.get(at(FORMAT)).copied().map(StickError::Format);
            let driver = || DRIVERS.get(at(NO_DRIVER)).copied();
            let error = format.or_else(|| driver().map(StickError::NoDriver));
            return Err(error.unwrap_or(StickError::Unreadable));
        }
    }
    let (first, second) = copies.split_at(COPY_BYTES);
    Ok([copy(first)?, copy(second)?])
}

/// The finding that stands for one of a list.
fn in_list<T: PartialEq>(base: u8, list: &[T], one: &T) -> u8 {
    let at = list.iter().position(|other| other == one);
    at.and_then(|at| base.checked_add(u8::try_from(at).ok()?))
        .unwrap_or(UNREADABLE)
}

fn copy(bytes: &[u8]) -> Result<Option<UncheckedFile>, StickError> {
    let (state, content) = bytes.split_at(1);
    match state[0] {
        MISSING => Ok(None),
        THERE => Ok(Some(Zeroizing::new(content.to_vec()))),
        DAMAGED => Ok(Some(UncheckedFile::default())),
        _ => Err(StickError::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;
    use crate::stick::StickFile;
    use crate::stick::volume::copies_of;
    use crate::vault::Header;
    use proptest::prelude::*;

    #[test]
    fn a_key_file_goes_through_the_pipe_as_it_is() {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let file = StickFile::for_test(&header, &key, "a", b"");
        let bytes = || Some(Zeroizing::new(file.encode().to_vec()));
        let cut = || Some(Zeroizing::new(vec![7; STICK_FILE_BYTES - 1]));
        for (files, both_whole) in [
            ([bytes(), bytes()], true),
            ([bytes(), None], false),
            ([cut(), bytes()], false),
        ] {
            let said = decode(&encode(&Ok(files))).unwrap();
            let copies = copies_of(&said, &header).unwrap();
            assert_eq!((copies.file, copies.both_whole), (file.clone(), both_whole));
        }
        let damaged = decode(&encode(&Ok([None, cut()]))).unwrap();
        assert_eq!(
            copies_of(&damaged, &header).err(),
            Some(StickError::Damaged)
        );
    }

    #[test]
    fn what_is_wrong_with_a_volume_goes_through_the_pipe() {
        use StickError::{NoKey, NotAllowed, OtherServer, Unreadable};
        let formats = FORMATS.map(StickError::Format);
        let drivers = DRIVERS.map(StickError::NoDriver);
        let errors = [NoKey, NotAllowed, OtherServer, Unreadable].into_iter();
        for error in errors.chain(formats).chain(drivers) {
            assert_eq!(decode(&encode(&Err(error))), Err(error));
        }
    }

    proptest! {
        #[test]
        fn a_child_that_says_nonsense_has_said_nothing(finding: u8, state: u8, end: u8) {
            let mut bytes = [0; ANSWER_BYTES];
            bytes[0] = finding;
            bytes[1] = state;
            bytes[1 + COPY_BYTES] = end;
            let is_in = |base: u8, length: usize| {
                (base..).zip(0..length).any(|(word, _)| word == finding)
            };
            let is_answer = matches!(finding, NO_KEY | OTHER_SERVER | NOT_ALLOWED)
                || is_in(FORMAT, FORMATS.len())
                || is_in(NO_DRIVER, DRIVERS.len())
                || (finding == COPIES && state <= DAMAGED && end <= DAMAGED);
            prop_assert_eq!(is_answer, decode(&bytes) != Err(StickError::Unreadable));
        }
    }
}
