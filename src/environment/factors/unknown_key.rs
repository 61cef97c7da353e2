//! What is observed of a key server that does not know the key it is asked for.

use crate::vault::Value;

/// Stands for the value of a server that says so (status 404): its owner has destroyed
/// the key, another server has its address, or a proxy answers in its place.
pub const UNKNOWN_KEY: &[u8] = b"unknown key";

/// Whether a value says that.
pub fn is_unknown_key(value: &Value) -> bool {
    value.as_slice() == UNKNOWN_KEY
}
