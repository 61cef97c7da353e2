//! One result of the check, and how all of them are shown. Pure.

use serde::Serialize;

use crate::admin::one_screen::{Item, Room, Urgency, screen};
use crate::columns::{COLUMNS, folded};
use crate::printable::Printable;

/// How grave it is, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Fine,
    /// The next boot opens all the same.
    Warning,
    /// It could not be checked.
    Unknown,
    /// The next boot would ask for a stick, not start the database, or leave the running
    /// server without the watch that its owner wants.
    Wrong,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// For scripts: it is the same in every version.
    pub name: &'static str,
    /// How grave it is; `verdict` to scripts.
    #[serde(rename = "verdict")]
    pub severity: Severity,
    /// What was seen, in one or two sentences.
    pub what: String,
    /// What to do; empty where nothing is to be done.
    pub next: String,
}

impl CheckResult {
    /// Something that is as it should be.
    pub fn fine(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(name, Severity::Fine, what, "")
    }

    /// Something that was seen, and what to do about it.
    pub fn new(
        name: &'static str,
        severity: Severity,
        what: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            name,
            severity,
            what: what.into(),
            next: next.into(),
        }
    }
}

/// The gravest severity; [`Severity::Unknown`] where nothing was looked at.
pub fn worst(results: &[CheckResult]) -> Severity {
    let severities = results.iter().map(|result| result.severity);
    severities.max().unwrap_or(Severity::Unknown)
}

/// The first line: what the gravest severity means for the next boot.
pub fn conclusion(severity: Severity) -> &'static str {
    match severity {
        Severity::Fine => "At the next boot here this server opens by itself.",
        Severity::Warning => {
            "At the next boot here this server opens by itself. See the warnings below."
        }
        Severity::Unknown => "Not everything could be looked at: see below.",
        Severity::Wrong => {
            "AT THE NEXT BOOT THIS SERVER ASKS FOR A STICK, ITS DATABASE DOES NOT START, OR\n\
             NOBODY WATCHES IT: SEE WHAT IS WRONG BELOW."
        }
    }
}

const INDENT: usize = 9;

impl CheckResult {
    fn urgency(&self) -> Urgency {
        match self.severity {
            Severity::Wrong | Severity::Unknown => Urgency::Now,
            Severity::Warning => Urgency::Soon,
            Severity::Fine => Urgency::Never,
        }
    }

    fn text(&self) -> String {
        let word = match self.severity {
            Severity::Fine => "ok",
            Severity::Warning => "warning",
            Severity::Unknown => "unknown",
            Severity::Wrong => "WRONG",
        };
        let lines = wrapped(&self.what).into_iter();
        let lines = lines.chain(wrapped(&self.next)).enumerate();
        let lines = lines.map(|(at, line)| {
            let word = if at == 0 { word } else { "" };
            format!("{word:<INDENT$}{line}")
        });
        lines.collect::<Vec<String>>().join("\n")
    }
}

/// The conclusion, then the results, the gravest first.
pub fn as_text(results: &[CheckResult], room: Room) -> String {
    let mut results: Vec<&CheckResult> = results.iter().collect();
    results.sort_by_key(|result| core::cmp::Reverse(result.severity));
    let severities = results.iter().map(|result| result.severity);
    let worst = severities.max().unwrap_or(Severity::Unknown);
    let mut items = vec![Item::new(Urgency::Now, conclusion(worst))];
    items.extend(
        results
            .iter()
            .map(|result| Item::new(result.urgency(), result.text())),
    );
    screen(items, room, "stayput check --all")
}

/// Lines that fit beside the severity's word. Names come from disks and other programs.
fn wrapped(text: &str) -> Vec<String> {
    let words = text.split_whitespace();
    let words: Vec<String> = words.map(|word| Printable(word).to_string()).collect();
    match words.is_empty() {
        true => Vec::new(),
        false => folded(&words.join(" "), COLUMNS - INDENT, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::one_screen::ROWS;

    #[test]
    fn each_finding_says_what_and_below_it_what_to_do() {
        let long = "The initramfs of 6.1.0-56-amd64 does not hold the boot stage that is \
                    installed here, but another one.";
        let results = [
            CheckResult::fine("place", "The place \"home\" opens this server."),
            CheckResult::new("stage", Severity::Wrong, long, "stayput install"),
        ];
        let text = as_text(&results, Room::All);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("ASKS FOR A STICK"), "{text}");
        assert!(lines[2].starts_with("WRONG    The initramfs of"), "{text}");
        assert!(lines[3].starts_with("         "), "{text}");
        assert_eq!(lines[4], "         stayput install");
        assert_eq!(lines[5], "ok       The place \"home\" opens this server.");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 79),
            "{text}"
        );
    }

    #[test]
    fn the_gravest_finding_decides_and_a_warning_is_no_failure() {
        let result = |severity| CheckResult::new("place", severity, "", "");
        use Severity::{Fine, Unknown, Warning, Wrong};
        let worst = |severities: &[Severity]| {
            let results: Vec<CheckResult> = severities.iter().copied().map(result).collect();
            super::worst(&results)
        };
        assert_eq!(worst(&[Fine, Warning, Fine]), Warning);
        assert_eq!(worst(&[Warning, Unknown]), Unknown);
        assert_eq!(worst(&[Unknown, Wrong, Fine]), Wrong);
        assert_eq!(worst(&[]), Unknown, "nothing was looked at");
    }

    #[test]
    fn a_hostile_name_cannot_write_over_the_screen() {
        let results = [CheckResult::fine("place", "a\u{1b}[2Jb\u{7}")];
        let text = as_text(&results, Room::All);
        assert!(text.ends_with("ok       a\\u001b[2Jb\\u0007\n"), "{text}");
    }

    #[test]
    fn bad_server_fits_on_one_screen_the_gravest_first() {
        let long = "Something that takes more than a line of a screen with eighty columns, as \
                    most of these do.";
        let result = |severity| CheckResult::new("place", severity, long, "stayput enroll");
        use Severity::{Fine, Unknown, Warning, Wrong};
        let results: Vec<CheckResult> = [Fine, Warning, Unknown, Wrong]
            .into_iter()
            .cycle()
            .take(20)
            .map(result)
            .collect();
        let text = as_text(&results, Room::OneScreen);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("ASKS FOR A STICK"), "{text}");
        assert_eq!(lines.len(), ROWS);
        assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS));
        assert!(
            lines[ROWS - 1].ends_with("lines more: stayput check --all"),
            "{text}"
        );
        let at = |word: &str| lines.iter().position(|line| line.starts_with(word));
        assert!(at("WRONG") < at("unknown"), "{text}");
        assert_eq!(at("ok "), None, "{text}");
        let all = as_text(&results, Room::All);
        assert_eq!(
            all.lines().filter(|line| line.starts_with("ok ")).count(),
            5
        );
    }

    #[test]
    fn a_script_reads_the_severity_by_name() {
        let json = serde_json::to_value(CheckResult::fine("place", "x")).unwrap();
        assert_eq!(json["name"], "place");
        assert_eq!(json["verdict"], "fine");
        assert_eq!(json["next"], "");
    }
}
