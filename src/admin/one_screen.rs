//! What a command says on one screen: the most urgent first, and how much is left out.
//! Pure, but for whether standard output is a screen.

use std::io::{IsTerminal, stdout};

use crate::columns::{COLUMNS, folded, width};

/// Rows of the smallest terminal, 24, without the one of the shell's prompt.
pub const ROWS: usize = 23;

/// How soon somebody has to do something about it, the soonest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// The server would not open, its data is in danger, or it may have been stolen.
    Now,
    /// Something is to be done, in time.
    Soon,
    /// As it should be.
    Never,
}

/// Lines that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub urgency: Urgency,
    pub text: String,
}

impl Item {
    pub fn new(urgency: Urgency, text: impl Into<String>) -> Self {
        Self {
            urgency,
            text: text.into(),
        }
    }
}

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// All of it, each line whole: what looks for words in it finds them.
    All,
    /// At most [`ROWS`] lines.
    OneScreen,
}

impl Room {
    /// One screen where a person looks at one and does not want all. What goes to a file,
    /// a pipe or a pager is whole.
    pub fn of_output(wants_all: bool) -> Self {
        match wants_all || !stdout().is_terminal() {
            true => Self::All,
            false => Self::OneScreen,
        }
    }
}

/// The items, the most urgent first, those of the same urgency in their order. On one
/// screen in lines of [`COLUMNS`]; what does not fit is counted in the last line, which
/// names `all`, the command that shows it.
pub fn screen(mut items: Vec<Item>, room: Room, all: &str) -> String {
    items.sort_by_key(|item| item.urgency);
    let lines = items.iter().flat_map(|item| item.text.lines());
    let mut lines: Vec<String> = match room {
        Room::All => lines.map(str::to_owned).collect(),
        Room::OneScreen => lines.flat_map(pieces).collect(),
    };
    if room == Room::OneScreen && lines.len() > ROWS {
        let left_out = lines.len() - (ROWS - 1);
        lines.truncate(ROWS - 1);
        lines.push(format!("{left_out} lines more: {all}"));
    }
    lines.join("\n") + "\n"
}

/// A line in pieces of [`COLUMNS`]; the others are indented two columns further.
fn pieces(line: &str) -> Vec<String> {
    let indent = line.len() - line.trim_start().len() + 2;
    let lines = folded(line, COLUMNS, &" ".repeat(indent));
    // One word that is longer than a line, as a path can be.
    lines.into_iter().flat_map(|line| cut(&line)).collect()
}

fn cut(line: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for letter in line.chars() {
        let part = parts.last_mut().expect("there is one");
        part.push(letter);
        if width(part) > COLUMNS {
            part.pop();
            parts.push(letter.into());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(count: usize) -> Vec<Item> {
        let item = |at| Item::new(Urgency::Never, format!("line {at}"));
        (0..count).map(item).collect()
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let fits = screen(items(ROWS), Room::OneScreen, "stayput status --all");
        assert_eq!(fits.lines().count(), ROWS);
        assert!(!fits.contains("--all"));
        let cut = screen(items(40), Room::OneScreen, "stayput status --all");
        assert_eq!(cut.lines().count(), ROWS);
        assert!(
            cut.ends_with("line 21\n18 lines more: stayput status --all\n"),
            "{cut}"
        );
        assert_eq!(screen(items(40), Room::All, "").lines().count(), 40);
    }

    #[test]
    fn the_most_urgent_stands_first_and_order_stays() {
        let mut all = items(30);
        all.push(Item::new(Urgency::Soon, "soon"));
        all.push(Item::new(Urgency::Now, "now\n  more of it"));
        let text = screen(all, Room::OneScreen, "x");
        let first = "now\n  more of it\nsoon\nline 0\nline 1\n";
        assert!(text.starts_with(first), "{text}");
    }

    #[test]
    fn whoever_searches_the_whole_finds_each_sentence() {
        let sentence = format!("  {}", "word ".repeat(30).trim_end());
        let items = || vec![Item::new(Urgency::Soon, sentence.clone())];
        assert_eq!(screen(items(), Room::All, ""), format!("{sentence}\n"));
        assert!(screen(items(), Room::OneScreen, "").lines().count() > 1);
    }

    #[test]
    fn long_lines_are_folded_and_long_words_cut() {
        let long = format!("  what: {}", "word ".repeat(30).trim_end());
        let lines = pieces(&long);
        assert!(lines.len() > 1);
        assert!(lines[1].starts_with("    word"), "{lines:?}");
        for line in lines.iter().chain(&pieces(&"x".repeat(200))) {
            assert!(line.chars().count() <= COLUMNS, "{line}");
        }
        assert_eq!(pieces(""), [""]);
    }
}
