//! A wish for a reset after too many strikes, which waits for a way back.

use crate::theft::OnStrikes;
use crate::vault::Policy;

/// What is still to do where the owner wanted a reset when the vault was made.
pub fn reminder(policy: &Policy) -> Option<&'static str> {
    let waits = policy.wants_reset && policy.theft.on_strikes == OnStrikes::Halt;
    waits.then_some(
        "Wanted, and not in force yet: that the server destroys its key after too many starts\n\
         in foreign places. With a verified stick that is kept elsewhere, and not plugged in:\n\
         stayput policy --on-strikes reset --stick-kept \"WHERE\"",
    )
}
