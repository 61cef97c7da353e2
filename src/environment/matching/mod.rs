//! Recognising a place by its combinations, and comparing it with how it was
//! enrolled. Pure.

mod comparison;
mod margin;
mod matcher;

pub use comparison::{Comparison, answered, compare, enough_answered};
pub use margin::Margin;
pub use matcher::Matcher;
