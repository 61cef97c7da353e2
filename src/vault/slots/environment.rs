//! The slot of a place: one row for each permitted combination of factors.

use core::net::IpAddr;

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use super::enrolled_values::SealedValues;
use super::groups::{Group, Thresholds};
use super::key_server::{KeyServer, MAX_SERVERS};
use super::row::Row;
use super::witness::{MAX_WITNESSES, Witness};

/// Factors of one place and its machine, at most.
pub const MAX_FACTORS: usize = 32;
/// Permitted combinations of one place, at most.
pub const MAX_ROWS: usize = 256;
/// Places, at most: home and one more.
pub const MAX_PLACES: usize = 2;

/// Own addresses of the server at one place, at most.
pub const MAX_ADDRESSES: usize = 4;

/// The name of a factor: its kind, and behind a space what tells it from others of
/// the kind, for example `board`, `disk 2`, `arp 192.168.1.1` or
/// `tang 192.168.1.5:80`.
pub type Label = String<64>;

/// The kind in a factor's label: what is in front of the first space. Factors of one
/// kind are a set: which of them has which value does not count.
pub fn kind_of(label: &str) -> &str {
    label.split(' ').next().unwrap_or_default()
}

/// The value of a factor. Longer observations are hashed first.
pub type Value = Vec<u8, 64>;

/// A factor that was enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// The group whose threshold it counts for.
    pub group: Group,
    /// Its name.
    pub label: Label,
}

/// A place that opens the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentSlot {
    /// Number of the slot. Its wraps are bound to it.
    pub id: u32,
    /// What people call the place, for example `home`.
    pub name: String<32>,
    /// The factors, in the order in which `Row::members` counts them.
    pub factors: Vec<Factor, MAX_FACTORS>,
    /// How many factors of each group must be as they were enrolled.
    pub need: Thresholds,
    /// One row for each permitted combination.
    pub rows: Vec<Row, MAX_ROWS>,
    /// The witnesses of the place: one for each permitted combination of neighbours,
    /// and one for each key server that counts as one.
    pub witnesses: Vec<Witness, MAX_WITNESSES>,
    /// The enrolled values, sealed under the master key: they are read after
    /// the vault has opened, to name what has changed.
    pub enrolled: SealedValues,
    /// The key servers among the factors: their addresses and keys.
    pub servers: Vec<KeyServer, MAX_SERVERS>,
    /// Addresses that the server has at this place. It uses them while it looks
    /// for the place.
    pub addresses: Vec<OwnAddress, MAX_ADDRESSES>,
}

/// An address that one of the server's network cards has at this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAddress {
    /// The card's permanent hardware address; its name may change.
    pub card: [u8; 6],
    /// The address, IPv4 or IPv6.
    pub address: IpAddr,
    /// Length of the network prefix in bits.
    pub prefix: u8,
    /// The router to other networks, if one is to be used.
    pub router: Option<IpAddr>,
    /// Whether the card gets it while the server is locked. Otherwise only the
    /// neighbours are asked from it.
    pub set_at_boot: bool,
}
