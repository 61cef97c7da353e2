//! A stick that the owner names by its label or its id.

use crate::admin::problem::{Exit, Problem, Result};
use crate::vault::{KnownStick, StickList};

/// Finds the stick with this label, if only one has it, or with this id.
///
/// # Errors
/// When no stick of the list or several are called so.
pub fn named_stick<'a>(list: &'a StickList, which: &str) -> Result<&'a KnownStick> {
    let which = which.trim();
    let mut found = list
        .sticks
        .iter()
        .filter(|stick| stick.label == which || stick.hex_id() == which.to_ascii_lowercase());
    let problem = |what: String| {
        Problem::new(
            Exit::Usage,
            what,
            "Nothing was changed. The sticks and their ids: stayput stick list --json",
        )
    };
    let stick = found
        .next()
        .ok_or_else(|| problem(format!("No stick \"{which}\" is on the list.")))?;
    if found.next().is_some() {
        return Err(problem(format!(
            "Several sticks are called \"{which}\": name one by its id."
        )));
    }
    Ok(stick)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stick_is_found_by_label_or_id_and_never_a_wrong_one() {
        let stick = |id, label: &str| KnownStick {
            id: [id; 8],
            label: label.try_into().unwrap(),
            has_pin: true,
            generation: 1,
            made: 0,
            verified: None,
            kept: None,
        };
        let list = StickList {
            sticks: [stick(1, "office"), stick(2, "bank"), stick(3, "bank")]
                .into_iter()
                .collect(),
            code: None,
        };
        let id = |which| named_stick(&list, which).map(|stick| stick.id[0]).ok();
        assert_eq!(id("office"), Some(1));
        assert_eq!(id("0202020202020202"), Some(2));
        assert_eq!(id("bank"), None);
        assert_eq!(id("attic"), None);
        assert_eq!(id(""), None);
    }
}
