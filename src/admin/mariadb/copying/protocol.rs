//! MariaDB's protocol over a Unix socket, as far as copying needs it:
//! https://mariadb.com/kb/en/clientserver-protocol/.
//!
//! Its client programs are not used for rows because what they say in an error
//! quotes rows, because they cannot be given a session, and because of the
//! time: each row would go through two programs more.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::login::Login;

/// The longest payload of one packet, in bytes; a longer one goes on in the
/// next.
const PACKET_MAX: usize = 0xff_ffff;

/// Pause between two checks whether a wait shall go on.
const TICK: Duration = Duration::from_secs(1);

const LONG_PASSWORD: u32 = 1;
const LONG_FLAG: u32 = 1 << 2;
const PROTOCOL_41: u32 = 1 << 9;
const TRANSACTIONS: u32 = 1 << 13;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;
/// utf8mb4_general_ci; the session is set up by a statement afterwards.
const UTF8MB4: u8 = 45;
/// What max_allowed_packet can be at most.
const STATEMENT_MAX: u32 = 1 << 30;

/// Why a query got no answer. MariaDB's own text is not kept: it quotes rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlError {
    /// MariaDB's number and SQLSTATE.
    Refused { code: u16, state: String },
    /// The server or the connection ended.
    Gone(String),
    /// Nothing was received for this long.
    Silent(Duration),
    /// Something that is not the protocol.
    Garbled,
    /// Another part of the copy failed.
    Stopped,
}

impl SqlError {
    /// Whether what was asked about was dropped or changed meanwhile: no table
    /// or database of this name, no such column, no sequence any more.
    pub fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                code: 1049 | 1051 | 1054 | 1146 | 1347 | 1412 | 4089 | 4091,
                ..
            }
        )
    }
}

impl From<std::io::Error> for SqlError {
    fn from(error: std::io::Error) -> Self {
        Self::Gone(error.to_string())
    }
}

/// One value of a row, as the text protocol gives it; None is NULL.
pub type Cell<'a> = Option<&'a [u8]>;

/// How long a wait may be, and whether it is to go on at all.
pub trait Patience {
    /// Called about every second while nothing comes. `silent` is how long
    /// that has been.
    ///
    /// # Errors
    /// To end the wait.
    fn wait(&self, silent: Duration) -> Result<(), SqlError>;
}

/// A connection with its session.
pub struct Connection<'a> {
    stream: UnixStream,
    patience: &'a dyn Patience,
    sequence: u8,
    input: Zeroizing<Vec<u8>>,
    from: usize,
}

impl<'a> Connection<'a> {
    /// # Errors
    /// When the server does not answer or does not let us in.
    pub fn open(
        socket: &Path,
        login: &Login,
        patience: &'a dyn Patience,
    ) -> Result<Self, SqlError> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
        let mut connection = Self {
            stream,
            patience,
            sequence: 0,
            input: Zeroizing::new(Vec::new()),
            from: 0,
        };
        connection.log_in(login)?;
        Ok(connection)
    }

    fn log_in(&mut self, login: &Login) -> Result<(), SqlError> {
        let greeting = self.packet()?;
        if greeting.first() == Some(&0xff) {
            return Err(refusal(&greeting));
        }
        let mut scramble = Greeting::parse(&greeting)
            .ok_or(SqlError::Garbled)?
            .scramble;
        let capabilities = LONG_PASSWORD
            | LONG_FLAG
            | PROTOCOL_41
            | TRANSACTIONS
            | SECURE_CONNECTION
            | PLUGIN_AUTH;
        let mut answer = Zeroizing::new(Vec::new());
        answer.extend_from_slice(&capabilities.to_le_bytes());
        answer.extend_from_slice(&STATEMENT_MAX.to_le_bytes());
        answer.push(UTF8MB4);
        answer.extend_from_slice(&[0; 23]);
        answer.extend_from_slice(login.user().as_bytes());
        answer.push(0);
        let proof = login.proof(&scramble);
        answer.push(u8::try_from(proof.len()).expect("a proof has 20 bytes"));
        answer.extend_from_slice(&proof);
        answer.extend_from_slice(b"mysql_native_password\0");
        self.send(&[&answer])?;
        loop {
            let packet = self.packet()?;
            match packet.first() {
                Some(0x00) => return Ok(()),
                Some(0xff) => return Err(refusal(&packet)),
                // Another way to prove who we are is asked for.
                Some(0xfe) => {
                    let (plugin, data) = zero_ended(&packet[1..]).ok_or(SqlError::Garbled)?;
                    match plugin {
                        b"mysql_native_password" => {
                            scramble = data.strip_suffix(&[0]).unwrap_or(data).to_vec();
                            let proof = login.proof(&scramble);
                            self.send(&[&proof])?;
                        }
                        // The server looks at the socket's other end.
                        _ => self.send(&[])?,
                    }
                }
                _ => return Err(SqlError::Garbled),
            }
        }
    }

    /// Asks, and gives every row of the answer to `row`.
    ///
    /// # Errors
    /// What stood in the way; the connection is of no use then unless the
    /// server refused.
    pub fn query(
        &mut self,
        sql: &[u8],
        mut row: impl FnMut(&[Cell<'_>]) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        self.sequence = 0;
        self.send(&[&[0x03], sql])?;
        let head = self.packet()?;
        let columns = match head.first() {
            Some(0x00) => return Ok(()),
            Some(0xff) => return Err(refusal(&head)),
            _ => lenenc(&head).ok_or(SqlError::Garbled)?.0,
        };
        let columns = usize::try_from(columns).map_err(|_| SqlError::Garbled)?;
        if !(1..=4096).contains(&columns) {
            return Err(SqlError::Garbled);
        }
        for _ in 0..=columns {
            self.packet()?;
        }
        loop {
            let packet = self.packet()?;
            match packet.first() {
                Some(0xff) => return Err(refusal(&packet)),
                Some(0xfe) if packet.len() < 9 => return Ok(()),
                _ => {}
            }
            let mut cells: Vec<Cell<'_>> = Vec::with_capacity(columns);
            let mut rest = &packet[..];
            for _ in 0..columns {
                if rest.first() == Some(&0xfb) {
                    cells.push(None);
                    rest = &rest[1..];
                    continue;
                }
                let (length, after) = lenenc(rest).ok_or(SqlError::Garbled)?;
                let length = usize::try_from(length).map_err(|_| SqlError::Garbled)?;
                if length > after.len() {
                    return Err(SqlError::Garbled);
                }
                let (cell, after) = after.split_at(length);
                cells.push(Some(cell));
                rest = after;
            }
            row(&cells)?;
        }
    }

    /// Sends one payload, whose parts are given in order.
    fn send(&mut self, parts: &[&[u8]]) -> Result<(), SqlError> {
        let all: usize = parts.iter().map(|part| part.len()).sum();
        let mut bytes = parts.iter().copied();
        let mut part: &[u8] = bytes.next().unwrap_or_default();
        let mut left = all;
        loop {
            let length = left.min(PACKET_MAX);
            let mut head = u32::try_from(length).expect("three bytes").to_le_bytes();
            head[3] = self.sequence;
            self.sequence = self.sequence.wrapping_add(1);
            self.write(&head)?;
            let mut packet = length;
            while packet > 0 {
                if part.is_empty() {
                    part = bytes.next().unwrap_or_default();
                    continue;
                }
                let (now, later) = part.split_at(part.len().min(packet));
                self.write(now)?;
                packet -= now.len();
                part = later;
            }
            left -= length;
            // A full packet is always followed by another.
            if length < PACKET_MAX {
                return Ok(());
            }
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), SqlError> {
        let mut last = Instant::now();
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(SqlError::Gone("it was closed".into())),
                Ok(written) => {
                    bytes = &bytes[written..];
                    last = Instant::now();
                }
                Err(error) if waiting(error.kind()) => self.patience.wait(last.elapsed())?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// One payload, whole.
    fn packet(&mut self) -> Result<Zeroizing<Vec<u8>>, SqlError> {
        let mut payload = Zeroizing::new(Vec::new());
        loop {
            self.fill(4)?;
            let head = &self.input[self.from..self.from + 4];
            let length = u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize;
            self.sequence = head[3].wrapping_add(1);
            self.from += 4;
            self.fill(length)?;
            payload.extend_from_slice(&self.input[self.from..self.from + length]);
            self.from += length;
            if length < PACKET_MAX {
                return Ok(payload);
            }
        }
    }

    /// Waits until so many bytes that were not used yet are here.
    fn fill(&mut self, wanted: usize) -> Result<(), SqlError> {
        const ROOM: usize = 256 << 10;
        let mut last = Instant::now();
        while self.input.len() - self.from < wanted {
            if self.from > 0 {
                self.input.drain(..self.from);
                self.from = 0;
            }
            let have = self.input.len();
            let more = (wanted - have).max(ROOM);
            self.input.resize(have + more, 0);
            let read = self.stream.read(&mut self.input[have..]);
            self.input.truncate(have + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Err(SqlError::Gone("it was closed".into())),
                Ok(_) => last = Instant::now(),
                Err(error) if waiting(error.kind()) => self.patience.wait(last.elapsed())?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        // Without a word of parting the server notes an aborted connection.
        let _ = self.stream.write(&[1, 0, 0, 0, 0x01]);
    }
}

fn waiting(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// What is needed of the server's first packet.
struct Greeting {
    scramble: Vec<u8>,
}

impl Greeting {
    fn parse(packet: &[u8]) -> Option<Self> {
        let (&10, rest) = packet.split_first()? else {
            return None;
        };
        let (_version, rest) = zero_ended(rest)?;
        let mut scramble = rest.get(4..12)?.to_vec();
        scramble.extend_from_slice(rest.get(31..43)?);
        Some(Self { scramble })
    }
}

fn zero_ended(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// A number in the protocol's own lengths, and what follows it.
fn lenenc(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let length = match first {
        0..=0xfa => return Some((first.into(), rest)),
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        _ => return None,
    };
    let (number, rest) = rest.split_at_checked(length)?;
    let mut bytes = [0; 8];
    bytes[..length].copy_from_slice(number);
    Some((u64::from_le_bytes(bytes), rest))
}

/// The number and the state of an error packet, without its text.
fn refusal(packet: &[u8]) -> SqlError {
    let code = packet.get(1..3).map(|code| [code[0], code[1]]);
    let state = packet
        .get(3..9)
        .filter(|state| state[0] == b'#')
        .and_then(|state| str::from_utf8(&state[1..]).ok())
        .filter(|state| state.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .unwrap_or("HY000");
    match code {
        Some(code) => SqlError::Refused {
            code: u16::from_le_bytes(code),
            state: state.to_owned(),
        },
        None => SqlError::Garbled,
    }
}

#[cfg(test)]
mod tests;
