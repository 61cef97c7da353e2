//! Questions to the person at the terminal.

use std::io::{BufRead, IsTerminal, Write, stdin, stdout};
use std::path::Path;
use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use crate::admin::problem::{Exit, Problem, Result};
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
    match line(&format!("{question} [yes/no] "))?.as_str() {
        "yes" | "y" => Ok(()),
        _ => Err(Problem::refused(
            "Nothing was changed.",
            "Run the command again when you want to go on.",
        )),
    }
}

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
    let typed = if from_stdin {
        let mut line = Zeroizing::new(String::new());
        let read = stdin().lock().read_line(&mut line);
        read.map_err(|_| secret.nobody())?;
        Pin::new(line.trim_end_matches(['\r', '\n']).as_bytes().to_vec())
    } else {
        type_hidden(question).ok_or_else(|| secret.nobody())?
    };
    if typed.len() > PIN_MAX {
        return Err(Problem::new(
            Exit::Usage,
            format!("A {} has at most {PIN_MAX} bytes.", secret.name()),
            "Use a shorter one.",
        ));
    }
    Ok(typed)
}

/// Reads a line from /dev/tty. `None` without a terminal, or after Ctrl-C or
/// Ctrl-D.
fn type_hidden(question: &str) -> Option<Pin> {
    let terminal = Terminal::open(Path::new("/dev/tty")).ok()?;
    let say = |text: &str| drop(terminal.write(text.as_bytes()));
    say(&Printable(question).to_string());
    let mut typed = Pin::default();
    let mut buffer = [0; 16];
    loop {
        let keys = terminal.read(&mut buffer).ok()?;
        for key in keys {
            match key {
                b'\r' | b'\n' => {
                    say("\n");
                    return Some(typed);
                }
                // Ctrl-C and Ctrl-D.
                3 | 4 => return None,
                8 | 0x7f => drop(typed.pop()),
                key => typed.push(*key),
            }
        }
        if keys.is_empty() {
            std::thread::sleep(Duration::from_millis(20));
        }
        buffer.zeroize();
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
