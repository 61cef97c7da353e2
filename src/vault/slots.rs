//! The slot table: the ways to the master key that the vault itself holds,
//! sealed under the pepper.

mod enrolled_values;
mod environment;
mod groups;
mod key_server;
mod passphrase;
mod passphrase_rules;
mod row;
mod witness;

pub use enrolled_values::SealedValues;
pub use environment::{
    EnvironmentSlot, Factor, Label, MAX_ADDRESSES, MAX_FACTORS, MAX_PLACES, MAX_ROWS, OwnAddress,
    Value, kind_of,
};
pub use groups::{Count, FactorCounts, Group, PerGroup, Thresholds};
pub use key_server::{
    Curve, KEY_SERVER, KeyServer, MAX_SERVERS, MAX_SIGNING, POINT, PointBytes, PublicKey,
    is_key_server,
};
pub use passphrase::{
    Passphrase, PassphraseError, PassphraseOutcome, PassphraseSlot, Passphrases, PersonName,
};
pub use passphrase_rules::{UnusablePassphrase, can_be_typed, check_passphrase};
pub use row::{Row, has_member};
pub use witness::{MAX_NEIGHBOUR_WITNESSES, MAX_WITNESSES, Witness};

#[cfg(test)]
pub use passphrase::largest as largest_passphrases;

use heapless::Vec;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::VaultError;
use super::header::{Header, ServerId};
use super::layout::Area;
use super::record::{FORMAT_VERSION, capacity};
use crate::keys::{CheckValue, MasterKey, Sealed, Secret32, WrappedKey, open, seal};

/// All slots of a vault, sealed together under the pepper.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotTable {
    /// The id that the next slot gets; ids are never used twice.
    pub next_id: u32,
    /// Boxed: a slot is some 45 KiB, too much to pass about on the stack.
    pub environments: Vec<Box<EnvironmentSlot>, MAX_PLACES>,
    /// What people remember.
    pub passphrases: Passphrases,
}

const LABEL: &str = "stayput slot table v1";
const PROOF_LABEL: &str = "stayput slot table authentication v1";

/// What the table's seal is bound to, besides the pepper.
fn associated(server_id: &ServerId, area: Area) -> [u8; 18] {
    let mut data = [0; 18];
    data[0] = FORMAT_VERSION;
    data[1] = area.slots().kind;
    data[2..].copy_from_slice(&server_id.0);
    data
}

impl SlotTable {
    /// The table that something is added to, from a try to read it; `None` where
    /// it is lost for good and a new one takes its place.
    ///
    /// # Errors
    /// [`VaultError::Device`]: the next try may read it, so that a new one would
    /// be the end of everybody's passphrase and of the other place.
    /// [`VaultError::Altered`]: somebody without the key has written it.
    pub fn to_extend(read: Result<Box<Self>, VaultError>) -> Result<Option<Box<Self>>, VaultError> {
        match read {
            Ok(table) => Ok(Some(table)),
            Err(error) if error.may_be_a_reset() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An id for a new slot.
    pub(super) fn take_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        id
    }

    /// Overwrites every wrapped key in memory with one of nothing: the table
    /// looks and takes as long to try as before, and nothing opens. The witnesses
    /// stay, so that the prompt says of the place what it said before.
    pub fn make_useless(&mut self) {
        let rows = self.environments.iter_mut().flat_map(|slot| &mut slot.rows);
        let wraps = rows.map(|row| &mut row.wrapped);
        let slots = self.passphrases.slots.iter_mut();
        let slots = slots.flat_map(|slot| [&mut slot.locked, &mut slot.wrapped]);
        for wrapped in wraps.chain(slots) {
            *wrapped = WrappedKey::of_nothing();
        }
    }

    /// The payload of the record: a [`Sealed`], and encrypted the proof and the
    /// table.
    pub(super) fn seal(
        &self,
        key: &MasterKey,
        pepper: &Secret32,
        header: &Header,
        area: Area,
    ) -> Zeroizing<std::vec::Vec<u8>> {
        let mut payload = Zeroizing::new(vec![0; capacity(area.slots())]);
        let (head, plain) = payload.split_at_mut(SEALED);
        let length = postcard::to_slice(self, &mut plain[PROOF..])
            .expect("the largest table fits its region")
            .len();
        let plain = &mut plain[..PROOF + length];
        let proof = proof_of(key, header, &plain[PROOF..]);
        plain[..PROOF].copy_from_slice(&proof.0);
        let associated = associated(&header.server_id, area);
        let sealed = seal(pepper, LABEL, &associated, plain);
        head[..32].copy_from_slice(&sealed.salt);
        head[32..44].copy_from_slice(&sealed.nonce);
        head[44..].copy_from_slice(&sealed.tag);
        payload.truncate(SEALED + PROOF + length);
        payload
    }

    /// What the seal holds, as it may come from whoever has the disk.
    ///
    /// # Errors
    /// [`VaultError::Damaged`].
    pub fn decode(table: &[u8]) -> Result<Box<Self>, VaultError> {
        postcard::from_bytes(table).map_err(|_| VaultError::Damaged)
    }
}

/// Bytes of the table's seal: salt, nonce and tag.
const SEALED: usize = 32 + 12 + 16;
/// Bytes of the proof that stands before the table.
const PROOF: usize = 32;

/// Whoever has the disk can open the table's seal, since the pepper is there:
/// only this shows that somebody with the master key wrote it.
fn proof_of(key: &MasterKey, header: &Header, table: &[u8]) -> CheckValue {
    let mut context = Zeroizing::new(std::vec::Vec::with_capacity(20 + table.len()));
    context.extend_from_slice(&header.server_id.0);
    context.extend_from_slice(&header.generation.to_le_bytes());
    context.extend_from_slice(table);
    CheckValue::of(&key.derive(PROOF_LABEL), &context)
}

/// What the seal of a table held: the proof, then the table.
pub(super) struct OpenedTable(Zeroizing<std::vec::Vec<u8>>);

impl OpenedTable {
    /// # Errors
    /// [`VaultError::Damaged`] when the seal does not open under this pepper.
    pub fn open(
        payload: &[u8],
        pepper: &Secret32,
        server_id: &ServerId,
        area: Area,
    ) -> Result<Self, VaultError> {
        let (head, plain) = payload
            .split_at_checked(SEALED)
            .ok_or(VaultError::Damaged)?;
        let mut sealed = Sealed {
            salt: [0; 32],
            nonce: [0; 12],
            tag: [0; 16],
        };
        sealed.salt.copy_from_slice(&head[..32]);
        sealed.nonce.copy_from_slice(&head[32..44]);
        sealed.tag.copy_from_slice(&head[44..]);
        let mut plain = Zeroizing::new(plain.to_vec());
        let associated = associated(server_id, area);
        open(pepper, LABEL, &associated, &sealed, &mut plain).map_err(|_| VaultError::Damaged)?;
        match plain.len() < PROOF {
            true => Err(VaultError::Damaged),
            false => Ok(Self(plain)),
        }
    }

    /// The table, not yet proven.
    ///
    /// # Errors
    /// [`VaultError::Damaged`].
    pub fn table(&self) -> Result<Box<SlotTable>, VaultError> {
        SlotTable::decode(&self.0[PROOF..])
    }

    /// Whether somebody with this key wrote all of it.
    pub fn is_proven_by(&self, key: &MasterKey, header: &Header) -> bool {
        let (proof, table) = self.0.split_at(PROOF);
        let expected = proof_of(key, header, table);
        subtle::ConstantTimeEq::ct_eq(&expected.0[..], proof).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::MasterKey;

    /// A table with everything at its largest.
    fn largest() -> SlotTable {
        let text = |n: usize| "x".repeat(n);
        let key = MasterKey::generate();
        let row = Row {
            members: u32::MAX,
            salt: [0xff; 32],
            wrapped: WrappedKey::wrap(&Secret32::random(), "x", b"", &key),
        };
        let slot = EnvironmentSlot {
            id: u32::MAX,
            name: text(32).as_str().try_into().unwrap(),
            factors: (0..MAX_FACTORS)
                .map(|_| Factor {
                    group: Group::Neighbours,
                    label: text(64).as_str().try_into().unwrap(),
                })
                .collect(),
            need: Thresholds::from_fn(|_| 255),
            rows: (0..MAX_ROWS).map(|_| row.clone()).collect(),
            witnesses: [Witness {
                members: u32::MAX,
                salt: [0xff; 16],
                tag: [0xff; 16],
            }; MAX_NEIGHBOUR_WITNESSES + MAX_SERVERS]
                .into_iter()
                .collect(),
            enrolled: SealedValues {
                sealed: Sealed {
                    salt: [0xff; 32],
                    nonce: [0xff; 12],
                    tag: [0xff; 16],
                },
                bytes: (0..MAX_FACTORS * 65 + 1).map(|_| 0xff).collect(),
            },
            servers: (0..MAX_SERVERS).map(|_| KeyServer::largest()).collect(),
            addresses: [OwnAddress {
                card: [0xff; 6],
                address: [0xffff; 8].into(),
                prefix: 255,
                router: Some([0xffff; 8].into()),
                set_at_boot: true,
            }; MAX_ADDRESSES]
                .into_iter()
                .collect(),
        };
        SlotTable {
            next_id: u32::MAX,
            environments: (0..MAX_PLACES).map(|_| Box::new(slot.clone())).collect(),
            passphrases: largest_passphrases(),
        }
    }

    #[test]
    fn a_disk_that_does_not_answer_costs_nobody_a_passphrase() {
        let table = Box::new(SlotTable {
            next_id: 7,
            ..SlotTable::default()
        });
        let silent = VaultError::Device(libc::EIO);
        assert_eq!(SlotTable::to_extend(Err(silent)), Err(silent));
        assert_eq!(SlotTable::to_extend(Ok(table.clone())), Ok(Some(table)));
        for lost in [
            VaultError::WasReset,
            VaultError::PepperDamaged,
            VaultError::Damaged,
        ] {
            assert_eq!(SlotTable::to_extend(Err(lost)), Ok(None));
        }
    }

    #[test]
    fn the_largest_table_fits_and_is_read_back() {
        let (pepper, key) = (Secret32::random(), MasterKey::generate());
        let header = Header::of_a_new_server(&key);
        let table = largest();
        let mut places = table.environments.iter();
        assert!(places.all(|place| place.rows.is_full() && place.witnesses.is_full()));
        let payload = table.seal(&key, &pepper, &header, Area::First);
        let id = header.server_id;
        let again = OpenedTable::open(&payload, &pepper, &id, Area::First).unwrap();
        assert_eq!(*again.table().unwrap(), table);
        assert!(again.is_proven_by(&key, &header));
    }

    #[test]
    fn a_useless_table_opens_for_nobody_and_is_as_long_to_try() {
        let (secret, key) = (Secret32::random(), MasterKey::generate());
        let mut table = largest();
        let rows = table
            .environments
            .iter_mut()
            .flat_map(|slot| &mut slot.rows);
        for row in rows {
            row.wrapped = WrappedKey::wrap(&secret, "x", b"", &key);
        }
        let wraps = |table: &SlotTable| {
            let rows = table.environments.iter().flat_map(|slot| &slot.rows);
            rows.map(|row| row.wrapped).collect::<std::vec::Vec<_>>()
        };
        let opening = |table: &SlotTable| {
            let wraps = wraps(table).into_iter();
            wraps
                .filter(|wrap| wrap.unwrap_any(&secret, "x", b"").is_ok())
                .count()
        };
        assert_eq!(opening(&table), MAX_PLACES * MAX_ROWS);
        let before = table.clone();
        table.make_useless();
        assert_eq!(opening(&table), 0);
        assert_eq!(wraps(&table).len(), wraps(&before).len());
        // Nor does anything of the old wraps stay in memory.
        let pairs = wraps(&table).into_iter().zip(wraps(&before));
        assert!(pairs.into_iter().all(|(after, before)| after != before));
    }

    #[test]
    fn without_the_pepper_the_table_stays_shut() {
        let (pepper, key) = (Secret32::random(), MasterKey::generate());
        let header = Header::of_a_new_server(&key);
        let id = header.server_id;
        let payload = SlotTable::default().seal(&key, &pepper, &header, Area::First);
        let other = ServerId::random();
        let try_with = |payload: &[u8], pepper: &Secret32, id, area| {
            OpenedTable::open(payload, pepper, id, area).err()
        };
        let shut = Some(VaultError::Damaged);
        assert_eq!(try_with(&payload, &pepper, &id, Area::First), None);
        assert_eq!(
            try_with(&payload, &Secret32::random(), &id, Area::First),
            shut
        );
        assert_eq!(try_with(&payload, &pepper, &other, Area::First), shut);
        assert_eq!(try_with(&payload, &pepper, &id, Area::Second), shut);
        assert_eq!(try_with(&payload[..20], &pepper, &id, Area::First), shut);
    }

    #[test]
    fn a_seal_of_less_than_a_proof_is_damage() {
        let (pepper, id) = (Secret32::random(), ServerId::random());
        let opened = |length| {
            let mut plain = vec![0; length];
            let bound_to = associated(&id, Area::First);
            let sealed = seal(&pepper, LABEL, &bound_to, &mut plain);
            let payload = [&sealed.salt[..], &sealed.nonce, &sealed.tag, &plain].concat();
            OpenedTable::open(&payload, &pepper, &id, Area::First)
        };
        assert_eq!(opened(PROOF - 1).err(), Some(VaultError::Damaged));
        let empty = opened(PROOF).unwrap();
        assert_eq!(empty.table().err(), Some(VaultError::Damaged));
        assert!(opened(0).is_err());
    }

    #[test]
    fn a_table_is_proven_by_its_key_server_and_generation_alone() {
        let (pepper, key) = (Secret32::random(), MasterKey::generate());
        let header = Header::of_a_new_server(&key);
        let id = header.server_id;
        let payload = table_of_nobody().seal(&key, &pepper, &header, Area::First);
        let mut opened = OpenedTable::open(&payload, &pepper, &id, Area::First).unwrap();
        assert!(opened.is_proven_by(&key, &header));
        assert!(!opened.is_proven_by(&MasterKey::generate(), &header));
        let other_server = Header {
            server_id: ServerId::random(),
            ..header.clone()
        };
        assert!(!opened.is_proven_by(&key, &other_server));
        let next_key = Header {
            generation: 2,
            ..header.clone()
        };
        assert!(!opened.is_proven_by(&key, &next_key));
        for at in 0..opened.0.len() {
            opened.0[at] ^= 1;
            assert!(!opened.is_proven_by(&key, &header), "byte {at}");
            opened.0[at] ^= 1;
        }
    }

    fn table_of_nobody() -> SlotTable {
        SlotTable {
            next_id: 300,
            ..SlotTable::default()
        }
    }
}
