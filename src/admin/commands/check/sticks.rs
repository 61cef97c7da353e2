//! The sticks: is there a way back, and was it tried? Pure.

use super::check_result::{CheckResult, Severity};
use crate::vault::{KnownStick, StickList, Ways};

/// Sticks grow old: flash memory forgets, and people lose them. Seconds.
const VERIFIED_FOR: u64 = 365 * 24 * 3600;

/// The list of sticks, and what it is judged by.
pub struct SticksFacts {
    /// As it stands in the vault: not proven where the place does not open.
    pub list: StickList,
    /// The ways in of sticks and code, as the vault has them.
    pub ways: Ways,
    /// Of the master key.
    pub generation: u32,
    /// Passphrases; those for duress cannot be told apart without the key.
    pub passphrases: usize,
    /// Of the copy of the ways in beside vault.conf, where there is one.
    pub copy: Option<u32>,
}

/// Judges the ways back in; `now` is in seconds since 1970. Pure.
pub fn judge(facts: Option<&SticksFacts>, now: u64) -> Vec<CheckResult> {
    const NAME: &str = "sticks";
    let Some(SticksFacts {
        list,
        ways,
        generation,
        passphrases,
        copy,
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
    if let Some(later) = copy.filter(|copy| copy > generation) {
        results.push(warning(
            format!(
                "An old copy of the vault is here: it is of master key number {generation}, and \
                 this server has had number {later}."
            ),
            "With a stick that has the later key: stayput rekey --adopt DEVICE",
        ));
    }
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
        results.push(warning(
            what.into(),
            "stayput stick make DEVICE --label NAME",
        ));
        return results;
    }
    results.extend(lost(list, ways, *generation));
    results.extend(old_files(list, ways, *generation));
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

/// What the list names and the vault has lost: it opens nothing, or only by what is beside
/// it.
fn lost(list: &StickList, ways: &Ways, generation: u32) -> Option<CheckResult> {
    let current = list
        .sticks
        .iter()
        .filter(|stick| stick.generation == generation);
    let sticks = current.filter(|stick| !ways.have(stick.id, generation));
    let mut lost: Vec<String> = sticks
        .map(|stick| format!("the stick \"{}\"", stick.label))
        .collect();
    let code = list.code_of(generation).is_some() && ways.code.is_none();
    lost.extend(code.then(|| "the recovery code".to_owned()));
    (!lost.is_empty()).then(|| {
        CheckResult::new(
            "sticks",
            Severity::Warning,
            format!(
                "The vault has lost what these open it with: {}. They are no way back.",
                lost.join(", ")
            ),
            "Any command that opens the vault puts it back from /etc/stayput/ways where that is \
             whole. Else: stayput stick verify DEVICE, stayput code --new",
        )
    })
}

/// Sticks that open this server by its vault alone: when its disk is lost they give an
/// earlier key.
fn old_files(list: &StickList, ways: &Ways, generation: u32) -> Option<CheckResult> {
    let file = |stick: &KnownStick| ways.stick(stick.id).map_or(0, |known| known.file);
    let known = list.sticks.iter().filter(|stick| {
        let is_here = ways.stick(stick.id).is_some();
        stick.generation == generation && is_here
    });
    let (new, old): (Vec<_>, Vec<_>) = known.partition(|stick| file(stick) == generation);
    if old.is_empty() {
        return None;
    }
    let labels: Vec<String> = old
        .iter()
        .map(|stick| format!("\"{}\"", stick.label))
        .collect();
    let what = match new.is_empty() {
        true => format!(
            "NO STICK HAS THE KEY OF NOW ON IT ({}): if this disk were lost, nothing outside it \
             would open what was encrypted since.",
            labels.join(", ")
        ),
        false => format!(
            "Not plugged in since the key was replaced: {}. Without this server's disk they open \
             what was encrypted before.",
            labels.join(", ")
        ),
    };
    let next = "Plug each in: stayput stick renew";
    Some(CheckResult::new("sticks", Severity::Warning, what, next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{MasterKey, UnsealedWayKey, WayKey};
    use crate::vault::{Header, KnownCode};

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

    /// The ways in of these sticks, whose own files have the keys of these generations.
    fn ways_of(sticks: &[(KnownStick, u32)], code: bool) -> Ways {
        let key = MasterKey::generate();
        let header = Header {
            generation: 2,
            ..Header::of_a_new_server(&key)
        };
        let mut ways = Ways::default();
        for (stick, file) in sticks {
            let way_key = UnsealedWayKey {
                key: WayKey::random(),
                made_in: 2,
            };
            assert!(ways.note_stick(&header, &key, stick.id, &way_key, *file));
        }
        if code {
            ways.make_code(&header, &key);
        }
        ways
    }

    fn with(sticks: &[KnownStick], code: bool, passphrases: usize) -> Vec<CheckResult> {
        let files: Vec<_> = sticks.iter().map(|stick| (stick.clone(), 2)).collect();
        with_ways(sticks, code, passphrases, ways_of(&files, code))
    }

    fn with_ways(
        sticks: &[KnownStick],
        code: bool,
        passphrases: usize,
        ways: Ways,
    ) -> Vec<CheckResult> {
        let facts = SticksFacts {
            list: StickList {
                sticks: sticks.iter().cloned().collect(),
                code: code.then(|| KnownCode {
                    generation: 2,
                    verified: NOW,
                    kept: None,
                }),
            },
            ways,
            generation: 2,
            passphrases,
            copy: None,
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
    fn a_way_back_that_the_vault_has_lost_is_told_of() {
        let office = stick("office", 2, Some(NOW));
        let found = with_ways(std::slice::from_ref(&office), true, 0, Ways::default());
        let said = &found[0].what;
        assert!(
            said.contains("\"office\"") && said.contains("the recovery code"),
            "{said}"
        );
        // Of an earlier key it is told otherwise.
        let old = stick("old", 1, Some(NOW));
        let found = with_ways(&[old], true, 0, ways_of(&[], true));
        assert!(only(&found).what.contains("holds an earlier key"));
    }

    #[test]
    fn while_no_stick_has_the_key_of_now_a_lost_disk_would_take_it() {
        let [office, bank] = [(1, "office"), (2, "bank")].map(|(id, label)| KnownStick {
            id: [id; 8],
            ..stick(label, 2, Some(NOW))
        });
        let found = |files: [u32; 2]| {
            let files = [(office.clone(), files[0]), (bank.clone(), files[1])];
            let sticks = [office.clone(), bank.clone()];
            with_ways(&sticks, false, 0, ways_of(&files, false))
        };
        assert!(
            only(&found([1, 1]))
                .what
                .contains("NO STICK HAS THE KEY OF NOW")
        );
        // One that was noted from a copy counts as old.
        assert!(
            only(&found([1, 0]))
                .what
                .contains("NO STICK HAS THE KEY OF NOW")
        );
        let said = found([2, 1]);
        assert!(
            only(&said).what.contains("Not plugged in since") && !said[0].what.contains("office")
        );
        assert_eq!(only(&found([2, 2])).severity, Severity::Fine);
    }

    #[test]
    fn an_old_copy_of_the_vault_is_told_from_the_right_one() {
        let found = |copy| {
            let office = stick("office", 2, Some(NOW));
            let facts = SticksFacts {
                ways: ways_of(&[(office.clone(), 2)], false),
                list: StickList {
                    sticks: [office].into_iter().collect(),
                    code: None,
                },
                generation: 2,
                passphrases: 0,
                copy,
            };
            judge(Some(&facts), NOW)
        };
        for known in [None, Some(1), Some(2)] {
            assert_eq!(only(&found(known)).severity, Severity::Fine);
        }
        let said = &found(Some(3))[0];
        assert!(said.what.contains("old copy of the vault"));
        assert!(said.next.contains("rekey --adopt"));
    }

    #[test]
    fn a_list_that_cannot_be_read_is_not_called_empty() {
        assert_eq!(judge(None, NOW)[0].severity, Severity::Unknown);
    }
}
