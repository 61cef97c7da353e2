//! Runs other programs of the system and passes on what they say when they fail.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::admin::problem::{Problem, Result};

/// Runs a program without input and returns what it printed. `next` is what a
/// person can do when it fails.
///
/// # Errors
/// When the program cannot be run or fails; with its own words.
pub fn run(command: &mut Command, next: &str) -> Result<String> {
    let said = match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Ok(output) => {
            let words =
                [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes));
            let words = words.iter().map(|text| text.trim());
            let words: Vec<&str> = words.filter(|text| !text.is_empty()).collect();
            match words.is_empty() {
                true => output.status.to_string(),
                false => words.join(" "),
            }
        }
        Err(error) => error.to_string(),
    };
    Err(Problem::failed(
        format!("`{}` failed: {said}", as_typed(command)),
        next,
    ))
}

/// Where a program of the system is. Those for root are found too when the search
/// path lacks them, as behind `su`.
pub fn find(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].into_iter();
    let mut paths = folders.map(|folder| Path::new(folder).join(name));
    paths.find(|path| path.exists())
}

fn as_typed(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_quoted_and_the_next_step_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo it is full >&2; exit 3"]);
        let problem = run(&mut command, "Make room.").unwrap_err();
        assert_eq!(
            problem.what,
            "`sh -c echo it is full >&2; exit 3` failed: it is full"
        );
        assert_eq!(problem.next, "Make room.");
        let silent = run(Command::new("sh").args(["-c", "exit 3"]), "").unwrap_err();
        assert!(silent.what.ends_with("failed: exit status: 3"), "{silent}");
        let missing = run(&mut Command::new("/nonexistent"), "").unwrap_err();
        assert!(missing.what.contains("No such file"), "{missing}");
        let said = run(Command::new("sh").args(["-c", "echo yes"]), "").unwrap();
        assert_eq!(said, "yes\n");
    }

    #[test]
    fn a_program_is_found_or_it_is_not() {
        assert!(find("sh").is_some_and(|path| path.ends_with("bin/sh")));
        assert_eq!(find("mkfs.nothing"), None);
    }
}
