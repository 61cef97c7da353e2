//! What a stick or the recovery code gives of a server whose vault is lost. Pure.

use crate::keys::{Keyring, MasterKey, RecoveryCode, UnsealedWayKey, WayKey};
use crate::stick::{StickError, StickFile, StickInfo};
use crate::vault::{
    CodeRefused, EventKind, Header, Identity, KeyOfCopy, KnownCode, ServerName, StickList, Ways,
    WaysCopy,
};

/// What the stick or the code has given.
pub struct Recovered {
    pub identity: Identity,
    pub keys: Keyring,
    /// The way in that is known to open the server.
    pub way_in: UsedWayIn,
    /// What a copy has of the others; their way keys nobody knows.
    pub ways: Ways,
    /// What the new vault's log begins with.
    pub event: EventKind,
}

/// The way in that has opened the server, with its way key.
pub enum UsedWayIn {
    Stick {
        info: StickInfo,
        /// Generation of the key that its own file has.
        file: u32,
        way_key: WayKey,
        now: u64,
    },
    Code {
        number: u8,
        way_key: WayKey,
        now: u64,
    },
}

impl UsedWayIn {
    /// The list and the ways in of a vault that was made anew: this one is noted as
    /// verified, and its way key is kept again.
    pub fn noted(self, header: &Header, key: &MasterKey, mut ways: Ways) -> (StickList, Ways) {
        let mut list = StickList::default();
        // When it was made nobody knows any more: the oldest is assumed.
        let of = |key| UnsealedWayKey { key, made_in: 1 };
        match self {
            Self::Stick {
                info,
                file,
                way_key,
                now,
            } => {
                let way_key = of(way_key);
                let noted = ways.note_used_stick(header, key, info.stick_id, &way_key, file);
                debug_assert!(noted, "the copy has this stick, or is empty");
                list.sticks.extend([info.known(header.generation, now)]);
            }
            Self::Code {
                number,
                way_key,
                now,
            } => {
                ways.note_code(header, key, number, &of(way_key));
                list.code = Some(KnownCode {
                    generation: header.generation,
                    verified: now,
                    kept: None,
                });
            }
        }
        (list, ways)
    }
}

/// By what the stick says of its server, or by a copy of a later generation that has
/// something for it; `name` is what the owner calls it now.
pub fn from_stick(
    file: &StickFile,
    way_key: WayKey,
    copies: &[WaysCopy],
    name: Option<ServerName>,
    now: u64,
) -> std::result::Result<Recovered, StickError> {
    let id = file.info.stick_id;
    let mut newer = copies
        .iter()
        .filter(|copy| copy.generation > file.generation);
    let newer = newer.find_map(|copy| Some((copy, copy.open_by_stick(id, &way_key)?)));
    let (mut identity, keys, ways) = match newer {
        Some((copy, keys)) => (copy.identity(), keys, copy.ways()),
        None => {
            let keys = file.keys(&way_key)?;
            // What an earlier key is wrapped for opens nothing under this one.
            let same = |copy: &&WaysCopy| {
                copy.generation == file.generation && copy.open_by_stick(id, &way_key).is_some()
            };
            let copy = copies.iter().find(same);
            let identity = Identity {
                server_id: file.info.server_id,
                server_name: file.info.server_name.clone(),
                generation: file.generation,
                earlier: file.earlier().clone(),
            };
            (identity, keys, copy.map(WaysCopy::ways).unwrap_or_default())
        }
    };
    identity.server_name = name.unwrap_or(identity.server_name);
    Ok(Recovered {
        identity,
        keys,
        ways,
        event: EventKind::StickVerified {
            stick: file.info.label.clone(),
        },
        way_in: UsedWayIn::Stick {
            info: file.info.clone(),
            file: file.generation,
            way_key,
            now,
        },
    })
}

/// A copy whose key is a later one than these, or another one of the same number: what
/// opened the server was taken from it since, or is of another copy of the vault.
pub fn of_unknown_key<'a>(copies: &'a [WaysCopy], keys: &Keyring) -> Option<&'a WaysCopy> {
    let is_known = |copy: &&WaysCopy| copy.compared_with_all(keys) == KeyOfCopy::Known;
    copies.iter().find(|copy| !is_known(copy))
}

/// By the newest of the copies that the code opens.
pub fn from_code(
    code: &RecoveryCode,
    copies: &[WaysCopy],
    name: Option<ServerName>,
    now: u64,
) -> std::result::Result<Recovered, CodeRefused> {
    let mut refused = CodeRefused::Lost;
    for copy in copies {
        let (keys, number) = match copy.open_by_code(code) {
            Ok(opened) => opened,
            // What the newest of those says that have a code at all.
            Err(why) if refused == CodeRefused::Lost => {
                refused = why;
                continue;
            }
            Err(_) => continue,
        };
        let mut identity = copy.identity();
        identity.server_name = name.unwrap_or(identity.server_name);
        return Ok(Recovered {
            identity,
            keys,
            ways: copy.ways(),
            event: EventKind::CodeVerified,
            way_in: UsedWayIn::Code {
                number,
                way_key: code.way.clone(),
                now,
            },
        });
    }
    Err(refused)
}
