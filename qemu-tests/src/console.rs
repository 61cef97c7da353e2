//! A serial console of the guest: read what it says, type into it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::{Failure, Result};

#[derive(Default)]
struct Heard {
    text: Vec<u8>,
    closed: bool,
    listener: Option<Sender<Vec<u8>>>,
}

/// One serial line. A thread listens all the time, so nothing is lost between
/// two waits; each wait begins where the one before it ended.
pub struct Console {
    name: &'static str,
    stream: UnixStream,
    heard: Arc<(Mutex<Heard>, Condvar)>,
    cursor: usize,
}

impl Console {
    pub(crate) fn new(name: &'static str, stream: UnixStream) -> Result<Self> {
        let heard = Arc::new((Mutex::new(Heard::default()), Condvar::new()));
        let mut reader = stream.try_clone()?;
        let shared = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = reader.read(&mut buffer).unwrap_or(0);
                let (lock, changed) = &*shared;
                let mut heard = lock.lock().unwrap();
                heard.text.extend_from_slice(&buffer[..count]);
                heard.closed = count == 0;
                if heard.closed {
                    heard.listener = None;
                } else if let Some(listener) = &heard.listener {
                    // Whoever listened may have gone.
                    let _ = listener.send(buffer[..count].to_vec());
                }
                changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Ok(Self {
            name,
            stream,
            heard,
            cursor: 0,
        })
    }

    /// Waits until `text` appears after what earlier waits found; gives what
    /// was said up to its end.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> Result<String> {
        let (_, said) = self.wait_for_any(&[text], limit)?;
        Ok(said)
    }

    /// Waits for whichever of `texts` appears first; gives its index and what
    /// was said up to its end.
    pub fn wait_for_any(&mut self, texts: &[&str], limit: Duration) -> Result<(usize, String)> {
        let deadline = Instant::now() + limit;
        let (lock, changed) = &*self.heard;
        let mut heard = lock.lock().unwrap();
        loop {
            let news = &heard.text[self.cursor..];
            let first = texts
                .iter()
                .enumerate()
                .filter_map(|(i, text)| find(news, text.as_bytes()).map(|at| (at + text.len(), i)))
                .min();
            if let Some((end, index)) = first {
                let said = String::from_utf8_lossy(&news[..end]).into_owned();
                self.cursor += end;
                return Ok((index, said));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if heard.closed || left.is_zero() {
                let why = if heard.closed {
                    "the machine went off".to_string()
                } else {
                    format!("{} s passed", limit.as_secs())
                };
                return Err(Failure::new(format!(
                    "waited on {} for {texts:?}, but {why}. All it said:\n{}",
                    self.name,
                    printable(&heard.text)
                )));
            }
            heard = changed.wait_timeout(heard, left).unwrap().0;
        }
    }

    /// Fails when `text` appears within `limit`: for what must not happen.
    pub fn expect_silence_about(&mut self, text: &str, limit: Duration) -> Result {
        std::thread::sleep(limit);
        if self.transcript().contains(text) {
            return Err(Failure::new(format!(
                "{} said {text:?}, which it must not. All it said:\n{}",
                self.name,
                self.transcript()
            )));
        }
        Ok(())
    }

    /// Types `text` as it stands; a line ends with `\r`, as a terminal sends.
    pub fn type_text(&mut self, text: &str) -> Result {
        self.stream.write_all(text.as_bytes())?;
        Ok(())
    }

    /// Types a line and Enter.
    pub fn type_line(&mut self, line: &str) -> Result {
        self.type_text(&format!("{line}\r"))
    }

    /// All that was said since the machine was switched on.
    pub fn transcript(&self) -> String {
        printable(&self.heard.0.lock().unwrap().text)
    }

    /// All that is said from now on, as it comes, for a person to read. Ends
    /// with the machine, or with `stop_listening`.
    pub fn listen(&mut self) -> Receiver<Vec<u8>> {
        let (sender, receiver) = channel();
        self.heard.0.lock().unwrap().listener = Some(sender);
        receiver
    }

    pub fn stop_listening(&mut self) {
        self.heard.0.lock().unwrap().listener = None;
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len().max(1))
        .position(|window| window == needle)
}

fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\r', "")
}
