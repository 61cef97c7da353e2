//! The owner's wish for a reset after too many strikes, which waits until there
//! is a way back.

use crate::theft::OnStrikes;
use crate::vault::Policy;

/// What is left to do where a reset was wished for at `stayput init` and is not
/// in force.
pub fn reminder(policy: &Policy) -> Option<&'static str> {
    let waits = policy.wants_reset && policy.theft.on_strikes == OnStrikes::Halt;
    waits.then_some(
        "Wanted, and not in force yet: that the server destroys its key after too many starts\n\
         in foreign places. With a verified stick that is kept elsewhere, and not plugged in:\n\
         stayput policy --on-strikes reset --stick-kept \"WHERE\"",
    )
}
