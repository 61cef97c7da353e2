//! Tells the story that stayput is for, as it happens on a real Debian in
//! QEMU. `--interactive` gives a person the console of the stolen server.

use std::io::{Read, Write};
use std::process::{Command, ExitCode};
use std::time::Instant;

use qemu_tests::{Result, Story, System};

/// Ctrl-]: ends the person's turn, as in telnet.
const ESCAPE: u8 = 0x1d;

fn main() -> ExitCode {
    let mut interactive = false;
    for argument in std::env::args().skip(1) {
        if argument != "--interactive" {
            eprintln!("usage: images/demo [--interactive]");
            return ExitCode::from(2);
        }
        interactive = true;
    }
    match tell_all(interactive) {
        Ok(()) => {
            println!("\nThe whole story held.");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            println!("\nThe story did not hold:\n{failure}");
            ExitCode::FAILURE
        }
    }
}

fn tell_all(interactive: bool) -> Result {
    let start = Instant::now();
    let mut tell = |line: &str| println!("{:>5} s {line}", start.elapsed().as_secs());
    tell("A server with patients' data, set up by its owner (kept for the next time)");
    let mut story = Story::begin(System::USUAL, &mut tell)?;
    tell("a. At home");
    story.at_home(&mut tell)?;
    tell("b. The power is cut in the middle of writes");
    story.power_cut(&mut tell)?;
    tell("c. Stolen: the same server with other devices around it");
    story.stolen(&mut tell)?;
    if interactive {
        tell("   The server's console is yours. Ctrl-] ends your turn.");
        hand_over(&mut story)?;
    }
    tell("d. The owner's stick is plugged in while the prompt waits");
    story.stick_brings_it_back(&mut tell)?;
    story.server.power_cut();
    Ok(())
}

/// Connects the person's terminal with the server's console until Ctrl-].
fn hand_over(story: &mut Story) -> Result {
    let console = story.server.console();
    print!("{}", console.transcript());
    let heard = console.listen();
    let printer = std::thread::spawn(move || {
        for bytes in heard {
            let _ = std::io::stdout().write_all(&bytes);
            let _ = std::io::stdout().flush();
        }
    });
    let _terminal = RawTerminal::new();
    let mut key = [0];
    while std::io::stdin().read(&mut key)? == 1 && key[0] != ESCAPE {
        console.type_text(&String::from_utf8_lossy(&key))?;
    }
    console.stop_listening();
    let _ = printer.join();
    println!();
    Ok(())
}

/// Keys go through one by one while this lives.
struct RawTerminal;

impl RawTerminal {
    fn new() -> Self {
        let _ = Command::new("stty").args(["raw", "-echo"]).status();
        Self
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let _ = Command::new("stty").arg("sane").status();
    }
}
