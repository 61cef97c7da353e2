//! Theft: what the server believes has happened to it, what the owner wants
//! done about it, and what follows from both. Pure.

mod attempts;
mod decide;
mod duress;
mod policy;
mod state;
mod watch;
mod watch_policy;

pub use attempts::attempts_used_up;
pub use decide::{Decision, Finding, Then, WayBack, decide};
pub use duress::{UnderDuress, under_duress};
pub use policy::{OnFailure, OnStrikes, TheftPolicy};
pub use state::{ResetCause, TheftState};
pub use watch::{Alarm, Answer, Link, Look, Seen, Verdict, Watch, answer};
pub use watch_policy::{OnAlarm, WatchPolicy};
