//! A server: its parts, its disk, and the machine while it is switched on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::run;
use crate::{
    Console, Failure, Hardware, Machine, Output, Result, Scratch, Stick, UsbController, UsbModel,
    minutes,
};

/// What [`FastMachine`](crate::FastMachine) and
/// [`DebianMachine`](crate::DebianMachine) have in common. Both deref to it.
pub struct Server {
    /// Changing it before the next start changes the machine around the disk.
    pub hardware: Hardware,
    disk: PathBuf,
    running: Option<Machine>,
    _scratch: Scratch,
}

impl Server {
    /// A server with a copy of this disk image.
    pub(crate) fn with_copy_of(image: &Path, hardware: Hardware) -> Result<Self> {
        let scratch = Scratch::new()?;
        let disk = scratch.join("disk.img");
        copy_sparse(image, &disk)?;
        Ok(Self {
            hardware,
            disk,
            running: None,
            _scratch: scratch,
        })
    }

    pub(crate) fn switched_on(&mut self, machine: Machine) -> &mut Machine {
        self.running.insert(machine)
    }

    /// The image of the server's disk. Read it only while the machine is off.
    pub fn disk(&self) -> &Path {
        &self.disk
    }

    /// The machine; fails when it is off.
    pub fn machine(&mut self) -> Result<&mut Machine> {
        self.running
            .as_mut()
            .ok_or_else(|| Failure::new("the machine is off"))
    }

    /// The kernel's console, where the prompt is. Panics when it is off.
    pub fn console(&mut self) -> &mut Console {
        self.running.as_mut().expect("the machine is on").console()
    }

    /// A time limit that is meant for amd64, for this server.
    pub(crate) fn patient(&self, limit: Duration) -> Duration {
        limit * self.hardware.architecture.patience()
    }

    /// Runs a command in the guest's root shell, for two minutes at most.
    pub fn shell(&mut self, command: &str) -> Result<Output> {
        self.shell_within(command, minutes(2))
    }

    /// The same for what may take longer.
    pub fn shell_within(&mut self, command: &str, limit: Duration) -> Result<Output> {
        let limit = self.patient(limit);
        self.machine()?.shell_within(command, limit)
    }

    /// Plugs a stick into the usual socket (xhci, bulk-only); gives the name
    /// to pull it by.
    pub fn plug(&mut self, stick: &Stick) -> Result<String> {
        self.machine()?
            .plug(stick, UsbController::Xhci, UsbModel::Storage)
    }

    pub fn unplug(&mut self, id: &str) -> Result {
        self.machine()?.unplug(id)
    }

    /// Waits until the guest's kernel has made this device.
    pub fn wait_for_device(&mut self, device: &str) -> Result {
        let wait = format!(
            "i=0; until [ -b {device} ]; do [ $i != 300 ] || exit 1; sleep 0.1; i=$((i+1)); done"
        );
        self.shell(&wait)?.success()?;
        Ok(())
    }

    /// The power is gone, in the middle of whatever it did. What the guest
    /// wrote stays, flushed or not: this shows a crash of the system, not
    /// what a disk's own cache can lose.
    pub fn power_cut(&mut self) {
        if let Some(machine) = self.running.take() {
            machine.power_cut();
        }
    }

    /// Waits until the guest has switched itself off.
    pub fn wait_off(&mut self, limit: Duration) -> Result {
        let limit = self.patient(limit);
        match self.running.take() {
            Some(machine) => machine.wait_off(limit),
            None => Ok(()),
        }
    }
}

/// Copies an image; what is empty stays empty, and where the filesystem can
/// share the blocks it takes no time.
pub(crate) fn copy_sparse(from: &Path, to: &Path) -> Result {
    let (from, to) = (from.display().to_string(), to.display().to_string());
    run("cp", &["--reflink=auto", "--sparse=auto", &from, &to])?;
    Ok(())
}
