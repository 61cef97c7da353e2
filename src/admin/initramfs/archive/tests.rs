use super::*;
use crate::admin::initramfs::made::archive_of;
use crate::admin::program;
use std::io::Write;
use std::process::{Command, Stdio};

const FILE: u32 = 0o100_644;

pub fn compressed(program: &str, words: &[&str], bytes: &[u8]) -> Vec<u8> {
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

/// Of each kind, and whether it can be told where a part of it ends.
const PROGRAMS: [(&str, &[&str], bool); 7] = [
    ("gzip", &["-c"], true),
    ("xz", &["-c"], true),
    ("xz", &["-c", "--format=lzma"], false),
    ("zstd", &["-qc"], true),
    ("bzip2", &["-c"], true),
    ("lz4", &["-lc"], true),
    ("lzop", &["-c"], true),
];

/// Makes an image of these archives with each program that is here.
fn with_each(archive: &[u8], test: impl Fn(&str, Vec<u8>, bool)) {
    for (program, words, end_is_known) in PROGRAMS {
        if program::find(program).is_some() {
            let part = compressed(program, words, archive);
            test(&format!("{program} {words:?}"), part, end_is_known);
        }
    }
}

/// Zeroes up to where an archive may begin.
fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(4) + 4, 0);
    bytes
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
    with_each(&main, |program, main, end_is_known| {
        let image = [&early[..], &zeroes, &second, &main].concat();
        let tree = read(&image).unwrap();
        assert_eq!(tree.text("etc/hosts"), "of the image", "{program}");
        assert!(tree.get("usr/lib/modules/6.12/a.ko.zst").is_some());
        assert!(tree.get("bin/tool").unwrap().is_program());
        assert_eq!(tree.content("bin/tool"), None, "nobody wants it");
        if end_is_known {
            let padded = [&image[..], &[0; 512]].concat();
            assert_eq!(read(&padded).unwrap(), tree, "{program}");
        }
        // A part of it is not taken for all of it.
        let cut = image.len() - main.len() / 2;
        assert!(read(&image[..cut]).is_err(), "{program}");
    });
}

#[test]
fn what_follows_a_compressed_archive_is_read_too() {
    let first = archive_of(&[("etc/a", FILE, b"old"), ("etc/b", FILE, b"b")]);
    let second = archive_of(&[("etc/a", FILE, b"new"), ("etc/c", FILE, b"c")]);
    with_each(&first, |program, part, end_is_known| {
        let part = padded(part);
        let behind = [second.clone(), compressed("gzip", &["-c"], &second)];
        for behind in behind {
            let tree = read(&[&part[..], &behind].concat());
            let said = tree.as_ref().map(|tree| {
                ["etc/a", "etc/b", "etc/c"]
                    .map(|path| tree.text(path))
                    .join(" ")
            });
            match end_is_known {
                true => assert_eq!(said.unwrap(), "new b c", "{program}"),
                false => {
                    let said = said.unwrap_err().to_string();
                    assert!(said.contains("cannot be told"), "{program}: {said}");
                }
            }
        }
    });
}

#[test]
fn parts_follow_each_other_without_anything_between() {
    let archives = ["a", "b", "c"].map(|text| {
        let path = format!("etc/{text}");
        archive_of(&[(&path, FILE, text.as_bytes())])
    });
    let mut image = Vec::new();
    for archive in &archives {
        for program in ["gzip", "zstd", "xz"] {
            image.extend(compressed(program, &["-c"], archive));
        }
    }
    let tree = read(&image).unwrap();
    assert_eq!(
        ["etc/a", "etc/b", "etc/c"]
            .map(|path| tree.text(path))
            .join(" "),
        "a b c"
    );
}

#[test]
fn what_the_kernel_does_not_unpack_is_not_read() {
    let archive = archive_of(&[("etc/a", FILE, b"old")]);
    let behind = archive_of(&[("etc/a", FILE, b"new")]);
    for mut part in [archive.clone(), compressed("gzip", &["-c"], &archive)] {
        // Where no archive may begin.
        part.resize(part.len().next_multiple_of(4) + 5, 0);
        for behind in [&behind[..], b"#BOOTCONFIG\n"] {
            let tree = read(&[&part[..], behind].concat()).unwrap();
            assert_eq!(tree.text("etc/a"), "old");
        }
    }
    let inside = compressed("gzip", &["-c"], &[&archive[..], &[0; 5], &behind].concat());
    assert!(read(&inside).is_err());
}

#[test]
fn an_image_with_too_many_parts_is_refused() {
    let part = compressed("gzip", &["-c"], &archive_of(&[("etc/a", FILE, b"a")]));
    assert!(read(&part.repeat(PARTS_MAX)).is_ok());
    assert!(read(&part.repeat(PARTS_MAX + 1)).is_err());
}

#[test]
fn an_image_without_compression_is_read() {
    let first = archive_of(&[("etc/a", FILE, b"old"), ("etc/b", FILE, b"b")]);
    let second = archive_of(&[("etc/a", FILE, b"new")]);
    let tree = read(&[&first[..], &[0; 8], &second, &[0; 3]].concat()).unwrap();
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
    let mut reading = Reading::new(|_: &str| false);
    reading.kept = KEPT_MAX - 3000;
    let long = "n".repeat(2000);
    let one = archive_of(&[(&long, FILE, b"")]);
    assert!(reading.archive(&one[..]).is_ok());
    assert!(reading.archive(&one[..]).is_err());
}

/// The work for an entry grows with the depth of its folder, and with the names of its file.
#[test]
fn an_image_that_takes_too_many_looks_is_refused() {
    let names: Vec<String> = (0..100).map(|name| format!("etc/{name}")).collect();
    let files: Vec<_> = names
        .iter()
        .map(|name| (&**name, FILE, &b"x"[..]))
        .collect();
    let deep = "a/".repeat(1000) + "file";
    for (archive, looks) in [
        (archive_of(&files), 201),
        (one_file(&files), 201 + 99 * 100),
        (archive_of(&[(&deep, FILE, b"")]), 1002),
    ] {
        for (left, is_read) in [(looks, true), (looks - 1, false)] {
            let mut reading = Reading::new(|path: &str| path.starts_with("etc/"));
            reading.looks = LOOKS_MAX - left;
            let read = reading.archive(&archive[..]);
            assert_eq!(read.is_ok(), is_read, "{left} of {looks}");
        }
    }
}

/// It would be followed for each file behind it, component by component.
#[test]
fn a_link_that_the_kernel_leaves_out_is_none() {
    const LINK: u32 = 0o120_777;
    let is_there = |length| {
        let link = archive_of(&[
            ("etc/link", LINK, &vec![b'/'; length]),
            ("etc/a", FILE, b"a"),
        ]);
        let tree = read(&link).unwrap();
        assert_eq!(tree.text("etc/a"), "a");
        tree != read(&archive_of(&[("etc/a", FILE, b"a")])).unwrap()
    };
    assert!(is_there(4096));
    assert!(!is_there(4097));
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
