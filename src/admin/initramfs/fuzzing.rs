//! The reader of images, for `fuzz/`. No program is started.

use std::io::Cursor;

use super::archive::read_parts;
use super::inspect::is_of_interest;
use super::made::archive_of;
use super::tree::Tree;
use super::{dracut, initramfs_tools};

/// Reads an image of as many bytes as the first two say. What follows it is what each
/// compressed part of it unpacks to; and once more the files of an archive, with zeroes
/// between them: a letter for their kind, their name, and from the second line on their
/// content.
pub fn image(bytes: &[u8]) {
    let Some((length, bytes)) = bytes.split_first_chunk() else {
        return;
    };
    let length = usize::from(u16::from_le_bytes(*length)).min(bytes.len());
    let (image, unpacked) = bytes.split_at(length);
    read(image, unpacked);
    let files: Vec<_> = unpacked
        .split(|byte| *byte == 0)
        .filter_map(described)
        .collect();
    read(&archive_of(&files), &[]);
}

fn described(file: &[u8]) -> Option<(&str, u32, &[u8])> {
    let (kind, file) = file.split_first()?;
    let end = file.iter().position(|byte| *byte == b'\n');
    let (name, content) = file.split_at(end.unwrap_or(file.len()));
    let mode = match kind {
        b'd' => 0o040_755,
        b'l' => 0o120_777,
        _ => 0o100_755,
    };
    Some((
        str::from_utf8(name).ok()?,
        mode,
        content.get(1..).unwrap_or_default(),
    ))
}

/// Unpacks it over an image in which the stage is run, and looks at all of it.
fn read(image: &[u8], unpacked: &[u8]) {
    for installed in [dracut::as_installed(), initramfs_tools::as_installed()] {
        if let Ok(tree) = read_parts(Cursor::new(image), unpacked, installed, is_of_interest) {
            look(&tree);
        }
    }
}

fn look(tree: &Tree) {
    let _ = (dracut::files(tree), initramfs_tools::files(tree));
    let _ = (dracut::before(tree), initramfs_tools::before(tree));
    let _ = dracut::network(tree, "ip=dhcp");
    let _ = initramfs_tools::network(tree, "ip=dhcp");
}
