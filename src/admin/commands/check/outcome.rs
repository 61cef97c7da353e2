//! What was found, and how it is shown. Pure.

use serde::Serialize;

/// How grave it is, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Fine,
    /// The next boot opens all the same.
    Warning,
    /// It could not be looked at.
    Unknown,
    /// The next boot would ask for a stick, or not start the database.
    Wrong,
}

/// One thing that was looked at. Scripts know it by `name`, which stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub name: &'static str,
    pub verdict: Verdict,
    pub what: String,
    /// What to do; empty where nothing is to be done.
    pub next: String,
}

impl Finding {
    pub fn fine(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(name, Verdict::Fine, what, "")
    }

    pub fn new(
        name: &'static str,
        verdict: Verdict,
        what: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            name,
            verdict,
            what: what.into(),
            next: next.into(),
        }
    }
}

pub fn gravest(findings: &[Finding]) -> Verdict {
    let verdicts = findings.iter().map(|finding| finding.verdict);
    verdicts.max().unwrap_or(Verdict::Unknown)
}

/// The last line: what all of it comes to.
pub fn conclusion(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fine => "At the next boot here this server opens by itself.",
        Verdict::Warning => {
            "At the next boot here this server opens by itself. See the warnings above."
        }
        Verdict::Unknown => "Not everything could be looked at: see above.",
        Verdict::Wrong => {
            "AT THE NEXT BOOT THIS SERVER ASKS FOR A STICK, OR ITS DATABASE DOES NOT START."
        }
    }
}

const INDENT: usize = 9;
const WIDTH: usize = 79;

pub fn screen(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let word = match finding.verdict {
            Verdict::Fine => "ok",
            Verdict::Warning => "warning",
            Verdict::Unknown => "unknown",
            Verdict::Wrong => "WRONG",
        };
        let lines = wrapped(&finding.what).into_iter();
        for (at, line) in lines.chain(wrapped(&finding.next)).enumerate() {
            let word = if at == 0 { word } else { "" };
            text += &format!("{word:<INDENT$}{line}\n");
        }
    }
    text + conclusion(gravest(findings)) + "\n"
}

/// Lines that fit beside the verdict. Names in it come from disks and other
/// programs: nothing in them reaches the terminal as it is.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = word.chars().filter(|c| !c.is_control());
        let word: String = word.collect();
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < WIDTH - INDENT => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_says_what_and_below_it_what_to_do() {
        let long = "The initramfs of 6.1.0-56-amd64 does not hold the boot stage that is \
                    installed here, but another one.";
        let findings = [
            Finding::fine("place", "The place \"home\" opens this server."),
            Finding::new("stage", Verdict::Wrong, long, "stayput install"),
        ];
        let text = screen(&findings);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "ok       The place \"home\" opens this server.");
        assert!(lines[1].starts_with("WRONG    The initramfs of"), "{text}");
        assert!(lines[2].starts_with("         "), "{text}");
        assert_eq!(lines[3], "         stayput install");
        assert!(lines[4].contains("ASKS FOR A STICK"), "{text}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 79),
            "{text}"
        );
    }

    #[test]
    fn the_gravest_finding_decides_and_a_warning_is_no_failure() {
        let finding = |verdict| Finding::new("place", verdict, "", "");
        use Verdict::{Fine, Unknown, Warning, Wrong};
        let gravest = |verdicts: &[Verdict]| {
            let findings: Vec<Finding> = verdicts.iter().copied().map(finding).collect();
            super::gravest(&findings)
        };
        assert_eq!(gravest(&[Fine, Warning, Fine]), Warning);
        assert_eq!(gravest(&[Warning, Unknown]), Unknown);
        assert_eq!(gravest(&[Unknown, Wrong, Fine]), Wrong);
        assert_eq!(gravest(&[]), Unknown, "nothing was looked at");
    }

    #[test]
    fn a_hostile_name_cannot_write_over_the_screen() {
        let findings = [Finding::fine("place", "a\u{1b}[2Jb\u{7}")];
        assert!(screen(&findings).starts_with("ok       a[2Jb\n"));
    }

    #[test]
    fn a_script_reads_the_verdict_by_name() {
        let json = serde_json::to_value(Finding::fine("place", "x")).unwrap();
        assert_eq!(json["name"], "place");
        assert_eq!(json["verdict"], "fine");
        assert_eq!(json["next"], "");
    }
}
