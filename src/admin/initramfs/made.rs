//! Archives as they are made for tests, and for `fuzz/`.

/// An archive of these files: path, mode, content.
pub fn archive_of(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let trailer = [("TRAILER!!!", 0, &[][..])];
    for (at, (name, mode, content)) in files.iter().chain(&trailer).enumerate() {
        let (size, length) = (content.len(), name.len() + 1);
        let header = format!(
            "070701{at:08X}{mode:08X}{:08X}{:08X}{:08X}{:08X}{size:08X}{:08X}{:08X}{:08X}{:08X}\
             {length:08X}{:08X}",
            0, 0, 1, 0, 0, 0, 0, 0, 0
        );
        bytes.extend(header.as_bytes());
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(*content);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}
