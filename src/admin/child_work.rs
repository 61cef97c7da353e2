//! Work that may never end: a disk that dies, a network filesystem whose server is silent,
//! a program that is read from such a disk.
//!
//! What hangs in the kernel is reached by no signal, and a process ends no sooner than each
//! of its threads. So a child does it, the same program once more with other words, and
//! whoever has asked goes on without it when its time is over. A child is not killed: it
//! may have something to put back.

use std::ffi::{CString, OsStr, OsString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::prctl::set_name;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::admin::output;
use crate::sys::child::{Child, say, wait_for};
use crate::sys::{at_end, memory};

/// Most time until what a child prints is seen.
const PASSED_ON_EVERY: Duration = Duration::from_millis(200);

/// Work of one kind, and what it gives.
pub struct ChildWork<T> {
    word: &'static str,
    work: fn(&[OsString]) -> T,
}

/// Why there is no answer.
pub enum NoAnswer {
    /// The child was not waited for any longer. It goes on.
    InTime(Child),
    /// It could not be started, or has failed.
    AtAll,
}

impl<T> ChildWork<T> {
    /// `word` is the first one on the child's command line, and names no command; `work`
    /// gets those behind it. It prints nothing, or is asked by [`ChildWork::pass_on`].
    pub const fn new(word: &'static str, work: fn(&[OsString]) -> T) -> Self {
        Self { word, work }
    }

    /// Starts a child.
    ///
    /// # Errors
    /// What [`Child::start`] says; EINVAL for a word with a NUL byte in it.
    pub fn start(&self, words: &[&OsStr]) -> Result<Child, Errno> {
        let words = [OsStr::new(self.word)]
            .into_iter()
            .chain(words.iter().copied());
        let words = words.map(|word| CString::new(word.as_bytes()));
        let words: Vec<CString> = words.collect::<Result<_, _>>().map_err(|_| Errno::EINVAL)?;
        let words: Vec<_> = words.iter().map(CString::as_c_str).collect();
        Child::start(&words)
    }
}

impl<T: DeserializeOwned> ChildWork<T> {
    /// Has a child do it, and waits for so long at most.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub fn within(&self, limit: Duration, words: &[&OsStr]) -> Result<T, NoAnswer> {
        let until = Instant::now() + limit;
        let child = self.start(words).map_err(|_| NoAnswer::AtAll)?;
        let mut said = Vec::new();
        match hear_all(&child, until, &mut said) {
            true => serde_json::from_slice(&said).map_err(|_| NoAnswer::AtAll),
            false => Err(NoAnswer::InTime(child)),
        }
    }
}

impl ChildWork<()> {
    /// Has a child do it, for as long as that takes, and passes on what it prints. Whoever
    /// does not want to wait ends this process.
    ///
    /// # Errors
    /// In words: when it cannot be started, or was ended before it was done.
    pub fn pass_on(&self) -> Result<(), String> {
        let child = self.start(&[]).map_err(|errno| errno.to_string())?;
        let mut said = Vec::new();
        loop {
            let is_all = hear_all(&child, Instant::now() + PASSED_ON_EVERY, &mut said);
            // Whole lines: its answer is in none.
            let lines = said
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |end| end + 1);
            let lines: Vec<u8> = said.drain(..lines).collect();
            print!("{}", String::from_utf8_lossy(&lines));
            output::flush();
            if is_all {
                let is_done = serde_json::from_slice::<()>(&said).is_ok();
                return is_done
                    .then_some(())
                    .ok_or_else(|| "the program was ended before it was done".into());
            }
        }
    }
}

/// Whether the child has said all it has to say before `until`.
fn hear_all(child: &Child, until: Instant, said: &mut Vec<u8>) -> bool {
    let mut bytes = [0; 4096];
    loop {
        match child.read(&mut bytes) {
            Ok(Some(0)) | Err(_) => return true,
            Ok(Some(more)) => said.extend(&bytes[..more]),
            Ok(None) if wait_for([child.as_fd()].into_iter(), until) => {}
            Ok(None) => return false,
        }
    }
}

/// Work of any kind, for the one who does it.
pub trait AnyChildWork: Sync {
    fn word(&self) -> &'static str;
    /// Does it, and gives the answer as it goes through the pipe.
    fn answer(&self, words: &[OsString]) -> Option<Vec<u8>>;
}

impl<T: Serialize> AnyChildWork for ChildWork<T> {
    fn word(&self) -> &'static str {
        self.word
    }

    fn answer(&self, words: &[OsString]) -> Option<Vec<u8>> {
        serde_json::to_vec(&(self.work)(words)).ok()
    }
}

/// Does what the program's words ask for, where it was started as a child that does one
/// of `known`; else `None`.
pub fn run_as_child(
    mut known: impl Iterator<Item = &'static dyn AnyChildWork>,
) -> Option<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let word = words.next()?;
    let work = known.find(|work| word == *work.word())?;
    // By this name the kernel tells of one that hangs.
    let _ = set_name(c"stayput-child");
    let words: Vec<OsString> = words.collect();
    let done = at_end::put_back_when_ended().is_ok() && memory::keep_private().is_ok();
    let answer = done.then(|| work.answer(&words)).flatten();
    Some(match answer {
        Some(answer) if say(&answer).is_ok() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test program once more.
    fn child(test: &std::ffi::CStr) -> Child {
        Child::start(&[c"--exact", test, c"--ignored"]).unwrap()
    }

    #[test]
    fn a_child_that_hangs_is_waited_for_no_longer() {
        let in_time = |child: &Child, limit: Duration| {
            let until = Instant::now() + limit;
            hear_all(child, until, &mut Vec::new())
        };
        let hangs = child(c"admin::child_work::tests::hangs");
        assert!(!in_time(&hangs, Duration::from_millis(200)));
        assert!(!hangs.has_ended());
        // And nothing of it is left behind.
        assert!(in_time(&hangs, Duration::from_secs(60)));
        let ends = child(c"of this name there is no test");
        assert!(in_time(&ends, Duration::from_secs(60)));
        assert!(ends.has_ended());
    }

    #[test]
    #[ignore = "run by the test above"]
    fn hangs() {
        std::thread::sleep(Duration::from_secs(2));
    }

    #[test]
    fn an_answer_goes_through_the_pipe() {
        let work = ChildWork::new("count", |words| words.len());
        let answer = work.answer(&["a".into(), "b".into()]).unwrap();
        assert_eq!(serde_json::from_slice::<usize>(&answer).unwrap(), 2);
    }
}
