//! A server without a machine: Debian's systemd and MariaDB in namespaces of
//! their own, on a real ext4 of its own. What needs no hardware is tried here
//! in seconds; under emulation it takes minutes.

mod cgroup;
mod disk;
mod losing;
mod namespace;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::database;
use crate::{Output, Result, Scratch, Suite, fetched_packages, minutes, seconds, shipped_binary};
use disk::Disk;
pub use namespace::Background;
use namespace::Namespace;

/// A server in a container. It has no network, and the boot stage runs in
/// front of systemd without an initramfs around it. It has no swap, and the
/// kernel is the host's.
///
/// Nothing of it is left when it is dropped, nor when the test is killed.
pub struct Container {
    // In this order: processes, disk, directory.
    running: Option<Namespace>,
    disk: Disk,
    _scratch: Scratch,
}

impl Container {
    /// A running Debian with MariaDB, stayput installed, and an empty vault
    /// that opens in this container. All of it is on the disk.
    pub fn fresh(suite: Suite) -> Result<Self> {
        let server = Self::without_vault(suite)?;
        server
            .shell("stayput init --name clinic --vault /dev/loop*p2 --yes")?
            .success()?;
        server.shell("sync")?.success()?;
        Ok(server)
    }

    /// The same without a vault: only the program is there, and a partition
    /// that waits for one.
    pub fn without_vault(suite: Suite) -> Result<Self> {
        let base = suite.of_containers().image()?;
        let scratch = Scratch::new()?;
        let mut server = Self {
            running: None,
            disk: Disk::copy_of(&base.join("disk.img"), &scratch.join("disk.img"))?,
            _scratch: scratch,
        };
        server.boot()?;
        server.install("stayput", "usr/sbin")?;
        server.install("stayput-boot", "usr/lib/stayput")?;
        Ok(server)
    }

    fn install(&self, name: &str, folder: &str) -> Result {
        let folder = self.root()?.join(folder);
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(shipped_binary(name)?, folder.join(name))?;
        Ok(())
    }

    /// Starts it again on the same disk, and waits until each unit has
    /// started or failed. Where there is a vault, it opens in front of systemd.
    pub fn boot(&mut self) -> Result {
        self.start(true)
    }

    /// The same, and the vault stays closed.
    pub fn boot_locked(&mut self) -> Result {
        self.start(false)
    }

    fn start(&mut self, opens: bool) -> Result {
        self.power_cut();
        let device = self.disk.attach()?;
        self.running = Some(Namespace::start(&device, opens)?);
        Ok(())
    }

    fn running(&self) -> Result<&Namespace> {
        self.running
            .as_ref()
            .ok_or_else(|| crate::Failure::new("the container is off"))
    }

    /// Its root directory as the host sees it, while it runs.
    pub fn root(&self) -> Result<PathBuf> {
        Ok(self.running()?.root())
    }

    /// The image of its disk. Read it only while the container is off.
    pub fn disk(&self) -> &Path {
        self.disk.image()
    }

    /// Runs a command as root, for two minutes at most.
    pub fn shell(&self, command: &str) -> Result<Output> {
        self.shell_within(command, minutes(2))
    }

    /// The same for what may take longer.
    pub fn shell_within(&self, command: &str, limit: Duration) -> Result<Output> {
        self.running()?.run(command, limit)
    }

    /// Starts a command as root and comes back. It is killed when what this
    /// gives is dropped, but not what it has started itself.
    pub fn spawn(&self, command: &str) -> Result<Background> {
        self.running()?.spawn(command)
    }

    /// Waits until MariaDB answers; fails as soon as its unit has failed.
    pub fn wait_for_database(&self) -> Result {
        self.shell(database::WAIT)?.success()?;
        Ok(())
    }

    /// The programs that `stayput backup` needs beside MariaDB.
    ///
    /// # Errors
    /// When they cannot be fetched.
    pub fn install_backup_programs(&self) -> Result {
        let root = self.root()?.join("root");
        for entry in std::fs::read_dir(fetched_packages("backup")?.join("archives"))? {
            let path = entry?.path();
            let name = path
                .file_name()
                .filter(|_| path.extension() == Some("deb".as_ref()));
            if let Some(name) = name {
                std::fs::copy(&path, root.join(name))?;
            }
        }
        self.shell("dpkg -i /root/*.deb && rm /root/*.deb")?
            .success()?;
        Ok(())
    }

    /// Runs SQL statements as root; gives their rows, one a line, columns
    /// between tabs.
    pub fn sql(&self, statements: &str) -> Result<String> {
        self.shell(&database::command(statements))?.success()
    }

    /// Everything in it ends in the middle of whatever it did. What it wrote
    /// stays, flushed or not: this shows a crash of the system.
    pub fn power_cut(&mut self) {
        self.running = None;
        // A disk that is still in use is noticed when it is attached again.
        let _ = self.disk.wait_detached();
    }

    /// The same, and the disk has lost all that it was not told to keep: what
    /// was written without fsync, and what the journal had not committed.
    pub fn power_cut_losing_unflushed(&mut self) -> Result {
        let stopped = losing::stop_writing(&self.root()?);
        self.power_cut();
        stopped
    }

    /// Switches it off as an owner would, and waits for that.
    pub fn shut_down(&mut self) -> Result {
        self.shell("systemctl poweroff --no-block")?.success()?;
        self.is_switched_off_within(seconds(120))
    }

    /// Waits until it was switched off from within.
    pub fn is_switched_off_within(&mut self, limit: Duration) -> Result {
        if let Some(running) = &mut self.running {
            running.wait(limit)?;
        }
        self.power_cut();
        Ok(())
    }
}
