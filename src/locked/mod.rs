//! Why a server is locked, and what is said and done then: what the boot stage
//! acts on, and what `stayput simulate` shows. Pure.

pub mod judging;
pub mod prompt;
pub mod situation;
pub mod words;

pub use situation::Situation;
