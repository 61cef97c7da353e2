//! `stayput-release.service`, as the commands see it: after a start without the
//! keys it looks for the place until that opens the vault.

use crate::admin::service_unit::ServiceUnit;
use crate::release::without_keys;

/// The unit. It runs only where the boot stage has left its mark.
pub const UNIT: ServiceUnit = ServiceUnit {
    name: "stayput-release.service",
    text: include_str!("../../systemd/stayput-release.service"),
};

/// How a boot that went on without the keys stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WithoutKeys {
    /// The service looks for the place.
    Looking,
    /// Nobody does.
    GivenUp,
}

/// `None` where the keys were released since the system was started.
pub fn without_keys() -> Option<WithoutKeys> {
    without_keys::is_there().then(|| match UNIT.is_running() {
        true => WithoutKeys::Looking,
        false => WithoutKeys::GivenUp,
    })
}
