//! A QEMU that is put together from parts, and switched on.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Machine;
use crate::console::Console;
use crate::process::{accept, join_files, spawn, wait_for_turn};
use crate::qmp::Qmp;
use crate::shell::Shell;
use crate::{Architecture, Hardware, Place, Result, Scratch};

/// What a machine will be when it is switched on.
pub struct MachineBuilder {
    hardware: Hardware,
    kernel: PathBuf,
    initrds: Vec<PathBuf>,
    command_line: String,
    disks: Vec<Disk>,
    processors: u32,
    memory_mib: u32,
    screen: bool,
    text_screen: bool,
    usb_keyboard: bool,
    cable_out: bool,
    mostly_waits: bool,
}

/// errno-base.h: what a disk answers that has lost a sector.
const EIO: i32 = 5;

struct Disk {
    image: PathBuf,
    serial: String,
    /// Where every write and flush is recorded.
    record: Option<PathBuf>,
    /// A sector that it neither reads nor writes any more.
    lost_sector: Option<u64>,
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
            command_line: "norandmaps".into(),
            disks: Vec::new(),
            processors: 1,
            memory_mib: 512,
            screen: false,
            text_screen: false,
            usb_keyboard: false,
            cable_out: false,
            mostly_waits: false,
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
            lost_sector: None,
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

    /// The disk that was added last begins to fail: it answers with an error
    /// where this sector (of 512 bytes) is read or written.
    pub fn lose_sector(mut self, sector: u64) -> Self {
        if let Some(disk) = self.disks.last_mut() {
            disk.lost_sector = Some(sector);
        }
        self
    }

    /// One where nothing is said: as many machines as cores run side by side, and a
    /// second processor that waits for a core makes the first spin on its locks.
    pub fn processors(mut self, processors: u32) -> Self {
        self.processors = processors;
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

    /// Adds a screen with 80 columns and 25 lines, as a firmware leaves it. The kernel has
    /// to be the packed one: only that asks for it.
    pub fn text_screen(mut self) -> Self {
        self.text_screen = true;
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

    /// Most of its time is waiting, which needs no core: it takes no turn.
    pub fn mostly_waits(mut self) -> Self {
        self.mostly_waits = true;
        self
    }

    /// Switches it on.
    pub fn start(self, place: &Place) -> Result<Machine> {
        let turn = if self.mostly_waits {
            None
        } else {
            Some(wait_for_turn()?)
        };
        let scratch = Scratch::new()?;
        let listen = |name: &str| UnixListener::bind(scratch.join(name));
        let (qmp, console, shell) = (listen("qmp")?, listen("console")?, listen("shell")?);
        let words = self.words(&scratch, place)?;
        let log = scratch.join("qemu.log");
        let qemu = self.hardware.architecture.qemu();
        let mut child = spawn(qemu, Some(place), &words, &log)?;
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

    fn words(&self, scratch: &Scratch, place: &Place) -> Result<Vec<String>> {
        let hardware = &self.hardware;
        let initrd = scratch.join("initrd");
        join_files(&self.initrds, &initrd)?;
        let mut words: Vec<String> = Vec::new();
        let mut add = |option: &str, value: String| words.extend([option.to_string(), value]);
        let architecture = hardware.architecture;
        add("-machine", architecture.board().into());
        add("-accel", architecture.accelerator().into());
        add("-cpu", hardware.cpu.clone());
        add("-smp", self.processors.to_string());
        add("-m", format!("{}M", self.memory_mib));
        add("-display", "none".into());
        if architecture == Architecture::Amd64 {
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
        }
        add("-kernel", self.kernel.display().to_string());
        add("-initrd", initrd.display().to_string());
        add("-append", self.command_line.clone());
        for name in ["console", "shell"] {
            let socket = scratch.join(name);
            add(
                "-chardev",
                format!("socket,id={name},path={}", socket.display()),
            );
        }
        add("-serial", "chardev:console".into());
        match architecture {
            Architecture::Amd64 => add("-serial", "chardev:shell".into()),
            // The board has one port, and that is no ttyS: with two cards the shell is on
            // ttyS1, as everywhere.
            Architecture::Arm64 => {
                add("-chardev", "null,id=nobody".into());
                add("-device", "pci-serial,chardev=nobody".into());
                add("-device", "pci-serial,chardev=shell".into());
            }
        }
        add("-qmp", format!("unix:{}", scratch.join("qmp").display()));
        for (i, disk) in self.disks.iter().enumerate() {
            let name = format!("disk{i}");
            add("-blockdev", disk.blockdev(&name).to_string());
            let serial = &disk.serial;
            add(
                "-device",
                format!("virtio-blk-pci,id=drive{i},drive={name},serial={serial}"),
            );
        }
        add("-device", "qemu-xhci,id=xhci".into());
        add("-device", "usb-ehci,id=ehci".into());
        // The first in the machine is the first that its kernel finds.
        if let Some(mac) = &hardware.other_nic_mac {
            add("-netdev", format!("{},id=other-cable", place.other_cable()));
            add("-device", hardware.nic("other-nic", "other-cable", mac));
        }
        add("-netdev", format!("{},id=cable", place.cable()?));
        add("-device", hardware.nic("nic", "cable", &hardware.nic_mac));
        if self.screen {
            add("-device", "VGA,romfile=".into());
        }
        if self.text_screen {
            add("-device", "VGA".into());
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
        let mut image = file(&self.image);
        if let Some(sector) = self.lost_sector {
            let error =
                |of: &str| json!({"event": "none", "iotype": of, "errno": EIO, "sector": sector});
            image = json!({"driver": "blkdebug", "image": image,
                           "inject-error": [error("read"), error("write")]});
        }
        match &self.record {
            None => json!({"driver": "raw", "node-name": name, "file": image,
                           "cache": {"no-flush": true}}),
            Some(record) => json!({"driver": "blklogwrites", "node-name": name, "file": image,
                                   "log": file(record)}),
        }
    }
}
