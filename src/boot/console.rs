//! The consoles: every console of the kernel shows the prompt and takes
//! answers.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Instant;

use heapless::{Deque, String, Vec};

use crate::opening::dialogue::Typed;
use crate::opening::line_editor::{Echo, Editor};
use crate::printable::PrintableLines;
use crate::sys::sysfs;
use crate::sys::terminal::Terminal;

const MAX_CONSOLES: usize = 8;
/// Bytes of output kept for a slow console. A stalled serial port loses the
/// oldest text and does not block the boot.
const BACKLOG: usize = 8192;

struct Console {
    name: String<63>,
    terminal: Terminal,
    editor: Editor,
    backlog: Box<Deque<u8, BACKLOG>>,
}

impl Drop for Console {
    fn drop(&mut self) {
        // The rest of a PIN, for whose prompt it came too late.
        self.terminal.discard_unread();
    }
}

/// All consoles that could be opened.
#[derive(Default)]
pub struct Consoles {
    consoles: Vec<Console, MAX_CONSOLES>,
    echo: bool,
}

impl Consoles {
    /// Opens the active consoles that are not open yet; returns whether there
    /// were any.
    pub fn open_new(&mut self) -> bool {
        let active = sysfs::read_text::<512>(Path::new("/sys/class/tty/console/active"));
        let has_screen = Path::new("/sys/class/tty/tty0").exists();
        let before = self.consoles.len();
        for name in names(active.as_deref().unwrap_or_default(), has_screen) {
            let known = self.consoles.iter().any(|console| console.name == name);
            if known || self.consoles.is_full() {
                continue;
            }
            let opened = Terminal::open_console(&Path::new("/dev").join(name));
            if let (Ok(terminal), Ok(name)) = (opened, String::try_from(name)) {
                let _ = self.consoles.push(Console::of(name, terminal));
            }
        }
        self.consoles.len() > before
    }

    /// Sets whether typed characters are shown; secrets are not.
    pub fn set_echo(&mut self, echo: bool) {
        if self.echo != echo {
            self.echo = echo;
            self.forget_typed();
        }
    }

    /// Erases the lines that are being typed.
    pub fn forget_typed(&mut self) {
        for console in &mut self.consoles {
            console.editor.clear();
        }
    }

    /// Prints text on all consoles; nothing in it controls them.
    #[inline(never)]
    pub fn print(&mut self, text: &str) {
        let text = PrintableLines(text).to_string();
        for console in &mut self.consoles {
            console.queue(text.as_bytes());
            console.send();
        }
    }

    /// Prints a question, and behind it the line being typed on each console:
    /// after a message in between it must not look lost.
    pub fn ask(&mut self, question: &str) {
        let question = PrintableLines(question).to_string();
        for console in &mut self.consoles {
            console.queue(question.as_bytes());
            if self.echo {
                let typed = zeroize::Zeroizing::new(console.editor.so_far().to_vec());
                console.queue(&typed);
            }
            console.send();
        }
    }

    /// The terminals, for polling.
    pub fn terminals(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.consoles.iter().map(|console| console.terminal.as_fd())
    }

    /// Whether a console has output left to write.
    pub fn is_behind(&self) -> bool {
        self.consoles
            .iter()
            .any(|console| !console.backlog.is_empty())
    }

    /// Writes output that is left, as far as the consoles take it.
    pub fn send(&mut self) {
        self.consoles.iter_mut().for_each(Console::send);
    }

    /// Reads what was typed at all consoles until `now`.
    pub fn read(&mut self, now: Instant) -> std::vec::Vec<Typed> {
        let echo = self.echo;
        let mut typed = std::vec::Vec::new();
        // A terminal that has hung up is dropped: it would always be ready.
        self.consoles
            .retain_mut(|console| console.read(echo, now, &mut typed).is_ok());
        typed
    }

    /// When [`Self::read`] may have news though nobody presses a key.
    pub fn next(&self) -> Option<Instant> {
        let consoles = self.consoles.iter();
        consoles.filter_map(|console| console.editor.next()).min()
    }
}

/// The consoles that show the prompt: the kernel's `active` ones, as
/// /sys/class/tty/console/active lists them, and the virtual terminal of a
/// computer that `has_screen` where all of them are serial lines. Whoever plugs
/// in a screen and a keyboard sees the prompt too.
fn names(active: &str, has_screen: bool) -> impl Iterator<Item = &str> {
    let is_virtual = |name: &str| {
        name.strip_prefix("tty")
            .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let added = has_screen && !active.split_whitespace().any(is_virtual);
    active.split_whitespace().chain(added.then_some("tty0"))
}

impl Console {
    fn of(name: String<63>, terminal: Terminal) -> Self {
        Self {
            name,
            terminal,
            editor: Editor::default(),
            backlog: Box::default(),
        }
    }

    fn queue(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.backlog.is_full() {
                self.backlog.pop_front();
            }
            let _ = self.backlog.push_back(*byte);
        }
    }

    fn send(&mut self) {
        while !self.backlog.is_empty() {
            let (front, _) = self.backlog.as_slices();
            match self.terminal.write(front) {
                Ok(0) | Err(_) => return,
                Ok(taken) => {
                    for _ in 0..taken {
                        self.backlog.pop_front();
                    }
                }
            }
        }
    }

    fn read(
        &mut self,
        echo: bool,
        now: Instant,
        typed: &mut std::vec::Vec<Typed>,
    ) -> std::io::Result<()> {
        let mut buffer = zeroize::Zeroizing::new([0; 128]);
        let bytes = self.terminal.read(&mut buffer[..])?;
        typed.extend(self.editor.pause(now));
        for byte in bytes {
            let before = typed.len();
            let shown = self.editor.key(*byte, now, typed);
            // Whoever cannot see what stands there has to begin again.
            let is_dead = |typed: &Typed| matches!(typed, Typed::DeadKey);
            if !echo && typed[before..].iter().any(is_dead) {
                self.editor.clear();
            }
            match shown {
                Echo::Byte(byte) if echo => {
                    let _ = self.backlog.push_back(byte);
                }
                Echo::Rub if echo => self.queue(b"\x08 \x08"),
                Echo::NewLine => self.queue(b"\n"),
                Echo::Byte(_) | Echo::Rub | Echo::Nothing => {}
            }
        }
        self.send();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use nix::poll::{PollFd, PollFlags};

    use super::*;

    /// One console, and what is at the other end of its line.
    fn one_console() -> (Consoles, File) {
        let pair = nix::pty::openpty(None, None).unwrap();
        let name = nix::unistd::ttyname(&pair.slave).unwrap();
        let terminal = Terminal::open(&name).unwrap();
        let mut consoles = Consoles::default();
        let _ = consoles.consoles.push(Console::of(String::new(), terminal));
        (consoles, File::from(pair.master))
    }

    fn can_be_read(line: &File, milliseconds: u16) -> bool {
        let mut fds = [PollFd::new(line.as_fd(), PollFlags::POLLIN)];
        nix::poll::poll(&mut fds, milliseconds) == Ok(1)
    }

    fn read_some(line: &mut File) -> std::string::String {
        let mut buffer = [0; 4096];
        let length = line.read(&mut buffer).unwrap();
        std::string::String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn a_stalled_line_loses_the_oldest_text_and_holds_up_nobody() {
        let (mut consoles, mut line) = one_console();
        let printed = 5 * BACKLOG;
        for number in 0..printed / 8 {
            consoles.print(&format!("{number:6}\n"));
        }
        assert!(consoles.is_behind());
        let mut shown = std::string::String::new();
        while consoles.is_behind() {
            shown += &read_some(&mut line);
            consoles.send();
        }
        while can_be_read(&line, 200) {
            shown += &read_some(&mut line);
        }
        assert!(
            shown.contains(&format!("{}", printed / 8 - 1)),
            "the newest"
        );
        assert!(shown.starts_with("     0"), "what the kernel had taken");
        assert!(shown.len() < printed, "the rest did not fit");
    }

    #[test]
    fn the_rest_of_a_pin_is_left_to_nobody() {
        let (consoles, mut line) = one_console();
        let tty = consoles.consoles[0].terminal.as_fd().try_clone_to_owned();
        let mut tty = File::from(tty.unwrap());
        line.write_all(b"4711").unwrap();
        assert!(can_be_read(&tty, 5000), "it was typed");
        drop(consoles);
        line.write_all(b"next\n").unwrap();
        assert!(can_be_read(&tty, 5000));
        let mut buffer = [0; 16];
        let length = tty.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"next\n");
    }

    #[test]
    fn a_screen_shows_the_prompt_beside_a_serial_console() {
        let open = |active, has_screen| names(active, has_screen).collect::<std::vec::Vec<_>>();
        assert_eq!(open("ttyS0\n", true), ["ttyS0", "tty0"]);
        assert_eq!(open("ttyS0 hvc0", true), ["ttyS0", "hvc0", "tty0"]);
        assert_eq!(open("tty0 ttyS0", true), ["tty0", "ttyS0"]);
        assert_eq!(open("tty1\n", true), ["tty1"]);
        // Kernels of clouds have no virtual terminals.
        assert_eq!(open("ttyS0\n", false), ["ttyS0"]);
        assert_eq!(open("", true), ["tty0"]);
    }
}
