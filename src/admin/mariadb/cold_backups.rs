use std::path::Path;
pub fn lines(_: &Path) -> Vec<String> {
    Vec::new()
}
