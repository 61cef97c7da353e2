//! The parsers of the boot stage, for `fuzz/`.

use super::line::Editor;
use super::uevent::device_kind;
use crate::opening::dialogue::Typed;
use crate::opening::menu::Command;

/// Reads a device event of the kernel.
pub fn uevent(bytes: &[u8]) {
    device_kind(bytes);
}

/// Reads bytes typed at a console.
pub fn typed_keys(bytes: &[u8]) {
    let mut editor = Editor::default();
    for byte in bytes {
        if let (Some(Typed::Line(line)), _) = editor.key(*byte) {
            Command::parse(&line);
        }
    }
    editor.pause();
}
