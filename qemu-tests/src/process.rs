//! The QEMU process: its turn, its start in a place's network, its end.

use std::fs::File;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::prepared::cache;
use crate::{Architecture, Failure, Place, Result, seconds};

/// At most this many machines run at once, whatever starts them: with more,
/// emulation on a small computer only makes time limits pass.
const MACHINES_AT_ONCE: usize = 2;

/// The lock that is held while a machine runs.
pub(crate) fn wait_for_turn() -> Result<File> {
    let cache = cache()?;
    let turns = (0..MACHINES_AT_ONCE)
        .map(|n| File::create(cache.join(format!("machine-{n}.lock"))))
        .collect::<std::io::Result<Vec<_>>>()?;
    loop {
        for turn in &turns {
            if turn.try_lock().is_ok() {
                return Ok(turn.try_clone()?);
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Puts initramfs archives one behind the other.
pub(crate) fn join_files(parts: &[PathBuf], whole: &Path) -> Result {
    let mut out = File::create(whole)?;
    for part in parts {
        std::io::copy(&mut File::open(part)?, &mut out)?;
        // Each archive begins on a boundary of four bytes.
        let padding = out.metadata()?.len().next_multiple_of(4);
        out.set_len(padding)?;
        std::io::Seek::seek(&mut out, std::io::SeekFrom::End(0))?;
    }
    Ok(())
}

/// Starts QEMU in the place's network. It dies with the thread that started
/// it, so that a killed test leaves nothing running.
pub(crate) fn spawn(
    qemu: &str,
    place: Option<&Place>,
    words: &[String],
    log: &Path,
) -> Result<Child> {
    let mut command = match place {
        Some(place) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", place.namespace(), "setpriv"]);
            command
        }
        None => Command::new("setpriv"),
    };
    command
        .args(["--pdeathsig", "KILL", qemu])
        .args(words)
        .stdin(Stdio::null())
        .stdout(File::create(log)?)
        .stderr(File::options().append(true).open(log)?);
    command
        .spawn()
        .map_err(|e| Failure::new(format!("cannot start QEMU: {e} (run images/install-tools)")))
}

/// QEMU of this machine's architecture without a place and without a log, for the probe of KVM.
pub(crate) fn spawn_quiet(words: &[String]) -> Result<Child> {
    let qemu = Architecture::Amd64.qemu();
    spawn(qemu, None, words, Path::new("/dev/null"))
}

/// Takes QEMU's connection to a socket of ours, or says why QEMU ended.
pub(crate) fn accept(listener: &UnixListener, child: &mut Child, log: &Path) -> Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + seconds(60);
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e.into()),
        }
        if child.try_wait()?.is_some() || Instant::now() > deadline {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            return Err(Failure::new(format!("QEMU did not start: {said}")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
