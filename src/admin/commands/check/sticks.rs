//! The sticks: is there a way back, and was it tried? Pure.

use super::outcome::{Finding, Verdict};
use crate::vault::{KnownStick, StickList};

/// Sticks grow old: flash memory forgets, and people lose them. Seconds.
const VERIFIED_FOR: u64 = 365 * 24 * 3600;

/// The list, and what it is held against.
pub struct SticksFacts {
    pub list: StickList,
    pub generation: u32,
    /// Passphrases; those for duress cannot be told apart without the key.
    pub passphrases: usize,
}

pub fn judge(facts: Option<&SticksFacts>, now: u64) -> Vec<Finding> {
    const NAME: &str = "sticks";
    let Some(SticksFacts {
        list,
        generation,
        passphrases,
    }) = facts
    else {
        return vec![Finding::new(
            NAME,
            Verdict::Unknown,
            "The list of sticks cannot be read.",
            "A backup stick opens the server and mends it.",
        )];
    };
    let warning = |what: String, next: &str| Finding::new(NAME, Verdict::Warning, what, next);
    let code = list.code_of(*generation);
    let current = |stick: &&KnownStick| stick.generation == *generation;
    let mut findings = Vec::new();
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
            findings.push(warning(
                format!(
                    "The stick \"{label}\" holds an earlier key: it does not open this server."
                ),
                "Make it anew: stayput stick make, then stayput stick remove the old one.",
            ));
            continue;
        }
        match stick.verified {
            None => findings.push(warning(
                format!("The stick \"{label}\" was never tried."),
                "Plug it in: stayput stick verify DEVICE",
            )),
            // A clock that is wrong now says nothing about then.
            Some(at) if now.saturating_sub(at) > VERIFIED_FOR => findings.push(warning(
                format!("The stick \"{label}\" was tried last more than 12 months ago."),
                "Plug it in: stayput stick verify DEVICE",
            )),
            Some(_) => {}
        }
    }
    if let Some(code) = code
        && now.saturating_sub(code.verified) > VERIFIED_FOR
    {
        findings.push(warning(
            "The recovery code was typed back last more than 12 months ago.".into(),
            "See that it is still where it was put.",
        ));
    }
    if findings.is_empty() {
        let code = if code.is_some() {
            ", and a recovery code"
        } else {
            ""
        };
        let what = format!(
            "Sticks that were seen to open it: {}{code}.",
            list.sticks.len()
        );
        findings.push(Finding::fine(NAME, what));
    }
    findings
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
            kept: heapless::String::new(),
        }
    }

    fn with(sticks: &[KnownStick], code: bool, passphrases: usize) -> Vec<Finding> {
        let facts = SticksFacts {
            list: StickList {
                sticks: sticks.iter().cloned().collect(),
                code: code.then(|| KnownCode {
                    generation: 2,
                    verified: NOW,
                    kept: heapless::String::new(),
                }),
            },
            generation: 2,
            passphrases,
        };
        judge(Some(&facts), NOW)
    }

    fn only(findings: &[Finding]) -> &Finding {
        assert_eq!(findings.len(), 1, "{findings:?}");
        &findings[0]
    }

    #[test]
    fn no_way_back_is_said_in_plain_words() {
        let found = with(&[], false, 0);
        assert!(only(&found).what.contains("NO WAY BACK"));
        assert_eq!(only(&found).verdict, Verdict::Warning);
        let found = with(&[], false, 1);
        assert!(
            only(&found)
                .what
                .contains("A reset destroys the passphrases")
        );
        // One that holds an earlier key is none.
        let found = with(&[stick("old", 1, Some(NOW))], false, 0);
        assert!(only(&found).what.contains("NO WAY BACK"));
        assert_eq!(only(&with(&[], true, 0)).verdict, Verdict::Fine);
    }

    #[test]
    fn a_stick_is_tried_once_a_year() {
        let day = 24 * 3600;
        for (verified, verdict) in [
            (Some(NOW), Verdict::Fine),
            (Some(NOW - 365 * day), Verdict::Fine),
            (Some(NOW - 366 * day), Verdict::Warning),
            (Some(NOW + day), Verdict::Fine),
            (None, Verdict::Warning),
        ] {
            let found = with(&[stick("office", 2, verified)], false, 0);
            assert_eq!(only(&found).verdict, verdict, "{verified:?}");
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
        assert_eq!(judge(None, NOW)[0].verdict, Verdict::Unknown);
    }
}
