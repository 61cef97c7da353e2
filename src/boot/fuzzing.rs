//! What the prompt and the event loop take from outside, for `fuzz/`.

use super::line::Editor;
use super::uevent::subject;
use crate::opening::dialogue::Typed;
use crate::opening::menu::Command;

pub fn uevent(bytes: &[u8]) {
    subject(bytes);
}

pub fn typed_keys(bytes: &[u8]) {
    let mut editor = Editor::default();
    for byte in bytes {
        if let (Some(Typed::Line(line)), _) = editor.key(*byte) {
            Command::parse(&line);
        }
    }
    editor.pause();
}
