//! The enrolled values of a place, sealed under the master key.

use heapless::Vec;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::environment::{EnvironmentSlot, MAX_FACTORS, Value};
use super::row::associated;
use crate::keys::{MasterKey, Sealed, UnsealError, open, seal};
use crate::vault::header::Header;

const LABEL: &str = "stayput enrolled values v1";

/// The sealed values of a slot's factors. There is room for 32 values of 64
/// bytes, each behind its length, and their number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedValues {
    /// Salt, nonce and tag.
    pub sealed: Sealed,
    /// The values, encrypted.
    pub bytes: Vec<u8, { MAX_FACTORS * 65 + 1 }>,
}

impl SealedValues {
    /// Seals the values of the factors of slot `slot_id`, in their order.
    pub fn seal(
        header: &Header,
        slot_id: u32,
        key: &MasterKey,
        values: &Vec<Value, MAX_FACTORS>,
    ) -> Self {
        let mut bytes = Vec::new();
        let _ = bytes.resize(bytes.capacity(), 0);
        let length = postcard::to_slice(values, &mut bytes)
            .expect("the most values of the greatest length fit")
            .len();
        bytes.truncate(length);
        let bound_to = associated(header, slot_id, 0);
        let sealed = seal(&key.derive(LABEL), LABEL, &bound_to, &mut bytes);
        Self { sealed, bytes }
    }
}

impl EnvironmentSlot {
    /// The enrolled values, in the order of the factors.
    ///
    /// # Errors
    /// [`UnsealError`] when they do not open under `key`, or are not as many as
    /// the factors.
    pub fn enrolled_values(
        &self,
        header: &Header,
        key: &MasterKey,
    ) -> Result<Vec<Value, MAX_FACTORS>, UnsealError> {
        let mut bytes = Zeroizing::new(self.enrolled.bytes.clone());
        let bound_to = associated(header, self.id, 0);
        open(
            &key.derive(LABEL),
            LABEL,
            &bound_to,
            &self.enrolled.sealed,
            &mut bytes,
        )?;
        let values: Vec<Value, MAX_FACTORS> =
            postcard::from_bytes(&bytes).map_err(|_| UnsealError)?;
        if values.len() != self.factors.len() {
            return Err(UnsealError);
        }
        Ok(values)
    }
}
