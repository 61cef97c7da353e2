//! One permitted combination of a place's factors: the master key, wrapped
//! under their values together.

use heapless::Vec;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::environment::{Label, MAX_FACTORS, Value, kind_of};
use super::key_server::is_key_server;
use crate::keys::{MasterKey, ScryptParams, Secret32, UnsealError, WrappedKey, random_bytes};
use crate::vault::header::Header;
use crate::vault::record::FORMAT_VERSION;

const LABEL: &str = "stayput environment row v1";
const STRONG_LABEL: &[u8] = b"stayput strong row v1";

/// One permitted combination. The master key is wrapped under all its values
/// together, so that a guess can only be tested as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Bit i stands for factor i of the slot.
    pub members: u32,
    /// Salt of scrypt, or of HKDF in a row with a key server.
    pub salt: [u8; 32],
    /// The master key, wrapped under the members' values.
    pub wrapped: WrappedKey,
}

impl Row {
    /// Wraps `key` for the combination `members` of slot `slot_id`, under the
    /// kinds and values of its members. Costs one scrypt (32 MiB, tens of
    /// milliseconds) where no key server is among them.
    pub fn wrap(
        header: &Header,
        slot_id: u32,
        members: u32,
        values: &[(&Label, &Value)],
        key: &MasterKey,
    ) -> Self {
        let salt = random_bytes();
        let secret = secret(values, &salt).expect("labels and values of fixed capacity fit");
        let bound_to = associated(header, slot_id, members);
        Self {
            members,
            salt,
            wrapped: WrappedKey::wrap(&secret, LABEL, &bound_to, key),
        }
    }

    /// Unwraps the master key with the labels and values of the members, in any
    /// order; of a label the kind alone counts. Costs one scrypt (32 MiB, tens of
    /// milliseconds) where no key server is among them. Whether the key is this
    /// server's is not checked.
    ///
    /// # Errors
    /// [`UnsealError`] when a value is wrong.
    pub fn unwrap(
        &self,
        header: &Header,
        slot_id: u32,
        values: &[(&Label, &Value)],
    ) -> Result<MasterKey, UnsealError> {
        let secret = secret(values, &self.salt)?;
        let bound_to = associated(header, slot_id, self.members);
        self.wrapped.unwrap(&secret, LABEL, &bound_to)
    }
}

/// Whether factor number `factor` is in the combination `members`.
pub fn has_member(members: u32, factor: usize) -> bool {
    members & (1 << factor) != 0
}

/// The associated data of a slot's wraps and seals.
pub(super) fn associated(header: &Header, slot_id: u32, members: u32) -> [u8; 29] {
    let mut data = [0; 29];
    data[0] = FORMAT_VERSION;
    data[1..17].copy_from_slice(&header.server_id.0);
    data[17..21].copy_from_slice(&header.generation.to_le_bytes());
    data[21..25].copy_from_slice(&slot_id.to_le_bytes());
    data[25..].copy_from_slice(&members.to_le_bytes());
    data
}

/// The secret of a combination: kinds and values of its members, each behind its
/// length, in the order of the bytes, so that no value is tied to a place where a
/// part was plugged in or a neighbour was asked. The value of a key server cannot be
/// guessed, so a combination that holds one goes through HKDF; all others go through
/// scrypt.
///
/// # Errors
/// [`UnsealError`] when there are more members than a slot has factors.
pub(super) fn secret(members: &[(&Label, &Value)], salt: &[u8]) -> Result<Secret32, UnsealError> {
    let mut set: Vec<(&[u8], &[u8]), MAX_FACTORS> = Vec::new();
    for (label, value) in members {
        set.push((kind_of(label).as_bytes(), value.as_slice()))
            .map_err(|_| UnsealError)?;
    }
    set.sort_unstable();
    let mut bytes: Zeroizing<Vec<u8, { MAX_FACTORS * 130 }>> = Zeroizing::new(Vec::new());
    for part in set.iter().flat_map(|(kind, value)| [kind, value]) {
        let fits = bytes.push(part.len() as u8).is_ok() && bytes.extend_from_slice(part).is_ok();
        if !fits {
            return Err(UnsealError);
        }
    }
    if members.iter().any(|(label, _)| is_key_server(label)) {
        return Ok(Secret32::derive_from(&bytes, salt, STRONG_LABEL));
    }
    ScryptParams::factors()
        .stretch(&bytes, salt)
        .map_err(|_| UnsealError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::CheapFactors;

    #[test]
    fn only_a_combination_without_key_server_costs_scrypt() {
        let salt = [5; 32];
        let label = |text: &str| Label::try_from(text).unwrap();
        let (soft, server) = (label("arp 10.0.0.1"), label("tang 10.0.0.5:80"));
        let value = Value::from_slice(b"value").unwrap();
        let secret_of = |members: &[&Label]| {
            let members: std::vec::Vec<_> = members.iter().map(|label| (*label, &value)).collect();
            *secret(&members, &salt).unwrap().expose()
        };
        let soft_bytes = b"\x03arp\x05value";
        let both_bytes = b"\x03arp\x05value\x04tang\x05value";
        let stretched = ScryptParams::FACTORS.stretch(soft_bytes, &salt).unwrap();
        assert_eq!(&secret_of(&[&soft]), stretched.expose());
        let derived = Secret32::derive_from(both_bytes, &salt, STRONG_LABEL);
        assert_eq!(&secret_of(&[&soft, &server]), derived.expose());
        assert_eq!(&secret_of(&[&server, &soft]), derived.expose());
    }

    #[test]
    fn the_most_factors_of_the_greatest_length_make_a_secret() {
        let _cheap = CheapFactors::begin();
        let label = Label::try_from("x".repeat(64).as_str()).unwrap();
        let value = Value::from_slice(&[0xff; 64]).unwrap();
        let members = [(&label, &value); MAX_FACTORS];
        assert!(secret(&members, &[5; 32]).is_ok());
        let too_many = [(&label, &value); MAX_FACTORS + 1];
        assert!(secret(&too_many, &[5; 32]).is_err());
    }

    #[test]
    fn values_of_one_kind_may_change_places_and_no_others_may() {
        let _cheap = CheapFactors::begin();
        let (key, salt) = (MasterKey::generate(), [5; 32]);
        let header = Header::of_a_new_server(&key);
        let part = |label: &str, bytes: &[u8]| {
            let label = Label::try_from(label).unwrap();
            (label, Value::from_slice(bytes).unwrap())
        };
        let wrapped = |parts: &[(Label, Value)]| {
            let parts: std::vec::Vec<_> =
                parts.iter().map(|(label, value)| (label, value)).collect();
            *secret(&parts, &salt).unwrap().expose()
        };
        let home = [
            part("disk 1", b"a"),
            part("disk 2", b"b"),
            part("nic 1", b"c"),
        ];
        let of_home = wrapped(&home);
        let swapped = [
            part("nic 9", b"c"),
            part("disk 4", b"b"),
            part("disk 7", b"a"),
        ];
        assert_eq!(wrapped(&swapped), of_home);
        let of_another_kind = [
            part("disk 1", b"a"),
            part("disk 2", b"c"),
            part("nic 1", b"b"),
        ];
        assert_ne!(wrapped(&of_another_kind), of_home);
        // Where a value ends and the next begins counts too.
        let run_together = [part("disk 1", b"ab"), part("disk 2", b"c")];
        assert_ne!(
            wrapped(&run_together),
            wrapped(&[part("disk 1", b"a"), part("disk 2", b"bc")])
        );
        let row = {
            let parts: std::vec::Vec<_> =
                home.iter().map(|(label, value)| (label, value)).collect();
            Row::wrap(&header, 1, 0b111, &parts, &key)
        };
        let parts: std::vec::Vec<_> = swapped
            .iter()
            .map(|(label, value)| (label, value))
            .collect();
        assert!(row.unwrap(&header, 1, &parts).is_ok());
    }
}
