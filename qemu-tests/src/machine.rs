//! One QEMU: built from parts, switched on, cut off.

use std::fs::File;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::accel::accelerator;
use crate::console::Console;
use crate::process::{accept, join_files, spawn, wait_for_turn};
use crate::qmp::Qmp;
use crate::shell::{Output, Shell};
use crate::{Failure, Hardware, Place, Result, Scratch, Stick, UsbController, UsbModel, seconds};

/// What a machine will be when it is switched on.
pub struct MachineBuilder {
    hardware: Hardware,
    kernel: PathBuf,
    initrds: Vec<PathBuf>,
    command_line: String,
    disks: Vec<Disk>,
    memory_mib: u32,
    screen: bool,
    usb_keyboard: bool,
    cable_out: bool,
}

struct Disk {
    image: PathBuf,
    serial: String,
    /// Where every write and flush is recorded.
    record: Option<PathBuf>,
}

/// A machine that is switched on. Dropping it cuts its power.
pub struct Machine {
    child: Child,
    qmp: Qmp,
    console: Console,
    shell: Shell,
    sticks: u32,
    _scratch: Scratch,
    _turn: File,
}

impl MachineBuilder {
    pub fn new(hardware: Hardware, kernel: &Path) -> Self {
        Self {
            hardware,
            kernel: kernel.into(),
            initrds: Vec::new(),
            // Emulation keeps what it has translated by the address at which a
            // program runs: where each start of one has other addresses, all
            // of it is translated again. Making an initramfs takes 100 s with
            // them and 31 s without.
            command_line: "panic=0 norandmaps".into(),
            disks: Vec::new(),
            memory_mib: 512,
            screen: false,
            usb_keyboard: false,
            cable_out: false,
        }
    }

    /// Adds an initramfs; several are unpacked one over the other.
    pub fn initrd(mut self, path: &Path) -> Self {
        self.initrds.push(path.into());
        self
    }

    /// Adds words to the kernel command line.
    pub fn kernel_words(mut self, words: &str) -> Self {
        self.command_line = format!("{} {words}", self.command_line);
        self
    }

    /// Adds a disk (raw image). The first gets the hardware's serial, and is
    /// /dev/vda.
    pub fn disk(mut self, image: &Path) -> Self {
        let serial = match self.disks.len() {
            0 => self.hardware.disk_serial.clone(),
            n => format!("disk{n}"),
        };
        self.disks.push(Disk {
            image: image.into(),
            serial,
            record: None,
        });
        self
    }

    /// Records what the disk that was added last is asked to keep: see
    /// `WriteLog`.
    pub fn record_writes(mut self, record: &Path) -> Self {
        if let Some(disk) = self.disks.last_mut() {
            disk.record = Some(record.into());
        }
        self
    }

    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Adds a screen; the keyboard is a PS/2 one. The guest then has tty1 as
    /// well. Add `console=tty0` to the kernel's words to make it a console.
    pub fn screen(mut self) -> Self {
        self.screen = true;
        self
    }

    /// Adds a USB keyboard; `Machine::press` then means that one.
    pub fn usb_keyboard(mut self) -> Self {
        self.usb_keyboard = true;
        self
    }

    /// Leaves the network cable out, until `Machine::cable` puts it in.
    pub fn cable_out(mut self) -> Self {
        self.cable_out = true;
        self
    }

    /// Switches it on.
    pub fn start(self, place: &Place) -> Result<Machine> {
        let turn = wait_for_turn()?;
        let scratch = Scratch::new()?;
        let listen = |name: &str| UnixListener::bind(scratch.join(name));
        let (qmp, console, shell) = (listen("qmp")?, listen("console")?, listen("shell")?);
        let words = self.words(&scratch)?;
        let log = scratch.join("qemu.log");
        let mut child = spawn(Some(place), &words, &log)?;
        let mut connect = |listener: &UnixListener| accept(listener, &mut child, &log);
        let console_stream = connect(&console);
        let streams = console_stream.and_then(|c| Ok((c, connect(&shell)?, connect(&qmp)?)));
        let (console, shell, qmp) = match streams {
            Ok(streams) => streams,
            Err(failure) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failure);
            }
        };
        let mut machine = Machine {
            qmp: Qmp::new(qmp)?,
            console: Console::new("the console", console)?,
            shell: Shell::new(Console::new("the shell's line", shell)?),
            child,
            sticks: 0,
            _scratch: scratch,
            _turn: turn,
        };
        machine.cable(!self.cable_out)?;
        machine.qmp.execute("cont", json!({}))?;
        Ok(machine)
    }

    fn words(&self, scratch: &Scratch) -> Result<Vec<String>> {
        let hardware = &self.hardware;
        let initrd = scratch.join("initrd");
        join_files(&self.initrds, &initrd)?;
        let mut words: Vec<String> = Vec::new();
        let mut add = |option: &str, value: String| words.extend([option.to_string(), value]);
        add("-machine", "q35,vmport=off".into());
        add("-accel", accelerator().into());
        add("-cpu", hardware.cpu.clone());
        // As many machines as cores run side by side: a second processor that
        // waits for a core makes the first spin on its locks.
        add("-smp", "1".into());
        add("-m", format!("{}M", self.memory_mib));
        add("-display", "none".into());
        add("-uuid", hardware.uuid.clone());
        add(
            "-smbios",
            format!(
                "type=1,manufacturer=Clinic,serial={}",
                hardware.system_serial
            ),
        );
        add(
            "-smbios",
            format!(
                "type=2,manufacturer=Clinic,serial={}",
                hardware.board_serial
            ),
        );
        add("-kernel", self.kernel.display().to_string());
        add("-initrd", initrd.display().to_string());
        add("-append", self.command_line.clone());
        for name in ["console", "shell"] {
            let socket = scratch.join(name);
            add(
                "-chardev",
                format!("socket,id={name},path={}", socket.display()),
            );
            add("-serial", format!("chardev:{name}"));
        }
        add("-qmp", format!("unix:{}", scratch.join("qmp").display()));
        for (i, disk) in self.disks.iter().enumerate() {
            let name = format!("disk{i}");
            add("-blockdev", disk.blockdev(&name).to_string());
            let serial = &disk.serial;
            add(
                "-device",
                format!("virtio-blk-pci,drive={name},serial={serial}"),
            );
        }
        add("-device", "qemu-xhci,id=xhci".into());
        add("-device", "usb-ehci,id=ehci".into());
        add(
            "-netdev",
            "tap,id=cable,ifname=tap,script=no,downscript=no".into(),
        );
        let nic = hardware.nic_model.qemu();
        add(
            "-device",
            format!(
                "{nic},id=nic,netdev=cable,mac={},romfile=",
                hardware.nic_mac
            ),
        );
        if self.screen {
            add("-device", "VGA,romfile=".into());
        }
        if self.usb_keyboard {
            add("-device", "usb-kbd,bus=xhci.0".into());
        }
        words.extend(["-S", "-nodefaults", "-no-user-config"].map(String::from));
        Ok(words)
    }
}

impl Disk {
    /// As QEMU wants it said. A power cut is the end of QEMU, which what it
    /// wrote outlives: waiting for this machine's own disk would show nothing.
    fn blockdev(&self, name: &str) -> serde_json::Value {
        let file = |path: &Path| json!({"driver": "file", "filename": path});
        let image = file(&self.image);
        match &self.record {
            None => json!({"driver": "raw", "node-name": name, "file": image,
                           "cache": {"no-flush": true}}),
            Some(record) => json!({"driver": "blklogwrites", "node-name": name, "file": image,
                                   "log": file(record)}),
        }
    }
}

impl Machine {
    /// The first serial port: the kernel's console, and the prompt.
    pub fn console(&mut self) -> &mut Console {
        &mut self.console
    }

    /// Runs a command in the guest's root shell on the second serial port.
    pub fn shell(&mut self, command: &str) -> Result<Output> {
        self.shell_within(command, seconds(120))
    }

    /// The same for what takes longer than two minutes.
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
        self.sticks += 1;
        let id = format!("stick{}", self.sticks);
        let file = stick.image().display().to_string();
        self.qmp.execute(
            "blockdev-add",
            json!({"node-name": id, "driver": "raw", "file": {"driver": "file", "filename": file}}),
        )?;
        let bus = match controller {
            UsbController::Xhci => "xhci.0",
            UsbController::Ehci => "ehci.0",
        };
        match model {
            UsbModel::Storage => self.qmp.execute(
                "device_add",
                json!({"driver": "usb-storage", "id": id, "bus": bus, "drive": id,
                       "removable": true, "serial": id}),
            )?,
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
                )?
            }
        };
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

    /// The reset button.
    pub fn reset(&mut self) -> Result {
        self.qmp.execute("system_reset", json!({}))?;
        Ok(())
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
