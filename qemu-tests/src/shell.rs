//! Root shell in the guest, for the test to look around and to act.

use std::fmt;
use std::time::Duration;

use base64ct::{Base64, Encoding};

use crate::console::Console;
use crate::{Failure, Result};

/// How a command in the guest ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The exit status.
    pub status: i32,
    /// What it wrote to its standard output and error, together.
    pub text: String,
}

impl Output {
    pub fn ok(&self) -> bool {
        self.status == 0
    }

    /// The text, or a failure that shows it when the command failed.
    pub fn success(self) -> Result<String> {
        if self.ok() {
            Ok(self.text)
        } else {
            Err(Failure::new(format!(
                "a command in the guest failed: {self}"
            )))
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit status {}: {}", self.status, self.text)
    }
}

/// The line to `images/guest-shell`.
pub(crate) struct Shell {
    line: Console,
    count: u32,
    ready: bool,
}

impl Shell {
    pub fn new(line: Console) -> Self {
        Self {
            line,
            count: 0,
            ready: false,
        }
    }

    /// Waits until the shell of this stage of the boot is there; an empty
    /// name is whichever comes first.
    pub fn wait_ready(&mut self, stage: &str, limit: Duration) -> Result {
        self.line
            .wait_for(&format!("guest-shell ready: {stage}"), limit)?;
        self.line.wait_for("\n", limit)?;
        self.ready = true;
        Ok(())
    }

    /// Starts a command and does not wait for its answer: for what ends the
    /// shell too. Gives the tag that an answer would have.
    pub fn start(&mut self, command: &str, limit: Duration) -> Result<String> {
        if !self.ready {
            self.wait_ready("", limit)?;
        }
        self.count += 1;
        let tag = format!("t{}", self.count);
        let line = format!("{tag} {}\n", Base64::encode_string(command.as_bytes()));
        self.line.type_text(&line)?;
        Ok(tag)
    }

    pub fn run(&mut self, command: &str, limit: Duration) -> Result<Output> {
        let tag = self.start(command, limit)?;
        let late = |failure| Failure::new(format!("in the guest: {command}\n{failure}"));
        self.line
            .wait_for(&format!("{tag} "), limit)
            .map_err(late)?;
        let answer = self.line.wait_for("\n", limit).map_err(late)?;
        parse(&answer).ok_or_else(|| Failure::new(format!("the guest's shell said {answer:?}")))
    }
}

fn parse(answer: &str) -> Option<Output> {
    let (status, output) = answer
        .trim_end()
        .split_once(' ')
        .unwrap_or((answer.trim_end(), ""));
    Some(Output {
        status: status.parse().ok()?,
        text: String::from_utf8_lossy(&Base64::decode_vec(output).ok()?).into_owned(),
    })
}
