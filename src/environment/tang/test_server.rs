//! Key servers for tests: Debian's own tangd, and what answers in its place.

use core::net::{Ipv4Addr, SocketAddr};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use tempfile::TempDir;

use super::exchange::tests::Peer;
use super::jwk::{exchange_json, parse_answer};
use crate::vault::Curve;

/// Debian's Tang, which serves one connection on its standard input and output.
pub const TANGD: &str = "/usr/libexec/tangd";

/// Serves each connection in a thread of its own, for as long as the tests run.
pub fn serve(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || answer(stream));
        }
    });
    address
}

/// Runs a program; panics where it fails.
pub fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).output();
    let done = done.unwrap_or_else(|error| {
        panic!("{program}: {error}. These tests need Debian's tang and jose: images/install-tools")
    });
    assert!(done.status.success(), "{program} {arguments:?}: {done:?}");
}

/// A real key server with keys of its own.
pub struct Tang {
    keys: TempDir,
    /// Where it listens: a free port of this computer.
    pub address: SocketAddr,
}

impl Tang {
    /// Starts it with new keys.
    pub fn start() -> Self {
        let keys = TempDir::new().unwrap();
        run(
            "/usr/libexec/tangd-keygen",
            &[keys.path().to_str().unwrap()],
        );
        Self::start_with(keys)
    }

    /// Starts it with the keys in this folder.
    pub fn start_with(keys: TempDir) -> Self {
        let folder = keys.path().to_owned();
        let address = serve(move |stream| {
            let stream: OwnedFd = stream.into();
            let output = Stdio::from(stream.try_clone().unwrap());
            let _ = Command::new(TANGD)
                .arg(&folder)
                .stdin(Stdio::from(stream))
                .stdout(output)
                .stderr(Stdio::null())
                .status();
        });
        Self { keys, address }
    }

    /// The folder of its keys.
    pub fn folder(&self) -> &str {
        self.keys.path().to_str().unwrap()
    }

    /// Makes new keys. It still answers for the old ones, but does not list
    /// them.
    pub fn rotate(&self) {
        run("/usr/libexec/tangd-rotate-keys", &["-d", self.folder()]);
    }

    /// Deletes the keys that were rotated.
    pub fn forget_rotated(&self) {
        for entry in std::fs::read_dir(self.folder()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().starts_with('.') {
                std::fs::remove_file(entry.path()).unwrap();
            }
        }
    }
}

/// The request, as far as it arrives in one piece.
pub fn read_request(mut stream: &TcpStream) -> String {
    let mut bytes = [0; 2048];
    let length = stream.read(&mut bytes).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// A server that answers for another key, whichever it is asked for.
pub fn answering_with_another_key() -> SocketAddr {
    answering_with(Arc::new(Peer::new(Curve::P521)))
}

/// A server that answers for the key of `peer`, on P-521, whichever it is asked for.
pub fn answering_with(peer: Arc<Peer>) -> SocketAddr {
    serve(move |mut stream| {
        let request = read_request(&stream);
        let asked = parse_answer(request.split("\r\n\r\n").nth(1).unwrap().as_bytes()).unwrap();
        let answer = peer.answer(&asked.point);
        let body = exchange_json(Curve::P521, &answer.point);
        let length = body.len();
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
        );
    })
}
