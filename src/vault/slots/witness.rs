//! The witnesses of a place: they say that neighbours, or a key server, are the
//! enrolled ones, whatever became of the machine. They hold no key and open nothing.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::environment::{Label, Value};
use super::key_server::MAX_SERVERS;
use super::row::{associated, secret};
use crate::keys::{CheckValue, Secret32, random_bytes};
use crate::vault::header::Header;

/// Permitted combinations of a place's neighbours, at most.
pub const MAX_NEIGHBOUR_WITNESSES: usize = 128;
/// Witnesses of one place, at most.
pub const MAX_WITNESSES: usize = MAX_NEIGHBOUR_WITNESSES + MAX_SERVERS;

const LABEL: &[u8] = b"stayput witness v1";
/// Half of a SHA-256, for the salt as for the tag: there is no room for more in the
/// slot table.
const HALF: usize = 16;

/// One permitted combination of neighbours, or one key server. A guess costs the same
/// as in a row: one scrypt, unless a key server is in it, which nobody can guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// Bit i stands for factor i of the slot.
    pub members: u32,
    /// Salt of scrypt, or of HKDF with a key server. No two are the same, so that a
    /// guess tests one combination only.
    pub salt: [u8; HALF],
    /// Made from the members' values, and bound to what a row is bound to.
    pub tag: [u8; HALF],
}

impl Witness {
    /// The witness of the combination `members` of slot `slot_id`. Costs one scrypt
    /// (32 MiB, tens of milliseconds) where no key server is among them.
    pub fn of(header: &Header, slot_id: u32, members: u32, values: &[(&Label, &Value)]) -> Self {
        let salt = random_bytes();
        let secret = secret(values, &salt).expect("labels and values of fixed capacity fit");
        let tag = tag(&secret, header, slot_id, members);
        Self { members, salt, tag }
    }

    /// Whether these are the members' values, in any order; of a label the kind alone
    /// counts. Costs the same as [`Witness::of`].
    pub fn agrees(&self, header: &Header, slot_id: u32, values: &[(&Label, &Value)]) -> bool {
        secret(values, &self.salt).is_ok_and(|secret| {
            let tag = tag(&secret, header, slot_id, self.members);
            tag.ct_eq(&self.tag).into()
        })
    }
}

fn tag(secret: &Secret32, header: &Header, slot_id: u32, members: u32) -> [u8; HALF] {
    let bound_to = associated(header, slot_id, members);
    let whole = CheckValue::of(&secret.derive(&[], LABEL), &bound_to).0;
    let mut tag = [0; HALF];
    tag.copy_from_slice(&whole[..HALF]);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{CheapFactors, MasterKey, ScryptParams, scrypts_of};
    use crate::vault::ServerId;

    type Members = [(Label, Value)];

    fn station(label: &str, bytes: &[u8]) -> (Label, Value) {
        let label = Label::try_from(label).unwrap();
        (label, Value::from_slice(bytes).unwrap())
    }

    fn lent(members: &Members) -> Vec<(&Label, &Value)> {
        members
            .iter()
            .map(|(label, value)| (label, value))
            .collect()
    }

    #[test]
    fn a_witness_agrees_with_its_neighbours_and_with_nobody_else() {
        let _cheap = CheapFactors::begin();
        let header = Header::of_a_new_server(&MasterKey::generate());
        let home = [
            station("arp 10.0.0.1", b"router"),
            station("arp 10.0.0.2", b"printer"),
        ];
        let witness = Witness::of(&header, 7, 0b11, &lent(&home));
        let agrees = |members: &Members| witness.agrees(&header, 7, &lent(members));
        assert!(agrees(&home));
        let swapped = [
            station("arp 10.0.0.2", b"router"),
            station("arp 10.0.0.1", b"printer"),
        ];
        assert!(agrees(&swapped), "which has which address does not count");
        let strange = [home[0].clone(), station("arp 10.0.0.2", b"another")];
        assert!(!agrees(&strange) && !agrees(&home[..1]) && !agrees(&[]));
    }

    #[test]
    fn a_witness_is_bound_to_server_generation_slot_and_members() {
        let _cheap = CheapFactors::begin();
        let header = Header::of_a_new_server(&MasterKey::generate());
        let home = [station("arp 10.0.0.1", b"router")];
        let witness = Witness::of(&header, 7, 1, &lent(&home));
        let other_server = Header {
            server_id: ServerId::random(),
            ..header.clone()
        };
        let next_key = Header {
            generation: 2,
            ..header.clone()
        };
        assert!(!witness.agrees(&other_server, 7, &lent(&home)));
        assert!(!witness.agrees(&next_key, 7, &lent(&home)));
        assert!(!witness.agrees(&header, 8, &lent(&home)));
        let moved = Witness {
            members: 2,
            ..witness
        };
        assert!(!moved.agrees(&header, 7, &lent(&home)));
    }

    #[test]
    fn a_guess_at_neighbours_costs_one_scrypt_for_each_combination() {
        let header = Header::of_a_new_server(&MasterKey::generate());
        let home = [station("arp 10.0.0.1", b"router")];
        let first = Witness::of(&header, 1, 1, &lent(&home));
        let second = Witness::of(&header, 1, 1, &lent(&home));
        assert_ne!((first.salt, first.tag), (second.salt, second.tag));
        let guess = [station("arp 10.0.0.1", b"guess")];
        let scrypts = scrypts_of(|| {
            assert!(!first.agrees(&header, 1, &lent(&guess)));
            assert!(!second.agrees(&header, 1, &lent(&guess)));
        });
        assert_eq!(scrypts, [ScryptParams::FACTORS; 2]);
    }

    #[test]
    fn a_witness_takes_thirty_seven_bytes_at_most() {
        let witness = Witness {
            members: u32::MAX,
            salt: [1; HALF],
            tag: [2; HALF],
        };
        let mut buffer = [0; 64];
        assert_eq!(postcard::to_slice(&witness, &mut buffer).unwrap().len(), 37);
    }
}
