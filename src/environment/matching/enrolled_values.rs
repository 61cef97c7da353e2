//! The values as they were enrolled, sealed under the master key.

use heapless::Vec;
use zeroize::Zeroizing;

use super::rows::row_associated;
use crate::keys::{MasterKey, OpenError, open, seal};
use crate::vault::{EnvironmentSlot, Header, MAX_FACTORS, SealedValues, Value};

const VALUES_LABEL: &str = "stayput enrolled values v1";

fn values_associated(header: &Header, slot_id: u32) -> [u8; 29] {
    row_associated(header, slot_id, 0)
}

/// Seals the values of a slot's factors, in their order, for [`enrolled_values`].
pub fn seal_values(
    header: &Header,
    slot_id: u32,
    key: &MasterKey,
    values: &Vec<Value, MAX_FACTORS>,
) -> SealedValues {
    let mut bytes = Vec::new();
    let _ = bytes.resize(bytes.capacity(), 0);
    let length = postcard::to_slice(values, &mut bytes)
        .expect("the most values of the greatest length fit")
        .len();
    bytes.truncate(length);
    let sealed = seal(
        &key.derive(VALUES_LABEL),
        VALUES_LABEL,
        &values_associated(header, slot_id),
        &mut bytes,
    );
    SealedValues { sealed, bytes }
}

/// The values as enrolled, in the order of the slot's factors; only the master
/// key opens them.
///
/// # Errors
/// [`OpenError`] when they do not open or are not as many as the factors.
pub fn enrolled_values(
    header: &Header,
    slot: &EnvironmentSlot,
    key: &MasterKey,
) -> Result<Vec<Value, MAX_FACTORS>, OpenError> {
    let mut bytes = Zeroizing::new(slot.enrolled.bytes.clone());
    open(
        &key.derive(VALUES_LABEL),
        VALUES_LABEL,
        &values_associated(header, slot.id),
        &slot.enrolled.sealed,
        &mut bytes,
    )?;
    let values: Vec<Value, MAX_FACTORS> = postcard::from_bytes(&bytes).map_err(|_| OpenError)?;
    if values.len() != slot.factors.len() {
        return Err(OpenError);
    }
    Ok(values)
}
