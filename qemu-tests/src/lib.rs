//! Boots real machines in QEMU and checks what stayput does on them.
//!
//! The pieces, from the bottom up:
//!
//! - [`Place`]: a network with neighbours of chosen addresses, made of real
//!   kernel network devices in a namespace of its own
//! - [`KeyServer`]: Debian's tangd in such a network
//! - [`Machine`]: one running QEMU: consoles, USB sticks, power
//! - [`NfsServer`]: a server that has the root filesystem of another one
//! - [`Stick`]: the image of a USB stick, vfat or ext4, partitioned or not
//! - [`BadStick`]: a block device that hangs, dies or lies about its size
//! - [`FastMachine`]: a server that has only an initramfs; boots in seconds
//! - [`DebianMachine`]: a server with Debian, systemd and MariaDB
//! - [`Container`]: the same without a machine: systemd in namespaces
//! - [`torture`]: many servers under `enable`, and many interruptions
//! - [`Story`]: the whole of it, from home to stolen and back
//! - [`KeyServer`]: a Tang server in a place
//! - [`WriteLog`]: what a disk may hold after a power cut
//! - [`search`]: looks for bytes on a raw disk, as a thief would
//!
//! Everything needs root (network namespaces) and the tools that
//! `images/install-tools` installs; a test fails, and says why, without them.
//!
//! ```no_run
//! use qemu_tests::{DebianMachine, Place, minutes};
//!
//! # fn main() -> qemu_tests::Result {
//! let home = Place::home()?;
//! let mut server = DebianMachine::fresh(System::USUAL)?;
//! server.boot_at(&home)?;
//! let answer = server.shell("mariadb -e 'SELECT 1'")?;
//! assert!(answer.ok(), "{answer}");
//! server.power_cut();
//! # Ok(())
//! # }
//! ```
//!
//! A test returns [`Result`]; the failure that ends it carries the whole
//! transcript of the machine's console.

mod accel;
mod architecture;
mod bad_stick;
mod computer;
mod console;
mod container;
pub mod cpio;
mod database;
mod debian;
mod dhcp_client;
mod failure;
mod fast;
mod hardware;
mod install;
mod kernel;
mod key_server;
mod large_database;
mod loop_device;
mod machine;
mod nfs_server;
mod performance;
mod place;
mod plot;
mod prepared;
mod process;
mod qmp;
mod recovery_code;
mod scratch;
pub mod search;
pub mod seen;
mod server;
mod shell;
mod statistics;
mod stick;
mod story;
mod system;
pub mod torture;
mod trunk;
mod write_log;

use std::time::Duration;

pub use accel::accelerator;
pub use architecture::Architecture;
pub use bad_stick::{BadStick, Behaviour};
pub use computer::Computer;
pub use console::Console;
pub use container::{Background, Container};
pub use debian::{DebianMachine, PASSPHRASE_QUESTIONS};
pub use failure::{Failure, Result, run};
pub use fast::{FastMachine, VAULT_CONF};
pub use hardware::{Hardware, NicModel, UsbController, UsbModel};
pub use install::Tell;
pub use kernel::{FILL_BOOT, Kernel, make_kernel_package};
pub use key_server::KeyServer;
pub use large_database::LargeDatabase;
pub use loop_device::loop_device;
pub use machine::{Machine, MachineBuilder};
pub use nfs_server::NfsServer;
pub use performance::put_chapter;
pub use place::{Neighbour, Place};
pub use plot::{Timed, plot};
pub use prepared::{
    MAKE_NEWER_PACKAGE, debian_package, fetched_packages, images_script, prepared, project,
    rpm_package, shipped_binary,
};
pub use recovery_code::RecoveryCode;
pub use scratch::Scratch;
pub use server::Server;
pub use shell::Output;
pub use statistics::Spread;
pub use stick::{Filesystem, Stick};
pub use story::Story;
pub use system::{Generator, Layout, Suite, System};
pub use write_log::{Seeded, WriteLog};

/// A time limit in seconds.
pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A time limit in minutes: emulation on a busy machine is slow.
pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}
