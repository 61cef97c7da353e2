//! One program of a pipeline: how it is started, what it says, and how it has ended.

use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use crate::admin::problem::{Problem, Result};

use super::words::Words;

/// Of what a program says on standard error the end is kept, in bytes.
const WORDS_MAX: usize = 16 << 10;

/// A program at the database's end of a pipeline.
pub struct Tool {
    /// What it is called in messages.
    pub name: &'static str,
    /// How it is run.
    pub command: Command,
    /// What of its words is passed on.
    pub words: Words,
    /// The exit codes that mean that all went well.
    pub well: &'static [i32],
}

/// One program of a pipeline.
pub struct Stage {
    name: &'static str,
    child: Child,
    words: Words,
    well: &'static [i32],
    said: JoinHandle<Vec<u8>>,
}

impl Stage {
    /// Starts it; what it prints goes into a pipe.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn start(tool: Tool, input: Stdio) -> Result<Self> {
        Self::run(tool, input, Stdio::piped())
    }

    /// Starts it; what it prints is lost.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn start_last(tool: Tool, input: Stdio) -> Result<Self> {
        Self::run(tool, input, Stdio::null())
    }

    fn run(tool: Tool, input: Stdio, output: Stdio) -> Result<Self> {
        let Tool {
            name,
            mut command,
            words,
            well,
        } = tool;
        command.stdin(input).stdout(output).stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.map_err(|error| not_started(name, &error))?;
        let errors = child.stderr.take().expect("it is piped");
        let said = std::thread::spawn(move || last_words(errors));
        Ok(Self {
            name,
            child,
            words,
            well,
            said,
        })
    }

    /// Its number; nobody else's before [`Stage::end`].
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it prints, for the next program.
    ///
    /// # Panics
    /// When it was taken, or is lost.
    pub fn output(&mut self) -> Stdio {
        self.take_output().into()
    }

    /// What it prints.
    ///
    /// # Panics
    /// As [`Stage::output`].
    pub fn take_output(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("it is piped")
    }

    /// What it reads.
    ///
    /// # Panics
    /// When it was taken, or comes from elsewhere.
    pub fn take_input(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("it is piped")
    }

    /// Ends it by force.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
    }

    /// Waits for its end.
    pub fn end(mut self) -> End {
        // Nobody writes to it, nobody reads from it any more.
        drop(self.child.stdin.take());
        let status = self.child.wait();
        let said = self.said.join().unwrap_or_default();
        End {
            name: self.name,
            words: self.words,
            well: self.well,
            status: status.ok(),
            said: String::from_utf8_lossy(&said).into_owned(),
        }
    }
}

/// A program that cannot be run.
pub fn not_started(name: &str, error: &io::Error) -> Problem {
    Problem::failed(
        format!("{name} cannot be run: {error}."),
        "Are age, zstd and mariadb-backup installed whole? `dpkg --audit` tells.",
    )
}

/// Reads to the end, and keeps the last of it.
fn last_words(mut from: impl Read) -> Vec<u8> {
    let mut words = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        words.extend_from_slice(&buffer[..read]);
        if words.len() > 2 * WORDS_MAX {
            words.drain(..words.len() - WORDS_MAX);
        }
    }
    words
}

/// How a program has ended.
pub struct End {
    name: &'static str,
    words: Words,
    well: &'static [i32],
    status: Option<ExitStatus>,
    /// The end of what it said on standard error.
    pub said: String,
}

impl End {
    fn is_well(&self) -> bool {
        let code = self.status.and_then(|status| status.code());
        code.is_some_and(|code| self.well.contains(&code))
    }

    /// It was ended because another program did not read on.
    fn is_cut_off(&self) -> bool {
        let signal = self.status.and_then(|status| status.signal());
        signal == Some(libc::SIGPIPE)
    }
}

/// All have ended well, or the first one that has not by itself is told of.
///
/// # Errors
/// With the words of that one.
pub fn all_well<'a>(ends: impl Iterator<Item = &'a End> + Clone) -> Result<()> {
    let failed = ends.filter(|end| !end.is_well());
    let by_itself = failed.clone().find(|end| !end.is_cut_off());
    let Some(end) = by_itself.or_else(|| failed.clone().next()) else {
        return Ok(());
    };
    Err(Problem::failed(
        format!("{} failed: {}", end.name, end.words.of(&end.said)),
        "Nothing was changed. Mend it, then run the command again.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(name: &'static str, raw: i32, said: &str) -> End {
        End {
            name,
            words: Words::Errors,
            well: &[0],
            status: Some(ExitStatus::from_raw(raw)),
            said: said.into(),
        }
    }

    #[test]
    fn program_that_failed_is_told_and_not_those_it_cut_off() {
        let ends = [
            end("source", libc::SIGPIPE, ""),
            end("zstd", 1 << 8, "zstd: /*stdout*: write error\n"),
            end("age", 0, ""),
        ];
        let problem = all_well(ends.iter().rev()).unwrap_err();
        assert!(problem.what.starts_with("zstd failed: "), "{problem}");
        // Nobody has failed by himself, and still not all of it went through.
        assert!(all_well(ends[..1].iter()).is_err());
        assert!(all_well(ends[2..].iter()).is_ok());
        let gone = End {
            status: None,
            ..end("age", 0, "")
        };
        assert!(all_well([gone].iter()).is_err());
    }

    #[test]
    fn row_that_mariadb_quotes_is_not_passed_on() {
        let said = "ERROR 1062 (23000) at line 42: Duplicate entry 'Wanjiru' for key 'name'\n";
        let quoting = End {
            words: Words::Numbers,
            ..end("mariadb", 1 << 8, said)
        };
        let problem = all_well([quoting].iter()).unwrap_err();
        assert_eq!(
            problem.what,
            "mariadb failed: ERROR 1062 (23000) at line 42"
        );
    }

    #[test]
    fn only_the_end_of_a_long_speech_is_kept() {
        let long = "a line of words\n".repeat(10_000);
        let kept = last_words(long.as_bytes());
        assert!(kept.len() <= 2 * WORDS_MAX && kept.ends_with(b"of words\n"));
    }
}
