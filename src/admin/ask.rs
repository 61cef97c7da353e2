//! Questions to the person at the terminal.

use std::io::{self, BufRead, IsTerminal, stdin};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use zeroize::{Zeroize, Zeroizing};

use crate::admin::output;
use crate::admin::problem::{Exit, Problem, Result};
use crate::opening::dialogue::Typed;
use crate::opening::line_editor::{Echo, Editor};
use crate::opening::messages::Message;
use crate::printable::Printable;
use crate::stick::PIN_MAX;
use crate::sys::terminal::Terminal;

/// Asks a question and returns `Ok` on a yes. `already` is `--yes`: nothing is
/// asked then.
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
    match yes(question)? {
        true => Ok(()),
        false => Err(Problem::refused(
            "Nothing was changed.",
            "Run the command again when you want to go on.",
        )),
    }
}

/// How often a question is asked again that was not answered with yes or no.
const TRIES: usize = 20;

/// Asks until the answer is yes or no, in whatever case: a slip of the finger is neither.
///
/// # Errors
/// When there is no answer, or none that can be understood.
pub fn yes(question: &str) -> Result<bool> {
    let question = format!("{question} [yes/no] ");
    for _ in 0..TRIES {
        match meaning(&line(&question)?) {
            Some(answer) => return Ok(answer),
            None => println!("Type yes or no."),
        }
    }
    Err(Problem::refused(
        "Neither yes nor no was typed. Nothing was changed.",
        "Run the command again.",
    ))
}

fn meaning(answer: &str) -> Option<bool> {
    match answer.to_lowercase().as_str() {
        "yes" | "y" => Some(true),
        "no" | "n" => Some(false),
        _ => None,
    }
}

/// What these keys send (ASCII ETX and EOT).
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;

/// A PIN, a passphrase or a recovery code, erased on drop.
pub type Pin = Zeroizing<Vec<u8>>;

/// A secret that is typed without being shown.
#[derive(Clone, Copy)]
enum Secret {
    Pin,
    Passphrase,
    Code,
}

impl Secret {
    fn name(self) -> &'static str {
        match self {
            Self::Pin => "PIN",
            Self::Passphrase => "passphrase",
            Self::Code => "recovery code",
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Pin => "--pin-stdin",
            Self::Passphrase | Self::Code => "--passphrase-stdin",
        }
    }

    fn not_typed(self) -> Problem {
        Problem::failed(
            format!("No {} was typed.", self.name()),
            "Run the command again when you have it at hand.",
        )
    }

    fn nobody(self) -> Problem {
        let (name, option) = (self.name(), self.option());
        Problem::new(
            Exit::Usage,
            format!("Nobody is here to type the {name}."),
            format!(
                "Run the command in a terminal, or give the {name} on standard input with {option}."
            ),
        )
    }
}

/// Asks for a PIN without showing it; with `from_stdin` it is the next line
/// of standard input. At most [`PIN_MAX`] bytes.
///
/// # Errors
/// When there is nobody to ask, or it is too long.
pub fn pin(question: &str, from_stdin: bool) -> Result<Pin> {
    hidden(Secret::Pin, question, from_stdin)
}

/// Asks for a passphrase without showing it; with `from_stdin` it is the next
/// line of standard input. At most [`PIN_MAX`] bytes.
///
/// # Errors
/// When there is nobody to ask, or it is too long.
pub fn passphrase(question: &str, from_stdin: bool) -> Result<Pin> {
    hidden(Secret::Passphrase, question, from_stdin)
}

/// Asks for the recovery code without showing it; with `from_stdin` it is the
/// next line of standard input. At most [`PIN_MAX`] bytes.
///
/// # Errors
/// When there is nobody to ask, or it is too long.
pub fn code(question: &str, from_stdin: bool) -> Result<Pin> {
    hidden(Secret::Code, question, from_stdin)
}

fn hidden(secret: Secret, question: &str, from_stdin: bool) -> Result<Pin> {
    let mut is_cut = false;
    let typed = if from_stdin {
        // Bytes: what is no text is to be called that, not missing.
        let mut line = Zeroizing::new(Vec::with_capacity(2 * PIN_MAX));
        let read = stdin().lock().read_until(b'\n', &mut line);
        read.map_err(|_| secret.nobody())?;
        while line.last().is_some_and(|byte| b"\r\n".contains(byte)) {
            line.pop();
        }
        line
    } else {
        let typed = type_hidden(question).map_err(|_| secret.nobody())?;
        let typed = typed.ok_or_else(|| secret.not_typed())?;
        is_cut = typed.is_cut;
        typed.line
    };
    if is_cut || typed.len() > PIN_MAX {
        return Err(Problem::new(
            Exit::Usage,
            format!("A {} has at most {PIN_MAX} bytes.", secret.name()),
            "Use a shorter one.",
        ));
    }
    Ok(typed)
}

/// A line that was typed.
struct TypedSecret {
    line: Pin,
    /// More was typed than a line holds.
    is_cut: bool,
}

/// Reads a line from /dev/tty, as the prompt of a boot does. `None` after Escape,
/// Ctrl-C or Ctrl-D.
///
/// # Errors
/// Without a terminal, or when it hangs up.
fn type_hidden(question: &str) -> io::Result<Option<TypedSecret>> {
    let terminal = Terminal::open(Path::new("/dev/tty"))?;
    let say = |text: &str| drop(terminal.write(text.as_bytes()));
    let question = Printable(question).to_string();
    say(&question);
    let mut editor = Editor::default();
    let mut is_refused = false;
    let mut typed = Vec::new();
    let mut buffer = Zeroizing::new([0; 16]);
    loop {
        let keys = terminal.read(&mut buffer[..])?;
        let now = Instant::now();
        typed.extend(editor.pause(now));
        for key in keys {
            if matches!(*key, CTRL_C | CTRL_D) {
                typed.push(Typed::Cancel);
            } else {
                let echo = editor.key(*key, now, &mut typed);
                is_refused |= *key >= b' ' && echo == Echo::Nothing;
            }
        }
        let is_idle = keys.is_empty();
        for typed in typed.drain(..) {
            match typed {
                Typed::Line(line) => {
                    say("\n");
                    let is_full = line.len() == PIN_MAX;
                    return Ok(Some(TypedSecret {
                        line: Pin::new(line.to_vec()),
                        is_cut: is_full && is_refused,
                    }));
                }
                Typed::Cancel => {
                    say("\n");
                    return Ok(None);
                }
                // Whoever cannot see what stands there has to begin again.
                Typed::DeadKey => {
                    editor.clear();
                    is_refused = false;
                    say(&format!(
                        "\n{}\n{question}",
                        Message::DeadKey { is_hidden: true }
                    ));
                }
            }
        }
        buffer.zeroize();
        if is_idle {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Whether somebody may answer what is asked on standard input: it is a terminal, or has
/// not ended yet. That of a job of cron or of a service has.
pub fn can_be_answered() -> bool {
    let stdin = stdin();
    let mut ready = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    match poll(&mut ready, PollTimeout::ZERO) {
        Ok(0) => true,
        Ok(_) if stdin.is_terminal() => true,
        Ok(_) => stdin.lock().fill_buf().is_ok_and(|typed| !typed.is_empty()),
        Err(_) => false,
    }
}

/// One line from the terminal, without white space at its ends.
///
/// # Errors
/// When standard input has ended or cannot be read.
pub fn line(question: &str) -> Result<String> {
    print!("{question}");
    output::flush();
    let mut answer = Vec::new();
    match stdin().lock().read_until(b'\n', &mut answer) {
        // What is no text is no answer that anybody would take, and is asked for again.
        Ok(n) if n > 0 => Ok(String::from_utf8_lossy(&answer).trim().to_owned()),
        _ => Err(Problem::failed(
            "There was no answer.",
            "Run the command in a terminal.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_neither_yes_nor_no() {
        for (answer, meant) in [("Yes", true), ("y", true), ("NO", false), ("n", false)] {
            assert_eq!(meaning(answer), Some(meant));
        }
        for slip in ["", "ye", "yess", "\u{fffd}es", "1"] {
            assert_eq!(meaning(slip), None, "{slip}");
        }
    }
}
