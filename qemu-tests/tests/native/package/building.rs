//! What goes into the package.

use std::process::Command;

use qemu_tests::{Result, Scratch, project, shipped_binary};

/// Builds a package of these two programs in a folder.
fn pack(folder: &str, programs: &str, built: bool) -> Result<(bool, String)> {
    let scratch = Scratch::new()?;
    let here = scratch.join(folder);
    let fetch = "mkdir -p \"$2/target/static\" && cp -r \"$1/packaging\" \"$1/Cargo.toml\" \"$2\" && \
                 cd \"$2/target/static\" && printf '%s' \"$3\" | tee stayput >stayput-boot && \
                 echo x86_64-unknown-linux-gnu release >built-for";
    let mut fetching = Command::new("sh");
    fetching
        .args(["-ec", fetch, "sh"])
        .arg(project())
        .arg(&here)
        .arg(programs);
    assert!(fetching.status()?.success());
    let mut build = Command::new(here.join("packaging/build"));
    build.env_remove("STAYPUT_BINARIES_BUILT");
    if built {
        build.env("STAYPUT_BINARIES_BUILT", "1");
    }
    let ended = build.env("STAYPUT_DOCUMENTS", "true").output()?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    Ok((ended.status.success(), said))
}

#[test]
fn programs_of_another_version_are_not_packed() -> Result {
    let old = "stayput 0.0.1, sources 0123456789abcdef";
    let (is_packed, said) = pack("here", old, true)?;
    assert!(
        !is_packed && said.contains("are of another version"),
        "{said}"
    );
    let (is_packed, said) = pack("here", "no mark", true)?;
    assert!(
        !is_packed && said.contains("are not of one build"),
        "{said}"
    );
    // The compiler's paths would be in the programs.
    let (is_packed, said) = pack("a folder", old, false)?;
    assert!(!is_packed && said.contains("there is a blank"), "{said}");
    Ok(())
}

/// What an initramfs takes of a small /boot, and of the time to load it.
/// docs/dependencies.md tells of what takes the room.
const LARGEST_STAGE: u64 = 1_930_000;

#[test]
fn boot_stage_is_no_larger_than_told() -> Result {
    let stage = shipped_binary("stayput-boot")?;
    let built_for = std::fs::read_to_string(stage.with_file_name("built-for"))?;
    let size = std::fs::metadata(stage)?.len();
    // What is built in seconds is larger.
    let is_shipped = built_for.trim_end().ends_with(" release");
    assert!(!is_shipped || size <= LARGEST_STAGE, "{size}");
    Ok(())
}
