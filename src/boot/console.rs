//! The consoles: every console of the kernel shows the prompt and takes
//! answers.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use heapless::{Deque, String, Vec};

use super::line::{Echo, Editor};
use crate::opening::dialogue::Typed;
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
        let before = self.consoles.len();
        for name in active.iter().flat_map(|text| text.split_whitespace()) {
            let known = self.consoles.iter().any(|console| console.name == name);
            if known || self.consoles.is_full() {
                continue;
            }
            let opened = Terminal::open(&Path::new("/dev").join(name));
            if let (Ok(terminal), Ok(name)) = (opened, String::try_from(name)) {
                let _ = self.consoles.push(Console {
                    name,
                    terminal,
                    editor: Editor::default(),
                    backlog: Box::default(),
                });
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

    /// Prints text on all consoles.
    #[inline(never)]
    pub fn print(&mut self, text: &str) {
        for console in &mut self.consoles {
            console.queue(text.as_bytes());
            console.send();
        }
    }

    /// Prints a question, and behind it the line being typed on each console:
    /// after a message in between it must not look lost.
    pub fn ask(&mut self, question: &str) {
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

    /// Reads what was typed at all consoles.
    pub fn read(&mut self) -> std::vec::Vec<Typed> {
        let echo = self.echo;
        let mut typed = std::vec::Vec::new();
        // A terminal that has hung up is dropped: it would always be ready.
        self.consoles
            .retain_mut(|console| console.read(echo, &mut typed).is_ok());
        typed
    }
}

impl Console {
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

    fn read(&mut self, echo: bool, typed: &mut std::vec::Vec<Typed>) -> std::io::Result<()> {
        let mut buffer = zeroize::Zeroizing::new([0; 128]);
        let bytes = self.terminal.read(&mut buffer[..])?;
        if bytes.is_empty() {
            return Ok(());
        }
        for byte in bytes {
            let (line, shown) = self.editor.key(*byte);
            match shown {
                Echo::Byte(byte) if echo => {
                    let _ = self.backlog.push_back(byte);
                }
                Echo::Rub if echo => self.queue(b"\x08 \x08"),
                Echo::NewLine => self.queue(b"\n"),
                Echo::Byte(_) | Echo::Rub | Echo::Nothing => {}
            }
            typed.extend(line);
        }
        typed.extend(self.editor.pause());
        self.send();
        Ok(())
    }
}
