//! What of the policy is to be set, and what has to wait for a stick that is still plugged
//! in. Pure.

use super::command_lines::{line, option};
use super::{Step, StepKind};
use crate::admin::setup::answers::Answers;
use crate::admin::setup::facts::FoundVault;
use crate::theft::OnStrikes;

/// The reset waits for a way back that is not in the server.
pub const RESET_WAITS: &str = "That the server destroys its key after too many starts in foreign \
                           places is not in force yet: the stick is still plugged in. Take it \
                           out, then run the command again.";
pub const KEPT_WAITS: &str = "Where the stick is kept is not noted yet: it is still plugged in. Take \
                          it out, then run the command again.";
pub const KEPT_UNKNOWN: &str = "That the server destroys its key after too many starts in foreign \
                            places is not in force yet: nobody has said where the stick is kept. \
                            With the stick out: stayput policy --on-strikes reset";

/// What is to be set, and what has to wait for a stick that is still plugged in. Its place is
/// noted for a stick that is out, and a reset begins where a way back is. A person may take
/// it out in time.
pub fn policy(
    vault: &FoundVault,
    answers: &Answers,
    shows_code: bool,
    is_attended: bool,
) -> (Option<Step>, Option<&'static str>) {
    let begins = begins_reset(vault, answers);
    let ends = ends_reset(vault, answers);
    let kept = kept_to_note(vault, answers);
    let is_out = |label: &str| {
        let mut made = vault.sticks.iter();
        made.any(|made| made.label == label && !made.is_plugged)
    };
    let waits = match kept {
        Some((label, _)) if !is_out(label) && begins => Some(RESET_WAITS),
        Some((label, _)) if !is_out(label) => Some(KEPT_WAITS),
        _ if begins && !shows_code && !vault.has_way_back_elsewhere => Some(RESET_WAITS),
        _ => None,
    };
    let is_kept_known = kept.is_some() || vault.sticks.iter().any(|made| made.kept.is_some());
    // A person is asked for it.
    if begins && !is_kept_known && !is_attended {
        return (None, Some(KEPT_UNKNOWN));
    }
    let step = |words: Vec<String>, waits| {
        (words.len() > 1).then_some(Step {
            kind: StepKind::Policy,
            words,
            waits,
        })
    };
    let mut words = line(&["policy"]);
    let end = line(&["--on-strikes", "halt"]);
    if waits.is_some() && (ends || !is_attended) {
        // To end a reset waits for nothing.
        if ends {
            words.extend(end);
        }
        return (step(words, None), waits);
    }
    if begins {
        words.extend(line(&["--on-strikes", "reset"]));
    }
    if let Some((label, place)) = kept {
        words.extend(option("--stick-kept", place));
        words.extend(option("--which", label));
    }
    if ends {
        words.extend(end);
    }
    (step(words, waits), None)
}

/// Where the stick of the answers is kept, where that is not noted: its label and the place.
fn kept_to_note<'a>(vault: &FoundVault, answers: &'a Answers) -> Option<(&'a str, &'a str)> {
    let stick = answers.stick.as_ref()?;
    let place = stick.kept.as_ref()?;
    let mut made = vault.sticks.iter();
    let is_noted = made.any(|made| made.label == stick.label && made.kept.as_ref() == Some(place));
    (!is_noted).then_some((&stick.label, place))
}

/// Whether a reset is wanted that is not in force. What is said now goes before what was
/// noted.
fn begins_reset(vault: &FoundVault, answers: &Answers) -> bool {
    let wants = answers
        .on_strikes
        .map_or(vault.wants_reset, |wanted| wanted == OnStrikes::Reset);
    wants && !vault.resets
}

/// Whether a reset is in force, or wished for, that the owner does not want.
fn ends_reset(vault: &FoundVault, answers: &Answers) -> bool {
    (vault.wants_reset || vault.resets) && answers.on_strikes == Some(OnStrikes::Halt)
}
