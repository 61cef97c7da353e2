//! What the commands print. Names and texts from disks, sticks, the network and other
//! programs are among it: in all modules of the commands `print!`, `println!` and
//! `eprintln!` mean the ones here, which let nothing through that controls a terminal.
//!
//! Where nobody reads on (a pipe into `head`, a lost terminal), the command does its
//! work all the same, and what it prints is lost.

use core::fmt::{self, Arguments, Display, Formatter};
use std::io::{self, Stdout, Write, stderr, stdout};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::sys::stat::{SFlag, fstat};

use crate::printable::PrintableLines;

/// As the standard library's, for text that may come from anywhere.
macro_rules! print {
    ($($words:tt)*) => { $crate::admin::output::print(::core::format_args!($($words)*)) };
}

/// As the standard library's, for text that may come from anywhere.
macro_rules! println {
    () => { $crate::admin::output::print_line(::core::format_args!("")) };
    ($($words:tt)*) => { $crate::admin::output::print_line(::core::format_args!($($words)*)) };
}

/// As the standard library's, for text that may come from anywhere.
macro_rules! eprintln {
    ($($words:tt)*) => { $crate::admin::output::print_error(::core::format_args!($($words)*)) };
}

/// Words without what controls a terminal. No copy of them is made: they may be a
/// secret.
struct Unarmed<'a>(Arguments<'a>);

impl Display for Unarmed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        struct Through<'a, 'b>(&'a mut Formatter<'b>);
        impl fmt::Write for Through<'_, '_> {
            fn write_str(&mut self, words: &str) -> fmt::Result {
                PrintableLines(words).fmt(self.0)
            }
        }
        fmt::write(&mut Through(f), self.0)
    }
}

/// The errno of the first failure that is told at the end; 0 without one.
static FAILED: AtomicI32 = AtomicI32::new(0);

/// Whether it failed because nobody reads any more: the other end of the pipe is
/// closed, or the terminal has hung up.
fn is_unread(errno: i32) -> bool {
    errno == libc::EPIPE || (errno == libc::EIO && !is_to_file())
}

/// Whether what is printed stays in a file.
pub fn is_to_file() -> bool {
    let mode = fstat(stdout()).map_or(0, |facts| facts.st_mode);
    SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()) == SFlag::S_IFREG
}

fn note(written: io::Result<()>) {
    if let Err(error) = written {
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        if !is_unread(errno) {
            let _ = FAILED.compare_exchange(0, errno, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// Whether standard output is for a document alone: words go to standard error then.
static IS_FOR_A_DOCUMENT: AtomicBool = AtomicBool::new(false);

/// From now on [`print_document`] alone writes to standard output.
pub fn keep_for_a_document() {
    IS_FOR_A_DOCUMENT.store(true, Ordering::Relaxed);
}

/// Standard output for the bytes of an archive: words go to standard error from now on.
pub fn keep_for_an_archive() -> Stdout {
    keep_for_a_document();
    stdout()
}

/// Prints a document for scripts; a failure is told by [`finish`].
pub fn print_document(document: &impl Display) {
    let printed = Unarmed(format_args!("{document:#}"));
    note(writeln!(stdout(), "{printed}"));
}

/// As the standard library's macro, but a failure is told by [`finish`].
pub fn print(words: Arguments<'_>) {
    match IS_FOR_A_DOCUMENT.load(Ordering::Relaxed) {
        true => drop(write!(stderr(), "{}", Unarmed(words))),
        false => note(write!(stdout(), "{}", Unarmed(words))),
    }
}

/// As [`print`].
pub fn print_line(words: Arguments<'_>) {
    print(format_args!("{words}\n"));
}

/// Errors are ignored: there is nobody left to tell.
pub fn print_error(words: Arguments<'_>) {
    let _ = writeln!(stderr(), "{}", Unarmed(words));
}

/// Prints over the line that was printed before by this.
pub fn print_over(words: &str) {
    note(write!(stdout(), "\r{}", PrintableLines(words)));
    flush();
}

/// Prints words of our own with the codes by which a terminal is steered, on one
/// only.
pub fn print_codes(words: &str) {
    note(stdout().write_all(words.as_bytes()));
    flush();
}

/// What was printed is seen now, also the beginning of a line.
pub fn flush() {
    note(stdout().flush());
}

/// Whether everything that was printed could be written.
///
/// # Errors
/// What write(2) said first; not where nobody reads any more.
pub fn finish() -> io::Result<()> {
    flush();
    match FAILED.load(Ordering::Relaxed) {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Ways around this file.
    const OTHER_WAYS: [&str; 8] = [
        "std::print",
        "std::eprint",
        "stdout().write",
        "stdout().lock",
        "stderr()",
        "= stdout();",
        "= io::stdout();",
        "(stdout(),",
    ];

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => sources(&path, found),
                false => found.push(path),
            }
        }
    }

    #[test]
    fn every_command_prints_by_the_macros_here() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = vec![src.join("bin/stayput.rs")];
        sources(&src.join("admin"), &mut files);
        assert!(files.len() > 100);
        for file in files
            .iter()
            .filter(|file| !file.ends_with("admin/output.rs"))
        {
            let text = fs::read_to_string(file).unwrap();
            for way in OTHER_WAYS {
                assert!(!text.contains(way), "{way} in {}", file.display());
            }
        }
    }

    /// The macros themselves: what a command says reaches the terminal unarmed.
    #[test]
    fn a_hostile_name_reaches_no_terminal() {
        let program = std::env::current_exe().unwrap();
        let mut said = std::process::Command::new(program);
        let said = said.args(["--exact", "--nocapture", "--ignored"]);
        let said = said
            .arg("admin::output::tests::says_a_hostile_name")
            .output();
        let said = said.unwrap();
        for stream in [said.stdout, said.stderr] {
            let text = String::from_utf8(stream).unwrap();
            assert!(text.contains("stick \\u001b[2J\\u202eb\\u009b"), "{text}");
            assert!(
                !text.contains('\x1b') && !text.contains('\u{202e}'),
                "{text}"
            );
        }
    }

    #[test]
    #[ignore = "run by the test above"]
    fn says_a_hostile_name() {
        let name = "\x1b[2J\u{202e}b\u{9b}";
        println!("stick {name}");
        print!("stick {}\n", name);
        eprintln!("stick {name}");
    }
}
