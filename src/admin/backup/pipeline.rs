//! The programs between the database and the parts: what MariaDB's own tool writes goes
//! through zstd and age, and the other way. Nothing between them is on a disk.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::unistd::pipe2;

use crate::admin::problem::{Problem, Result};
use crate::backup::Stream;

use super::folder::Folder;
use super::parts::{PartReader, PartWriter};
use super::place::Place;
use super::progress::Progress;
use super::tools::{AGE, ZSTD};

/// Bytes that are carried at once.
const AT_ONCE: usize = 256 << 10;
/// Of what a program says on standard error the end is kept, in bytes.
const WORDS_MAX: usize = 16 << 10;

/// A program at the database's end of a pipeline.
pub struct Tool {
    /// What it is called in messages.
    pub name: &'static str,
    /// How it is run.
    pub command: Command,
    /// The exit codes that mean that all went well.
    pub well: &'static [i32],
}

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
    let pid = source.child.id();
    let mut zstd = Stage::start(tool("zstd", ZSTD, &["-q", "-c"]), source.output())?;
    let mut age = Stage::start(tool("age", AGE, &["-r", recipient]), zstd.output())?;
    let mut output = age.child.stdout.take().expect("it is piped");
    let mut buffer = vec![0; AT_ONCE];
    let carried = loop {
        match output.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(read) => {
                if let Err(error) = into.write_all(&buffer[..read]) {
                    break Err(place.problem(&error));
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => break Err(place.problem(&error)),
        }
        progress.at(written_by(pid).unwrap_or(into.bytes_written()));
    };
    drop(output);
    let mut stages = [source, zstd, age];
    if carried.is_err() {
        stages.iter_mut().for_each(Stage::kill);
    }
    let ends = stages.map(Stage::end);
    carried?;
    // One that fails lets those before it fail too.
    all_well(ends.iter().rev())?;
    let [source, ..] = ends;
    Ok(source.said)
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
    let mut zstd = Stage::start(tool("zstd", ZSTD, &["-q", "-d", "-c"]), age.output())?;
    let sink = Stage::start_last(sink, zstd.output())?;
    let mut input = age.child.stdin.take().expect("it is piped");
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

fn start_decrypting(identity: &str) -> Result<Stage> {
    let failed = |error: io::Error| not_started("age", &error);
    let of = |errno: nix::Error| failed(errno.into());
    let (theirs, ours) = pipe2(OFlag::O_CLOEXEC).map_err(of)?;
    // It fits into the pipe: nobody has to read it meanwhile.
    let mut ours = fs::File::from(ours);
    ours.write_all(identity.as_bytes()).map_err(failed)?;
    drop(ours);
    // Of all programs that are started only the next one inherits it.
    fcntl(&theirs, FcntlArg::F_SETFD(FdFlag::empty())).map_err(of)?;
    let path = format!("/proc/self/fd/{}", theirs.as_raw_fd());
    Stage::start(tool("age", AGE, &["-d", "-i", &path]), Stdio::piped())
}

/// Reads a stream to its end, past what is still in memory.
///
/// # Errors
/// InvalidData for what is not as it was written; what the filesystem says.
pub fn read_through(folder: &Folder, stream: &Stream) -> io::Result<()> {
    let mut parts = PartReader::new(folder, stream);
    let mut progress = Progress::of(stream.bytes());
    let mut buffer = vec![0; AT_ONCE];
    while parts.read(&mut buffer)? > 0 {
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
        well: &[0],
    }
}

/// One program of a pipeline.
struct Stage {
    name: &'static str,
    child: Child,
    well: &'static [i32],
    words: JoinHandle<Vec<u8>>,
}

impl Stage {
    fn start(tool: Tool, input: Stdio) -> Result<Self> {
        Self::run(tool, input, Stdio::piped())
    }

    fn start_last(tool: Tool, input: Stdio) -> Result<Self> {
        Self::run(tool, input, Stdio::null())
    }

    fn run(tool: Tool, input: Stdio, output: Stdio) -> Result<Self> {
        let Tool {
            name,
            mut command,
            well,
        } = tool;
        command.stdin(input).stdout(output).stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.map_err(|error| not_started(name, &error))?;
        let errors = child.stderr.take().expect("it is piped");
        let words = std::thread::spawn(move || last_words(errors));
        Ok(Self {
            name,
            child,
            well,
            words,
        })
    }

    fn output(&mut self) -> Stdio {
        self.child.stdout.take().expect("it is piped").into()
    }

    fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
    }

    fn end(mut self) -> End {
        // Nobody writes to it, nobody reads from it any more.
        drop(self.child.stdin.take());
        let status = self.child.wait();
        let said = self.words.join().unwrap_or_default();
        End {
            name: self.name,
            well: self.well,
            status: status.ok(),
            said: String::from_utf8_lossy(&said).into_owned(),
        }
    }
}

fn not_started(name: &str, error: &io::Error) -> Problem {
    Problem::failed(
        format!("{name} cannot be run: {error}."),
        "Are age, zstd and mariadb-backup installed whole? `dpkg --audit` tells.",
    )
}

/// Reads to the end, and keeps the last of it.
fn last_words(mut from: impl Read) -> Vec<u8> {
    let mut words = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        words.extend_from_slice(&buffer[..read]);
        if words.len() > 2 * WORDS_MAX {
            words.drain(..words.len() - WORDS_MAX);
        }
    }
    words
}

/// How a program has ended.
struct End {
    name: &'static str,
    well: &'static [i32],
    status: Option<ExitStatus>,
    said: String,
}

impl End {
    fn is_well(&self) -> bool {
        let code = self.status.and_then(|status| status.code());
        code.is_some_and(|code| self.well.contains(&code))
    }

    /// It was ended because another program did not read on.
    fn is_cut_off(&self) -> bool {
        let signal = self.status.and_then(|status| status.signal());
        signal == Some(libc::SIGPIPE)
    }
}

/// All have ended well, or the first one that has not by itself is told of.
fn all_well<'a>(ends: impl Iterator<Item = &'a End> + Clone) -> Result<()> {
    let failed = ends.filter(|end| !end.is_well());
    let by_itself = failed.clone().find(|end| !end.is_cut_off());
    let Some(end) = by_itself.or_else(|| failed.clone().next()) else {
        return Ok(());
    };
    Err(Problem::failed(
        format!("{} failed: {}", end.name, why(&end.said)),
        "Nothing was changed. Mend it, then run the command again.",
    ))
}

/// The last lines of a program that tell of an error, or its last one.
fn why(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let is_error = |line: &&&str| line.to_ascii_lowercase().contains("error");
    let errors: Vec<&str> = lines.iter().filter(is_error).copied().collect();
    let told = match errors.is_empty() {
        true => &lines[lines.len().saturating_sub(1)..],
        false => &errors[errors.len().saturating_sub(2)..],
    };
    match told.is_empty() {
        true => "it gives no reason".into(),
        false => told.join(" / "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(name: &'static str, raw: i32, said: &str) -> End {
        End {
            name,
            well: &[0],
            status: Some(ExitStatus::from_raw(raw)),
            said: said.into(),
        }
    }

    #[test]
    fn program_that_failed_is_told_and_not_those_it_cut_off() {
        let ends = [
            end("source", libc::SIGPIPE, ""),
            end("zstd", 1 << 8, "zstd: /*stdout*: write error\n"),
            end("age", 0, ""),
        ];
        let problem = all_well(ends.iter().rev()).unwrap_err();
        assert!(problem.what.starts_with("zstd failed: "), "{problem}");
        // Nobody has failed by himself, and still not all of it went through.
        assert!(all_well(ends[..1].iter()).is_err());
        assert!(all_well(ends[2..].iter()).is_ok());
        let gone = End {
            status: None,
            ..end("age", 0, "")
        };
        assert!(all_well([gone].iter()).is_err());
    }

    #[test]
    fn long_speech_ends_in_its_errors() {
        let said = "[00] copying\n[00] FATAL ERROR: no key file\n[00] goodbye\n\n";
        assert_eq!(why(said), "[00] FATAL ERROR: no key file");
        assert_eq!(why("one\ntwo\n"), "two");
        assert_eq!(why("\n"), "it gives no reason");
        let long = "a line of words\n".repeat(10_000);
        let kept = last_words(long.as_bytes());
        assert!(kept.len() <= 2 * WORDS_MAX && kept.ends_with(b"of words\n"));
    }

    #[test]
    fn bytes_that_a_process_has_written_are_counted() {
        assert!(written_by(std::process::id()).is_some());
        assert_eq!(written_by(u32::MAX), None);
    }
}
