//! Filesystems on volumes that others may have written: which one it is, and
//! mounting it for a moment.

mod driver;
mod format;
mod mounted;

pub use driver::{DRIVERS, Driver};
pub use format::{FORMATS, Filesystem, Format, START, has_unreplayed_journal};
pub use mounted::{MountError, Mounted, format_of, is_replay_due};
