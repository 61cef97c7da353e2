//! The sticks: is there a way back, and was it tried? Pure.

use super::check_result::{CheckResult, Severity};
use crate::vault::{KnownStick, StickList};

/// Sticks grow old: flash memory forgets, and people lose them. Seconds.
const VERIFIED_FOR: u64 = 365 * 24 * 3600;

/// The list of sticks, and what it is judged by.
pub struct SticksFacts {
    /// As it stands in the vault: not proven where the place does not open.
    pub list: StickList,
    /// Of the master key.
    pub generation: u32,
    /// Passphrases; those for duress cannot be told apart without the key.
    pub passphrases: usize,
}

/// Judges the ways back in; `now` is in seconds since 1970. Pure.
pub fn judge(facts: Option<&SticksFacts>, now: u64) -> Vec<CheckResult> {
    const NAME: &str = "sticks";
    let Some(SticksFacts {
        list,
        generation,
        passphrases,
    }) = facts
    else {
        return vec![CheckResult::new(
            NAME,
            Severity::Unknown,
            "The list of sticks cannot be read.",
            "A backup stick opens the server and mends it.",
        )];
    };
    let warning = |what: String, next: &str| CheckResult::new(NAME, Severity::Warning, what, next);
    let code = list.code_of(*generation);
    let current = |stick: &&KnownStick| stick.generation == *generation;
    let mut results = Vec::new();
    if !list.sticks.iter().any(|stick| current(&stick)) && code.is_none() {
        let what = match passphrases {
            0 => {
                "There is NO WAY BACK: no stick and no recovery code is listed. When this place \
                  changes or the server is reset, its data is lost for ever."
            }
            _ => {
                "No stick and no recovery code is listed. A reset destroys the passphrases too; \
                  the data is then lost for ever."
            }
        };
        return vec![warning(
            what.into(),
            "stayput stick make DEVICE --label NAME",
        )];
    }
    for stick in &list.sticks {
        let label = &stick.label;
        if !current(&stick) {
            results.push(warning(
                format!(
                    "The stick \"{label}\" holds an earlier key: it does not open this server."
                ),
                "Make it anew: stayput stick make, then stayput stick remove the old one.",
            ));
            continue;
        }
        match stick.verified {
            None => results.push(warning(
                format!("The stick \"{label}\" was not tried yet, or not since a reset."),
                "Plug it in: stayput stick verify DEVICE",
            )),
            // A clock that is wrong now says nothing about then.
            Some(at) if now.saturating_sub(at) > VERIFIED_FOR => results.push(warning(
                format!("The stick \"{label}\" was tried last more than 12 months ago."),
                "Plug it in: stayput stick verify DEVICE",
            )),
            Some(_) => {}
        }
    }
    if let Some(code) = code
        && now.saturating_sub(code.verified) > VERIFIED_FOR
    {
        results.push(warning(
            "The recovery code was typed back last more than 12 months ago.".into(),
            "See that it is still where it was put.",
        ));
    }
    if results.is_empty() {
        let code = if code.is_some() {
            ", and a recovery code"
        } else {
            ""
        };
        let what = format!(
            "Sticks that were seen to open it: {}{code}.",
            list.sticks.len()
        );
        results.push(CheckResult::fine(NAME, what));
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::KnownCode;

    const NOW: u64 = 1_800_000_000;

    fn stick(label: &str, generation: u32, verified: Option<u64>) -> KnownStick {
        KnownStick {
            id: [1; 8],
            label: label.try_into().unwrap(),
            has_pin: true,
            generation,
            made: 0,
            verified,
            kept: None,
        }
    }

    fn with(sticks: &[KnownStick], code: bool, passphrases: usize) -> Vec<CheckResult> {
        let facts = SticksFacts {
            list: StickList {
                sticks: sticks.iter().cloned().collect(),
                code: code.then(|| KnownCode {
                    generation: 2,
                    verified: NOW,
                    kept: None,
                }),
            },
            generation: 2,
            passphrases,
        };
        judge(Some(&facts), NOW)
    }

    fn only(results: &[CheckResult]) -> &CheckResult {
        assert_eq!(results.len(), 1, "{results:?}");
        &results[0]
    }

    #[test]
    fn no_way_back_is_said_in_plain_words() {
        let found = with(&[], false, 0);
        assert!(only(&found).what.contains("NO WAY BACK"));
        assert_eq!(only(&found).severity, Severity::Warning);
        let found = with(&[], false, 1);
        assert!(
            only(&found)
                .what
                .contains("A reset destroys the passphrases")
        );
        // One that holds an earlier key is none.
        let found = with(&[stick("old", 1, Some(NOW))], false, 0);
        assert!(only(&found).what.contains("NO WAY BACK"));
        assert_eq!(only(&with(&[], true, 0)).severity, Severity::Fine);
    }

    #[test]
    fn a_stick_is_tried_once_a_year() {
        let day = 24 * 3600;
        for (verified, severity) in [
            (Some(NOW), Severity::Fine),
            (Some(NOW - 365 * day), Severity::Fine),
            (Some(NOW - 366 * day), Severity::Warning),
            (Some(NOW + day), Severity::Fine),
            (None, Severity::Warning),
        ] {
            let found = with(&[stick("office", 2, verified)], false, 0);
            assert_eq!(only(&found).severity, severity, "{verified:?}");
        }
    }

    #[test]
    fn an_earlier_key_is_named_beside_a_good_stick() {
        let found = with(
            &[stick("new", 2, Some(NOW)), stick("old", 1, Some(NOW))],
            false,
            0,
        );
        assert!(only(&found).what.contains("\"old\" holds an earlier key"));
    }

    #[test]
    fn a_list_that_cannot_be_read_is_not_called_empty() {
        assert_eq!(judge(None, NOW)[0].severity, Severity::Unknown);
    }
}
