//! The parsers of the boot stage, for `fuzz/`.

use std::time::Instant;

use super::uevent::device_kind;
use crate::opening::dialogue::Typed;
use crate::opening::line_editor::{Editor, SEQUENCE_TAKES};
use crate::opening::menu::Command;

/// Reads a device event of the kernel.
pub fn uevent(bytes: &[u8]) {
    device_kind(bytes);
}

/// Reads bytes typed at a console.
pub fn typed_keys(bytes: &[u8]) {
    let (mut editor, now) = (Editor::default(), Instant::now());
    let mut typed = Vec::new();
    for byte in bytes {
        editor.key(*byte, now, &mut typed);
    }
    typed.extend(editor.pause(now + SEQUENCE_TAKES));
    for typed in typed {
        if let Typed::Line(line) = typed {
            Command::parse(&line);
        }
    }
}
