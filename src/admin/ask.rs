//! Questions to the person at the terminal.

use std::io::{BufRead, IsTerminal, Write, stdin, stdout};
use std::path::Path;
use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use super::{Exit, Problem, Result};
use crate::stick::PIN_MAX;
use crate::sys::terminal::Terminal;

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

/// A PIN or passphrase, erased on drop.
pub type Pin = Zeroizing<Vec<u8>>;

/// Asks for a PIN without showing it; with `from_stdin` it is the first line
/// of standard input. At most [`PIN_MAX`] bytes.
///
/// # Errors
/// When there is nobody to ask, or it is too long.
pub fn pin(question: &str, from_stdin: bool) -> Result<Pin> {
    let pin = if from_stdin {
        let mut line = Zeroizing::new(String::new());
        stdin().lock().read_line(&mut line).map_err(|_| nobody())?;
        Pin::new(line.trim_end_matches(['\r', '\n']).as_bytes().to_vec())
    } else {
        typed_pin(question)?
    };
    if pin.len() > PIN_MAX {
        return Err(Problem::new(
            Exit::Usage,
            format!("A PIN has at most {PIN_MAX} bytes."),
            "Use a shorter one.",
        ));
    }
    Ok(pin)
}

fn nobody() -> Problem {
    Problem::new(
        Exit::Usage,
        "Nobody is here to type the PIN.",
        "Run the command in a terminal, or give the PIN on standard input with --pin-stdin.",
    )
}

fn typed_pin(question: &str) -> Result<Pin> {
    let terminal = Terminal::open(Path::new("/dev/tty")).map_err(|_| nobody())?;
    let say = |text: &str| drop(terminal.write(text.as_bytes()));
    say(question);
    let mut pin = Pin::default();
    let mut buffer = [0; 16];
    loop {
        let keys = terminal.read(&mut buffer).map_err(|_| nobody())?;
        for key in keys {
            match key {
                b'\r' | b'\n' => {
                    say("\n");
                    return Ok(pin);
                }
                // Ctrl-C and Ctrl-D.
                3 | 4 => return Err(nobody()),
                8 | 0x7f => drop(pin.pop()),
                key => pin.push(*key),
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
