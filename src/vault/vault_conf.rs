//! `/etc/stayput/vault.conf`: names this server's vault. A copy is in the
//! initramfs, so that no other vault is taken for it.

use core::fmt::Write;

use heapless::String;

use super::header::ServerId;

/// Path of vault.conf, in the system and in the initramfs.
pub const VAULT_CONF: &str = "/etc/stayput/vault.conf";
/// Bytes of vault.conf, at most.
pub const VAULT_CONF_BYTES: usize = 1024;

/// The PARTUUID of a partition: its GUID, or disk signature and number.
pub type PartitionId = String<36>;

/// The content of vault.conf: whose vault it is, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultConf {
    /// The server's id, which the vault must have.
    pub server_id: ServerId,
    /// The partition that is the vault, or that holds the vault's file.
    pub partition: PartitionId,
    /// Name of the vault's file in the top folder of the partition; `None`
    /// where the partition itself is the vault.
    pub file: Option<String<64>>,
}

/// Why vault.conf cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultConfError {
    /// The line that is wrong, from 1; 0 where a line is missing.
    pub line: usize,
}

fn is_partition_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

impl VaultConf {
    /// Whether the vault's file may have this name: letters, digits, `.`, `-`
    /// and `_`, and no dot in front.
    pub fn is_file_name(text: &str) -> bool {
        !text.is_empty()
            && !text.starts_with('.')
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    }

    /// Parses the text of vault.conf.
    ///
    /// # Errors
    /// [`VaultConfError`] with the line that is wrong.
    pub fn parse(text: &str) -> Result<Self, VaultConfError> {
        let (mut server, mut partition, mut file) = (None, None, None);
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = VaultConfError { line: number };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line.split_once('=').ok_or(wrong)?;
            let value = value.trim();
            match key.trim() {
                "server" => server = Some(value.parse().map_err(|_| wrong)?),
                "partition" if is_partition_id(value) => {
                    partition = Some(value.try_into().map_err(|_| wrong)?);
                }
                "file" if Self::is_file_name(value) => {
                    file = Some(value.try_into().map_err(|_| wrong)?);
                }
                _ => return Err(wrong),
            }
        }
        let missing = VaultConfError { line: 0 };
        Ok(Self {
            server_id: server.ok_or(missing)?,
            partition: partition.ok_or(missing)?,
            file,
        })
    }

    /// The text of vault.conf.
    pub fn text(&self) -> String<VAULT_CONF_BYTES> {
        let mut text = String::new();
        let written = write!(
            text,
            "# Where the vault of this server is. Made by `stayput init`; run\n\
             # `stayput install` after a change, so that the next boot knows it.\n\
             server={}\npartition={}\n",
            self.server_id, self.partition
        )
        .and_then(|()| match &self.file {
            Some(file) => writeln!(text, "file={file}"),
            None => Ok(()),
        });
        written.expect("the longest vault.conf fits");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn conf(file: Option<&str>) -> VaultConf {
        VaultConf {
            server_id: ServerId([7; 16]),
            partition: "8da63339-0007-60c0-c436-083ac8230908".try_into().unwrap(),
            file: file.map(|name| name.try_into().unwrap()),
        }
    }

    #[test]
    fn what_was_written_is_read_back() {
        for conf in [conf(None), conf(Some(&"v".repeat(64)))] {
            assert_eq!(VaultConf::parse(&conf.text()), Ok(conf));
        }
    }

    #[test]
    fn a_wrong_line_is_named() {
        let good = conf(None).text();
        for bad in [
            "file=../../etc/shadow",
            "file=.hidden",
            "server=xyz",
            "partition=/dev/sda",
            "what",
        ] {
            let text = format!("{good}{bad}\n");
            assert_eq!(
                VaultConf::parse(&text),
                Err(VaultConfError { line: 5 }),
                "{bad}"
            );
        }
        assert_eq!(VaultConf::parse(""), Err(VaultConfError { line: 0 }));
    }

    proptest! {
        #[test]
        fn foreign_text_never_panics(text in ".{0,300}") {
            let _ = VaultConf::parse(&text);
        }
    }
}
