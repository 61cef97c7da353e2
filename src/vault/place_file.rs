//! `/etc/stayput/vault.conf`: where this server's vault is. A copy of it is
//! in the initramfs, so that no other vault that turns up is taken for it.

use core::fmt::Write;

use heapless::String;

use super::header::ServerId;

/// Path of the file, in the system and in the initramfs.
pub const PLACE_FILE: &str = "/etc/stayput/vault.conf";
/// Bytes of the file, at most.
pub const PLACE_FILE_BYTES: usize = 1024;

/// Names a partition as PARTUUID does: GUID, or disk signature and number.
pub type PartitionId = String<36>;

/// Whose vault, and where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultPlace {
    /// The server whose vault it must be.
    pub server_id: ServerId,
    /// The partition that is the vault, or holds its file.
    pub partition: PartitionId,
    /// Name of the vault's file in the partition's top folder; `None` when
    /// the partition itself is the vault.
    pub file: Option<String<64>>,
}

/// The line that is wrong, from 1; 0 when a line is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceFileError {
    /// From 1; 0 when a line is missing.
    pub line: usize,
}

fn is_partition_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

impl VaultPlace {
    /// Whether the vault's file may have this name: no path, nothing hidden.
    pub fn is_file_name(text: &str) -> bool {
        !text.is_empty()
            && !text.starts_with('.')
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    }

    /// # Errors
    /// [`PlaceFileError`] names the line that is wrong.
    pub fn parse(text: &str) -> Result<Self, PlaceFileError> {
        let (mut server, mut partition, mut file) = (None, None, None);
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = PlaceFileError { line: number };
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
        let missing = PlaceFileError { line: 0 };
        Ok(Self {
            server_id: server.ok_or(missing)?,
            partition: partition.ok_or(missing)?,
            file,
        })
    }

    /// The file's text.
    pub fn text(&self) -> String<PLACE_FILE_BYTES> {
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
        written.expect("the longest place file fits");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(file: Option<&str>) -> VaultPlace {
        VaultPlace {
            server_id: ServerId([7; 16]),
            partition: "8da63339-0007-60c0-c436-083ac8230908".try_into().unwrap(),
            file: file.map(|name| name.try_into().unwrap()),
        }
    }

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for place in [place(None), place(Some(&"v".repeat(64)))] {
            assert_eq!(VaultPlace::parse(&place.text()), Ok(place));
        }
    }

    #[test]
    fn a_wrong_line_is_named() {
        let good = place(None).text();
        for bad in [
            "file=../../etc/shadow",
            "file=.hidden",
            "server=xyz",
            "partition=/dev/sda",
            "what",
        ] {
            let text = format!("{good}{bad}\n");
            assert_eq!(
                VaultPlace::parse(&text),
                Err(PlaceFileError { line: 5 }),
                "{bad}"
            );
        }
        assert_eq!(VaultPlace::parse(""), Err(PlaceFileError { line: 0 }));
    }

    proptest! {
        #[test]
        fn foreign_text_never_panics(text in ".{0,300}") {
            let _ = VaultPlace::parse(&text);
        }
    }
}
