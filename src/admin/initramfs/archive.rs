//! Reads an initramfs as the kernel unpacks it: archives one behind the other, the
//! last of them compressed. Archives behind that one are not read. Nothing is written
//! to a disk.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use super::cpio::Archive;
use super::tree::{Node, Tree};
use crate::admin::filled::fill;
use crate::admin::program;

/// Bytes of an unpacked initramfs, at most. They are read, not kept.
const UNPACKED_MAX: u64 = 4 << 30;
/// Bytes of one file that are kept.
const FILE_MAX: u32 = 64 << 20;
/// Bytes of all contents and names that are kept.
const KEPT_MAX: usize = 256 << 20;
/// Files and folders.
const ENTRIES_MAX: usize = 500_000;

/// How each compressed stream begins, by the kernel's lib/decompress.c, and what
/// reads it.
const COMPRESSED: [(&[u8], &str, &[&str]); 7] = [
    (b"\x1f\x8b", "gzip", &["-dc"]),
    (b"\x28\xb5\x2f\xfd", "zstd", &["-dcq"]),
    (b"\xfd7zXZ\0", "xz", &["-dc"]),
    (b"\x02\x21\x4c\x18", "lz4", &["-dc"]),
    (b"\x5d\0\0", "xz", &["-dc", "--format=lzma"]),
    (b"BZh", "bzip2", &["-dc"]),
    (b"\x89LZO", "lzop", &["-dc"]),
];

/// Reads an image. Of the files for which `is_wanted` says so the content is kept.
///
/// # Errors
/// Why it cannot be read.
pub fn read_image(path: &Path, is_wanted: impl Fn(&str) -> bool) -> io::Result<Tree> {
    let mut reading = Reading {
        tree: Tree::default(),
        is_wanted,
        kept: 0,
        entries: 0,
        read: 0,
    };
    let mut file = File::open(path)?;
    loop {
        let at = skip_zeroes(&mut file)?;
        let mut start = [0; 6];
        let length = fill(&mut file, &mut start)?;
        file.seek(SeekFrom::Start(at))?;
        match kind_of(&start[..length])? {
            Kind::End => return Ok(reading.tree),
            Kind::Plain => {
                let length = reading.archive(BufReader::new(&file))?;
                file.seek(SeekFrom::Start(at + length))?;
            }
            Kind::Compressed(name, words) => {
                let stream = Stream::start(name, words, file)?;
                return reading.stream(stream);
            }
        }
    }
}

enum Kind {
    End,
    Plain,
    Compressed(&'static str, &'static [&'static str]),
}

fn kind_of(start: &[u8]) -> io::Result<Kind> {
    if start.is_empty() {
        return Ok(Kind::End);
    }
    if start.starts_with(b"07070") {
        return Ok(Kind::Plain);
    }
    let mut known = COMPRESSED.iter();
    known
        .find(|(mark, ..)| start.starts_with(mark))
        .map(|(_, name, words)| Kind::Compressed(name, words))
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "it has an unknown format"))
}

/// Archives may have zeroes between them. Returns where they end.
fn skip_zeroes(file: &mut (impl Read + Seek)) -> io::Result<u64> {
    let mut buffer = [0; 4096];
    loop {
        let at = file.stream_position()?;
        let read = fill(file, &mut buffer)?;
        match buffer[..read].iter().position(|byte| *byte != 0) {
            Some(zeroes) => return file.seek(SeekFrom::Start(at + zeroes as u64)),
            None if read == 0 => return Ok(at),
            None => {}
        }
    }
}

/// A program that decompresses the rest of a file. It ends with this process: nobody
/// reads what it writes then.
struct Stream {
    child: Child,
    name: &'static str,
}

impl Stream {
    fn start(name: &'static str, words: &[&str], rest: File) -> io::Result<Self> {
        let missing = || {
            let what = format!("the program {name} is missing, which reads it");
            io::Error::new(ErrorKind::NotFound, what)
        };
        let program = program::find(name).ok_or_else(missing)?;
        let child = Command::new(program)
            .args(words)
            .stdin(rest)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, name })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Reading<F> {
    tree: Tree,
    is_wanted: F,
    /// Bytes of contents and names that were kept.
    kept: usize,
    entries: usize,
    /// Bytes that were read.
    read: u64,
}

impl<F: Fn(&str) -> bool> Reading<F> {
    /// All archives of a compressed stream.
    fn stream(mut self, mut stream: Stream) -> io::Result<Tree> {
        let Some(output) = stream.child.stdout.take() else {
            return Err(ErrorKind::BrokenPipe.into());
        };
        let mut output = BufReader::new(output);
        let mut archives = 0;
        loop {
            let mut byte = [0];
            if fill(&mut output, &mut byte)? == 0 {
                break;
            }
            if byte != [0] {
                self.archive((&byte[..]).chain(&mut output))?;
                archives += 1;
            }
        }
        let status = stream.child.wait()?;
        // Behind whole archives it has found something else: zeroes, or what somebody has
        // appended. The kernel has unpacked these archives by then, too.
        if archives == 0 && !status.success() {
            let what = format!("{} failed: {status}", stream.name);
            return Err(io::Error::other(what));
        }
        Ok(self.tree)
    }

    /// One archive; returns its length in bytes.
    fn archive(&mut self, from: impl Read) -> io::Result<u64> {
        let too_large = || io::Error::new(ErrorKind::InvalidData, "it is too large to look into");
        let mut archive = Archive::new(from);
        let mut linked = HashMap::<_, Linked>::new();
        while let Some(entry) = archive.next_entry()? {
            self.entries += 1;
            if self.entries > ENTRIES_MAX || self.read + archive.position() > UNPACKED_MAX {
                return Err(too_large());
            }
            let is_link = entry.mode & 0o170_000 == 0o120_000;
            let content: Option<Rc<[u8]>> = match is_link || (self.is_wanted)(&entry.name) {
                true if entry.size > FILE_MAX => return Err(too_large()),
                true => Some(archive.content()?.into()),
                false => None,
            };
            self.kept += content.as_ref().map_or(0, |content| content.len());
            self.kept += entry.name.len() + size_of::<(String, Node)>();
            if self.kept > KEPT_MAX {
                return Err(too_large());
            }
            let mut node = Node {
                mode: entry.mode,
                content,
            };
            if entry.links > 1 {
                let linked = linked.entry(entry.inode).or_default();
                if entry.size > 0 {
                    linked.content.clone_from(&node.content);
                    for other in &linked.names {
                        self.tree.put(other, node.clone());
                    }
                } else if linked.content.is_some() {
                    node.content.clone_from(&linked.content);
                }
                self.kept += entry.name.len() + size_of::<String>();
                linked.names.push(entry.name.clone());
            }
            self.tree.put(&entry.name, node);
        }
        self.read += archive.position();
        Ok(archive.position())
    }
}

/// A file with several names. Its content stands behind one of them, whichever.
#[derive(Default)]
struct Linked {
    names: Vec<String>,
    content: Option<Rc<[u8]>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::initramfs::cpio::tests::archive_of;
    use std::io::Write;

    const FILE: u32 = 0o100_644;

    fn compressed(program: &str, words: &[&str], bytes: &[u8]) -> Vec<u8> {
        let mut child = Command::new(program)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || input.write_all(bytes).unwrap());
            child.wait_with_output().unwrap().stdout
        })
    }

    fn read(bytes: &[u8]) -> io::Result<Tree> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        read_image(file.path(), |path| path.starts_with("etc/"))
    }

    #[test]
    fn early_archives_and_a_compressed_one_are_read_as_one() {
        let early = archive_of(&[("kernel/x86/microcode/a.bin", FILE, b"microcode")]);
        let second = archive_of(&[("usr/lib/modules/6.12/a.ko.zst", FILE, b"module")]);
        let main = archive_of(&[
            ("etc/hosts", FILE, b"of the image"),
            ("bin/tool", 0o100_755, b"program"),
        ]);
        let zeroes = [0; 700];
        for (program, words) in [
            ("gzip", &["-c"][..]),
            ("xz", &["-c"]),
            ("xz", &["-c", "--format=lzma"]),
            ("zstd", &["-qc"]),
            ("bzip2", &["-c"]),
            ("lz4", &["-lc"]),
            ("lzop", &["-c"]),
        ] {
            if program::find(program).is_none() {
                continue;
            }
            let main = compressed(program, words, &main);
            let image = [&early[..], &zeroes, &second, &main].concat();
            let tree = read(&image).unwrap();
            assert_eq!(tree.text("etc/hosts"), "of the image", "{program}");
            assert!(tree.get("usr/lib/modules/6.12/a.ko.zst").is_some());
            assert!(tree.get("bin/tool").unwrap().is_program());
            assert_eq!(tree.content("bin/tool"), None, "nobody wants it");
            let padded = [&image[..], &[0; 512]].concat();
            assert_eq!(read(&padded).unwrap(), tree, "{program}");
            // A part of it is not taken for all of it.
            let cut = image.len() - main.len() / 2;
            assert!(read(&image[..cut]).is_err(), "{program}");
        }
    }

    #[test]
    fn an_image_without_compression_is_read() {
        let first = archive_of(&[("etc/a", FILE, b"old"), ("etc/b", FILE, b"b")]);
        let second = archive_of(&[("etc/a", FILE, b"new")]);
        let tree = read(&[&first[..], &[0; 5], &second, &[0; 3]].concat()).unwrap();
        assert_eq!(
            (tree.text("etc/a"), tree.text("etc/b")),
            ("new".into(), "b".into())
        );
    }

    /// An archive in which all files are one: inode 7, by as many links.
    fn one_file(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
        let mut bytes = archive_of(files);
        let mut at = 0;
        for (name, _, content) in files {
            bytes[at + 6..][..8].copy_from_slice(b"00000007");
            let links = format!("{:08X}", files.len());
            bytes[at + 6 + 4 * 8..][..8].copy_from_slice(links.as_bytes());
            at = (at + 110 + name.len() + 1).next_multiple_of(4);
            at = (at + content.len()).next_multiple_of(4);
        }
        bytes
    }

    #[test]
    fn a_file_with_several_names_has_one_content() {
        let names = ["etc/a", "etc/b", "etc/c"];
        for with_content in 0..names.len() {
            let mut files = names.map(|name| (name, FILE, &b""[..]));
            files[with_content].2 = b"of all";
            let tree = read(&one_file(&files)).unwrap();
            for name in names {
                assert_eq!(tree.text(name), "of all", "{name} of {with_content}");
            }
            let contents = names.map(|name| tree.content(name).unwrap().as_ptr());
            assert!(contents.iter().all(|at| *at == contents[0]), "copied");
        }
    }

    /// Names take memory too, and an image may have many long ones.
    #[test]
    fn an_image_with_too_many_long_names_is_refused() {
        let mut reading = Reading {
            tree: Tree::default(),
            is_wanted: |_: &str| false,
            kept: KEPT_MAX - 3000,
            entries: 0,
            read: 0,
        };
        let long = "n".repeat(2000);
        let one = archive_of(&[(&long, FILE, b"")]);
        assert!(reading.archive(&one[..]).is_ok());
        assert!(reading.archive(&one[..]).is_err());
    }

    #[test]
    fn what_is_no_initramfs_is_refused() {
        assert!(read(b"MZ this is a kernel").is_err());
        assert!(
            read(&[0x1f, 0x8b, 8, 0, 1, 2, 3]).is_err(),
            "a broken stream"
        );
        assert_eq!(read(b"").unwrap(), Tree::default());
    }
}
