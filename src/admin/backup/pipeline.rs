//! The programs between the database and the parts: what MariaDB's own tool writes goes
//! through zstd and age, and the other way. Nothing between them is on a disk.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::fchown;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, pipe2};

use crate::admin::problem::{Problem, Result};
use crate::backup::Stream;
use crate::sys::confinement::confine;

use super::folder::Folder;
use super::parts::{PartReader, PartWriter};
use super::place::Place;
use super::progress::Progress;
use super::stage::{Stage, Tool, all_well, not_started};
use super::stall::{StallWatch, watch_patiently};
use super::tools::{AGE, ZSTD};
use super::words::Words;

/// Bytes that are carried at once.
const AT_ONCE: usize = 256 << 10;
/// The user without files, whom the kernel shows for those that it cannot name
/// (linux/highuid.h, DEFAULT_OVERFLOWUID); Debian's and Red Hat's nobody.
const NOBODY: u32 = 65534;

/// Runs `source`, compresses and encrypts what it writes, and puts it into parts. Gives the
/// end of what it has said on standard error.
///
/// # Errors
/// When one of the programs fails (with its own words), or the place does; what is in the
/// parts is then worth nothing.
pub fn encrypt(
    place: &Place,
    source: Tool,
    recipient: &str,
    into: &mut PartWriter<'_>,
    progress: &mut Progress,
) -> Result<String> {
    let mut source = Stage::start(source, Stdio::null())?;
    let pid = source.pid();
    let watch = watch_for_stalls(place, pid);
    let mut zstd = Stage::start(tool("zstd", ZSTD, &["-q", "-c"]), source.output())?;
    let mut age = Stage::start(tool("age", AGE, &["-r", recipient]), zstd.output())?;
    let mut output = age.take_output();
    let mut buffer = vec![0; AT_ONCE];
    let carried = loop {
        match output.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(read) => {
                if let Err(error) = watch.during(|| into.write_all(&buffer[..read])) {
                    break Err(place.problem(&error));
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => break Err(place.problem(&error)),
        }
        progress.at(written_by(pid).unwrap_or(into.bytes_written()));
    };
    drop(output);
    // Before a process that has ended gives its number away.
    let has_stalled = watch.end();
    let mut stages = [source, zstd, age];
    if carried.is_err() {
        stages.iter_mut().for_each(Stage::kill);
    }
    let ends = stages.map(Stage::end);
    // What the kernel says in the end of a place that did not answer says less.
    if has_stalled {
        return Err(stalled(place));
    }
    carried?;
    // One that fails lets those before it fail too.
    all_well(ends.iter().rev())?;
    if !holds_ages_header(into.head()) {
        return Err(Problem::failed(
            "age has written a header that a backup has no room for.",
            "Please report this to stayput's authors. Older backups are as they were.",
        ));
    }
    let [source, ..] = ends;
    Ok(source.said)
}

/// Ends what reads the database where the place takes nothing for too long: it may hold up
/// every commit.
fn watch_for_stalls(place: &Place, source: u32) -> StallWatch {
    let told = stalled(place).what;
    StallWatch::begin(place.answers_within(), move || {
        let _ = kill(Pid::from_raw(source.cast_signed()), Signal::SIGKILL);
        eprintln!("stayput: {told}");
    })
}

fn stalled(place: &Place) -> Problem {
    Problem::failed(
        format!(
            "{} did not answer for {} seconds. The backup was ended, so that the database goes on.",
            place.named().display(),
            place.answers_within().as_secs()
        ),
        "It is slow, or fails: of a stick `dmesg` tells more; take another one.",
    )
}

/// Whether age's header and the nonce behind it are in these first bytes: then their digest
/// pins the key of all that follows (C2SP, age-encryption.org/v1).
fn holds_ages_header(head: &[u8]) -> bool {
    const NONCE: usize = 16;
    let mut lines = head.split_inclusive(|byte| *byte == b'\n');
    let mut length = 0;
    let is_mac = |line: &[u8]| line.starts_with(b"--- ") && line.ends_with(b"\n");
    let found = lines.any(|line| {
        length += line.len();
        is_mac(line)
    });
    found && length + NONCE <= head.len()
}

/// Decrypts a stream and gives it to `sink`. The identity reaches age through a pipe: it is
/// on no command line and in no file.
///
/// # Errors
/// When one of the programs fails (with its own words), or a part is not what was written;
/// what `sink` has made of it is then not to be used.
pub fn decrypt(
    place: &Place,
    folder: &Folder,
    stream: &Stream,
    identity: &str,
    sink: Tool,
    progress: &mut Progress,
) -> Result<()> {
    let mut age = start_decrypting(identity)?;
    let mut zstd = Stage::start(reader("zstd", ZSTD, &["-q", "-d", "-c"])?, age.output())?;
    let sink = Stage::start_last(sink, zstd.output())?;
    let mut input = age.take_input();
    let mut parts = PartReader::new(folder, stream);
    let mut buffer = vec![0; AT_ONCE];
    let carried = loop {
        let read = match parts.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(read) => read,
            Err(error) => break Err(place.problem(&error)),
        };
        // Why it takes no more is told below.
        if input.write_all(&buffer[..read]).is_err() {
            break Ok(());
        }
        progress.at(parts.bytes_read());
    };
    let mut stages = [age, zstd, sink];
    if carried.is_err() {
        // Before the input ends: nothing may take a cut stream for a whole one.
        stages.iter_mut().for_each(Stage::kill);
    }
    drop(input);
    let ends = stages.map(Stage::end);
    carried?;
    all_well(ends.iter())?;
    match parts.bytes_read() == stream.bytes() {
        true => Ok(()),
        false => Err(Problem::failed(
            "The backup was not read to its end.",
            "Run the command again; `stayput backup verify` reads all of it.",
        )),
    }
}

/// Runs a program alone, without input, and passes nothing on of what it prints.
///
/// # Errors
/// When it fails; with its own words, and nothing that it quotes.
pub fn run(tool: Tool) -> Result<()> {
    let end = Stage::start_last(tool, Stdio::null())?.end();
    all_well([end].iter())
}

fn start_decrypting(identity: &str) -> Result<Stage> {
    let failed = |error: io::Error| not_started("age", &error);
    let of = |errno: nix::Error| failed(errno.into());
    let (theirs, ours) = pipe2(OFlag::O_CLOEXEC).map_err(of)?;
    // It fits into the pipe: nobody has to read it meanwhile.
    let mut ours = fs::File::from(ours);
    ours.write_all(identity.as_bytes()).map_err(failed)?;
    drop(ours);
    fchown(&theirs, Some(NOBODY), Some(NOBODY)).map_err(failed)?;
    // Of all programs that are started only the next one inherits it.
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty())).map_err(of)?;
    let path = format!("/proc/self/fd/{}", theirs.as_raw_fd());
    Stage::start(reader("age", AGE, &["-d", "-i", &path])?, Stdio::piped())
}

/// A program that reads what somebody with a lost stick may have made: it runs as nobody, and
/// can change no file.
fn reader(name: &'static str, program: &str, arguments: &[&str]) -> Result<Tool> {
    let mut command = Command::new("/usr/bin/setpriv");
    command.arg(format!("--reuid={NOBODY}"));
    command.arg(format!("--regid={NOBODY}"));
    command.args([
        "--clear-groups",
        "--bounding-set=-all",
        "--inh-caps=-all",
        "--",
        program,
    ]);
    command.args(arguments).env_clear();
    confine(&mut command, None).map_err(|error| not_started(name, &error))?;
    Ok(Tool {
        name,
        command,
        words: Words::Errors,
        well: &[0],
    })
}

/// Reads a stream to its end, past what is still in memory.
///
/// # Errors
/// InvalidData for what is not as it was written; what the filesystem says.
pub fn read_through(folder: &Folder, stream: &Stream) -> io::Result<()> {
    let mut parts = PartReader::new(folder, stream);
    let mut progress = Progress::of(stream.bytes());
    let mut buffer = vec![0; AT_ONCE];
    let watch = watch_patiently(Path::new("The place"));
    while watch.during(|| parts.read(&mut buffer))? > 0 {
        progress.at(parts.bytes_read());
    }
    Ok(())
}

/// How many bytes a process has written (proc_pid_io(5), wchar).
fn written_by(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    let mut fields = text.lines().filter_map(|line| line.split_once(": "));
    fields.find(|(name, _)| *name == "wchar")?.1.parse().ok()
}

fn tool(name: &'static str, program: &str, arguments: &[&str]) -> Tool {
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    Tool {
        name,
        command,
        words: Words::Errors,
        well: &[0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_of_age_and_its_nonce_are_what_a_digest_pins() {
        let header = "age-encryption.org/v1\n-> X25519 share\nkey\n--- mac\n";
        let head = [header.as_bytes(), &[0; 16]].concat();
        assert!(holds_ages_header(&head));
        assert!(!holds_ages_header(&head[..head.len() - 1]));
        assert!(!holds_ages_header(&header.as_bytes()[..header.len() - 1]));
        assert!(!holds_ages_header(&[b'x'; 4096]));
    }

    #[test]
    fn bytes_that_a_process_has_written_are_counted() {
        assert!(written_by(std::process::id()).is_some());
        assert_eq!(written_by(u32::MAX), None);
    }
}
