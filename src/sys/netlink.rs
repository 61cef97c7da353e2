//! Requests to the kernel's routing subsystem (rtnetlink(7), netlink(7)):
//! messages and their attributes.

use std::os::fd::AsRawFd;

use heapless::Vec;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recvfrom, sendto,
    socket,
};

/// Bytes of struct nlmsghdr: length (u32), kind (u16), flags (u16), sequence
/// (u32), port (u32), all in the machine's byte order.
const HEAD: usize = 16;
/// Bytes of struct nlattr: length (u16), kind (u16). The data is behind it.
const ATTRIBUTE_HEAD: usize = 4;
/// Bytes that the kernel sends at once, at most.
const BUFFER: usize = 32 * 1024;
/// Datagrams of one answer that are read, at most.
const MAX_PARTS: usize = 64;

/// Lengths and offsets are rounded up to multiples of four (NLMSG_ALIGNTO).
const fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// A request that is being built.
pub(super) struct Request(Vec<u8, 128>);

impl Request {
    /// A request with this message type and flags. `head` is the struct that
    /// such messages begin with.
    pub fn new(kind: u16, flags: i32, head: &[u8]) -> Self {
        let mut bytes = Vec::new();
        let flags = (flags | libc::NLM_F_REQUEST) as u16;
        // There is room for a head and a handful of numbers and addresses.
        let _ = bytes.extend_from_slice(&[0; 4]);
        let _ = bytes.extend_from_slice(&kind.to_ne_bytes());
        let _ = bytes.extend_from_slice(&flags.to_ne_bytes());
        let _ = bytes.extend_from_slice(&[0; 8]);
        let _ = bytes.extend_from_slice(head);
        Self(bytes)
    }

    /// Adds an attribute (rtnetlink(7)), padded to four bytes.
    pub fn with(mut self, kind: u16, data: &[u8]) -> Self {
        let length = (ATTRIBUTE_HEAD + data.len()) as u16;
        let _ = self.0.extend_from_slice(&length.to_ne_bytes());
        let _ = self.0.extend_from_slice(&kind.to_ne_bytes());
        let _ = self.0.extend_from_slice(data);
        let padded = aligned(self.0.len());
        let _ = self.0.resize(padded, 0);
        self
    }

    /// Sends the request and passes each message of the answer to `each`, with
    /// its type. The kernel answers at once.
    ///
    /// # Errors
    /// What the kernel says; EPERM without CAP_NET_ADMIN where something is
    /// changed.
    pub fn ask(mut self, mut each: impl FnMut(u16, &[u8])) -> Result<(), Errno> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        let fd = socket.as_raw_fd();
        let kernel = NetlinkAddr::new(0, 0);
        sendto(fd, &self.0, &kernel, MsgFlags::empty())?;
        let mut buffer = vec![0; BUFFER];
        for _ in 0..MAX_PARTS {
            let (length, from) = recvfrom::<NetlinkAddr>(fd, &mut buffer)?;
            if from.is_none_or(|from| from.pid() != 0) {
                continue;
            }
            for (kind, content) in messages(buffer.get(..length).unwrap_or_default()) {
                match i32::from(kind) {
                    libc::NLMSG_DONE => return Ok(()),
                    libc::NLMSG_ERROR => {
                        return match content.first_chunk().map(|code| i32::from_ne_bytes(*code)) {
                            Some(0) => Ok(()),
                            Some(code) => Err(Errno::from_raw(code.saturating_neg())),
                            None => Err(Errno::EBADMSG),
                        };
                    }
                    _ => each(kind, content),
                }
            }
        }
        Err(Errno::EMSGSIZE)
    }
}

/// Splits off the content of the first record, which is `length` bytes long
/// with its head, and returns the rest too.
fn split(bytes: &[u8], length: usize, head: usize) -> Option<(&[u8], &[u8])> {
    let content = bytes.get(head..length)?;
    let rest = bytes.get(aligned(length)..).unwrap_or_default();
    Some((content, rest))
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes([bytes[0], bytes[1]]))
}

/// The messages in a datagram: type and content.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    core::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
        let kind = number(bytes, 4)?;
        let (content, rest) = split(bytes, length, HEAD)?;
        bytes = rest;
        Some((kind, content))
    })
}

/// The attributes behind a message's head: type and data.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    core::iter::from_fn(move || {
        let length = usize::from(number(bytes, 0)?);
        let kind = number(bytes, 2)?;
        let (data, rest) = split(bytes, length, ATTRIBUTE_HEAD)?;
        bytes = rest;
        Some((kind, data))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_put_together_is_taken_apart() {
        let request = Request::new(20, libc::NLM_F_ACK, &[2, 24, 0, 0])
            .with(1, &[10, 0, 0, 1])
            .with(9, &[7]);
        let mut bytes = request.0.clone();
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        let (kind, content) = messages(&bytes).next().unwrap();
        assert_eq!((kind, &content[..4]), (20, &[2, 24, 0, 0][..]));
        let found: std::vec::Vec<_> = attributes(&content[4..]).collect();
        assert_eq!(found, [(1, &[10, 0, 0, 1][..]), (9, &[7][..])]);
    }

    proptest! {
        #[test]
        fn strange_answers_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for (_, content) in messages(&bytes) {
                attributes(content).count();
            }
            prop_assert!(attributes(&bytes).count() <= bytes.len() / ATTRIBUTE_HEAD);
        }
    }
}
