//! What `stayput install` writes into /etc where no package is. A list of it stands in
//! the mark of the installation: a package that comes later takes away what is in the
//! list, whatever version wrote it, and nothing that the owner has changed.

use std::collections::BTreeSet;
use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The files, each with the SHA-256 of a text that was written there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenByHand(BTreeSet<(String, String)>);

impl WrittenByHand {
    /// Reads the list in a mark: its lines as sha256sum(1) writes them. Others say
    /// nothing.
    pub fn parse(mark: &str) -> Self {
        let lines = mark.lines().filter_map(|line| line.split_once("  "));
        let is_hash =
            |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let listed = lines.filter(|(hash, path)| is_hash(hash) && path.starts_with('/'));
        Self(
            listed
                .map(|(hash, path)| (path.to_owned(), hash.to_owned()))
                .collect(),
        )
    }

    /// Adds a file that is about to be written. What stood there before stays in the
    /// list: the write may be interrupted.
    pub fn add(&mut self, path: &str, text: &str) {
        self.0.insert((path.to_owned(), hash(text.as_bytes())));
    }

    /// Whether this text was written to this path, and nobody has changed it since.
    pub fn has(&self, path: &str, text: &[u8]) -> bool {
        self.0.contains(&(path.to_owned(), hash(text)))
    }

    /// Whether nothing was written, or a package has taken all of it over.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list as it stands in the mark.
    pub fn lines(&self) -> String {
        let mut lines = String::new();
        for (path, hash) in &self.0 {
            let _ = writeln!(lines, "{hash}  {path}");
        }
        lines
    }
}

fn hash(text: &[u8]) -> String {
    let mut hash = String::new();
    for byte in &Sha256::digest(text)[..] {
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOOK: &str = "/etc/initramfs-tools/hooks/stayput";

    #[test]
    fn what_was_written_is_told_from_what_its_owner_has_changed() {
        let mut written = WrittenByHand::default();
        written.add(HOOK, "of an older version\n");
        written.add(HOOK, "of this version\n");
        let mark = format!("Who put it there.\n{}", written.lines());
        let read = WrittenByHand::parse(&mark);
        assert_eq!(read, written);
        assert!(read.has(HOOK, b"of an older version\n"));
        assert!(read.has(HOOK, b"of this version\n"));
        assert!(!read.has(HOOK, b"of this version\n# and a line of the owner's\n"));
        assert!(!read.has("/etc/initramfs-tools/hooks/other", b"of this version\n"));
    }

    #[test]
    fn a_mark_without_a_list_names_nothing() {
        for mark in [
            "",
            "`stayput install` has  put it there.\n",
            "abc  /etc/passwd\n",
        ] {
            assert!(WrittenByHand::parse(mark).is_empty(), "{mark}");
        }
    }
}
