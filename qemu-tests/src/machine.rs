//! One QEMU that runs: its consoles, what is plugged in and out, its end.

mod builder;

use std::fs::File;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub use builder::MachineBuilder;

use crate::console::Console;
use crate::qmp::Qmp;
use crate::shell::{Output, Shell};
use crate::{BadStick, Failure, Result, Scratch, Stick, UsbController, UsbModel, seconds};

/// A machine that is switched on. Dropping it cuts its power.
pub struct Machine {
    child: Child,
    qmp: Qmp,
    console: Console,
    shell: Shell,
    sticks: u32,
    _scratch: Scratch,
    /// Unless it mostly waits.
    _turn: Option<File>,
}

impl Machine {
    /// The first serial port: the kernel's console, and the prompt.
    pub fn console(&mut self) -> &mut Console {
        &mut self.console
    }

    /// Runs a command in the guest's root shell on the second serial port.
    pub fn shell_within(&mut self, command: &str, limit: Duration) -> Result<Output> {
        self.shell.run(command, limit).map_err(|failure| {
            Failure::new(format!(
                "{failure}\nThe console said:\n{}",
                self.console.transcript()
            ))
        })
    }

    /// Starts a command whose answer cannot come, as of one that switches the
    /// machine off.
    pub fn shell_without_answer(&mut self, command: &str) -> Result {
        self.shell.start(command, seconds(120)).map(drop)
    }

    /// Waits until the real system's root shell is there.
    pub fn wait_for_system(&mut self, limit: Duration) -> Result {
        self.wait_for_stage("system", limit)
    }

    /// Waits until the initramfs' root shell is there.
    pub fn wait_for_initramfs(&mut self, limit: Duration) -> Result {
        self.wait_for_stage("initramfs", limit)
    }

    fn wait_for_stage(&mut self, stage: &str, limit: Duration) -> Result {
        self.shell.wait_ready(stage, limit).map_err(|failure| {
            Failure::new(format!(
                "{failure}\nThe console said:\n{}",
                self.console.transcript()
            ))
        })
    }

    /// Plugs a stick in, as a person would. Gives the name to pull it by.
    pub fn plug(
        &mut self,
        stick: &Stick,
        controller: UsbController,
        model: UsbModel,
    ) -> Result<String> {
        let file = stick.image().display().to_string();
        let id = self.add_stick(json!({"driver": "file", "filename": file}), false)?;
        let bus = match controller {
            UsbController::Xhci => "xhci.0",
            UsbController::Ehci => "ehci.0",
        };
        match model {
            UsbModel::Storage => self.put_in(&id, bus)?,
            UsbModel::Uas => {
                self.qmp.execute(
                    "device_add",
                    json!({"driver": "usb-uas", "id": id, "bus": bus}),
                )?;
                self.qmp.execute(
                    "device_add",
                    json!({"driver": "scsi-hd", "id": format!("{id}-lun"), "drive": id,
                           "bus": format!("{id}.0"), "removable": true}),
                )?;
                // Its guest sees it only now, when the disk is in it.
                let path = format!("/machine/peripheral/{id}");
                self.qmp.execute(
                    "qom-set",
                    json!({"path": path, "property": "attached", "value": true}),
                )?;
            }
        }
        Ok(id)
    }

    /// Plugs a stick in (xhci, bulk-only) that hangs after its first 4 KiB: from
    /// then on one byte is read in a second. QEMU itself reads a sector, and so
    /// does the guest's driver before it shows a disk; then the guest looks for
    /// partitions. Half a minute later it resets the stick, for which QEMU waits
    /// as long.
    pub fn plug_hanging(&mut self, stick: &Stick) -> Result {
        let group = self.hanging_group()?;
        let file = stick.image().display().to_string();
        let throttled = json!({"driver": "throttle", "throttle-group": group,
                               "file": {"driver": "file", "filename": file}});
        let id = self.add_stick(throttled, false)?;
        self.put_in(&id, "xhci.0")
    }

    /// Plugs a bad stick in (xhci, bulk-only); one that is `protected` takes no writes. QEMU
    /// keeps nothing of it in memory. Gives the name to pull it by.
    pub fn plug_bad(&mut self, stick: &BadStick, protected: bool) -> Result<String> {
        let device = json!({"driver": "host_device", "filename": stick.device(),
                            "read-only": protected, "cache": {"direct": true}});
        let id = self.add_stick(device, protected)?;
        self.put_in(&id, "xhci.0")?;
        Ok(id)
    }

    fn put_in(&mut self, id: &str, bus: &str) -> Result {
        self.qmp.execute(
            "device_add",
            json!({"driver": "usb-storage", "id": id, "bus": bus, "drive": id,
                   "removable": true, "serial": id}),
        )?;
        Ok(())
    }

    /// From now on the first disk hangs: after one request more one byte is read or written
    /// in a second.
    pub fn hang_disk(&mut self) -> Result {
        let group = self.hanging_group()?;
        self.qmp.execute(
            "blockdev-add",
            json!({"driver": "throttle", "node-name": "hangs", "throttle-group": group,
                   "file": "disk0"}),
        )?;
        self.qmp.execute(
            "qom-set",
            json!({"path": "/machine/peripheral/drive0", "property": "drive", "value": "hangs"}),
        )?;
        Ok(())
    }

    /// What makes a disk hang; gives its name.
    fn hanging_group(&mut self) -> Result<&'static str> {
        let group = "hanging";
        self.qmp.execute(
            "object-add",
            json!({
                "qom-type": "throttle-group", "id": group,
                "limits": {"bps-total": 1, "bps-total-max": 2048},
            }),
        )?;
        Ok(group)
    }

    /// What a stick is made of; gives its name.
    fn add_stick(&mut self, file: Value, protected: bool) -> Result<String> {
        self.sticks += 1;
        let id = format!("stick{}", self.sticks);
        self.qmp.execute(
            "blockdev-add",
            json!({"node-name": id, "driver": "raw", "file": file, "read-only": protected}),
        )?;
        Ok(id)
    }

    /// Pulls a stick out, by the name that `plug` gave.
    pub fn unplug(&mut self, id: &str) -> Result {
        self.qmp.execute("device_del", json!({"id": id}))?;
        self.qmp
            .wait_event("DEVICE_DELETED", seconds(20), |data| data["device"] == id)?;
        self.qmp.execute("blockdev-del", json!({"node-name": id}))?;
        Ok(())
    }

    /// Pulls the network cable (false) or puts it back (true).
    pub fn cable(&mut self, plugged: bool) -> Result {
        self.qmp
            .execute("set_link", json!({"name": "nic", "up": plugged}))?;
        Ok(())
    }

    /// Presses and releases one key of the keyboard, by QEMU's name for it.
    pub fn press(&mut self, key: &str) -> Result {
        let key = json!({"type": "qcode", "data": key});
        self.qmp.execute("send-key", json!({"keys": [key]}))?;
        Ok(())
    }

    /// Writes what the screen shows as a PNG.
    pub fn picture(&mut self, path: &Path) -> Result {
        let arguments = json!({"filename": path, "format": "png"});
        self.qmp.execute("screendump", arguments)?;
        Ok(())
    }

    /// The reset button.
    pub fn reset(&mut self) -> Result {
        self.qmp.execute("system_reset", json!({}))?;
        Ok(())
    }

    /// Waits until the guest restarts by itself.
    pub fn wait_for_restart(&mut self, limit: Duration) -> Result {
        self.qmp
            .wait_event("RESET", limit, |data| data["guest"] == true)
            .map_err(|failure| {
                let said = self.console.transcript();
                Failure::new(format!("{failure}\nThe console said:\n{said}"))
            })
    }

    /// The power is gone, in the middle of whatever it did.
    pub fn power_cut(mut self) {
        self.cut();
    }

    /// Waits until the guest has switched itself off.
    pub fn wait_off(mut self, limit: Duration) -> Result {
        let deadline = Instant::now() + limit;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Err(Failure::new(format!(
                    "the machine is still on after {} s. Its console:\n{}",
                    limit.as_secs(),
                    self.console.transcript()
                )));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn cut(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.cut();
    }
}
