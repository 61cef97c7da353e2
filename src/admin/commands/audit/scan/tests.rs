use super::*;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::process::Command;

const ROUTER: [u8; 6] = [0x00, 0x0d, 0xb9, 0x41, 0x7a, 0x01];
const PRINTER: [u8; 6] = [0x3c, 0x2a, 0xf4, 0x05, 0x60, 0x03];
const TEXT: &str = "reply from 000D.B941.7A01\n";

fn scan(folder: &Path) -> Scan {
    scan_with(folder, None)
}

fn scan_with(folder: &Path, database: Option<&DatabaseFolder>) -> Scan {
    Scan::of(&[folder], database, &needles(), &mut |_| ())
}

/// As where these are mounted: each point and its filesystem.
fn scan_within(mounts: &[(&Path, &str)], folder: &Path) -> Scan {
    let entry = |(point, filesystem): &(&Path, &str)| MountEntry {
        device: "8:1".into(),
        root: "/".into(),
        point: (*point).into(),
        filesystem: (*filesystem).into(),
    };
    let mounts = mounts.iter().map(entry).collect();
    Scan::within(Ok(mounts), &[folder], None, &needles(), &mut |_| ())
}

fn needles() -> Needles {
    Needles::new(&[ROUTER, PRINTER])
}

/// Runs a line of shell in a folder.
fn shell(folder: &Path, line: &str) {
    let mut shell = Command::new("sh");
    let status = shell.args(["-ec", line]).current_dir(folder).status();
    assert!(status.unwrap().success(), "{line}");
}

/// The names of the files that were found, in order.
fn names(scan: &Scan) -> Vec<&str> {
    let names = scan.leaks.iter().filter_map(|leak| leak.path.file_name());
    let mut names: Vec<&str> = names.filter_map(|name| name.to_str()).collect();
    names.sort_unstable();
    names
}

/// The names of what was not searched, and why, in order.
fn missed(scan: &Scan) -> Vec<(&str, NotSearched)> {
    let name = |path: &'_ PathBuf| -> Option<String> { Some(path.file_name()?.to_str()?.into()) };
    let mut missed: Vec<(&str, NotSearched)> = scan
        .not_searched
        .iter()
        .map(|(path, why)| {
            assert!(name(path).is_some());
            (path.file_name().unwrap().to_str().unwrap(), *why)
        })
        .collect();
    missed.sort_unstable();
    missed
}

#[test]
fn a_lease_and_a_rotated_log_give_the_router_away() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::create_dir(folder.join("dhcp")).unwrap();
    fs::write(folder.join("dhcp/leases"), "ethernet 00:0d:b9:41:7a:01;").unwrap();
    fs::write(folder.join("syslog.1"), "who has 192.168.1.1").unwrap();
    fs::write(folder.join("text"), TEXT).unwrap();
    for packer in ["gzip", "xz", "zstd", "bzip2"] {
        shell(folder, &format!("{packer} -c text >syslog.{packer}.1"));
    }
    shell(folder, "rm text");
    let found = scan(folder);
    assert_eq!(found.found, [true, false]);
    assert_eq!((found.files, found.leaking, found.unsearched), (6, 5, 0));
    let packed = ["bzip2", "gzip", "xz", "zstd"].map(|packer| format!("syslog.{packer}.1"));
    assert_eq!(names(&found)[0], "leases");
    assert_eq!(names(&found)[1..], packed);
}

#[test]
fn archives_are_searched_whatever_they_are_called() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("text"), TEXT).unwrap();
    fs::write(folder.join("long"), vec![b'.'; 70_001]).unwrap();
    for line in [
        "gzip -c text >one.gz",
        "tar -cf plain.old long one.gz text",
        "tar -czf nested.tgz long one.gz",
        "tar -cJf twice.txz nested.tgz",
        "rm one.gz",
        "tar -cf short long text && truncate -s 71180 short",
    ] {
        shell(folder, line);
    }
    fs::write(folder.join("deflated.docx"), zipped(folder, 8, 0)).unwrap();
    fs::write(folder.join("stored.jar"), zipped(folder, 0, 0)).unwrap();
    fs::write(folder.join("secret.zip"), zipped(folder, 8, 1)).unwrap();
    fs::write(folder.join("new.zip"), zipped(folder, 93, 0)).unwrap();
    shell(folder, "rm text");
    let found = scan(folder);
    let leaking = [
        "deflated.docx",
        "nested.tgz",
        "plain.old",
        "stored.jar",
        "twice.txz",
    ];
    assert_eq!(names(&found), leaking);
    let unsearched = [
        ("new.zip", NotSearched::UnknownFormat("one of its members")),
        ("secret.zip", NotSearched::Encrypted),
        ("short", NotSearched::Damaged),
    ];
    assert_eq!(missed(&found), unsearched);
}

/// A zip archive with the file `text`, packed by `method`.
fn zipped(folder: &Path, method: u16, flags: u16) -> Vec<u8> {
    shell(folder, "gzip -nc text >packed");
    let gzip = fs::read(folder.join("packed")).unwrap();
    fs::remove_file(folder.join("packed")).unwrap();
    let (body, tail) = gzip[10..].split_at(gzip.len() - 18);
    let body = if method == 0 { TEXT.as_bytes() } else { body };
    let mut common = Vec::new();
    common.extend(20u16.to_le_bytes());
    common.extend(flags.to_le_bytes());
    common.extend(method.to_le_bytes());
    common.extend([0; 4]);
    common.extend(&tail[..4]);
    common.extend((body.len() as u32).to_le_bytes());
    common.extend(&tail[4..]);
    common.extend(4u16.to_le_bytes());
    common.extend(0u16.to_le_bytes());
    let mut archive = b"PK\x03\x04".to_vec();
    archive.extend(&common);
    archive.extend(b"text");
    archive.extend(body);
    let list = archive.len() as u32;
    archive.extend(b"PK\x01\x02\x14\0");
    archive.extend(&common);
    archive.extend([0; 14]);
    archive.extend(b"text");
    let length = archive.len() as u32 - list;
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    archive.extend(length.to_le_bytes());
    archive.extend(list.to_le_bytes());
    archive.extend([0, 0]);
    archive
}

#[test]
fn links_are_followed_once_and_never_in_circles() {
    let directory = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::create_dir(outside.path().join("logs")).unwrap();
    fs::write(outside.path().join("logs/log"), TEXT).unwrap();
    fs::write(outside.path().join("lease"), TEXT).unwrap();
    symlink(outside.path().join("logs"), folder.join("elsewhere")).unwrap();
    symlink(outside.path().join("lease"), folder.join("lease")).unwrap();
    symlink(outside.path().join("logs/log"), folder.join("again")).unwrap();
    fs::hard_link(outside.path().join("lease"), folder.join("same")).unwrap();
    symlink(folder, outside.path().join("logs/back")).unwrap();
    symlink(folder, folder.join("self")).unwrap();
    symlink("nothing", folder.join("dead")).unwrap();
    symlink("/dev/zero", folder.join("zero")).unwrap();
    symlink("/proc", folder.join("proc")).unwrap();
    symlink("/usr/share", folder.join("packages")).unwrap();
    let found = scan(folder);
    assert_eq!((found.files, found.leaking, found.unsearched), (2, 2, 0));
}

#[test]
fn what_was_not_searched_is_named_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("broken"), b"\x1f\x8bnot packed").unwrap();
    fs::write(folder.join("plan.pdf"), "%PDF-1.7").unwrap();
    fs::write(folder.join("backup.age"), "age-encryption.org/v1\n").unwrap();
    fs::write(folder.join("old.lzo"), b"\x89LZO\0").unwrap();
    let found = scan(folder);
    // Debian does not install it.
    let lzo = match crate::admin::program::find("lzop") {
        None => NotSearched::NoProgram("lzop"),
        Some(_) => NotSearched::Damaged,
    };
    let unsearched = [
        ("backup.age", NotSearched::Encrypted),
        ("broken", NotSearched::Damaged),
        ("old.lzo", lzo),
        ("plan.pdf", NotSearched::UnknownFormat("PDF")),
    ];
    assert_eq!(missed(&found), unsearched);
    assert_eq!((found.files, found.leaking, found.unsearched), (0, 0, 4));
    // What is not there is not one of them.
    let absent = scan(&folder.join("absent"));
    assert_eq!((absent.files, absent.unsearched), (0, 0));
}

#[test]
fn a_finding_in_a_damaged_log_counts_and_so_does_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("text"), TEXT.repeat(20_000)).unwrap();
    shell(folder, "gzip -c text | head -c 1000 >log && rm text");
    let found = scan(folder);
    assert_eq!(found.found, [true, false]);
    assert_eq!(missed(&found), [("log", NotSearched::Damaged)]);
    assert_eq!((found.files, found.leaking), (0, 1));
}

#[test]
fn archives_within_archives_have_an_end() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("log"), TEXT).unwrap();
    let line = "gzip -c log >next; mv next log;";
    shell(folder, &line.repeat(6));
    assert_eq!(names(&scan(folder)), ["log"]);
    shell(folder, line);
    assert_eq!(missed(&scan(folder)), [("log", NotSearched::TooDeep)]);
}

#[test]
fn a_file_of_holes_is_searched_where_something_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let path = folder.join("lastlog");
    fs::write(&path, "nobody").unwrap();
    let file = File::options().write(true).open(&path).unwrap();
    let far = 64 * 1024 * 1024 * 1024;
    std::os::unix::fs::FileExt::write_at(&file, TEXT.as_bytes(), far).unwrap();
    let begun = Instant::now();
    let found = scan(folder);
    assert_eq!((found.leaking, found.unsearched), (1, 0));
    assert!(found.bytes < 1024 * 1024, "{}", found.bytes);
    assert!(begun.elapsed() < FILE_TIME);
}

#[test]
fn a_file_that_is_called_by_an_address_gives_it_away() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("01-00-0d-b9-41-7a-01"), "").unwrap();
    fs::create_dir(folder.join("3c2af4056003")).unwrap();
    assert_eq!(scan(folder).found, [true, true]);
}

#[test]
fn a_link_to_a_file_in_memory_is_no_leak_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let [etc, run] = ["etc", "run"].map(|name| root.join(name));
    fs::create_dir(&etc).unwrap();
    fs::create_dir(&run).unwrap();
    fs::write(run.join("resolv.conf"), TEXT).unwrap();
    symlink(run.join("resolv.conf"), etc.join("resolv.conf")).unwrap();
    let disk = Path::new("/");
    for (filesystem, leaking, unsearched) in [("ext4", 1, 0), ("tmpfs", 0, 0), ("nfs4", 0, 1)] {
        let found = scan_within(&[(disk, "ext4"), (&run, filesystem)], &etc);
        let seen = (found.leaking, found.unsearched, found.files);
        assert_eq!(seen, (leaking, unsearched, leaking), "{filesystem}");
    }
    // A file can be a mount point itself.
    fs::write(etc.join("leases"), TEXT).unwrap();
    let points = [
        (disk, "ext4"),
        (&run, "tmpfs"),
        (&etc.join("leases"), "tmpfs"),
    ];
    assert_eq!(scan_within(&points, &etc).leaking, 0);
}

#[test]
fn nothing_is_searched_while_the_mounts_are_unknown() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("log"), TEXT).unwrap();
    let denied = Err(ErrorKind::PermissionDenied.into());
    let found = Scan::within(denied, &[folder], None, &needles(), &mut |_| ());
    assert_eq!((found.files, found.leaking, found.unsearched), (0, 0, 1));
    assert_eq!(found.not_searched[0].1, NotSearched::MountsUnknown);
}

#[test]
fn a_database_is_searched_last_and_an_encrypted_one_never() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::create_dir_all(folder.join("lib/mysql")).unwrap();
    symlink("mysql", folder.join("lib/data")).unwrap();
    fs::write(folder.join("lib/mysql/leak.ibd"), TEXT).unwrap();
    for name in ["lib/leases", "log", "zone"] {
        fs::write(folder.join(name), TEXT).unwrap();
    }
    let leaks = |is_encrypted| -> Vec<bool> {
        let path = folder.join("lib/data");
        let found = scan_with(folder, Some(&DatabaseFolder { path, is_encrypted }));
        let leaks = found.leaks.iter();
        leaks.map(|leak| leak.path.ends_with("leak.ibd")).collect()
    };
    assert_eq!(leaks(true), [false; 3]);
    assert_eq!(leaks(false), [false, false, false, true]);
}

#[test]
fn the_error_log_of_an_encrypted_database_is_searched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mysql");
    fs::create_dir_all(path.join("clinic")).unwrap();
    for name in ["clinic.err", "clinic/patient.ibd", "ibdata1"] {
        fs::write(path.join(name), TEXT).unwrap();
    }
    let is_encrypted = true;
    let database = DatabaseFolder { path, is_encrypted };
    let found = scan_with(directory.path(), Some(&database));
    assert_eq!(names(&found), ["clinic.err"]);
}

#[test]
fn older_formats_are_known_by_their_first_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    fs::write(folder.join("text"), TEXT).unwrap();
    shell(
        folder,
        "xz --format=lzma -c text >log.lzma && gzip -c text >one",
    );
    shell(folder, "tar --format=v7 -cf old.backup one && rm one text");
    for (name, head) in [
        ("one-byte", &b"\x84\x5e\x03key"[..]),
        ("two-bytes", b"\x85\x01\x0c\x03key"),
        ("new-form", b"\xc1\xc0\x4c\x03key"),
        ("passphrase", b"\x8c\x0d\x04\x09\x03\x02"),
    ] {
        fs::write(folder.join(name), head).unwrap();
    }
    // Latin-1 text.
    fs::write(folder.join("list"), b"\xc1rbol\n").unwrap();
    let found = scan(folder);
    assert_eq!(names(&found), ["log.lzma", "old.backup"]);
    let encrypted = ["new-form", "one-byte", "passphrase", "two-bytes"];
    assert_eq!(
        missed(&found),
        encrypted.map(|name| (name, NotSearched::Encrypted))
    );
}

#[test]
fn a_name_that_says_packed_counts_where_the_bytes_do_not() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    for name in [
        "page.js.br",
        "log.BR.1",
        "old.rar",
        "br",
        "a.brx",
        "notes.1",
    ] {
        fs::write(folder.join(name), b"\x0b\x02\x80log\x03").unwrap();
    }
    fs::write(folder.join("empty.7z"), "").unwrap();
    let found = scan(folder);
    let unsearched = [
        ("log.BR.1", NotSearched::UnknownFormat("Brotli")),
        ("old.rar", NotSearched::UnknownFormat("this kind of RAR")),
        ("page.js.br", NotSearched::UnknownFormat("Brotli")),
    ];
    assert_eq!(missed(&found), unsearched);
    assert_eq!(found.files, 4);
}
