//! Which place this is, and how it stands with it, for people.

use super::Status;
use crate::admin::factor_counts::counts_as_enrolled;
use crate::admin::one_screen::Item;
use crate::admin::one_screen::Urgency::{Never, Now, Soon};
use crate::admin::unlock::Recognition;
use crate::environment::Margin;
use crate::printable::Printable;

impl Status<'_> {
    pub(super) fn place_items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        if self.opens_here() && self.only_setup() {
            let text = "Place: none is enrolled; this machine opens anywhere. Run: stayput enroll";
            items.push(Item::new(Now, text));
        } else if self.opens_here() {
            items.extend(self.open_place());
            items.extend(self.differences());
        } else {
            let mut text =
                String::from("Place: not recognised. The next boot here would ask for a stick.");
            if let Some(changed) = self.changed() {
                text += &format!("\n{changed}");
            }
            items.push(Item::new(Now, text));
        }
        if let Some(words) = self.recognition.and_then(Recognition::unasked) {
            items.push(Item::new(Soon, words));
        }
        items
    }

    /// The place that opens here, and how much of it may still change.
    fn open_place(&self) -> Option<Item> {
        let found = self.recognition?;
        let comparison = found.comparison.as_ref()?;
        let mut text = format!(
            "Place: \"{}\". {}.",
            Printable(&found.place),
            counts_as_enrolled(comparison.same, found.need)
        );
        let margin = self.margin();
        if let Some(margin) = margin {
            text += &format!("\n{}", margin_in_words(margin));
        }
        let urgency = match margin {
            Some(Margin {
                is_used_up: true, ..
            }) => Now,
            // It stands above what is not as enrolled.
            _ if self.differences().is_some() => Soon,
            _ => Never,
        };
        Some(Item::new(urgency, text))
    }

    /// What is not as it was enrolled at the place that opens here.
    fn differences(&self) -> Option<Item> {
        let comparison = self.recognition?.comparison.as_ref()?;
        let lines = [
            ("changed", &comparison.changed),
            ("no answer", &comparison.silent),
            ("not asked", &comparison.not_asked),
        ];
        let lines = lines.into_iter().flat_map(|(what, labels)| {
            labels
                .iter()
                .map(move |label| format!("\n  {what}: {label}"))
        });
        let lines: String = lines.collect();
        (!lines.is_empty()).then(|| Item::new(Soon, format!("Not as enrolled:{lines}")))
    }
}

fn margin_in_words(margin: Margin) -> String {
    match margin {
        Margin {
            is_used_up: true, ..
        } => "Margin: USED UP. One change more, and the next start asks for a stick.\n\
              To take the place as it is now: stayput enroll --refresh"
            .into(),
        Margin { left: 0, .. } => "Margin: none. Nothing has changed, and nothing may: \
                                   the next start would ask for a stick."
            .into(),
        Margin { left, .. } => {
            format!("Margin: {left} more may change before a start asks for a stick.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_that_is_used_up_says_how_it_is_mended() {
        let words = |left, is_used_up| margin_in_words(Margin { left, is_used_up });
        assert!(words(0, true).contains("stayput enroll --refresh"));
        assert!(!words(0, false).contains("USED UP"));
        assert!(words(2, false).starts_with("Margin: 2 more"));
    }
}
