//! Speaks QMP, QEMU's control protocol, over a Unix socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Failure, Result};

/// The control connection of one QEMU.
pub(crate) struct Qmp {
    writer: UnixStream,
    reader: BufReader<UnixStream>,
    /// Events that came while an answer was awaited.
    events: Vec<Value>,
}

impl Qmp {
    pub fn new(stream: UnixStream) -> Result<Self> {
        let mut qmp = Self {
            writer: stream.try_clone()?,
            reader: BufReader::new(stream),
            events: Vec::new(),
        };
        qmp.read(Duration::from_secs(20))?; // the greeting
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs one command and gives its return value.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let request = json!({"execute": command, "arguments": arguments});
        self.writer.write_all(format!("{request}\n").as_bytes())?;
        loop {
            let mut message = self.read(Duration::from_secs(30))?;
            if message.get("event").is_some() {
                self.events.push(message);
            } else if let Some(error) = message.get("error") {
                return Err(Failure::new(format!("QEMU refused {request}: {error}")));
            } else {
                return Ok(message["return"].take());
            }
        }
    }

    /// Waits for an event of that name that `wanted` accepts.
    pub fn wait_event(
        &mut self,
        name: &str,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result {
        let deadline = Instant::now() + limit;
        let matches = |m: &Value| m["event"] == name && wanted(&m["data"]);
        if let Some(at) = self.events.iter().position(matches) {
            self.events.remove(at);
            return Ok(());
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::new(format!("QEMU did not report {name}")));
            }
            let message = self.read(left)?;
            if matches(&message) {
                return Ok(());
            }
            self.events.push(message);
        }
    }

    fn read(&mut self, limit: Duration) -> Result<Value> {
        self.reader.get_ref().set_read_timeout(Some(limit))?;
        let mut line = String::new();
        let count = self
            .reader
            .read_line(&mut line)
            .map_err(|e| Failure::new(format!("QEMU does not answer: {e}")))?;
        if count == 0 {
            return Err(Failure::new("QEMU has ended"));
        }
        serde_json::from_str(&line).map_err(|e| Failure::new(format!("QEMU said {line:?}: {e}")))
    }
}
