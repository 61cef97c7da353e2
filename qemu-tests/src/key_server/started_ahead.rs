//! tangd, started before it is asked. Key servers are computers of their own; here all
//! share one, and to start eight programs takes it longer than to answer.

use std::io::{Read, Result, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// Pause before the next one is started, so that the others answer meanwhile.
const PAUSE: Duration = Duration::from_millis(500);

/// Answers one question at a time on a socket. Ends on drop.
pub struct StartedAhead {
    socket: PathBuf,
    ended: Arc<AtomicBool>,
}

impl StartedAhead {
    /// With the keys in `folder`. `socket` must not exist.
    pub fn new(folder: String, socket: PathBuf) -> Result<Self> {
        let listener = UnixListener::bind(&socket)?;
        let ended = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ended);
        spawn(move || {
            while let Ok(mut tangd) = start(&folder) {
                let asked = listener.accept();
                if let (false, Ok((asked, _))) = (is_over.load(Ordering::SeqCst), asked) {
                    // Where the client goes away, it has what it wanted.
                    let _ = answer(asked, &mut tangd);
                }
                let _ = tangd.kill();
                let _ = tangd.wait();
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                sleep(PAUSE);
            }
        });
        Ok(Self { socket, ended })
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for StartedAhead {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes it. Nobody waits: a client that was switched off while it asked never goes away.
        let _ = UnixStream::connect(&self.socket);
    }
}

fn start(folder: &str) -> Result<Child> {
    Command::new("/usr/libexec/tangd")
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// Until tangd ends, which it does by itself or when the client goes away.
fn answer(mut asked: UnixStream, tangd: &mut Child) -> Result<()> {
    let mut client = asked.try_clone()?;
    let pipes = tangd.stdin.take().zip(tangd.stdout.take());
    let (mut stdin, mut stdout) = pipes.expect("both were asked for");
    let questions = spawn(move || pass_on(&mut client, &mut stdin));
    let answered = pass_on(&mut stdout, &mut asked);
    // tangd has ended; the client would wait for more, and `questions` for the client.
    let _ = asked.shutdown(Shutdown::Both);
    let _ = questions.join();
    answered
}

/// Each piece at once. (`io::copy` lets the kernel do it, which waits for more of a socket.)
fn pass_on(from: &mut impl Read, to: &mut impl Write) -> Result<()> {
    let mut piece = [0; 4096];
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(()),
            read => to.write_all(&piece[..read])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    /// As a client does that asks for what it knows the length of, and goes away.
    #[test]
    fn tangd_that_was_started_ahead_answers_one_after_another() {
        let keys = Scratch::new().unwrap();
        let folder = keys.path().display().to_string();
        let made = Command::new("/usr/libexec/tangd-keygen")
            .arg(&folder)
            .status();
        assert!(made.unwrap().success());
        let socket = keys.join("asked");
        let ahead = StartedAhead::new(folder, socket).unwrap();
        for _ in 0..3 {
            let mut asks = UnixStream::connect(ahead.socket()).unwrap();
            asks.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            asks.write_all(b"GET /adv HTTP/1.1\r\nHost: x\r\n\r\n")
                .unwrap();
            let mut said = [0; 64];
            let read = asks.read(&mut said).unwrap();
            assert!(said[..read].starts_with(b"HTTP/1.1 200"), "{said:?}");
        }
    }
}
