//! What brings a stick up to the master key of now, step by step. Whichever step a power
//! cut or a pulled stick ends it in, each whole copy on the stick opens the server: the
//! vault knows every way key that one of them may have, before it is written. Pure.

use super::{Copies, StickError, StickFile, StickId};
use crate::keys::{Keyring, MasterKey, UnsealedWayKey, WayKey};
use crate::vault::{Header, Ways};

/// One step; each is on the disk before the next is begun.
pub enum RenewalStep {
    /// The vault notes that the stick has the first of these way keys, and may be given
    /// the second.
    Note {
        has: UnsealedWayKey,
        next: Option<UnsealedWayKey>,
        /// Generation of the master key that the stick's file wraps.
        file: u32,
    },
    /// Both copies are written, and read back.
    Write(Box<StickFile>),
    /// Both copies were read back with this way key: the vault forgets another one.
    Settle { has: WayKey, file: u32 },
}

impl RenewalStep {
    /// What the vault has after it. Returns whether there was room.
    #[must_use]
    pub fn note_in(
        &self,
        ways: &mut Ways,
        (header, key): (&Header, &MasterKey),
        id: StickId,
    ) -> bool {
        match self {
            Self::Note { has, next, file } => {
                ways.note(header, key, id, (has, next.as_ref()), *file)
            }
            Self::Settle { has, file } => {
                ways.settle_stick(header, key, id, has, *file);
                true
            }
            Self::Write(_) => true,
        }
    }
}

/// Refuses a stick whose master key this vault does not know: to write over it would
/// lose the key. `way_key` is the stick's.
fn must_be_known(file: &StickFile, way_key: &WayKey, keys: &Keyring) -> Result<(), StickError> {
    if file.generation > keys.generation() {
        return Err(StickError::Later);
    }
    let own = file.own_key(way_key).ok_or(StickError::Damaged)?;
    match keys.of_generation(file.generation) {
        Some(known) if known.expose() == own.expose() => Ok(()),
        _ => Err(StickError::OtherKey),
    }
}

/// By what the vault has of the stick; `None` where its PIN is needed: the vault does not
/// have the way key that this file is locked with.
///
/// # Errors
/// [`StickError::Later`], [`StickError::OtherKey`].
pub fn without_pin(
    file: &StickFile,
    ways: &Ways,
    header: &Header,
    keys: &Keyring,
) -> Result<Option<Vec<RenewalStep>>, StickError> {
    if file.generation > keys.generation() {
        return Err(StickError::Later);
    }
    let known = ways.way_keys_of_stick(header, keys.current(), file.info.stick_id);
    // One that opens nothing of the file is not the one that it is locked with.
    let mut own = known.into_iter().map(|known| known.key);
    let Some(own) = own.find(|own| file.own_key(own).is_some()) else {
        return Ok(None);
    };
    must_be_known(file, &own, keys)?;
    Ok(Some(written(file.renewed(&own, keys), own)))
}

/// With the stick's PIN; gives it a new way key where the one that it has is of an
/// earlier generation, and may be known to somebody. Nothing where all is as it should be.
///
/// # Errors
/// [`StickError::WrongPin`], [`StickError::Damaged`], [`StickError::Later`],
/// [`StickError::OtherKey`].
pub fn with_pin(
    found: &Copies,
    pin: &[u8],
    ways: &Ways,
    header: &Header,
    keys: &Keyring,
) -> Result<Vec<RenewalStep>, StickError> {
    let (file, id) = (&found.file, found.file.info.stick_id);
    let own = file.way_key(pin)?;
    must_be_known(file, &own, keys)?;
    let known = ways.way_keys_of_stick(header, keys.current(), id);
    let kept = known.iter().find(|known| known.key == own);
    // When it was made nobody knows where the vault does not: the oldest is assumed.
    let made_in = kept.map_or(1, |kept| kept.made_in);
    let is_new = made_in == header.generation;
    let is_alone = kept.is_some()
        && !found.differ
        && ways.stick(id).is_some_and(|known| known.other.is_none());
    let has = UnsealedWayKey {
        key: own.clone(),
        made_in,
    };
    let mut steps = Vec::new();
    let mut generation = file.generation;
    if kept.is_none() {
        steps.push(RenewalStep::Note {
            has: has.clone(),
            // The other copy may have that one.
            next: known.last().cloned(),
            file: generation,
        });
    }
    if !is_alone || (is_new && generation != header.generation) {
        steps.extend(written(file.renewed(&own, keys), own));
        generation = header.generation;
    }
    if !is_new {
        let (file, next) = file.with_new_way(pin, keys)?;
        steps.push(RenewalStep::Note {
            has,
            next: Some(next.clone()),
            file: generation,
        });
        steps.extend(written(file, next.key));
    }
    Ok(steps)
}

fn written(file: StickFile, has: WayKey) -> Vec<RenewalStep> {
    let generation = file.generation;
    vec![
        RenewalStep::Write(Box::new(file)),
        RenewalStep::Settle {
            has,
            file: generation,
        },
    ]
}

#[cfg(test)]
mod tests;
