//! What takes long is made once and kept: images, installed guests.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::{Architecture, Failure, Result};

/// The project's top directory.
pub fn project() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where kept things are: `$STAYPUT_CACHE`, or images/cache.
pub(crate) fn cache() -> Result<PathBuf> {
    let cache = std::env::var_os("STAYPUT_CACHE")
        .map_or_else(|| project().join("images/cache"), PathBuf::from);
    std::fs::create_dir_all(&cache)?;
    Ok(cache)
}

/// Runs a script of images/ and gives the last line of its output. What it
/// says about its progress goes to standard error.
///
/// # Errors
/// It cannot be started, or it fails.
pub fn images_script(name: &str) -> Result<String> {
    run_script(&format!("images/{name}"), &[])
}

/// Runs a script that builds an image, with these words, as [`images_script`] does, and
/// gives the directory of the image.
pub(crate) fn built_image(path: &str, words: &[&str]) -> Result<PathBuf> {
    run_script(path, words).map(PathBuf::from)
}

/// The directory of packages for a Debian 12, fetched by images/fetch-packages and kept:
/// what makes it a Debian 13 (`upgrade`), or an NFS server (`nfs`).
///
/// # Errors
/// They cannot be fetched.
pub fn fetched_packages(what: &str) -> Result<PathBuf> {
    run_script("images/fetch-packages", &[what]).map(PathBuf::from)
}

/// As [`images_script`]; `path` is the script's within the project.
pub(crate) fn run_script(path: &str, words: &[&str]) -> Result<String> {
    let output = Command::new(project().join(path))
        .args(words)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| Failure::new(format!("{path}: {e}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(Failure::new(format!("{path} failed: {text}")));
    }
    Ok(text.lines().last().unwrap_or_default().to_string())
}

/// One of the two static binaries as shipped, built by
/// `build/static-binaries`.
pub fn shipped_binary(name: &str) -> Result<PathBuf> {
    shipped_binary_of(Architecture::Amd64, name)
}

/// The same for machines of this architecture.
pub(crate) fn shipped_binary_of(architecture: Architecture, name: &str) -> Result<PathBuf> {
    static BUILT: [OnceLock<std::result::Result<(), String>>; 2] = [const { OnceLock::new() }; 2];
    let built = BUILT[architecture as usize].get_or_init(|| {
        // `qemu-tests/run` has built them before it starts the tests.
        if std::env::var_os("STAYPUT_BINARIES_BUILT").is_some() {
            return Ok(());
        }
        run_script("build/static-binaries", architecture.words())
            .map(|_| ())
            .map_err(|e| e.to_string())
    });
    built.clone().map_err(Failure::new)?;
    let folder = project().join("target").join(architecture.programs());
    Ok(folder.join(name))
}

/// What a server's shell makes a newer package with, /root/newer.deb, of
/// /root/stayput.deb: it differs in its version, 9.0-1.
pub const MAKE_NEWER_PACKAGE: &str = "\
    cd /root && dpkg-deb -R stayput.deb newer && \
    sed -i 's/^Version: .*/Version: 9.0-1/' newer/DEBIAN/control && \
    sed -i '1s/.*/9.0-1/' newer/usr/lib/stayput/packaged && \
    dpkg-deb -Znone -b newer newer.deb && rm -r newer";

/// The Debian package with the shipped binaries, built by `packaging/build` and kept.
pub fn debian_package() -> Result<PathBuf> {
    debian_package_of(Architecture::Amd64)
}

/// The same for machines of this architecture.
pub(crate) fn debian_package_of(architecture: Architecture) -> Result<PathBuf> {
    let mut inputs = Vec::new();
    for name in ["stayput", "stayput-boot"] {
        inputs.push(std::fs::read(shipped_binary_of(architecture, name)?)?);
    }
    let packaging = project().join("packaging");
    for name in ["build", "contents"] {
        inputs.push(std::fs::read(packaging.join(name))?);
    }
    let mut scripts: Vec<PathBuf> = std::fs::read_dir(packaging.join("debian"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    scripts.sort();
    for path in scripts {
        inputs.push(std::fs::read(path)?);
    }
    // None begins with the other one: see `prepared`.
    let name = match architecture {
        Architecture::Amd64 => "package",
        Architecture::Arm64 => "deb-arm64",
    };
    let kept = prepared(name, &inputs, |folder| {
        std::fs::copy(packed(architecture.words())?, folder.join("stayput.deb"))?;
        Ok(())
    })?;
    Ok(kept.join("stayput.deb"))
}

/// The same as an rpm, built now.
pub fn rpm_package() -> Result<PathBuf> {
    // One after the other: both are made in the same folder.
    debian_package()?;
    packed(&["--rpm"])
}

/// The last package that `packaging/build` makes with these words.
fn packed(words: &[&str]) -> Result<PathBuf> {
    let mut build = Command::new(project().join("packaging/build"));
    build.args(words);
    if let Some(documents) = built_documents() {
        build.env("STAYPUT_DOCUMENTS", documents);
    }
    let output = build
        .env("STAYPUT_BINARIES_BUILT", "1")
        .stderr(Stdio::inherit())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(Failure::new(format!("packaging/build failed: {said}")));
    }
    Ok(project().join(said.lines().last().unwrap_or_default()))
}

/// The program that writes the package's documents, where `qemu-tests/run` has built it
/// with all tests: alone it has other features, and so all crates are built once more.
fn built_documents() -> Option<PathBuf> {
    std::env::var_os("STAYPUT_BINARIES_BUILT")?;
    let test = std::env::current_exe().ok()?;
    let program = test.parent()?.with_file_name("stayput-documents");
    program.exists().then_some(program)
}

/// The directory of what `make` makes from `inputs`, made now or kept from an
/// earlier run with the same inputs. Test processes that come at once wait
/// for the first.
pub fn prepared<I: AsRef<[u8]>>(
    name: &str,
    inputs: &[I],
    make: impl FnOnce(&Path) -> Result,
) -> Result<PathBuf> {
    let cache = cache()?;
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    lock.lock()?;
    let result = cache.join(format!("{name}-{:016x}", digest(inputs)));
    if result.exists() {
        return Ok(result);
    }
    // Only the newest is kept, and nothing of one that was interrupted.
    for old in std::fs::read_dir(&cache)?.flatten() {
        let old_name = old.file_name();
        if old_name.to_string_lossy().starts_with(&format!("{name}-")) {
            std::fs::remove_dir_all(old.path())?;
        }
    }
    let part = cache.join(format!("{name}-part"));
    std::fs::create_dir(&part)?;
    make(&part)?;
    std::fs::rename(&part, &result)?;
    Ok(result)
}

/// FNV-1a: tells builds apart, no more.
fn digest<I: AsRef<[u8]>>(inputs: &[I]) -> u64 {
    inputs.iter().fold(0xcbf2_9ce4_8422_2325, |start, input| {
        let input = input.as_ref();
        let length = (input.len() as u64).to_le_bytes();
        length
            .iter()
            .chain(input.iter())
            .fold(start, |hash: u64, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
            })
    })
}
