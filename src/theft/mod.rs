//! Theft: the state that the server keeps of it, the owner's policy, and what
//! follows from both. Pure.

mod attempts;
mod decide;
mod duress;
mod policy;
mod state;
mod watch;
mod watch_policy;

pub use attempts::attempts_used_up;
pub use decide::{Assessment, BootResponse, Decision, WayBack, decide};
pub use duress::{UnderDuress, under_duress};
pub use policy::{OnFailure, OnStrikes, TheftPolicy};
pub use state::{ResetCause, TheftState};
pub use watch::{
    Alarm, AlarmChange, AlarmResponse, Cables, Sample, TimedSample, Watch, respond_to, retry_pause,
};
pub use watch_policy::{OnAlarm, WatchPolicy};
