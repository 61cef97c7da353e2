//! What goes into the package.

use std::collections::BTreeMap;
use std::process::Command;

use qemu_tests::{
    Failure, Result, Scratch, debian_package, project, rpm_package, run, shipped_binary,
};

/// Builds a package of these two programs in a folder.
fn pack(folder: &str, programs: &str, built: bool) -> Result<(bool, String)> {
    let scratch = Scratch::new()?;
    let here = scratch.join(folder);
    let fetch = "mkdir -p \"$2/target/static\" && cp -r \"$1/packaging\" \"$1/Cargo.toml\" \"$2\" && \
                 cd \"$2/target/static\" && printf '%s' \"$3\" | tee stayput >stayput-boot && \
                 echo x86_64-unknown-linux-gnu release >built-for";
    let mut fetching = Command::new("sh");
    fetching
        .args(["-ec", fetch, "sh"])
        .arg(project())
        .arg(&here)
        .arg(programs);
    assert!(fetching.status()?.success());
    let mut build = Command::new(here.join("packaging/build"));
    build.env_remove("STAYPUT_BINARIES_BUILT");
    if built {
        build.env("STAYPUT_BINARIES_BUILT", "1");
    }
    let ended = build.env("STAYPUT_DOCUMENTS", "true").output()?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    Ok((ended.status.success(), said))
}

#[test]
fn programs_of_another_version_are_not_packed() -> Result {
    let old = "stayput 0.0.1, sources 0123456789abcdef";
    let (is_packed, said) = pack("here", old, true)?;
    assert!(
        !is_packed && said.contains("are of another version"),
        "{said}"
    );
    let (is_packed, said) = pack("here", "no mark", true)?;
    assert!(
        !is_packed && said.contains("are not of one build"),
        "{said}"
    );
    // The compiler's paths would be in the programs.
    let (is_packed, said) = pack("a folder", old, false)?;
    assert!(!is_packed && said.contains("there is a blank"), "{said}");
    Ok(())
}

/// Bytes of the boot stage at most: what an initramfs takes of a small /boot, and of the
/// time to load it. docs/dependencies.md tells of what takes the room.
const LARGEST_STAGE: u64 = 1_320_000;
/// The same where it is built with glibc.
const LARGEST_STAGE_WITH_GLIBC: u64 = 1_940_000;

#[test]
fn boot_stage_is_no_larger_than_told() -> Result {
    let stage = shipped_binary("stayput-boot")?;
    let built_for = std::fs::read_to_string(stage.with_file_name("built-for"))?;
    let size = std::fs::metadata(stage)?.len();
    let (target, profile) = built_for.trim_end().split_once(' ').unwrap();
    let largest = match target.ends_with("-musl") {
        true => LARGEST_STAGE,
        false => LARGEST_STAGE_WITH_GLIBC,
    };
    // What is built in seconds is larger.
    assert!(profile != "release" || size <= largest, "{size}");
    Ok(())
}

/// Each file with its mode, as in `-rw-r--r--`.
type Files = BTreeMap<String, String>;

/// The files of a listing of tar's or cpio's; folders are left out.
fn files(listing: &str) -> Files {
    let lines = listing.lines().filter(|line| line.starts_with('-'));
    let files = lines.filter_map(|line| {
        let (mode, path) = (line.split(' ').next()?, line.split(' ').next_back()?);
        Some((path.trim_start_matches("./").into(), mode.into()))
    });
    files.collect()
}

/// What no file of the project is: packaging/build makes it.
const MADE: [&str; 9] = [
    "usr/lib/stayput/packaged",
    "usr/share/bash-completion/completions/stayput",
    "usr/share/doc/stayput/changelog.Debian.gz",
    "usr/share/doc/stayput/changelog.gz",
    "usr/share/doc/stayput/copyright",
    "usr/share/doc/stayput/sbom.cdx.json",
    "usr/share/fish/vendor_completions.d/stayput.fish",
    "usr/share/lintian/overrides/stayput",
    "usr/share/zsh/vendor-completions/_stayput",
];

const MANUAL: &str = "usr/share/man/man8/";

/// All that belongs into the package for Debian, but for the manual pages.
fn wanted_files() -> Result<Files> {
    let contents = std::fs::read_to_string(project().join("packaging/contents"))?;
    let lines = contents
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let named = lines.map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        [mode, file, folder] => {
            let name = file.rsplit('/').next().unwrap_or(file);
            let mode = match mode {
                "755" => "-rwxr-xr-x",
                _ => "-rw-r--r--",
            };
            Ok((format!("{folder}/{name}"), mode.to_owned()))
        }
        _ => Err(Failure::new(format!("packaging/contents: {line}"))),
    });
    let made = MADE.map(|path| Ok((path.to_owned(), "-rw-r--r--".to_owned())));
    named.chain(made).collect()
}

/// Takes the manual pages out: which ones there have to be, no file of the project says.
fn take_pages(files: &mut Files) -> Files {
    let (pages, others) = std::mem::take(files)
        .into_iter()
        .partition(|(path, _)| path.starts_with(MANUAL));
    *files = others;
    pages
}

#[test]
fn deb_holds_what_the_contents_name_and_nothing_else() -> Result {
    let package = debian_package()?;
    let listing = run("dpkg-deb", &["-c", &package.display().to_string()])?;
    let foreign = listing.lines().find(|line| !line.contains(" root/root "));
    assert_eq!(foreign, None);
    let mut files = files(&listing);
    let pages = take_pages(&mut files);
    assert_eq!(files, wanted_files()?);
    // Which ones, the package's own command tells where it is installed.
    let make = format!("{MANUAL}stayput-stick-make.8.gz");
    assert_eq!(pages.get(&make).map(String::as_str), Some("-rw-r--r--"));
    Ok(())
}

#[test]
#[ignore = "needs rpmbuild: qemu-tests/matrix"]
fn rpm_holds_the_same_but_for_what_is_of_debian() -> Result {
    let rpm = rpm_package()?;
    let deb = debian_package()?.display().to_string();
    let list = "rpm2cpio \"$1\" | cpio -tv --quiet";
    let listing = run("sh", &["-ec", list, "sh", &rpm.display().to_string()])?;
    let mut in_rpm = files(&listing);
    let mut in_deb = files(&run("dpkg-deb", &["-c", &deb])?);
    assert_eq!(take_pages(&mut in_rpm), take_pages(&mut in_deb));
    let mut wanted = wanted_files()?;
    let of_debian = [
        "usr/share/initramfs-tools/",
        "usr/share/lintian/",
        "usr/share/doc/stayput/changelog.Debian.gz",
    ];
    wanted.retain(|path, _| !of_debian.iter().any(|start| path.starts_with(start)));
    assert_eq!(in_rpm, wanted);
    Ok(())
}

#[test]
#[ignore = "needs lintian: qemu-tests/matrix"]
fn lintian_has_neither_an_error_nor_a_warning() -> Result {
    let package = debian_package()?.display().to_string();
    let said = run("lintian", &["--fail-on", "error,warning", &package])?;
    print!("{said}");
    Ok(())
}
