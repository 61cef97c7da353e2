//! Recognising a place by its combinations, and comparing it with how it was
//! enrolled. Pure.

mod comparison;
mod enrolled_values;
mod margin;
mod matcher;
mod rows;

pub use comparison::{Comparison, answered, compare, enough_answered};
pub use enrolled_values::{enrolled_values, seal_values};
pub use margin::Margin;
pub use matcher::Matcher;
pub use rows::{ROW_LABEL, has_member, row_associated, row_secret};
