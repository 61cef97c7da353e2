//! Gives both programs one number for the sources that they are built from, so that a
//! command recognises a boot stage of another build.

use std::fs;
use std::path::Path;

/// All that a program is made of, below this folder.
const SOURCES: [&str; 6] = [
    "src",
    "initramfs-hooks",
    "dracut",
    "systemd",
    "Cargo.toml",
    "Cargo.lock",
];

fn main() {
    let mut digest = Fnv::default();
    for path in SOURCES {
        println!("cargo::rerun-if-changed={path}");
        add(Path::new(path), &mut digest);
    }
    println!("cargo::rustc-env=STAYPUT_SOURCES={:016x}", digest.0);
}

/// Adds the name and the contents of a file, or of every file in a folder.
fn add(path: &Path, digest: &mut Fnv) {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a folder of sources can be read");
        let mut paths: Vec<_> = entries
            .map(|entry| entry.expect("a folder of sources can be read").path())
            .collect();
        paths.sort_unstable();
        paths.iter().for_each(|path| add(path, digest));
        return;
    }
    digest.add(path.to_string_lossy().as_bytes());
    digest.add(&fs::read(path).unwrap_or_default());
}

/// The hash function FNV-1a with 64 bits. It tells builds apart, and proves nothing.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    /// Adds bytes, and an end mark that is no byte of them.
    fn add(&mut self, bytes: &[u8]) {
        let all = bytes.iter().map(|byte| u64::from(*byte)).chain([0x100]);
        for value in all {
            self.0 = (self.0 ^ value).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
