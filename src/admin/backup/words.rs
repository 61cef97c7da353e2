//! What a program says of its failure, without what it quotes: a database's client puts rows
//! between quotation marks, and messages go to logs.

const NOTHING: &str = "it gives no reason";

/// What is passed on of a program's words, which may be about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// The last lines that tell of an error, or the last one, with nothing in quotation marks.
    Errors,
    /// The same of lines that are marked as errors, and of no other: mariadb-backup prints what
    /// is in a damaged page.
    MarkedErrors,
    /// Of MariaDB's client the number, the SQLSTATE and the line of its last error.
    Numbers,
}

impl Words {
    /// What is passed on of this.
    pub fn of(self, said: &str) -> String {
        match self {
            Self::Errors => errors(said),
            Self::Numbers => numbers(said),
            Self::MarkedErrors => {
                let is_marked =
                    |line: &&str| line.contains("[ERROR]") || line.contains("FATAL ERROR");
                let lines: Vec<&str> = said.lines().filter(is_marked).collect();
                errors(&lines.join("\n"))
            }
        }
    }
}

fn errors(said: &str) -> String {
    let lines = said.lines().filter(|line| !line.trim().is_empty());
    let lines: Vec<String> = lines.map(unquoted).collect();
    let is_error = |line: &&String| line.to_ascii_lowercase().contains("error");
    let errors: Vec<&String> = lines.iter().filter(is_error).collect();
    let told: Vec<&str> = match errors.is_empty() {
        true => lines.last().map(String::as_str).into_iter().collect(),
        false => errors[errors.len().saturating_sub(2)..]
            .iter()
            .map(|line| line.as_str())
            .collect(),
    };
    match told.is_empty() {
        true => NOTHING.into(),
        false => told.join(" / "),
    }
}

/// Whatever comes behind them may be a row.
fn numbers(said: &str) -> String {
    let mut lines = said.lines().rev();
    lines.find_map(number).unwrap_or_else(|| NOTHING.to_owned())
}

/// `ERROR 1062 (23000) at line 42: ...`, or without its line.
fn number(line: &str) -> Option<String> {
    let (head, _) = line.split_once(':')?;
    let words: Vec<&str> = head.split(' ').collect();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_digit());
    let is_state = |word: &str| {
        let state = word
            .strip_prefix('(')
            .and_then(|word| word.strip_suffix(')'));
        state.is_some_and(|state| {
            state.len() == 5 && state.bytes().all(|c| c.is_ascii_alphanumeric())
        })
    };
    let is_one = match words[..] {
        ["ERROR", number, state] => is_number(number) && is_state(state),
        ["ERROR", number, state, "at", "line", line] => {
            is_number(number) && is_state(state) && is_number(line)
        }
        _ => false,
    };
    is_one.then(|| head.to_owned())
}

/// A line without what stands between its first quotation mark and the last one of the same
/// kind; a value may hold such marks itself. What is not closed goes to the end of the line.
fn unquoted(line: &str) -> String {
    let mut before = ' ';
    let opened = line.char_indices().find(|(_, letter)| {
        // An apostrophe within a word is none: "can't".
        let opens = match letter {
            '\'' => !before.is_alphanumeric(),
            letter => matches!(letter, '"' | '`'),
        };
        before = *letter;
        opens
    });
    let Some((at, mark)) = opened else {
        return line.to_owned();
    };
    let end = line.rfind(mark).filter(|end| *end > at);
    let rest = end.map_or("", |end| &line[end..]);
    // Another kind of mark may stand before and behind: it does, in what is left.
    match rest.char_indices().nth(1) {
        None => format!("{}{mark}...{rest}", &line[..at]),
        Some((behind, _)) => {
            format!(
                "{}{mark}...{mark}{}",
                &line[..at],
                unquoted(&rest[behind..])
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_speech_ends_in_its_errors() {
        let said = "[00] copying\n[00] FATAL ERROR: no key file\n[00] goodbye\n\n";
        assert_eq!(errors(said), "[00] FATAL ERROR: no key file");
        assert_eq!(errors("one\ntwo\n"), "two");
        assert_eq!(errors("\n"), NOTHING);
    }

    #[test]
    fn page_that_is_printed_is_not_passed_on() {
        let page =
            "[ERROR] InnoDB: page [page id: 3] is corrupted\n 0: len 7; hex 57; asc Wanjiru;\n";
        let told = Words::MarkedErrors.of(page);
        assert_eq!(told, "[ERROR] InnoDB: page [page id: 3] is corrupted");
        assert_eq!(Words::MarkedErrors.of(" 0: asc error Wanjiru;\n"), NOTHING);
    }

    #[test]
    fn what_a_program_quotes_is_left_out() {
        for (said, told) in [
            (
                "Error: Can't open '/srv/x' (2)",
                "Error: Can't open '...' (2)",
            ),
            ("error at 'O'Brien' here", "error at '...' here"),
            (
                "error: `a` and \"Halima\" here",
                "error: `...` and \"...\" here",
            ),
            ("error: 'Wanjiru", "error: '..."),
            ("error: \"Otieno 'x' \"", "error: \"...\""),
        ] {
            assert_eq!(errors(said), told);
        }
    }

    #[test]
    fn client_of_mariadb_is_told_of_by_number_and_line() {
        let told = |said: &str| numbers(said);
        assert_eq!(
            told("ERROR 1062 (23000) at line 42: Duplicate entry 'Wanjiru' for key 'x'\n"),
            "ERROR 1062 (23000) at line 42"
        );
        assert_eq!(
            told("ERROR 2002 (HY000): Can't connect through socket '/run/x'\n"),
            "ERROR 2002 (HY000)"
        );
        // A value of several lines that ends as one of its own.
        for said in [
            "Wanjiru: x",
            "ERROR Wanjiru (23000): x",
            "ERROR 1 (a b c): x",
            "",
        ] {
            assert_eq!(told(said), NOTHING, "{said}");
        }
    }
}
