//! Texts on the narrowest console: a virtual terminal has 80 columns and 25 lines, and
//! breaks a word where a line is longer.

#[cfg(feature = "admin")]
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a line. In the last column some terminals begin a new line already.
pub const COLUMNS: usize = 79;

/// How many columns a text takes: letters of East Asia take two (Unicode, annex 11), and
/// accents of their own none.
#[cfg(feature = "admin")]
pub fn width(text: &str) -> usize {
    text.width()
}

#[cfg(feature = "admin")]
fn columns_of(letter: char) -> usize {
    letter.width().unwrap_or_default()
}

/// The kernel's own console has no letters that take two.
#[cfg(not(feature = "admin"))]
const fn columns_of(_: char) -> usize {
    1
}

/// Breaks lines that are too long between two words. A word that is longer than a line
/// stays whole.
pub fn in_columns(text: &str) -> String {
    let mut wrapped = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while let Some(at) = break_of(rest, COLUMNS) {
            let (fits, behind) = rest.split_at(at);
            wrapped.push_str(fits);
            wrapped.push('\n');
            rest = behind.trim_start_matches(' ');
        }
        wrapped.push_str(rest);
    }
    wrapped
}

/// A line in lines of so many columns; all but the first begin with `indent`. A word
/// that is longer than a line stays whole.
#[cfg(feature = "admin")]
pub fn folded(line: &str, columns: usize, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = line.to_owned();
    while let Some(at) = break_of(&rest, columns) {
        let behind = format!("{indent}{}", rest[at..].trim_start_matches(' '));
        rest.truncate(at);
        lines.push(std::mem::replace(&mut rest, behind));
    }
    lines.push(rest);
    lines
}

/// Where a line is to be broken: at its last space that fits, or the first one behind a
/// word that is longer than a line. `None` where the line fits, or has no such space.
fn break_of(line: &str, columns: usize) -> Option<usize> {
    let bare = line.trim_end_matches('\n');
    let mut taken = 0;
    // The first character that does not fit; a space will do, as it is left out.
    let (at, first_behind) = bare.char_indices().find(|(_, letter)| {
        taken += columns_of(*letter);
        taken > columns
    })?;
    let head = &bare[..at + first_behind.len_utf8()];
    let indent = bare.len() - bare.trim_start_matches(' ').len();
    let fits = head.rfind(' ').filter(|at| *at > indent);
    fits.or_else(|| bare[at..].find(' ').map(|behind| at + behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_line_is_broken_between_words() {
        let long = "word ".repeat(20);
        let lines: Vec<String> = in_columns(long.trim_end())
            .lines()
            .map(str::to_owned)
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].len(), 79);
        assert_eq!(lines.join(" "), long.trim_end());
        let just = "x".repeat(79);
        assert_eq!(in_columns(&just), just);
        let path = "/".repeat(100);
        assert_eq!(in_columns(&path), path, "nobody could copy it in two parts");
        let indented = format!("    {path}");
        assert_eq!(in_columns(&indented), indented);
        assert_eq!(in_columns("a\n\nb\n"), "a\n\nb\n");
        let behind = format!("{path} it is");
        assert_eq!(in_columns(&behind), format!("{path}\nit is"));
    }

    #[cfg(feature = "admin")]
    #[test]
    fn a_letter_that_takes_two_columns_counts_as_two() {
        let name = "診療所 ".repeat(20);
        for line in in_columns(&name).lines() {
            assert!(line.width() <= COLUMNS, "{line}");
        }
        assert_eq!(in_columns(&"é".repeat(79)), "é".repeat(79));
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_no_line_too_long(words in "([a-z\u{e9}]{1,12}[ \n]){0,80}") {
            let wrapped = in_columns(&words);
            prop_assert!(wrapped.lines().all(|line| line.chars().count() <= COLUMNS));
            let before: Vec<&str> = words.split_whitespace().collect();
            let after: Vec<&str> = wrapped.split_whitespace().collect();
            prop_assert_eq!(before, after);
        }

        #[test]
        fn folded_lines_fit_and_hold_every_word(words in "[a-z]{1,12}( [a-z]{1,12}){0,40}") {
            let lines = folded(&words, 30, "    ");
            prop_assert!(lines.iter().all(|line| line.chars().count() <= 30));
            prop_assert!(lines.iter().skip(1).all(|line| line.starts_with("    ")));
            let after: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
            let before: Vec<&str> = words.split_whitespace().collect();
            prop_assert_eq!(before, after);
        }
    }
}
