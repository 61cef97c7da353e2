//! The protocol against a server of a few lines.

use super::*;
use proptest::prelude::*;
use std::os::unix::net::UnixListener;
use std::thread;

struct Seconds(u64);

impl Patience for Seconds {
    fn wait(&self, silent: Duration) -> Result<(), SqlError> {
        match silent.as_secs() >= self.0 {
            true => Err(SqlError::Silent(silent)),
            false => Ok(()),
        }
    }
}

fn packet(sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes();
    bytes[3] = sequence;
    [&bytes[..], payload].concat()
}

fn greeting() -> Vec<u8> {
    let mut hello = vec![10];
    hello.extend_from_slice(b"10.11.19-MariaDB\0");
    hello.extend_from_slice(&[1, 0, 0, 0]);
    hello.extend_from_slice(b"12345678\0");
    hello.extend_from_slice(&[0; 18]);
    hello.extend_from_slice(b"abcdefghijkl\0mysql_native_password\0");
    hello
}

/// A server that lets everybody in and answers every question so.
fn server(answer: Vec<u8>) -> (tempfile::TempDir, std::path::PathBuf) {
    let room = tempfile::tempdir().unwrap();
    let socket = room.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let take = |stream: &mut UnixStream| {
            let mut head = [0; 4];
            stream.read_exact(&mut head).unwrap();
            let mut payload = vec![0; usize::from(head[0]) + usize::from(head[1]) * 256];
            stream.read_exact(&mut payload).unwrap();
        };
        stream.write_all(&packet(0, &greeting())).unwrap();
        take(&mut stream);
        stream.write_all(&packet(2, &[0; 7])).unwrap();
        take(&mut stream);
        stream.write_all(&answer).unwrap();
        let _ = stream.read(&mut [0; 1]);
    });
    (room, socket)
}

#[test]
fn an_error_that_quotes_a_row_is_told_without_it() {
    let text = b"\xff\x26\x04#23000Duplicate entry 'Halima' for key 'name'";
    let (_room, socket) = server(packet(1, text));
    let patience = Seconds(9);
    let mut connection = Connection::open(&socket, &Login::root(), &patience).unwrap();
    let error = connection.query(b"INSERT", |_| Ok(())).unwrap_err();
    let state = "23000".to_owned();
    assert_eq!(error, SqlError::Refused { code: 1062, state });
    assert!(!format!("{error:?}").contains("Halima"));
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    let (_room, socket) = server(Vec::new());
    let patience = Seconds(1);
    let mut connection = Connection::open(&socket, &Login::root(), &patience).unwrap();
    let error = connection.query(b"SELECT 1", |_| Ok(())).unwrap_err();
    assert!(matches!(error, SqlError::Silent(_)), "{error:?}");
}

#[test]
fn null_and_the_word_null_are_told_apart() {
    let mut answer = packet(1, &[2]);
    for sequence in 2..4 {
        answer.extend(packet(sequence, b"column"));
    }
    answer.extend(packet(4, &[0xfe, 0, 0, 0, 0]));
    answer.extend(packet(5, b"\xfb\x04NULL"));
    answer.extend(packet(6, &[0xfe, 0, 0, 0, 0]));
    let (_room, socket) = server(answer);
    let patience = Seconds(9);
    let mut connection = Connection::open(&socket, &Login::root(), &patience).unwrap();
    let mut rows = 0;
    let row = |cells: &[Cell<'_>]| {
        rows += 1;
        assert_eq!(cells, [None, Some(&b"NULL"[..])]);
        Ok(())
    };
    connection.query(b"SELECT 1", row).unwrap();
    assert_eq!(rows, 1);
}

proptest! {
    #[test]
    fn no_packet_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = Greeting::parse(&bytes);
        let _ = lenenc(&bytes);
        let _ = refusal(&bytes);
        let _ = zero_ended(&bytes);
    }
}
