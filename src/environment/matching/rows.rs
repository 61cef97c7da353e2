//! The secret of a combination, and what its row is bound to.

use heapless::Vec;
use zeroize::Zeroizing;

use crate::environment::factors::is_server;
use crate::keys::{OpenError, ScryptParams, Secret32};
use crate::vault::{FORMAT_VERSION, Header, Label, MAX_FACTORS, Value};

/// What a row is wrapped for.
pub const ROW_LABEL: &str = "stayput environment row v1";
const STRONG_LABEL: &[u8] = b"stayput strong row v1";

/// What a row's wrap is bound to: nothing in it changes by itself.
pub fn row_associated(header: &Header, slot_id: u32, members: u32) -> [u8; 29] {
    let mut data = [0; 29];
    data[0] = FORMAT_VERSION;
    data[1..17].copy_from_slice(&header.server_id.0);
    data[17..21].copy_from_slice(&header.generation.to_le_bytes());
    data[21..25].copy_from_slice(&slot_id.to_le_bytes());
    data[25..].copy_from_slice(&members.to_le_bytes());
    data
}

/// Whether the factor with this number is in a combination.
pub fn has_member(members: u32, factor: usize) -> bool {
    members & (1 << factor) != 0
}

/// The secret of a combination: labels and values of its members, each with
/// its length, in the slot's order. A combination that holds a key server has
/// a value in it that nobody can guess; all others go through scrypt.
///
/// # Errors
/// [`OpenError`] when there are more members than a slot has factors.
pub fn row_secret(
    labels_and_values: &[(&Label, &Value)],
    salt: &[u8; 32],
) -> Result<Secret32, OpenError> {
    let mut bytes: Zeroizing<Vec<u8, { MAX_FACTORS * 130 }>> = Zeroizing::new(Vec::new());
    for (label, value) in labels_and_values {
        for part in [label.as_bytes(), value.as_slice()] {
            let fits =
                bytes.push(part.len() as u8).is_ok() && bytes.extend_from_slice(part).is_ok();
            if !fits {
                return Err(OpenError);
            }
        }
    }
    if labels_and_values.iter().any(|(label, _)| is_server(label)) {
        return Ok(Secret32::derive_from(&bytes, salt, STRONG_LABEL));
    }
    ScryptParams::FACTORS
        .stretch(&bytes, salt)
        .map_err(|_| OpenError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_guessed_costs_scrypt_and_what_a_key_server_holds_does_not() {
        let salt = [5; 32];
        let label = |text: &str| Label::try_from(text).unwrap();
        let (soft, server) = (label("arp 10.0.0.1"), label("tang 10.0.0.5:80"));
        let value = Value::from_slice(b"value").unwrap();
        let secret = |members: &[&Label]| {
            let members: std::vec::Vec<_> = members.iter().map(|label| (*label, &value)).collect();
            *row_secret(&members, &salt).unwrap().expose()
        };
        let soft_bytes = b"\x0carp 10.0.0.1\x05value";
        let both_bytes = b"\x0carp 10.0.0.1\x05value\x10tang 10.0.0.5:80\x05value";
        let stretched = ScryptParams::FACTORS.stretch(soft_bytes, &salt).unwrap();
        assert_eq!(&secret(&[&soft]), stretched.expose());
        let derived = Secret32::derive_from(both_bytes, &salt, STRONG_LABEL);
        assert_eq!(&secret(&[&soft, &server]), derived.expose());
    }
}
