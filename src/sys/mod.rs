//! One safe wrapper per system facility. `unsafe` is here and nowhere else,
//! each block with its reason.

pub mod at_end;
pub mod attributes;
pub mod beneath;
pub mod block;
pub mod child;
pub mod clock;
#[cfg(feature = "admin")]
pub mod confinement;
pub mod detached_mount;
pub mod exchange;
pub mod file_lock;
pub mod hangup;
pub mod interface;
pub mod kmsg;
#[cfg(test)]
pub mod loop_device;
pub mod memory;
pub mod mount;
mod netlink;
pub mod node_mark;
pub mod packet;
pub mod partition;
pub mod power;
pub mod route;
pub mod sysfs;
pub mod tcp;
pub mod terminal;
pub mod uevent;
pub mod write_protection;
