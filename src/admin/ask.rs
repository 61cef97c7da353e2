//! Questions to the person at the terminal.

use std::io::{BufRead, IsTerminal, Write, stdin, stdout};

use super::{Exit, Problem, Result};

/// Asks a question; `Ok` is a yes. `already` stands for `--yes`.
///
/// # Errors
/// When the answer is no, or when nobody is there to ask.
pub fn confirm(question: &str, already: bool) -> Result<()> {
    if already {
        return Ok(());
    }
    if !stdin().is_terminal() {
        return Err(Problem::new(
            Exit::Usage,
            format!("{question} Nobody is here to answer."),
            "Run it in a terminal, or add --yes.",
        ));
    }
    match line(&format!("{question} [yes/no] "))?.as_str() {
        "yes" | "y" => Ok(()),
        _ => Err(Problem::refused(
            "Nothing was changed.",
            "Run the command again when you want to go on.",
        )),
    }
}

/// One line from the terminal, without white space at its ends.
///
/// # Errors
/// When standard input has ended or cannot be read.
pub fn line(question: &str) -> Result<String> {
    print!("{question}");
    let _ = stdout().flush();
    let mut answer = String::new();
    match stdin().lock().read_line(&mut answer) {
        Ok(n) if n > 0 => Ok(answer.trim().to_owned()),
        _ => Err(Problem::failed(
            "There was no answer.",
            "Run the command in a terminal.",
        )),
    }
}
