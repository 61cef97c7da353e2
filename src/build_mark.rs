//! Tells which sources a program was built from.

/// Stands as it is in the boot stage, and in the command that was built from the same
/// sources.
pub const BUILD_MARK: &str = concat!(
    "stayput ",
    env!("CARGO_PKG_VERSION"),
    ", sources ",
    env!("STAYPUT_SOURCES")
);

/// Whether a program's file holds the mark of this build.
#[cfg(feature = "admin")]
pub fn is_of_this_build(program: &[u8]) -> bool {
    // Where the compiler knows what it compares with, it takes the mark apart, and the
    // command has none that could be found in it. It did so for arm64.
    let mark = core::hint::black_box(BUILD_MARK).as_bytes();
    program.windows(mark.len()).any(|bytes| bytes == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_other_sources_is_told_apart() {
        let program = |mark: &str| format!("\u{7f}ELF ... {mark}\0 ...").into_bytes();
        assert!(is_of_this_build(&program(BUILD_MARK)));
        let (all_but_one, _) = BUILD_MARK.split_at(BUILD_MARK.len() - 1);
        assert!(!is_of_this_build(&program(&format!("{all_but_one}x"))));
        assert!(!is_of_this_build(b""));
    }
}
