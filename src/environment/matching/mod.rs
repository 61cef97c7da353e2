//! Recognising a place by its combinations, and comparing it with how it was
//! enrolled. Pure.

mod candidates;
mod comparison;
mod margin;
mod matcher;
mod tries;

pub use candidates::Candidates;
pub use comparison::{Comparison, FactorChange, answered, changes, compare, enough_answered};
pub use margin::Margin;
pub use matcher::{Arrangements, Matcher, PlaceProof};
