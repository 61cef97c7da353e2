//! Whether KVM can be used here. A /dev/kvm that opens is no proof: some
//! nested hypervisors offer it, and a stock kernel then hangs in it.

use std::path::Path;
use std::sync::OnceLock;

use crate::console::Console;
use crate::process::{accept, spawn_quiet};
use crate::{Result, Scratch, seconds};

/// A boot sector that writes "KVM" to the first serial port and halts.
const MARKER_BOOT: &[u8] = &[
    0xba, 0xf8, 0x03, // mov dx, 0x3f8
    0xb0, b'K', 0xee, // mov al, 'K'; out dx, al
    0xb0, b'V', 0xee, //
    0xb0, b'M', 0xee, //
    0xf4, 0xeb, 0xfd, // hlt; jmp to it
];

/// The argument for QEMU's `-accel`, probed once a process.
pub fn accelerator() -> &'static str {
    static CHOICE: OnceLock<&'static str> = OnceLock::new();
    CHOICE.get_or_init(|| {
        let offered = Path::new("/dev/kvm").exists() && !Path::new("/sys/module/kvm_pvm").exists();
        if offered && probe().is_ok() {
            "kvm"
        } else {
            "tcg,thread=multi"
        }
    })
}

fn probe() -> Result {
    let scratch = Scratch::new()?;
    let image = scratch.join("probe.img");
    let mut sector = [0; 512];
    sector[..MARKER_BOOT.len()].copy_from_slice(MARKER_BOOT);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(&image, sector)?;
    let socket = scratch.join("serial");
    let listener = std::os::unix::net::UnixListener::bind(&socket)?;
    let mut child = spawn_quiet(
        &[
            "-accel",
            "kvm",
            "-cpu",
            "host",
            "-m",
            "64M",
            "-display",
            "none",
            "-nodefaults",
            "-drive",
            &format!("format=raw,file={}", image.display()),
            "-serial",
            &format!("unix:{}", socket.display()),
        ]
        .map(String::from),
    )?;
    let seen = accept(&listener, &mut child, &scratch.join("none"))
        .and_then(|stream| Console::new("the KVM probe", stream))
        .and_then(|mut console| console.wait_for("KVM", seconds(10)));
    let _ = child.kill();
    let _ = child.wait();
    seen.map(|_| ())
}
