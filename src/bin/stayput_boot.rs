//! The boot stage: runs in the initramfs at every boot.

use std::process::ExitCode;

fn main() -> ExitCode {
    stayput::boot::run()
}
