//! What the tests of the vault stand on, and those of whole operations. The
//! device in memory serves the tests of other rooms and the fuzz targets too.

mod memory;
#[cfg(test)]
mod replay;

pub use memory::MemoryDevice;
#[cfg(test)]
pub use memory::{FailingDevice, Fails, Step};
#[cfg(test)]
pub use replay::made;
