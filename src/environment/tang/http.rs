//! Reads one HTTP/1.1 reply (RFC 9112) as its bytes come in. Pure; the length
//! of a reply is limited.

use httparse::{EMPTY_HEADER, ParserConfig, Response, Status, parse_chunk_size};
use std::vec::Vec;

/// Bytes of a reply, head and body, at most. An exchange takes some 400 bytes,
/// an advertisement some 1500.
pub const MAX_REPLY: usize = 16 * 1024;
const MAX_HEADERS: usize = 32;

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code, 200 where all went well (RFC 9110, section 15).
    pub status: u16,
    /// The content, without the framing of chunks.
    pub body: Vec<u8>,
}

/// Why a reply cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// It is longer than [`MAX_REPLY`], or says that it will be.
    TooLong,
    /// It is not HTTP, or a form of it that no key server uses.
    Malformed,
    /// The connection was closed before the end.
    CutOff,
}

#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
    /// The end of the connection is the end of the body.
    UntilClosed,
}

#[derive(Clone, Copy)]
struct Head {
    status: u16,
    /// Bytes up to the body.
    length: usize,
    framing: Framing,
}

/// Collects a reply. It holds [`MAX_REPLY`] bytes at most.
#[derive(Default)]
pub struct ReplyReader {
    bytes: Vec<u8>,
    head: Option<Head>,
}

impl ReplyReader {
    /// Adds received bytes; returns the reply once it is complete. Bytes behind
    /// it are ignored.
    ///
    /// # Errors
    /// [`HttpError`]; do not read on then.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Option<Reply>, HttpError> {
        if self.bytes.len() + bytes.len() > MAX_REPLY {
            return Err(HttpError::TooLong);
        }
        self.bytes.extend_from_slice(bytes);
        let head = match self.head {
            Some(head) => head,
            None => match read_head(&self.bytes)? {
                Some(head) => *self.head.insert(head),
                None => return Ok(None),
            },
        };
        let body = &self.bytes[head.length..];
        let body = match head.framing {
            Framing::Length(length) => body.get(..length).map(<[u8]>::to_vec),
            Framing::Chunked => dechunk(body)?,
            Framing::UntilClosed => None,
        };
        let status = head.status;
        Ok(body.map(|body| Reply { status, body }))
    }

    /// The reply after the server has closed the connection.
    ///
    /// # Errors
    /// [`HttpError::CutOff`] when the reply was not complete.
    pub fn closed(self) -> Result<Reply, HttpError> {
        match self.head {
            Some(Head {
                status,
                length,
                framing: Framing::UntilClosed,
            }) => Ok(Reply {
                status,
                body: self.bytes[length..].to_vec(),
            }),
            _ => Err(HttpError::CutOff),
        }
    }
}

fn read_head(bytes: &[u8]) -> Result<Option<Head>, HttpError> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut headers);
    let length = match ParserConfig::default().parse_response(&mut response, bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(HttpError::Malformed),
    };
    let status = response.code.ok_or(HttpError::Malformed)?;
    // An interim answer was not asked for.
    if status < 200 {
        return Err(HttpError::Malformed);
    }
    let mut framing = Framing::UntilClosed;
    for header in response.headers.iter() {
        let value = header.value.trim_ascii();
        let found = if header.name.eq_ignore_ascii_case("content-length") {
            Framing::Length(decimal(value)?)
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(HttpError::Malformed);
            }
            Framing::Chunked
        } else {
            continue;
        };
        // Two lengths: something in between might use the other one (RFC 9112,
        // section 6.3).
        if !matches!(framing, Framing::UntilClosed) {
            return Err(HttpError::Malformed);
        }
        framing = found;
    }
    match framing {
        Framing::Length(body) if length + body > MAX_REPLY => Err(HttpError::TooLong),
        framing => Ok(Some(Head {
            status,
            length,
            framing,
        })),
    }
}

fn decimal(value: &[u8]) -> Result<usize, HttpError> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(HttpError::Malformed);
    }
    let text = core::str::from_utf8(value).map_err(|_| HttpError::Malformed)?;
    let length: usize = text.parse().map_err(|_| HttpError::TooLong)?;
    match length {
        0..=MAX_REPLY => Ok(length),
        _ => Err(HttpError::TooLong),
    }
}

/// The body of a chunked reply, once its last chunk has come. Trailers are not
/// waited for.
fn dechunk(mut rest: &[u8]) -> Result<Option<Vec<u8>>, HttpError> {
    let mut body = Vec::new();
    loop {
        let (start, size) = match parse_chunk_size(rest) {
            Ok(Status::Complete(found)) => found,
            Ok(Status::Partial) => return Ok(None),
            Err(_) => return Err(HttpError::Malformed),
        };
        if size == 0 {
            return Ok(Some(body));
        }
        let size = usize::try_from(size).map_err(|_| HttpError::TooLong)?;
        if size > MAX_REPLY {
            return Err(HttpError::TooLong);
        }
        rest = &rest[start..];
        let Some((chunk, behind)) = rest.split_at_checked(size) else {
            return Ok(None);
        };
        body.extend_from_slice(chunk);
        match behind {
            [b'\r', b'\n', next @ ..] => rest = next,
            [] | [b'\r'] => return Ok(None),
            _ => return Err(HttpError::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Result<Option<Reply>, HttpError> {
        ReplyReader::default().push(text)
    }

    fn reply(status: u16, body: &str) -> Reply {
        let body = body.as_bytes().to_vec();
        Reply { status, body }
    }

    /// As tangd behind socat, a proxy, and a server of the old kind say it.
    const SAME: [&str; 3] = [
        "HTTP/1.1 200 OK\r\nContent-Type: application/jwk+json\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\n{\"a\r\n4;x=y\r\n\":1}\r\n0\r\n",
        "HTTP/1.0 200 Fine\r\nServer: x\r\n\r\n{\"a\":1}",
    ];

    #[test]
    fn a_reply_is_read_in_every_framing_and_in_any_pieces() {
        for text in SAME {
            for piece in [1, 2, 7, 1000] {
                let mut reader = ReplyReader::default();
                let mut found = None;
                for part in text.as_bytes().chunks(piece) {
                    found = found.or(reader.push(part).unwrap());
                }
                let found = found.map_or_else(|| reader.closed(), Ok);
                assert_eq!(found, Ok(reply(200, "{\"a\":1}")), "{text}");
            }
        }
    }

    #[test]
    fn a_reply_that_is_cut_off_is_none() {
        for text in &SAME[..2] {
            for end in 0..text.len() - 3 {
                let mut reader = ReplyReader::default();
                assert_eq!(reader.push(&text.as_bytes()[..end]), Ok(None));
                assert_eq!(reader.closed(), Err(HttpError::CutOff));
            }
        }
    }

    #[test]
    fn a_gigabyte_is_refused_announced_or_not() {
        let announced = b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n";
        assert_eq!(read(announced), Err(HttpError::TooLong));
        let chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40000000\r\n";
        assert_eq!(read(chunk), Err(HttpError::TooLong));
        let huge = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n";
        assert_eq!(read(huge), Err(HttpError::TooLong));
        for start in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nX: "] {
            let mut reader = ReplyReader::default();
            assert_eq!(reader.push(start.as_bytes()), Ok(None));
            let pushed = (0..1_000_000).find_map(|_| reader.push(&[b'a'; 1024]).err());
            assert_eq!(pushed, Some(HttpError::TooLong));
            assert!(reader.bytes.capacity() <= 2 * MAX_REPLY);
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        for headers in [
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Content-Length: +1",
            "Content-Length: 1, 1",
            "Content-Length:",
            "Transfer-Encoding: gzip, chunked",
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n1\r\n2\r\n");
            assert_eq!(
                read(text.as_bytes()),
                Err(HttpError::Malformed),
                "{headers}"
            );
        }
        for text in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "\0\0\0\0",
        ] {
            assert_eq!(read(text.as_bytes()), Err(HttpError::Malformed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..512), cut in 1usize..64,
            start in 0usize..4,
        ) {
            let start = ["", SAME[0], SAME[1], "HTTP/1.1 200 \r\nTransfer-Encoding:chunked\r\n\r\n"][start];
            let mut reader = ReplyReader::default();
            for part in start.as_bytes().chunks(cut).chain(bytes.chunks(cut)) {
                if reader.push(part).is_err() {
                    return Ok(());
                }
            }
            let _ = reader.closed();
        }
    }
}
