//! One request to a server and its reply, over a connection that never blocks,
//! within a time limit for all of it.

use core::fmt::{self, Display, Formatter};
use core::net::SocketAddr;
use core::time::Duration;
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use heapless::String;
use nix::poll::PollFlags;

use super::http::{HttpError, Reply, ReplyReader};
use crate::sys::tcp::Connection;

/// Time limit to connect. The kernel sends a second SYN after one second, and a
/// third only after three.
pub const CONNECT: Duration = Duration::from_millis(1800);
/// Time limit from the start to the end of the reply; a satellite link needs
/// two seconds.
pub const WHOLE: Duration = Duration::from_secs(6);
/// Bytes of a request, at most.
const REQUEST: usize = 768;
/// Bytes read at a time, so that no server holds up the prompt.
const AT_ONCE: usize = 4096;

/// An HTTP request, head and body, 768 bytes at most.
pub type HttpRequest = String<REQUEST>;

/// Why there was no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoReply {
    /// There is no route to the server, or nothing listens there.
    Unreachable(ErrorKind),
    /// A time limit was reached.
    TooLate {
        /// Whether the connection was made.
        connected: bool,
    },
    /// The bytes that came are no reply.
    Http(HttpError),
    /// The connection broke.
    Broken,
}

impl NoReply {
    /// Whether the server was reached at all.
    pub fn was_reached(self) -> bool {
        !matches!(
            self,
            Self::Unreachable(_) | Self::TooLate { connected: false }
        )
    }
}

impl Display for NoReply {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable(ErrorKind::ConnectionRefused) => "nothing listens there",
            Self::Unreachable(_) | Self::TooLate { connected: false } => "it cannot be reached",
            Self::TooLate { connected: true } => "it answers too slowly",
            Self::Http(HttpError::TooLong) => "its answer is too long",
            Self::Http(HttpError::Malformed) => "what answers is no key server",
            Self::Http(HttpError::CutOff) | Self::Broken => "its answer was cut off",
        })
    }
}

/// One request to a key server, from the connection to the reply, without
/// ever blocking.
pub struct Conversation {
    connection: Connection,
    connected: bool,
    request: HttpRequest,
    sent: usize,
    reader: ReplyReader,
    begun: Instant,
}

impl Conversation {
    /// Begins to connect to `address`; `request` is sent once that is done.
    ///
    /// # Errors
    /// [`NoReply::Unreachable`] where there is no route.
    pub fn begin(address: SocketAddr, now: Instant, request: HttpRequest) -> Result<Self, NoReply> {
        let connection =
            Connection::begin(address).map_err(|error| NoReply::Unreachable(error.kind()))?;
        Ok(Self {
            connection,
            connected: false,
            request,
            sent: 0,
            reader: ReplyReader::default(),
            begun: now,
        })
    }

    /// The events to poll for.
    pub fn flags(&self) -> PollFlags {
        match self.has_asked() {
            false => PollFlags::POLLOUT,
            true => PollFlags::POLLIN,
        }
    }

    /// Whether the whole request was sent.
    fn has_asked(&self) -> bool {
        self.sent == self.request.len()
    }

    /// When the request is given up.
    pub fn deadline(&self) -> Instant {
        self.begun + if self.connected { WHOLE } else { CONNECT }
    }

    /// Sends and receives what is possible now; returns the reply once it is
    /// complete.
    ///
    /// # Errors
    /// [`NoReply`]: the conversation has ended without a reply.
    pub fn drive(&mut self, now: Instant) -> Result<Option<Reply>, NoReply> {
        if !self.connected {
            match self.connection.finish() {
                Some(Ok(())) => self.connected = true,
                Some(Err(error)) => return Err(NoReply::Unreachable(error.kind())),
                None => return self.unless_late(now),
            }
        }
        if !self.has_asked() {
            let rest = &self.request.as_bytes()[self.sent..];
            self.sent += self.connection.write(rest).map_err(|_| NoReply::Broken)?;
        }
        let mut buffer = [0; AT_ONCE];
        match self.connection.read(&mut buffer) {
            Ok(None) => self.unless_late(now),
            Ok(Some([])) => {
                let reader = core::mem::take(&mut self.reader);
                reader.closed().map(Some).map_err(NoReply::Http)
            }
            Ok(Some(bytes)) => match self.reader.push(bytes).map_err(NoReply::Http)? {
                None => self.unless_late(now),
                reply => Ok(reply),
            },
            Err(_) => Err(NoReply::Broken),
        }
    }

    fn unless_late(&self, now: Instant) -> Result<Option<Reply>, NoReply> {
        if now < self.deadline() {
            return Ok(None);
        }
        let connected = self.connected;
        Err(NoReply::TooLate { connected })
    }
}

impl AsFd for Conversation {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use nix::poll::{PollFd, poll};
    use nix::sys::socket::{Backlog, listen};

    use super::*;

    const TICK: Duration = Duration::from_millis(1);

    fn begin(listener: &TcpListener, now: Instant) -> Conversation {
        let address = listener.local_addr().unwrap();
        Conversation::begin(address, now, "x".try_into().unwrap()).unwrap()
    }

    fn late(connected: bool) -> Result<Option<Reply>, NoReply> {
        Err(NoReply::TooLate { connected })
    }

    #[test]
    fn a_server_that_drips_bytes_is_given_up_at_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let begun = Instant::now();
        let mut conversation = begin(&listener, begun);
        let (mut server, _) = listener.accept().unwrap();
        let mut text = b"HTTP/1.1 200 OK".iter();
        let mut drip = |at: Duration| {
            server.write_all(&[*text.next().unwrap()]).unwrap();
            let mut fds = [PollFd::new(conversation.as_fd(), PollFlags::POLLIN)];
            assert_eq!(poll(&mut fds, 20_000u16), Ok(1), "the byte has come");
            conversation.drive(begun + at)
        };
        for at in [Duration::ZERO, CONNECT, WHOLE - TICK] {
            assert_eq!(drip(at), Ok(None), "{at:?}");
        }
        assert_eq!(drip(WHOLE), late(true));
    }

    #[test]
    fn a_server_that_cannot_be_reached_is_given_up_sooner() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // One waits to be taken; there is no room for more.
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let _first = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let begun = Instant::now();
        let mut conversation = begin(&listener, begun);
        assert_eq!(conversation.drive(begun + CONNECT - TICK), Ok(None));
        assert_eq!(conversation.drive(begun + CONNECT), late(false));
    }

    #[test]
    fn a_refused_connection_is_known_at_once() {
        // A free port that was taken a moment ago may belong to another program by now.
        let address = "127.0.0.1:1".parse().unwrap();
        let begun = Instant::now();
        let why = match Conversation::begin(address, begun, "x".try_into().unwrap()) {
            Err(why) => why,
            Ok(mut conversation) => {
                let mut fds = [PollFd::new(conversation.as_fd(), PollFlags::POLLOUT)];
                assert_eq!(poll(&mut fds, 20_000u16), Ok(1));
                conversation.drive(begun).unwrap_err()
            }
        };
        assert_eq!(why, NoReply::Unreachable(ErrorKind::ConnectionRefused));
        assert!(!why.was_reached());
    }
}
