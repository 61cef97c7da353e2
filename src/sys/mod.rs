//! One safe wrapper per system facility. `unsafe` lives here and nowhere
//! else, each block with its reason.

pub mod block;
pub mod interface;
pub mod mount;
pub mod packet;
pub mod sysfs;
