//! The slot of a place: one row for each permitted combination of factors.

use core::net::IpAddr;

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use super::key_server::{KeyServer, MAX_SERVERS};
use crate::keys::{Sealed, WrappedKey};

/// Factors of one place and its machine, at most.
pub const MAX_FACTORS: usize = 32;
/// Permitted combinations of one place, at most.
pub const MAX_ROWS: usize = 256;
/// Places, at most: home and one more.
pub const MAX_PLACES: usize = 2;

/// Addresses of its own that a place knows, at most.
pub const MAX_ADDRESSES: usize = 4;

/// Names one observation and says how it is made, for example
/// `smbios-uuid`, `arp 192.168.1.1` or `tang 192.168.1.5:80`.
pub type Label = String<64>;

/// The bytes that one observation yields; longer ones are hashed first.
pub type Value = Vec<u8, 64>;

/// What kind of thing a factor observes. Each kind has its own threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Group {
    /// What the server is made of.
    Machine,
    /// What stands around it.
    Place,
    /// Servers that hold a secret without which the key cannot be computed.
    Servers,
}

impl Group {
    /// In the order in which they are counted and told.
    pub const ALL: [Self; 3] = [Self::Machine, Self::Place, Self::Servers];
}

/// One observation that was enrolled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    /// Which threshold it counts for.
    pub group: Group,
    /// What is observed, and how.
    pub label: Label,
}

/// How many factors of each group must be as they were enrolled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Parts of the machine.
    pub machine: u8,
    /// Neighbours.
    pub place: u8,
    /// Key servers.
    pub servers: u8,
}

impl Thresholds {
    /// How many factors of this group are needed.
    pub fn of(self, group: Group) -> u8 {
        match group {
            Group::Machine => self.machine,
            Group::Place => self.place,
            Group::Servers => self.servers,
        }
    }

    /// Whether anything outside the machine is needed.
    pub fn binds_to_a_place(self) -> bool {
        self.place > 0 || self.servers > 0
    }
}

/// One permitted combination: the master key wrapped under its factors'
/// values together, so that it can only be tested as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Bit i stands for factor i of the slot.
    pub members: u32,
    /// Of scrypt, or of HKDF in a row that holds a key server.
    pub salt: [u8; 32],
    /// The master key, wrapped under the members' values.
    pub wrapped: WrappedKey,
}

/// A place that opens the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentSlot {
    /// Number of the slot, which its wraps are bound to.
    pub id: u32,
    /// What people call the place, for example `home`.
    pub name: String<32>,
    /// The factors, in the order in which `Row::members` counts them.
    pub factors: Vec<Factor, MAX_FACTORS>,
    /// How many of them must be as they were.
    pub need: Thresholds,
    /// One for each permitted combination.
    pub rows: Vec<Row, MAX_ROWS>,
    /// The values as enrolled, sealed under the master key: readable only
    /// after the vault has opened, to name what has changed.
    pub enrolled: SealedValues,
    /// Where the key servers among the factors are, and what asks them.
    pub servers: Vec<KeyServer, MAX_SERVERS>,
    /// Whom this server may be while it looks for its place.
    pub addresses: Vec<OwnAddress, MAX_ADDRESSES>,
}

/// An address that one of the server's network cards has at this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnAddress {
    /// The card's permanent hardware address: names change.
    pub card: [u8; 6],
    /// The address, IPv4 or IPv6.
    pub address: IpAddr,
    /// Bits of the network's part.
    pub prefix: u8,
    /// The router that leads to what is not on the same wire, if it was asked
    /// for.
    pub router: Option<IpAddr>,
}

/// See [`EnvironmentSlot::enrolled`]. Room for 32 values of 64 bytes, each
/// with its length, and the count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedValues {
    /// Salt, nonce and tag.
    pub sealed: Sealed,
    /// The values, encrypted.
    pub bytes: Vec<u8, { MAX_FACTORS * 65 + 1 }>,
}
