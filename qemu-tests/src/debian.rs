//! A server with Debian, systemd and MariaDB; on arm64 without MariaDB.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use crate::database;
use crate::failure::run;
use crate::server::{Server, copy_sparse};
use crate::system::{Generator, Layout};
use crate::{Hardware, Kernel, MachineBuilder, Place, Result, Scratch, System, minutes, seconds};

/// How the two kinds of initramfs ask for the passphrase of a disk.
pub const PASSPHRASE_QUESTIONS: [&str; 2] = ["Please unlock disk", "Please enter passphrase"];

/// Where the first partition begins on the disk, in bytes: the root, or /boot where the
/// root is on layers.
pub(crate) const ROOT_OFFSET: u64 = 1024 * 1024;

/// The other disk of a RAID, beside disk.img.
const MIRROR: &str = "mirror.img";

/// A full server. Its root shell (`Server::shell`) is there in the initramfs,
/// also while the boot stage holds the boot at its prompt (which is on
/// `Server::console`), and again in the real system. Between the two call
/// `Machine::wait_for_system`.
pub struct DebianMachine {
    server: Server,
    base: PathBuf,
    system: System,
    /// The other disk of a RAID; without it the machine has one of two.
    pub mirror: Option<PathBuf>,
    /// What it starts with. The initramfs of the same version is on its disk.
    pub kernel: Kernel,
    /// More disks: raw images, /dev/vdb and on.
    pub more_disks: Vec<PathBuf>,
    /// More words for the kernel command line.
    pub kernel_words: String,
    /// With a screen, which is a console too, and a USB keyboard.
    pub screen: bool,
    /// Most of the scenario's time is waiting: others need not wait for it.
    pub mostly_waits: bool,
}

impl DebianMachine {
    /// Debian as its installer leaves it: MariaDB runs, nothing of stayput.
    pub fn fresh(system: System) -> Result<Self> {
        let base = system.image()?;
        Self::with(system, base.clone(), &base)
    }

    /// With copies of the disks in this directory.
    pub(crate) fn with(system: System, base: PathBuf, disks: &Path) -> Result<Self> {
        let hardware = Hardware::clinic_of(system.architecture);
        let server = Server::with_copy_of(&disks.join("disk.img"), hardware)?;
        let mirror = match system.layout {
            Layout::Plain => None,
            Layout::Layered => {
                let mirror = server.disk().with_file_name(MIRROR);
                copy_sparse(&disks.join(MIRROR), &mirror)?;
                Some(mirror)
            }
        };
        Ok(Self {
            server,
            kernel: Kernel::of_image(&base)?,
            base,
            system,
            mirror,
            more_disks: Vec::new(),
            kernel_words: String::new(),
            screen: false,
            mostly_waits: false,
        })
    }

    /// Switches it on and waits for the real system's root shell. MariaDB may
    /// still be starting: see `wait_for_database`.
    pub fn boot_at(&mut self, place: &Place) -> Result {
        self.switch_on_at(place)?;
        self.wait_for_system()
    }

    /// Waits for the real system's root shell, and answers what the boot asks before.
    pub fn wait_for_system(&mut self) -> Result {
        if self.system.layout == Layout::Layered {
            self.type_passphrase()?;
        }
        let limit = self.patient(minutes(10));
        self.machine()?.wait_for_system(limit)
    }

    /// Waits until the boot stage has halted in its prompt.
    pub fn wait_for_prompt(&mut self) -> Result {
        let limit = self.patient(minutes(10));
        self.console().wait_for("stayput> ", limit)?;
        Ok(())
    }

    /// Waits until the passphrase of the disk is asked for, and types it; gives what the
    /// console said before.
    pub fn type_passphrase(&mut self) -> Result<String> {
        let passphrase = self.passphrase()?;
        let console = self.console();
        let (_, said) = console.wait_for_any(&PASSPHRASE_QUESTIONS, minutes(10))?;
        // Whoever asks empties the line first.
        std::thread::sleep(seconds(2));
        console.type_line(&passphrase)?;
        Ok(said)
    }

    /// The passphrase of its disk.
    pub fn passphrase(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.base.join("passphrase"))?)
    }

    /// The secret key of the owner whom dropbear lets in.
    pub fn ssh_key(&self) -> PathBuf {
        self.base.join("ssh-key")
    }

    /// Copies its disks, while it is off.
    pub(crate) fn keep_disks(&self, directory: &Path) -> Result {
        copy_sparse(self.disk(), &directory.join("disk.img"))?;
        self.mirror
            .iter()
            .try_for_each(|mirror| copy_sparse(mirror, &directory.join(MIRROR)))
    }

    /// Switches it on and comes back at once: for boots that end elsewhere,
    /// as in the prompt. The kernel and the initramfs are those on its disk.
    pub fn switch_on_at(&mut self, place: &Place) -> Result {
        self.power_cut();
        let scratch = Scratch::new()?;
        let initrd = scratch.join("initrd.img");
        let folder = match self.system.layout {
            Layout::Plain => "/boot",
            Layout::Layered => "",
        };
        let name = format!("{folder}/initrd.img-{}", self.kernel.version());
        read_from_root(self.disk(), &name, &initrd)?;
        let root = match self.system.layout {
            Layout::Plain => {
                let root = std::fs::read_to_string(self.base.join("root-partuuid"))?;
                format!("root=PARTUUID={} ro", root.trim())
            }
            Layout::Layered => {
                let network = match self.system.generator {
                    // Dropbear waits for it, and nobody here leases addresses.
                    Generator::InitramfsTools => "ip=192.168.77.10::192.168.77.1:255.255.255.0",
                    Generator::Dracut => "",
                };
                format!("root=/dev/mapper/root ro splash {network}")
            }
        };
        let console = self.system.architecture.console();
        let mut builder = MachineBuilder::new(self.server.hardware.clone(), &self.kernel.image)
            .initrd(&initrd)
            .kernel_words(if self.screen { "console=tty0" } else { "" })
            .kernel_words(&format!("console={console} quiet loglevel=4"))
            .kernel_words(&root)
            .kernel_words(&self.kernel_words)
            .disk(self.server.disk())
            .memory_mib(768);
        for disk in self.mirror.iter().chain(&self.more_disks) {
            builder = builder.disk(disk);
        }
        if self.screen {
            builder = builder.screen().usb_keyboard();
        }
        if self.mostly_waits {
            builder = builder.mostly_waits();
        }
        let machine = builder.start(place)?;
        self.server.switched_on(machine);
        Ok(())
    }

    /// Waits until its text screen shows this.
    pub fn wait_for_on_screen(&mut self, text: &str) -> Result {
        let seen = format!(
            "i=0; until grep -q '{text}' /dev/vcs1; do \
             [ $i != 100 ] || {{ cat /dev/vcs1; exit 1; }}; sleep 0.2; i=$((i+1)); done"
        );
        self.shell(&seen)?.success()?;
        Ok(())
    }

    /// Types `status` on its keyboard, while the prompt is on its screen, and waits for the
    /// answer there. The drivers of the keyboard have to be in the initramfs for that.
    pub fn asks_for_status_on_screen(&mut self) -> Result {
        for key in ["s", "t", "a", "t", "u", "s", "ret"] {
            self.machine()?.press(key)?;
        }
        self.wait_for_on_screen("Network card")
    }

    /// What systemd has still to do, as in `sysroot.mount waiting`.
    pub fn jobs(&mut self) -> Result<Vec<String>> {
        let list = "systemctl list-jobs --no-legend | \
                    while read -r id unit what state; do echo $unit $state; done";
        let listed = self.shell(list)?.success()?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    /// Waits until everything that starts by itself has started or failed. The
    /// shell is there earlier, when a driver may still be missing.
    pub fn wait_until_up(&mut self) -> Result {
        let wait = "systemctl is-system-running --wait >/dev/null; true";
        self.shell_within(wait, minutes(4))?.success()?;
        Ok(())
    }

    /// Waits until it does what it is there for.
    pub(crate) fn wait_until_it_serves(&mut self) -> Result {
        match self.system.has_database() {
            true => self.wait_for_database(),
            false => self.wait_until_up(),
        }
    }

    /// Waits until MariaDB answers; fails as soon as its unit has failed.
    pub fn wait_for_database(&mut self) -> Result {
        self.shell_within(database::WAIT, minutes(4))?.success()?;
        Ok(())
    }

    /// Runs one SQL statement as root; gives its rows, one a line, columns
    /// between tabs.
    pub fn sql(&mut self, statement: &str) -> Result<String> {
        self.shell(&database::command(statement))?.success()
    }

    /// The keys as MariaDB was given them.
    pub fn released_keys(&mut self) -> Result<Vec<Vec<u8>>> {
        let file = self.shell("cat /run/stayput/mariadb.keys")?.success()?;
        let keys: Vec<Vec<u8>> = file
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once(';'))
            .filter_map(|(_, hex)| bytes_of(hex.trim()))
            .collect();
        if keys.is_empty() {
            return Err(crate::Failure::new("the key file holds no key"));
        }
        Ok(keys)
    }

    /// Switches it off as an owner would, and waits for that.
    pub fn shut_down(&mut self) -> Result {
        self.machine()?
            .shell_without_answer("systemctl poweroff --no-block")?;
        self.wait_off(minutes(5))
    }

    /// Copies a file from the root filesystem of a machine that is off.
    pub fn read_file(&self, path: &str) -> Result<Vec<u8>> {
        let scratch = Scratch::new()?;
        let target = scratch.join("file");
        read_from_root(self.disk(), path, &target)?;
        Ok(std::fs::read(target)?)
    }
}

impl Deref for DebianMachine {
    type Target = Server;
    fn deref(&self) -> &Server {
        &self.server
    }
}

impl DerefMut for DebianMachine {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

/// debugfs sees the filesystem as the disk has it: what only stands in the
/// journal yet is not seen, so the guest should have synced or stopped.
pub(crate) fn read_from_root(disk: &Path, path: &str, target: &Path) -> Result {
    let image = format!("{}?offset={ROOT_OFFSET}", disk.display());
    // -c does not read the bitmaps: a disk that crashed can still be read.
    let request = format!("dump {path} {}", target.display());
    run("debugfs", &["-c", "-R", &request, &image])?;
    let length = std::fs::metadata(target).map_or(0, |file| file.len());
    if length == 0 {
        return Err(crate::Failure::new(format!(
            "{path} is not on the disk, or is empty"
        )));
    }
    Ok(())
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
        .collect()
}
