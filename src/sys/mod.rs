//! One safe wrapper per system facility. `unsafe` lives here and nowhere
//! else, each block with its reason.

pub mod attributes;
pub mod mount;
