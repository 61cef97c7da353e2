//! stayput releases a database key at boot only where the server belongs.
//!
//! The rooms, from the top down (imports run downwards only):
//!
//! - [`boot`]: the initramfs stage; `admin`: the commands of `stayput`
//! - [`opening`]: every decision of a boot, without clock, disk or terminal
//! - [`reset`]: the destruction that both of them start
//! - [`environment`], [`stick`], [`release`]: the place, sticks, the keys in
//!   memory
//! - [`vault`]: what stands on the disk
//! - [`backup`]: backups of the database, as formats and decisions
//! - [`theft`]: the theft state, the policy, and what follows from both
//! - [`filesystem`]: what a volume is formatted as, and mounting it for a moment
//! - [`keys`]: the master key, what is derived from it, and how it is wrapped
//! - [`sys`]: one safe wrapper per system facility, the only `unsafe`
//! - [`printable`]: text from outside, made fit for a terminal; [`columns`]: texts on a
//!   narrow one; [`build_mark`]: which sources a program was built from

#[cfg(feature = "admin")]
pub mod admin;
pub mod backup;
pub mod boot;
pub mod build_mark;
pub mod columns;
pub mod environment;
pub mod filesystem;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod keys;
pub mod opening;
pub mod printable;
pub mod release;
pub mod reset;
pub mod stick;
pub mod sys;
#[cfg(test)]
mod tests;
pub mod theft;
pub mod vault;
