//! A server that has only an initramfs: up in seconds, for all that happens
//! before the real system starts.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use crate::cpio::{Entry, archive};
use crate::debian::read_from_root;
use crate::failure::run;
use crate::prepared::{project, shipped_binary_of};
use crate::server::Server;
use crate::{
    Architecture, Failure, Filesystem, Hardware, MachineBuilder, Place, Result, Scratch, Stick,
    images_script, minutes, prepared,
};

/// Where the guest keeps what its initramfs would hold after an install.
pub const VAULT_CONF: &str = "/etc/stayput/vault.conf";

/// The boot stage on the smallest machine that can run it. A shell
/// (`Server::shell`) is there from the start, beside the stage.
pub struct FastMachine {
    server: Server,
    base: PathBuf,
    files: Vec<Entry>,
    /// More words for the kernel command line.
    pub kernel_words: String,
    /// With a screen and a keyboard, which the kernel does not use as a console.
    pub screen: bool,
    /// With a screen of 80 columns and 25 lines, as most servers have it.
    pub text_screen: bool,
    /// Switched on without its network cable.
    pub cable_out: bool,
    /// Most of the scenario's time is waiting: others need not wait for it.
    pub mostly_waits: bool,
    /// What the disk has lost: see `MachineBuilder::lose_sector`.
    pub lost_sector: Option<u64>,
    /// Every write to the disk is recorded, for `WriteLog::read`.
    pub record_writes_to: Option<PathBuf>,
}

impl FastMachine {
    /// A disk with one partition, the usual gap in front of it, no vault.
    pub fn blank() -> Result<Self> {
        Self::blank_of(Architecture::Amd64)
    }

    fn blank_of(architecture: Architecture) -> Result<Self> {
        let scratch = Scratch::new()?;
        let image = scratch.join("blank.img");
        std::fs::File::create(&image)?.set_len(64 * 1024 * 1024)?;
        run(
            "sgdisk",
            &["--clear", "--new=1:2048:0", &image.display().to_string()],
        )?;
        Self::with(architecture, &image)
    }

    /// A disk with one partition that holds a filesystem, as an ESP or a
    /// separate /boot does; no vault.
    pub fn with_boot_partition(filesystem: Filesystem) -> Result<Self> {
        let stick = Stick::partitioned(filesystem)?;
        Self::with(Architecture::Amd64, stick.image())
    }

    /// The clinic's server: its vault made, enrolled at `Place::home`.
    pub fn clinic() -> Result<Self> {
        Self::clinic_of(Architecture::Amd64)
    }

    /// The same with another processor.
    pub fn clinic_of(architecture: Architecture) -> Result<Self> {
        // Made before any machine of the scenario is on: making them takes a
        // turn too, and who waits for one while holding one waits for ever.
        sticks_kept(architecture)?;
        Self::clinic_without_sticks(architecture)
    }

    fn clinic_without_sticks(architecture: Architecture) -> Result<Self> {
        let kept = clinic_kept(architecture)?;
        let mut machine = Self::with(architecture, &kept.join("disk.img"))?;
        machine.put(VAULT_CONF, 0o644, std::fs::read(kept.join("vault.conf"))?);
        Ok(machine)
    }

    /// A stick of the server `clinic`: vfat in a partition, label "Halima",
    /// no PIN. Each call gives a copy of its own.
    pub fn clinics_stick() -> Result<Stick> {
        Self::clinics_stick_of(Architecture::Amd64)
    }

    /// The same of the server with another processor.
    pub fn clinics_stick_of(architecture: Architecture) -> Result<Stick> {
        Stick::from_kept(&sticks_kept(architecture)?.join("halima.img"))
    }

    /// Another, with the label "Otieno" and the PIN 4711-0815.
    pub fn clinics_stick_with_pin() -> Result<Stick> {
        Stick::from_kept(&sticks_kept(Architecture::Amd64)?.join("otieno.img"))
    }

    fn with(architecture: Architecture, image: &Path) -> Result<Self> {
        let base = PathBuf::from(images_script(image_script(architecture))?);
        let mut machine = Self {
            server: Server::with_copy_of(image, Hardware::clinic_of(architecture))?,
            base,
            files: Vec::new(),
            kernel_words: String::new(),
            screen: false,
            text_screen: false,
            cable_out: false,
            mostly_waits: false,
            lost_sector: None,
            record_writes_to: None,
        };
        let script = |name: &str| std::fs::read(project().join("images").join(name));
        machine.put("/init", 0o755, script("fast-init")?);
        machine.put("/sbin/guest-shell", 0o755, script("guest-shell")?);
        let binary =
            |name| Ok::<_, Failure>(std::fs::read(shipped_binary_of(architecture, name)?)?);
        machine.put("/usr/sbin/stayput", 0o755, binary("stayput")?);
        machine.put(
            "/usr/lib/stayput/stayput-boot",
            0o755,
            binary("stayput-boot")?,
        );
        let hooks = project().join("initramfs-hooks");
        let script = std::fs::read(hooks.join("scripts/init-premount/stayput"))?;
        machine.put("/scripts/init-premount/stayput", 0o755, script);
        let run_stage = std::fs::read(hooks.join("run-stage"))?;
        machine.put("/usr/lib/stayput/run-stage", 0o644, run_stage);
        Ok(machine)
    }

    /// Puts a file into the initramfs of the next starts.
    pub fn put(&mut self, path: &str, mode: u32, content: Vec<u8>) {
        self.files.push(Entry {
            path: path.into(),
            mode,
            content,
        });
    }

    /// Switches it on; the boot stage runs, as at every boot.
    pub fn boot_at(&mut self, place: &Place) -> Result {
        self.start(place, "")
    }

    /// Switches it on with nothing but a shell, to set it up.
    pub fn boot_to_shell_at(&mut self, place: &Place) -> Result {
        self.start(place, "fast.run=shell")
    }

    /// The same with its network card up, as a running system has it.
    pub fn boot_to_networked_shell_at(&mut self, place: &Place) -> Result {
        self.boot_to_shell_at(place)?;
        self.put_card_up()
    }

    /// Puts the network card up, as a running system does behind the boot stage.
    pub fn put_card_up(&mut self) -> Result {
        self.shell("ip link set eth0 up")?.success()?;
        Ok(())
    }

    /// Waits until the boot stage has ended, which only a release does.
    pub fn wait_for_release(&mut self) -> Result {
        let limit = self.patient(minutes(2));
        self.console()
            .wait_for("fast-init: the boot stage has ended", limit)?;
        Ok(())
    }

    /// Waits for the prompt.
    pub fn wait_for_prompt(&mut self) -> Result {
        let limit = self.patient(minutes(2));
        self.console().wait_for("stayput> ", limit)?;
        Ok(())
    }

    /// Takes over into the next starts what was set up in the running guest,
    /// as an install would put it into the initramfs.
    pub fn keep_vault_conf(&mut self) -> Result {
        let text = self.shell(&format!("cat {VAULT_CONF}"))?.success()?;
        self.put(VAULT_CONF, 0o644, text.into_bytes());
        Ok(())
    }

    /// What its initramfs says of its vault: empty before there is one.
    pub fn vault_conf(&self) -> &[u8] {
        let mut files = self.files.iter().rev();
        let file = files.find(|file| file.path == VAULT_CONF);
        file.map_or(&[], |file| &file.content)
    }

    fn start(&mut self, place: &Place, words: &str) -> Result {
        self.power_cut();
        let scratch = Scratch::new()?;
        let overlay = scratch.join("overlay.cpio");
        std::fs::write(&overlay, archive(&self.files))?;
        let words = format!(
            "console={} quiet {words} {}",
            self.hardware.architecture.console(),
            self.kernel_words
        );
        let mut kernel = self.base.join("vmlinux");
        if self.text_screen {
            let version = std::fs::read_to_string(self.base.join("version"))?;
            kernel = scratch.join("vmlinuz");
            let packed = format!("/boot/vmlinuz-{}", version.trim());
            read_from_root(&self.base.join("disk.img"), &packed, &kernel)?;
        }
        let mut builder = MachineBuilder::new(self.server.hardware.clone(), &kernel)
            .initrd(&self.base.join("fast.cpio"))
            .initrd(&overlay)
            .kernel_words(&words)
            .disk(self.server.disk())
            .memory_mib(384);
        if self.screen {
            builder = builder.screen();
        }
        if self.text_screen {
            builder = builder.text_screen();
        }
        if self.cable_out {
            builder = builder.cable_out();
        }
        if self.mostly_waits {
            builder = builder.mostly_waits();
        }
        if let Some(sector) = self.lost_sector {
            builder = builder.lose_sector(sector);
        }
        if let Some(record) = &self.record_writes_to {
            std::fs::File::create(record)?;
            builder = builder.record_writes(record);
        }
        let machine = builder.start(place)?;
        let limit = self.patient(minutes(2));
        self.server.switched_on(machine).wait_for_initramfs(limit)
    }
}

impl Deref for FastMachine {
    type Target = Server;
    fn deref(&self) -> &Server {
        &self.server
    }
}

impl DerefMut for FastMachine {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}

/// The sources that decide what a new vault and a new stick hold.
const FORMATS: [&str; 10] = [
    "src/sys",
    "src/filesystem",
    "src/keys",
    "src/vault",
    "src/theft",
    "src/environment",
    "src/stick",
    "src/admin/commands/init",
    "src/admin/commands/enroll",
    "src/admin/commands/stick",
];

/// What decides about a server that is kept: the image, the formats, and how
/// it is set up. Not the whole command: most changes leave the disk as it is.
fn inputs(architecture: Architecture) -> Result<Vec<Vec<u8>>> {
    let mut inputs = vec![
        images_script(image_script(architecture))?.into_bytes(),
        include_bytes!("fast.rs").to_vec(),
    ];
    for folder in FORMATS {
        inputs.extend(contents_of(&project().join(folder))?);
    }
    Ok(inputs)
}

/// All files below a folder, by name.
fn contents_of(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.sort();
    let mut contents = Vec::new();
    for path in paths {
        if path.is_dir() {
            contents.extend(contents_of(&path)?);
        } else {
            contents.push(std::fs::read(path)?);
        }
    }
    Ok(contents)
}

/// The script of images/ that makes what the machine starts.
fn image_script(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "build-debian",
        Architecture::Arm64 => "build-arm64",
    }
}

/// No name may begin with another one: see `prepared`.
fn kept_name(architecture: Architecture, what: &str) -> String {
    match architecture {
        Architecture::Amd64 => format!("fast-{what}"),
        Architecture::Arm64 => format!("fast-arm64-{what}"),
    }
}

/// Sets the clinic's server up once for all tests, with the commands that an
/// owner types.
fn clinic_kept(architecture: Architecture) -> Result<PathBuf> {
    let name = kept_name(architecture, "clinic");
    prepared(&name, &inputs(architecture)?, |directory| {
        let home = Place::home()?;
        let mut machine = FastMachine::blank_of(architecture)?;
        machine.boot_to_shell_at(&home)?;
        machine
            .shell("stayput init --name clinic --disk /dev/vda --yes")?
            .success()?;
        // As in a real system, which it asks from at boot too.
        let enroll = "ip link set eth0 up && ip addr add 192.168.77.50/24 dev eth0 && \
                      stayput enroll --yes --neighbour 192.168.77.1 \
                      --neighbour 192.168.77.2 --neighbour 192.168.77.3 && sync";
        machine.shell_within(enroll, minutes(5))?.success()?;
        let conf = machine.shell(&format!("cat {VAULT_CONF}"))?.success()?;
        machine.power_cut();
        std::fs::write(directory.join("vault.conf"), conf)?;
        crate::server::copy_sparse(machine.disk(), &directory.join("disk.img"))
    })
}

/// Makes the clinic's sticks once for all tests.
fn sticks_kept(architecture: Architecture) -> Result<PathBuf> {
    let name = kept_name(architecture, "sticks");
    prepared(&name, &inputs(architecture)?, |directory| {
        let home = Place::home()?;
        let mut machine = FastMachine::clinic_without_sticks(architecture)?;
        machine.boot_to_networked_shell_at(&home)?;
        for (name, make) in [
            (
                "halima.img",
                "stayput stick make /dev/sda1 --label Halima --no-pin",
            ),
            (
                "otieno.img",
                "echo 4711-0815 | stayput stick make /dev/sda1 --label Otieno --pin-stdin",
            ),
        ] {
            let stick = Stick::partitioned(crate::Filesystem::Vfat)?;
            let id = machine.plug(&stick)?;
            machine.wait_for_device("/dev/sda1")?;
            // A PIN is made long with scrypt, which emulation takes its time for.
            machine.shell_within(make, minutes(10))?.success()?;
            machine.shell("sync")?;
            machine.unplug(&id)?;
            machine.shell("while [ -e /dev/sda ]; do sleep 0.1; done")?;
            crate::server::copy_sparse(stick.image(), &directory.join(name))?;
        }
        Ok(())
    })
}
