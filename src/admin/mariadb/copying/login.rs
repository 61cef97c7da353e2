//! Logs in to a running MariaDB as root: by the socket's peer, or by the password
//! that the machine's own scripts use.

use std::fs;
use std::path::Path;

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

/// Where root's password is kept on a Debian machine, in the order in which
/// they are tried.
const FILES: [&str; 2] = ["/etc/mysql/debian.cnf", "/root/.my.cnf"];

/// An account of MariaDB and how it is proven.
#[derive(Clone)]
pub struct Login {
    user: String,
    password: Zeroizing<String>,
}

/// Asked for by MariaDB's password check, and for nothing else: SHA-1 is
/// broken as a proof.
fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    let mut digest = Sha1::new();
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize().into()
}

impl Login {
    /// Root without a password: by the socket, or on a server without
    /// accounts.
    pub fn root() -> Self {
        Self {
            user: "root".into(),
            password: Zeroizing::new(String::new()),
        }
    }

    /// Every account that this machine's root has in his files.
    pub fn known() -> Vec<Self> {
        let files = FILES.iter().filter_map(|path| of_file(Path::new(path)));
        std::iter::once(Self::root()).chain(files).collect()
    }

    /// The account's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The answer to a server that asks for the password
    /// (mysql_native_password): never the password itself.
    pub fn proof(&self, scramble: &[u8]) -> Vec<u8> {
        if self.password.is_empty() {
            return Vec::new();
        }
        let once = sha1(&[self.password.as_bytes()]);
        let twice = sha1(&[&once]);
        let mask = sha1(&[scramble, &twice]);
        once.iter().zip(mask).map(|(a, b)| a ^ b).collect()
    }
}

fn of_file(path: &Path) -> Option<Login> {
    let text = Zeroizing::new(fs::read_to_string(path).ok()?);
    parse(&text)
}

/// The user and the password of the group `[client]`.
fn parse(text: &str) -> Option<Login> {
    let mut login = Login::root();
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = ["[client]", "[mysql]", "[client-server]", "[client-mariadb]"].contains(&line);
            continue;
        }
        let Some((name, value)) = line.split_once('=').filter(|_| inside) else {
            continue;
        };
        match name.trim() {
            "user" => login.user = unquoted(value.trim()).to_string(),
            "password" => login.password = unquoted(value.trim()),
            _ => {}
        }
    }
    (!login.password.is_empty()).then_some(login)
}

/// As MariaDB reads a value of an option file.
fn unquoted(value: &str) -> Zeroizing<String> {
    let bare = ['"', '\'']
        .iter()
        .find_map(|&sign| value.strip_prefix(sign)?.strip_suffix(sign))
        .unwrap_or(value);
    let mut text = Zeroizing::new(String::with_capacity(bare.len()));
    let mut signs = bare.chars();
    while let Some(sign) = signs.next() {
        text.push(match sign {
            '\\' => match signs.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('b') => '\u{8}',
                Some('s') => ' ',
                Some(other) => other,
                None => '\\',
            },
            plain => plain,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_the_machines_scripts_is_found() {
        let text = "# Automatically generated\n[client]\nhost = localhost\n\
            user     = debian-sys-maint\npassword = \"a\\\\b#c\"\n[mysqldump]\nuser = other\n";
        let login = parse(text).unwrap();
        assert_eq!(login.user, "debian-sys-maint");
        assert_eq!(*login.password, "a\\b#c");
        assert!(parse("[client]\nuser = root\n").is_none());
        assert!(parse("[mysqldump]\npassword = x\n").is_none());
    }

    #[test]
    fn the_password_is_proven_as_the_server_checks_it() {
        // The server holds SHA1(SHA1(password)); from the proof it gets
        // SHA1(password) back.
        let login = parse("[client]\npassword=secret\n").unwrap();
        let scramble = b"12345678901234567890";
        let stored = sha1(&[&sha1(&[b"secret"])]);
        let mask = sha1(&[scramble, &stored]);
        let back: Vec<u8> = login
            .proof(scramble)
            .iter()
            .zip(mask)
            .map(|(a, b)| a ^ b)
            .collect();
        assert_eq!(sha1(&[&back]), stored);
        assert!(Login::root().proof(scramble).is_empty());
    }
}
