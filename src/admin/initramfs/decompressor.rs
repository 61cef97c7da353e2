//! The system's program that decompresses one part of an initramfs.

use std::io::{self, BufReader, ErrorKind, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;

use super::compression::Compression;
use crate::admin::program;

/// A program that decompresses a part of a file. It ends with this process: nobody reads
/// what it writes then.
pub struct Decompressor {
    child: Child,
    /// What it has unpacked.
    pub output: BufReader<ChildStdout>,
}

impl Decompressor {
    /// # Errors
    /// It is not there, or does not start.
    pub fn start(
        compression: &Compression,
        mut part: impl Read + Send + 'static,
    ) -> io::Result<Self> {
        let name = compression.program;
        let missing = || {
            let what = format!("the program {name} is missing, which reads it");
            io::Error::new(ErrorKind::NotFound, what)
        };
        let program = program::find(name).ok_or_else(missing)?;
        let mut child = Command::new(program)
            .args(compression.words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (mut input, output) = pipes.ok_or(ErrorKind::BrokenPipe)?;
        let output = BufReader::new(output);
        let decompressor = Self { child, output };
        // What cannot be read or written, the program lacks and complains about.
        thread::Builder::new().spawn(move || io::copy(&mut part, &mut input))?;
        Ok(decompressor)
    }

    /// Waits for its end; says how it has ended.
    ///
    /// # Errors
    /// What waiting says.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
