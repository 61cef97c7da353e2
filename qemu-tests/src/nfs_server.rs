//! A server that has the root filesystem of another one: Debian's NFS server, in a
//! machine of its own beside that one's.

use std::path::Path;

use crate::debian::ROOT_OFFSET;
use crate::prepared::fetched_packages;
use crate::{DebianMachine, Place, Result, Scratch, Stick, System, minutes, run};

/// Where it is on its own disk, and what may be done with it. A test that cuts its power
/// loses what nobody has waited for.
const EXPORT: &str = "/srv *(rw,async,no_root_squash,no_subtree_check)";

/// Debian 12 with nfs-kernel-server, switched off.
pub struct NfsServer {
    machine: DebianMachine,
    _served: Scratch,
}

impl NfsServer {
    /// What `nfsroot=` on the kernel's command line says to mount it.
    pub const ROOT: &str = "192.168.77.20:/srv";

    /// Has a copy of the root filesystem on this disk, whose machine is off.
    ///
    /// # Errors
    /// It cannot be copied, or the packages be fetched or installed.
    pub fn with_root_of(disk: &Path) -> Result<Self> {
        let served = Scratch::new()?;
        // Without the partition table: the names of its partitions are this server's too.
        let image = served.join("served.img");
        let copy = format!(
            "if={} of={} skip={ROOT_OFFSET} iflag=skip_bytes bs=1M conv=sparse",
            disk.display(),
            image.display()
        );
        run("dd", &copy.split(' ').collect::<Vec<_>>())?;
        let mut machine = DebianMachine::fresh(System::USUAL)?;
        machine.hardware.nic_mac = "00:1b:21:3a:4f:20".into();
        machine.more_disks.push(image);
        // It works while its client waits for it.
        machine.mostly_waits = true;
        let mut server = Self {
            machine,
            _served: served,
        };
        server.set_up()?;
        Ok(server)
    }

    fn set_up(&mut self) -> Result {
        let folder = fetched_packages("nfs")?.display().to_string();
        let scratch = Scratch::new()?;
        let archive = scratch.join("archives.tar");
        let file = archive.display().to_string();
        run("tar", &["-c", "-f", &file, "-C", &folder, "archives"])?;
        let stick = Stick::of_image(&archive)?;
        let place = Place::empty()?;
        let machine = &mut self.machine;
        machine.boot_at(&place)?;
        machine.plug(&stick)?;
        machine.wait_for_device("/dev/sda")?;
        let set_up = format!(
            "systemctl disable --now mariadb && \
             sed -i 's/77.10/77.20/' /etc/systemd/network/10-clinic.network && \
             echo '/dev/vdb /srv ext4 defaults 0 0' >>/etc/fstab && mount /srv && \
             echo '{EXPORT}' >/etc/exports && tar -x -f /dev/sda -C /root"
        );
        machine.shell_within(&set_up, minutes(4))?.success()?;
        let install = "DEBIAN_FRONTEND=noninteractive apt-get --yes -o APT::Sandbox::User=root \
             install --no-install-recommends /root/archives/*.deb </dev/null";
        machine.shell_within(install, minutes(15))?.success()?;
        machine.shut_down()
    }

    /// Switches it on, and waits until whoever is in this place can mount it.
    ///
    /// # Errors
    /// It does not start.
    pub fn boot_at(&mut self, place: &Place) -> Result {
        self.machine.boot_at(place)?;
        let serves = "systemctl start nfs-server && \
            until rpcinfo -t 127.0.0.1 mountd 3; do sleep 0.5; done";
        self.machine.shell(serves)?.success()?;
        Ok(())
    }

    /// Whether anybody has mounted it since it was switched on, or tried to.
    ///
    /// # Errors
    /// It does not say.
    pub fn was_asked(&mut self) -> Result<bool> {
        let mounts = "journalctl --boot --unit nfs-mountd | grep 'mount request'";
        Ok(self.machine.shell(mounts)?.ok())
    }

    /// Switches it off as an owner would, so that it loses nothing.
    ///
    /// # Errors
    /// It does not end.
    pub fn shut_down(&mut self) -> Result {
        self.machine.shut_down()
    }
}
