//! Writes small initramfs archives ("newc"), to lay over a base image.

use std::collections::BTreeSet;

/// One file of the archive: absolute path, mode bits and content.
pub struct Entry {
    pub path: String,
    pub mode: u32,
    pub content: Vec<u8>,
}

const DIRECTORY: u32 = 0o040_755;
const REGULAR: u32 = 0o100_000;

/// The archive, with the directories that the files need.
pub fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut made = BTreeSet::new();
    for (number, entry) in entries.iter().enumerate() {
        let path = entry.path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            if made.insert(&path[..at]) {
                record(&mut out, 0, &path[..at], DIRECTORY, &[]);
            }
        }
        record(
            &mut out,
            number + 1,
            path,
            REGULAR | entry.mode,
            &entry.content,
        );
    }
    record(&mut out, 0, "TRAILER!!!", 0, &[]);
    out
}

fn record(out: &mut Vec<u8>, inode: usize, name: &str, mode: u32, content: &[u8]) {
    let fields = [
        inode,
        mode as usize,
        0,
        0,
        1,
        0,
        content.len(),
        0,
        0,
        0,
        0,
        name.len() + 1,
        0,
    ];
    out.extend_from_slice(b"070701");
    for field in fields {
        out.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(content);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}
