//! The manifest of a backup: what it holds, and what it was made of.

use serde::{Deserialize, Serialize};

use super::authenticated::{self, NotAuthentic};
use super::bounded;
use super::keys::ManifestKey;
use super::manifest_keys::ManifestKeys;

const MARK: &[u8; 8] = b"STAYPUTB";
const PAYLOAD_MAX: usize = 8 << 20;

/// Most parts of one stream: 4 TiB on a stick, 64 GiB in a pipe.
pub const PARTS_MAX: usize = 4096;
/// Most bytes of a check file.
pub const CHECK_MAX: usize = 4096;
/// Most tables of a database.
const TABLES_MAX: usize = 1 << 16;

/// Bytes at the beginning of a stream that have a digest of their own: age's header and nonce
/// are in it. Whoever lacks the header's file key can make nothing that decrypts behind it.
pub const STREAM_HEAD: usize = 4096;

/// How the database was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "admin", derive(clap::ValueEnum))]
pub enum Method {
    /// Its files, by mariadb-backup; for the same series of MariaDB
    Physical,
    /// Its contents as SQL, by mariadb-dump; for later versions too
    Dump,
}

/// What is in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StreamKind {
    /// What mariadb-backup or mariadb-dump wrote.
    Database,
    /// A tar archive of the files that were named.
    Files,
}

/// One file of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it.
    pub digest: [u8; 32],
}

/// What becomes one stream of age when its parts are put behind one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// What is in it.
    pub kind: StreamKind,
    /// SHA-256 of its first [`STREAM_HEAD`] bytes, or of all where it is shorter.
    pub head: [u8; 32],
    /// In their order.
    #[serde(deserialize_with = "bounded::list::<_, _, PARTS_MAX>")]
    pub parts: Vec<Part>,
}

impl Stream {
    /// The length of all parts.
    pub fn bytes(&self) -> u64 {
        self.parts
            .iter()
            .fold(0, |sum, part| sum.saturating_add(part.bytes))
    }
}

/// How many rows a table had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRows {
    /// Name of its database.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Rows, counted when the backup was made.
    pub rows: u64,
    /// Nobody wrote into it meanwhile: the backup has exactly these rows.
    pub is_certain: bool,
}

/// Files besides the database, as they were when the backup was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// How many.
    pub count: u64,
    /// Their length.
    pub bytes: u64,
}

/// What a backup holds, and what it was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The server's id.
    pub server_id: [u8; 16],
    /// What people call the server.
    pub server_name: heapless::String<64>,
    /// Generation of the master key that opens it.
    pub generation: u32,
    /// Counts the server's backups, from 1.
    pub number: u64,
    /// When it was begun, in seconds since 1970 UTC.
    pub made: u64,
    /// What its owner calls it; mostly empty.
    pub label: heapless::String<64>,
    /// How the database was read.
    pub method: Method,
    /// As the server says it: `10.11.19-MariaDB-...`.
    pub mariadb_version: heapless::String<128>,
    /// Where the binary log stood, where it is on; else empty.
    pub gtid: heapless::String<512>,
    /// Bytes that the data directory took.
    pub data_bytes: u64,
    /// How many files were named besides the database.
    pub files: Files,
    /// SHA-256 of the copy of the ways in, which lies beside it.
    pub ways: [u8; 32],
    /// The text of the check file: by it the keys that the database's files are encrypted with
    /// are known again. Whoever reads it learns none of them.
    #[serde(deserialize_with = "bounded::list::<_, _, CHECK_MAX>")]
    pub check: Vec<u8>,
    /// One of the database, and one of files if any were named.
    pub streams: heapless::Vec<Stream, 2>,
    /// Every table with rows.
    #[serde(deserialize_with = "bounded::list::<_, _, TABLES_MAX>")]
    pub tables: Vec<TableRows>,
}

impl Manifest {
    /// Bytes of the longest file.
    pub const MAX: usize = authenticated::HEAD + PAYLOAD_MAX;

    /// As it stands beside the parts; `None` where the format has no room for so many tables
    /// or parts.
    pub fn close(&self, key: &ManifestKey) -> Option<Vec<u8>> {
        let payload = postcard::to_extend(self, Vec::new()).ok()?;
        let fits = payload.len() <= PAYLOAD_MAX
            && self.tables.len() <= TABLES_MAX
            && self.streams.iter().all(|one| one.parts.len() <= PARTS_MAX);
        fits.then(|| authenticated::close(MARK, &payload, key))
    }

    /// Reads a manifest, if the owner has written it.
    ///
    /// # Errors
    /// [`NotAuthentic`].
    pub fn open(bytes: &[u8], key: &ManifestKey) -> Result<Self, NotAuthentic> {
        let payload = authenticated::open(MARK, bytes, PAYLOAD_MAX, key)?;
        Self::decode(payload)
    }

    /// Reads a manifest that the owner has written, with the master key of now or with an
    /// earlier one: which, its generation says.
    ///
    /// # Errors
    /// [`NotAuthentic`].
    pub fn open_by_any(bytes: &[u8], keys: &ManifestKeys) -> Result<Self, NotAuthentic> {
        keys.open(|key| Self::open(bytes, key), |manifest| manifest.generation)
    }

    fn decode(payload: &[u8]) -> Result<Self, NotAuthentic> {
        let (manifest, rest): (Self, _) =
            postcard::take_from_bytes(payload).map_err(|_| NotAuthentic::Malformed)?;
        let kinds = manifest.streams.iter().map(|stream| stream.kind);
        let is_sound = rest.is_empty()
            && manifest.streams.iter().all(|one| !one.parts.is_empty())
            && kinds.is_sorted_by(|one, next| one < next);
        match is_sound {
            true => Ok(manifest),
            false => Err(NotAuthentic::Malformed),
        }
    }

    /// Reads these bytes as a payload and as a whole manifest.
    #[cfg(feature = "fuzzing")]
    pub fn read_anyhow(bytes: &[u8]) {
        let key = ManifestKey::from_released(crate::keys::Secret32::new([0; 32]));
        let _ = Self::open(bytes, &key);
        if let Ok(manifest) = Self::decode(bytes) {
            let closed = manifest.close(&key).expect("what was read has room");
            assert_eq!(Self::open(&closed, &key), Ok(manifest));
        }
    }

    /// The stream of this kind.
    pub fn stream(&self, kind: StreamKind) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.kind == kind)
    }

    /// The length of all parts.
    pub fn bytes(&self) -> u64 {
        self.streams
            .iter()
            .fold(0, |sum, one| sum.saturating_add(one.bytes()))
    }

    /// The rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables
            .iter()
            .fold(0, |sum, table| sum.saturating_add(table.rows))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::keys::Secret32;
    use proptest::prelude::*;

    pub fn key(byte: u8) -> ManifestKey {
        ManifestKey::from_released(Secret32::new([byte; 32]))
    }

    /// The manifest of backup `number` with one part of each stream.
    pub fn manifest(number: u64) -> Manifest {
        let stream = |kind, byte| Stream {
            kind,
            head: [byte; 32],
            parts: vec![Part {
                bytes: 100,
                digest: [byte; 32],
            }],
        };
        Manifest {
            server_id: [1; 16],
            server_name: "clinic".try_into().unwrap(),
            generation: 1,
            number,
            made: 1_764_000_000 + number * 240,
            label: heapless::String::new(),
            method: Method::Physical,
            mariadb_version: "10.11.19-MariaDB".try_into().unwrap(),
            gtid: "0-1-5".try_into().unwrap(),
            data_bytes: 1000,
            files: Files {
                count: 2,
                bytes: 90,
            },
            ways: [3; 32],
            check: b"stayput mariadb check v1\n".to_vec(),
            streams: heapless::Vec::from_array([
                stream(StreamKind::Database, 1),
                stream(StreamKind::Files, 2),
            ]),
            tables: vec![TableRows {
                schema: "clinic".into(),
                name: "patient".into(),
                rows: 5000,
                is_certain: true,
            }],
        }
    }

    #[test]
    fn manifest_is_read_back_by_its_owner_alone() {
        let bytes = manifest(7).close(&key(1)).unwrap();
        assert_eq!(Manifest::open(&bytes, &key(1)), Ok(manifest(7)));
        let theirs = Manifest::open(&bytes, &key(2));
        assert_eq!(theirs, Err(NotAuthentic::Forged));
    }

    #[test]
    fn streams_out_of_order_or_twice_or_empty_are_refused() {
        let read = |change: fn(&mut Manifest)| {
            let mut manifest = manifest(7);
            change(&mut manifest);
            let bytes = manifest.close(&key(1)).unwrap();
            Manifest::open(&bytes, &key(1))
        };
        assert!(read(|_| {}).is_ok());
        let malformed = Err(NotAuthentic::Malformed);
        assert_eq!(read(|one| one.streams.reverse()), malformed);
        assert_eq!(
            read(|one| one.streams[1] = one.streams[0].clone()),
            malformed
        );
        assert_eq!(read(|one| one.streams[1].parts.clear()), malformed);
    }

    #[test]
    fn lists_longer_than_the_format_are_neither_written_nor_read() {
        let mut manifest = manifest(7);
        let part = manifest.streams[0].parts[0];
        manifest.streams[0].parts = vec![part; PARTS_MAX];
        assert!(manifest.close(&key(1)).is_some());
        manifest.streams[0].parts.push(part);
        assert!(manifest.close(&key(1)).is_none());
        let payload = postcard::to_extend(&manifest, Vec::new()).unwrap();
        assert_eq!(Manifest::decode(&payload), Err(NotAuthentic::Malformed));
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Manifest::decode(&bytes);
        }
    }
}
