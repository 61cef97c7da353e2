//! The initramfs stage: releases the key where the server belongs, and asks
//! for a backup stick where it does not.

mod console;
mod disk;
mod figures;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod line;
mod perform;
mod put_back;
mod run;
mod screen;
mod status;
mod stick_watch;
mod uevent;
mod wait;

use std::process::ExitCode;
use std::time::Instant;

use crate::opening::act::End;
use crate::release::take_back;
use crate::sys::{kmsg, memory, sysfs};
use crate::vault::{PLACE_FILE, PLACE_FILE_BYTES, VaultPlace};

/// The exit code with which the boot goes on without a key, because the
/// policy says so: `on_failure = continue`. The script beside it knows it.
const WITHOUT_KEYS: u8 = 10;

/// With the words `put-back` and names of network cards it only leaves these as
/// the real system expects them.
///
/// Returns success after a release; then the boot goes on. With
/// [`WITHOUT_KEYS`] it goes on too. Anything else, and that, leaves nothing in
/// memory; whoever started the stage starts it again after anything else.
pub fn run() -> ExitCode {
    let start = Instant::now();
    kmsg::use_for_logging();
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some("put-back") {
        put_back::put_back(words);
        return ExitCode::SUCCESS;
    }
    if let Err(errno) = memory::keep_private() {
        log::error!("memory cannot be locked: {errno}");
        return ExitCode::FAILURE;
    }
    // What an earlier run may have left half-way.
    take_back();
    match vault_place() {
        Ok(place) => match run::Stage::new(place, start).run() {
            End::Released => ExitCode::SUCCESS,
            End::WithoutKeys => ExitCode::from(WITHOUT_KEYS),
        },
        Err(words) => {
            log::error!("locked: {words}");
            ExitCode::FAILURE
        }
    }
}

fn vault_place() -> Result<VaultPlace, String> {
    let text = sysfs::read_text::<PLACE_FILE_BYTES>(PLACE_FILE.as_ref())
        .ok_or_else(|| format!("{PLACE_FILE} is not in this initramfs"))?;
    VaultPlace::parse(&text).map_err(|error| format!("{PLACE_FILE}, line {}: no sense", error.line))
}
