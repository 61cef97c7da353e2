//! Enrolling a place: what of it binds the server there, how much of it is
//! needed, and the slot that comes of it. Pure.

mod binding;
mod choosing;
mod enrol;
mod refreshing;
mod second_place;
#[cfg(feature = "admin")]
mod strength;

pub use binding::Refused;
pub use choosing::{
    Choice, Verdict, addresses, choose, count, opens_again, table_of, usual_thresholds,
};
pub use enrol::{Chosen, EnrolmentError, enrol};
pub use refreshing::{Fate, Refreshed, refresh};
pub use second_place::put_beside_home;
#[cfg(feature = "admin")]
pub use strength::{Strength, is_public, strength};
