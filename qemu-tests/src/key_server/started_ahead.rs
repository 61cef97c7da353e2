//! tangd, started before it is asked. Key servers are computers of their own; here all
//! share one, and to start eight programs takes it longer than to answer.

use std::io::{Result, copy};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

/// Pause before the next one is started, so that the others answer meanwhile.
const PAUSE: Duration = Duration::from_millis(500);

/// Answers one question at a time on a socket. Ends on drop.
pub struct StartedAhead {
    socket: PathBuf,
    ended: Arc<AtomicBool>,
    answering: Option<JoinHandle<()>>,
}

impl StartedAhead {
    /// With the keys in `folder`. `socket` must not exist.
    pub fn new(folder: String, socket: PathBuf) -> Result<Self> {
        let listener = UnixListener::bind(&socket)?;
        let ended = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ended);
        let answering = spawn(move || {
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
        Ok(Self {
            socket,
            ended,
            answering: Some(answering),
        })
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for StartedAhead {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes it.
        let _ = UnixStream::connect(&self.socket);
        let _ = self.answering.take().map(JoinHandle::join);
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

/// Until the client goes away: then tangd ends as well.
fn answer(mut asked: UnixStream, tangd: &mut Child) -> Result<()> {
    let mut client = asked.try_clone()?;
    let pipes = tangd.stdin.take().zip(tangd.stdout.take());
    let (mut stdin, mut stdout) = pipes.expect("both were asked for");
    let questions = spawn(move || copy(&mut client, &mut stdin));
    copy(&mut stdout, &mut asked)?;
    let _ = questions.join();
    Ok(())
}
