//! How a command says that it could not do what it was asked.

use std::fmt;

/// Exit codes, documented in the manual: scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Something failed on the way (a disk, another program); 1.
    Failed = 1,
    /// The command line makes no sense; 2 (clap uses it too).
    Usage = 2,
    /// The vault did not open: a stick or another way in is needed; 3.
    Locked = 3,
    /// Refused because it would do harm; nothing was changed; 4.
    Refused = 4,
}

/// One line that says what happened and one that says what to do next.
#[derive(Debug)]
pub struct Problem {
    pub exit: Exit,
    pub what: String,
    pub next: String,
}

pub type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    pub fn new(exit: Exit, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            next: next.into(),
        }
    }

    pub fn failed(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Failed, what, next)
    }

    pub fn refused(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(Exit::Refused, what, next)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.what, self.next)
    }
}
