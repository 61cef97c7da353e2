//! The boot stage in the initramfs: releases the keys where the server belongs,
//! and asks for a backup stick elsewhere.

mod admission;
mod console;
mod disk;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod perform;
mod restore_links;
mod run;
mod screen;
mod status;
mod sticks;
mod timings;
mod uevent;
mod usb;
mod wait;

use std::process::ExitCode;
use std::time::Instant;

use console::Consoles;

use crate::build_mark::BUILD_MARK;
use crate::opening::act::StageEnd;
use crate::release::revoke;
use crate::stick::run_as_child;
use crate::sys::{kmsg, memory, sysfs};
use crate::vault::{VAULT_CONF, VAULT_CONF_BYTES, VaultConf};

/// Exit code for a boot that goes on without the keys because of the policy
/// (`on_failure = continue`). The initramfs script knows it.
const WITHOUT_KEYS: u8 = 10;

/// Runs the boot stage. With the argument `put-back` and numbers of network cards
/// it only restores these cards, USB and the consoles for the real system; with
/// `--version` it only tells its build; as a child that reads or wipes a stick, or
/// admits a USB device or shuts it off, it does only that.
///
/// Returns success after a release, or [`WITHOUT_KEYS`]; then the boot goes on.
/// After any other exit code the initramfs script starts the stage again. Only
/// a release leaves keys in memory.
pub fn run() -> ExitCode {
    let start = Instant::now();
    if let Some(code) = run_as_child().or_else(admission::run_as_child) {
        return code;
    }
    kmsg::use_for_logging();
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("put-back") => {
            restore_links::restore_links(arguments);
            admission::take_back();
            // Closing them makes them echo again.
            Consoles::default().open_new();
            return ExitCode::SUCCESS;
        }
        Some("--version") => {
            println!("{BUILD_MARK}");
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    if let Err(errno) = memory::keep_private() {
        log::error!("memory cannot be locked: {errno}");
        return ExitCode::FAILURE;
    }
    // An earlier run may have been killed in the middle of a release.
    revoke();
    match vault_conf() {
        Ok(conf) => match run::Stage::new(conf, start).run() {
            StageEnd::Released => ExitCode::SUCCESS,
            StageEnd::WithoutKeys => ExitCode::from(WITHOUT_KEYS),
        },
        Err(why) => {
            log::error!("locked: {why}");
            ExitCode::FAILURE
        }
    }
}

fn vault_conf() -> Result<VaultConf, String> {
    let text = sysfs::read_text::<VAULT_CONF_BYTES>(VAULT_CONF.as_ref())
        .ok_or_else(|| format!("{VAULT_CONF} is not in this initramfs"))?;
    VaultConf::parse(&text).map_err(|error| format!("{VAULT_CONF}, line {}: no sense", error.line))
}
