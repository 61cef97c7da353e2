//! What a server holds, as text, asked of it by its own clients.

use crate::{Container, Failure, Result, minutes};

const SCRIPT: &str = include_str!("view.sh");
/// How many differing lines a person is shown.
const SHOWN: usize = 6;
/// How much of each, in characters.
const WIDTH: usize = 300;

/// Accounts, programs, definitions and rows.
#[derive(PartialEq, Eq)]
pub(super) struct View(Vec<String>);

impl View {
    /// Of a server that answers. Of a `large` one the rows are checksums.
    ///
    /// # Errors
    /// When it cannot be asked. What it answers with an error is a part of the
    /// view.
    pub fn of(server: &Container, large: bool) -> Result<Self> {
        let how = if large { "large" } else { "all" };
        let script = SCRIPT.replace('\'', "'\\''");
        let text = server
            .shell_within(&format!("sh -c '{script}' view {how}"), minutes(8))?
            .success()?;
        let view = Self(in_order(&text));
        if view.0.iter().any(|line| line.contains("Can't connect")) {
            return Err(Failure::new(format!("the server does not answer: {text}")));
        }
        Ok(view)
    }

    /// The same but for a database's rows.
    pub fn without(self, database: &str) -> Self {
        let dump = format!("== dump of {database}");
        let mut inside = false;
        let mut lines = self.0;
        lines.retain(|line| {
            if line.starts_with("== ") {
                inside = *line == dump;
            }
            !inside
        });
        Self(lines)
    }

    /// The first lines that are not in both, or nothing.
    pub fn differences(&self, after: &Self) -> Option<String> {
        if self == after {
            return None;
        }
        let gone = lines_missing_in(&self.0, &after.0);
        let new = lines_missing_in(&after.0, &self.0);
        let shown = |sign: &'static str, lines: Vec<String>| {
            lines.into_iter().take(SHOWN).map(move |line| {
                let line: String = line.chars().take(WIDTH).collect();
                format!("\n    {sign} {line}")
            })
        };
        let lines: String = shown("-", gone).chain(shown("+", new)).collect();
        Some(match lines.is_empty() {
            true => "the order of its lines".into(),
            false => lines,
        })
    }
}

/// Those of `lines` that `others` have less often, each behind its section.
fn lines_missing_in(lines: &[String], others: &[String]) -> Vec<String> {
    let mut left = std::collections::HashMap::<&str, usize>::new();
    for line in others {
        *left.entry(line).or_default() += 1;
    }
    let mut section = "";
    let mut missing = Vec::new();
    for line in lines {
        if line.starts_with("== ") {
            section = line;
        }
        match left.get_mut(line.as_str()) {
            Some(count) if *count > 0 => *count -= 1,
            _ => missing.push(format!("{section}: {line}")),
        }
    }
    missing
}

/// The rows of a table without a key come in any order. A column in the format
/// of MariaDB 5.3 gets today's when it is copied; its values are compared.
fn in_order(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .map(|line| line.replace(" /* mariadb-5.3 */", ""));
    let mut lines: Vec<String> = lines.collect();
    let is_row = |line: &String| line.starts_with("INSERT INTO ");
    for rows in lines.chunk_by_mut(|a, b| is_row(a) && is_row(b)) {
        rows.sort_unstable();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(text: &str) -> View {
        View(in_order(text))
    }

    #[test]
    fn a_row_that_is_gone_is_shown_and_the_order_of_rows_is_not() {
        let before = view("== dump of a\nCREATE b\nINSERT INTO b 1\nINSERT INTO b 2\nEND");
        let turned = view("== dump of a\nCREATE b\nINSERT INTO b 2\nINSERT INTO b 1\nEND");
        assert_eq!(before.differences(&turned), None);
        let short = view("== dump of a\nCREATE b\nINSERT INTO b 2\nEND");
        let said = before.differences(&short).unwrap();
        assert_eq!(said, "\n    - == dump of a: INSERT INTO b 1");
        let other = view("== dump of a\nEND\nCREATE b\nINSERT INTO b 2");
        assert!(short.differences(&other).unwrap().contains("order"));
    }
}
