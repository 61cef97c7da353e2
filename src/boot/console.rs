//! The consoles: every one that the kernel uses shows the prompt and can
//! answer it.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use heapless::{Deque, String, Vec};

use super::line::{Echo, Editor};
use crate::opening::dialogue::Typed;
use crate::sys::sysfs;
use crate::sys::terminal::Terminal;

const MAX_CONSOLES: usize = 8;
/// Text that waits for a slow line; a stalled serial port loses the oldest
/// and never holds the boot up.
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
    /// are new ones.
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

    /// Whether typed characters are shown; a secret is not.
    pub fn set_echo(&mut self, echo: bool) {
        if self.echo != echo {
            self.echo = echo;
            self.forget_typed();
        }
    }

    /// Erases the lines that were begun.
    pub fn forget_typed(&mut self) {
        for console in &mut self.consoles {
            console.editor.clear();
        }
    }

    #[inline(never)]
    pub fn print(&mut self, text: &str) {
        for console in &mut self.consoles {
            console.queue(text.as_bytes());
            console.send();
        }
    }

    /// Prints a question, and behind it what each console has typed already:
    /// a message in between must not make it look lost.
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

    pub fn terminals(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.consoles.iter().map(|console| console.terminal.as_fd())
    }

    /// Whether a console has text that it did not take yet.
    pub fn is_behind(&self) -> bool {
        self.consoles
            .iter()
            .any(|console| !console.backlog.is_empty())
    }

    /// Goes on with what a console did not take before.
    pub fn send(&mut self) {
        self.consoles.iter_mut().for_each(Console::send);
    }

    /// What people have typed, on whichever console.
    pub fn read(&mut self) -> std::vec::Vec<Typed> {
        let echo = self.echo;
        let mut typed = std::vec::Vec::new();
        // A terminal that has hung up would be ready for ever.
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
