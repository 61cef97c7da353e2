//! Work that may hang, for a watch that tries again and again: it is given to one child at a
//! time, so that a disk that never answers is left with one, and not with one a minute.

use std::ffi::OsStr;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::admin::child_work::{ChildWork, NoAnswer};
use crate::sys::child::Child;

/// Work at one place.
#[derive(Default)]
pub struct Errand {
    /// The child that was not waited for any longer.
    left: Option<Child>,
}

impl Errand {
    /// # Errors
    /// As long as the child before is at work.
    pub fn is_free(&mut self) -> Result<(), String> {
        self.left.take_if(|child| child.has_ended());
        match self.left {
            None => Ok(()),
            Some(_) => Err("what was begun before has not ended".into()),
        }
    }

    /// Remembers a child that was not waited for; gives what is told of it.
    pub fn leave(&mut self, no_answer: NoAnswer) -> String {
        match no_answer {
            NoAnswer::InTime(child) => {
                self.left = Some(child);
                "it takes longer than it should: a disk may hang".into()
            }
            NoAnswer::AtAll => "no child can be started, or it has failed".into(),
        }
    }

    /// Has a child do it, and waits for so long at most.
    ///
    /// # Errors
    /// When it has not ended, or none can be started.
    pub fn run<T: DeserializeOwned>(
        &mut self,
        limit: Duration,
        work: &ChildWork<T>,
        words: &[&str],
    ) -> Result<T, String> {
        self.is_free()?;
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        let answer = work.within(limit, &words);
        answer.map_err(|no_answer| self.leave(no_answer))
    }
}
