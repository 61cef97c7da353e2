//! The libraries that no crate is: Rust's own, and what is linked statically from the C
//! library and from gcc.

use std::ffi::OsString;
use std::fs;
use std::process::Command;

use crate::Result;

/// A library in both programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Library {
    pub name: String,
    pub version: String,
    /// The name by which package databases know it.
    pub purl: String,
    /// An SPDX expression.
    pub license: &'static str,
}

/// What is linked in for glibc: a file of it, how the name of its source package begins,
/// and its licence.
const STATIC_ARCHIVES: [(&str, &str, &str); 2] = [
    ("libc.a", "glibc", "LGPL-2.1-or-later"),
    (
        "libgcc_eh.a",
        "gcc-",
        "GPL-3.0-or-later WITH GCC-exception-3.1",
    ),
];

/// The libraries of programs that this machine's compiler has built for `target`.
///
/// # Errors
/// Where the compiler or dpkg does not know.
pub fn libraries(target: &str) -> Result<Vec<Library>> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let rust = rust(&said(rustc, &["-vV"])?)?;
    if target.ends_with("-musl") {
        // Rust brings its own copy, whose version it does not tell.
        let musl = Library {
            name: "musl".into(),
            version: format!("of Rust {}", rust.version),
            purl: format!("pkg:generic/musl?rust={}", rust.version),
            license: "MIT",
        };
        return Ok(vec![rust, musl]);
    }
    let mut libraries = vec![rust];
    let linker = match target.split_once('-') {
        Some((machine, _)) if machine != std::env::consts::ARCH => {
            format!("{machine}-linux-gnu-gcc")
        }
        _ => "cc".into(),
    };
    for (archive, family, license) in STATIC_ARCHIVES {
        let path = said(&linker, &[&format!("-print-file-name={archive}")])?;
        let path = fs::canonicalize(path.trim()).map_err(|why| format!("{archive}: {why}"))?;
        let owner = said("dpkg-query", &["-S", &path.to_string_lossy()])?;
        let package = owner.split_once(": ").map_or("", |(package, _)| package);
        let format = "--showformat=${source:Package} ${source:Version}|${Built-Using}";
        let sources = said("dpkg-query", &["-W", format, package])?;
        libraries.push(of_debian(&source_of(&sources, family), license)?);
    }
    Ok(libraries)
}

/// Pure: by what `rustc -vV` says.
fn rust(said: &str) -> Result<Library> {
    let mut lines = said.lines();
    let release = lines.find_map(|line| line.strip_prefix("release: "));
    let version = release.ok_or("rustc does not tell its release")?;
    Ok(Library {
        name: "rust-std".into(),
        version: version.into(),
        purl: format!("pkg:github/rust-lang/rust@{version}#library/std"),
        license: "MIT OR Apache-2.0",
    })
}

/// Pure: of `NAME VERSION|NAME (= VERSION), ...` the source package whose name begins with
/// `family`. Packages for cross compiling have a source of their own, and name in the second
/// part what they were made of.
fn source_of(said: &str, family: &str) -> String {
    let (own, used) = said.split_once('|').unwrap_or((said, ""));
    let mut used = used.split(", ").map(|one| one.replace(['(', '=', ')'], ""));
    let words = used.find(|one| one.starts_with(family));
    let words = words.unwrap_or_else(|| own.into());
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Pure: `source` is the name and the version of a source package.
fn of_debian(source: &str, license: &'static str) -> Result<Library> {
    let words = source.trim().split_once(' ');
    let (name, version) = words.ok_or_else(|| format!("dpkg-query said: {source}"))?;
    let escaped = version.replace('+', "%2B").replace(':', "%3A");
    Ok(Library {
        name: name.into(),
        version: version.into(),
        purl: format!("pkg:deb/debian/{name}@{escaped}?arch=source"),
        license,
    })
}

fn said(program: impl Into<OsString>, words: &[&str]) -> Result<String> {
    let program = program.into();
    let output = Command::new(&program)
        .args(words)
        .env("LC_ALL", "C")
        .output()
        .map_err(|why| format!("{}: {why}", program.display()))?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiler_and_c_library_of_this_machine_are_named() {
        let machine = std::env::consts::ARCH;
        let named = |target: &str| -> Vec<String> {
            let libraries = libraries(&format!("{machine}-unknown-linux-{target}")).unwrap();
            libraries.into_iter().map(|library| library.name).collect()
        };
        let gnu = named("gnu");
        assert_eq!(gnu[..2], ["rust-std", "glibc"]);
        assert!(gnu[2].starts_with("gcc-"), "{gnu:?}");
        assert_eq!(named("musl"), ["rust-std", "musl"]);
    }

    #[test]
    fn library_for_cross_compiling_is_named_by_what_it_was_made_of() {
        let cross = "cross-toolchain-base 66|binutils (= 2.40-2), gcc-12 (= 12.2.0-14), \
                     glibc (= 2.36-8)";
        assert_eq!(source_of(cross, "glibc"), "glibc 2.36-8");
        assert_eq!(source_of(cross, "gcc-"), "gcc-12 12.2.0-14");
        let own = "glibc 2.36-9+deb12u13|";
        assert_eq!(source_of(own, "glibc"), "glibc 2.36-9+deb12u13");
    }

    #[test]
    fn version_of_debian_is_escaped_in_the_purl() {
        let library = of_debian("glibc 2.36-9+deb12u13\n", "MIT").unwrap();
        assert_eq!(library.version, "2.36-9+deb12u13");
        assert_eq!(
            library.purl,
            "pkg:deb/debian/glibc@2.36-9%2Bdeb12u13?arch=source"
        );
        assert!(of_debian("", "MIT").is_err());
        assert!(rust("binary: rustc\n").is_err());
    }
}
