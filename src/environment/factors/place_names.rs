//! Names of the enrolled places.

/// Name of the first place.
pub const HOME: &str = "home";
/// Name of the second place.
pub const SECOND: &str = "second";
