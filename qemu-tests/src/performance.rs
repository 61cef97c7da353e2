//! docs/performance.md: each bench writes its own chapter of it.

use crate::{Result, project};

const PAGE: &str = "docs/performance.md";

/// Puts a chapter onto the page, in the place of the one with the same
/// heading. A chapter begins with a line `# heading`.
///
/// # Errors
/// What the filesystem says.
pub fn put_chapter(chapter: &str) -> Result {
    let path = project().join(PAGE);
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    std::fs::write(path, with_chapter(&page, chapter))?;
    Ok(())
}

fn with_chapter(page: &str, chapter: &str) -> String {
    let heading = |text: &str| text.lines().next().map(str::to_owned);
    let mut chapters: Vec<String> = Vec::new();
    for line in page.lines() {
        if line.starts_with("# ") || chapters.is_empty() {
            chapters.push(String::new());
        }
        if let Some(last) = chapters.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    match chapters
        .iter_mut()
        .find(|old| heading(old) == heading(chapter))
    {
        Some(old) => chapter.clone_into(old),
        None => chapters.push(chapter.to_owned()),
    }
    let chapters: Vec<&str> = chapters.iter().map(|text| text.trim_end()).collect();
    chapters.join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chapter_takes_its_own_place_and_no_other() {
        let one = with_chapter("", "# One\n\nfirst\n## Part\n");
        assert_eq!(one, "# One\n\nfirst\n## Part\n");
        let two = with_chapter(&one, "# Two\n\nsecond");
        assert_eq!(two, "# One\n\nfirst\n## Part\n\n# Two\n\nsecond\n");
        let again = with_chapter(&two, "# One\n\nnew\n");
        assert_eq!(again, "# One\n\nnew\n\n# Two\n\nsecond\n");
    }
}
