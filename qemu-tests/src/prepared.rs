//! What takes long is made once and kept: images, installed guests.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};

use crate::{Architecture, Failure, Lock, Result};

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

/// What a script of images/ makes or fetches, by the last line of its output: its
/// directory. What it says about its progress goes to standard error. It is asked only once
/// in a process: a scenario whose machine is on does not wait for those who make it.
///
/// # Errors
/// It cannot be started, or it fails; or a machine is on, and it was not asked before.
pub(crate) fn image_of(script: &str, words: &[&str]) -> Result<PathBuf> {
    static ASKED: Mutex<Vec<(String, PathBuf)>> = Mutex::new(Vec::new());
    let question = format!("{script} {}", words.join(" "));
    let known = |(asked, image): &(String, PathBuf)| (*asked == question).then(|| image.clone());
    if let Some(image) = ASKED.lock().unwrap().iter().find_map(known) {
        return Ok(image);
    }
    // Without the list in hand: a thread whose machine is on looks into it meanwhile.
    let _held = Lock::Image.in_order()?;
    let image = PathBuf::from(run_script(&format!("images/{script}"), words)?);
    ASKED.lock().unwrap().push((question, image.clone()));
    Ok(image)
}

/// The directory of packages for a Debian 12, fetched by images/fetch-packages and kept:
/// what makes it a Debian 13 (`upgrade`), or an NFS server (`nfs`).
///
/// # Errors
/// They cannot be fetched.
pub fn fetched_packages(what: &str) -> Result<PathBuf> {
    image_of("fetch-packages", &[what])
}

/// Runs a script and gives the last line of its output; `path` is its place in the project.
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
    let kept = prepared(Lock::Package, name, &inputs, |folder| {
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
/// for the first. While this process lives, nobody removes it, and it is had again without
/// waiting.
///
/// # Errors
/// It cannot be made; or this thread holds what those who make it may wait for.
pub fn prepared<I: AsRef<[u8]>>(
    lock: Lock,
    name: &str,
    inputs: &[I],
    make: impl FnOnce(&Path) -> Result,
) -> Result<PathBuf> {
    prepared_in(&cache()?, lock, name, inputs, make)
}

/// What this process has asked for. Each is locked for as long as the process lives, so that
/// another checkout with the same cache does not take it for one that nobody needs any more.
static IN_USE: Mutex<Vec<(PathBuf, File)>> = Mutex::new(Vec::new());

fn prepared_in<I: AsRef<[u8]>>(
    cache: &Path,
    lock: Lock,
    name: &str,
    inputs: &[I],
    make: impl FnOnce(&Path) -> Result,
) -> Result<PathBuf> {
    let result = cache.join(format!("{name}-{:016x}", digest(inputs)));
    let is_it = |(path, _): &(PathBuf, File)| *path == result;
    if IN_USE.lock().unwrap().iter().any(is_it) {
        return Ok(result);
    }
    let _held = lock.wait_for_one_of(&[cache.join(format!("{name}.lock"))])?;
    if !result.exists() {
        remove_old(cache, &format!("{name}-"))?;
        let part = cache.join(format!("{name}-part"));
        std::fs::create_dir(&part)?;
        make(&part)?;
        std::fs::rename(&part, &result)?;
    }
    let in_use = File::open(&result)?;
    in_use.lock_shared()?;
    IN_USE.lock().unwrap().push((result.clone(), in_use));
    Ok(result)
}

/// Only the newest is kept and what a process uses, and nothing of one that was interrupted.
fn remove_old(cache: &Path, begin: &str) -> Result {
    for old in std::fs::read_dir(cache)?.flatten() {
        let is_meant = old.file_name().to_string_lossy().starts_with(begin);
        if is_meant && File::open(old.path())?.try_lock().is_ok() {
            std::fs::remove_dir_all(old.path())?;
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    fn sticks(cache: &Path, formats: &str) -> Result<PathBuf> {
        let make = |folder: &Path| Ok(std::fs::write(folder.join("stick"), formats)?);
        prepared_in(cache, Lock::Sticks, "sticks", &[formats], make)
    }

    fn turn(cache: &Path) -> Result<crate::locks::Held> {
        Lock::Turn.wait_for_one_of(&[cache.join("machine.lock")])
    }

    #[test]
    fn what_was_asked_for_before_is_had_while_a_machine_is_on() {
        let cache = Scratch::new().unwrap();
        let kept = sticks(cache.path(), "these").unwrap();
        let _turn = turn(cache.path()).unwrap();
        // As a builder of another checkout, who waits for that turn.
        let builder = File::open(cache.join("sticks.lock")).unwrap();
        builder.lock().unwrap();
        assert_eq!(sticks(cache.path(), "these").unwrap(), kept);
    }

    #[test]
    fn while_a_machine_is_on_nothing_is_waited_for() {
        let cache = Scratch::new().unwrap();
        drop(sticks(cache.path(), "these").unwrap());
        let _turn = turn(cache.path()).unwrap();
        let said = sticks(cache.path(), "others").unwrap_err().to_string();
        assert!(said.contains("Ask for it before"), "{said}");
    }

    #[test]
    fn another_checkout_removes_only_what_nobody_uses() {
        let cache = Scratch::new().unwrap();
        for left in ["sticks-part", "sticks-older"] {
            std::fs::create_dir(cache.join(left)).unwrap();
        }
        let used = sticks(cache.path(), "these").unwrap();
        let other = sticks(cache.path(), "others").unwrap();
        assert!(used.join("stick").exists() && other.join("stick").exists());
        assert!(!cache.join("sticks-part").exists() && !cache.join("sticks-older").exists());
    }
}
