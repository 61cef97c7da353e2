//! Whether the caller may look at the vault, the disks and the keys at all.

use crate::admin::problem::{Problem, ProblemKind, Result};

/// Lets root through. `typed` is the command line.
///
/// # Errors
/// For everybody else, with the command line that root would type.
pub fn must_be_root(is_root: bool, typed: &[String]) -> Result<()> {
    if is_root {
        return Ok(());
    }
    let refused = Problem::refused(
        "Only root may look at the vault, the keys and the database.",
        format!("Run it with sudo: sudo {}", as_typed(typed)),
    );
    Err(refused.of_kind(ProblemKind::NotAllowed))
}

/// A command line as a shell takes it.
pub fn as_typed(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// The word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.into(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_forgot_sudo_reads_the_line_that_works() {
        let typed = ["stayput", "policy", "--stick-kept", "the owner's safe"].map(String::from);
        assert!(must_be_root(true, &typed).is_ok());
        let refused = must_be_root(false, &typed).unwrap_err();
        assert_eq!(refused.kind, ProblemKind::NotAllowed);
        let next = r"Run it with sudo: sudo stayput policy --stick-kept 'the owner'\''s safe'";
        assert_eq!(refused.next, next);
    }
}
