//! Overwrites files and swap that hold rows or keys in clear.

mod destroy;
mod file;

pub use destroy::{Step, destroy};
pub use file::overwrite;
