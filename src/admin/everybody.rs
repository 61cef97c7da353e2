//! Words for everybody who is logged in, and for who stands before the server.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;

use crate::admin::program;
use crate::printable::PrintableLines;

/// Tells everybody who is logged in.
pub fn tell(text: &str) {
    // On a system without `wall` nobody is logged in either.
    if let Err(problem) = program::run(Command::new("/usr/bin/wall").arg(text), "") {
        log::info!("nobody was told: {}", problem.what);
    }
}

/// Tells everybody who is logged in, and shows it on the console.
pub fn tell_and_show(text: &str) {
    tell(text);
    if let Err(error) = show(text) {
        log::info!("the console does not show it: {error}");
    }
}

fn show(text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // A console that takes nothing, as a serial one whose cable is out, must not hold it up.
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
    let options = options.write(true).custom_flags(flags);
    let mut console = options.open("/dev/console")?;
    let text = PrintableLines(text).to_string().replace('\n', "\r\n");
    console.write_all(format!("\r\n{text}\r\n").as_bytes())
}
