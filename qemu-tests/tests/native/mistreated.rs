//! Every command, killed at any moment, started twice, read by nobody, without
//! rights and without room: it aborts nowhere, leaves nothing mounted, protected,
//! up, running or echoless, and stands in nobody's way.

use qemu_tests::{Background, Container, Filesystem, Result, Scratch, Stick, Suite, minutes};

use crate::plugged::Plugged;
use crate::readme::{CABLE, plug};

const SCRIPT: &str = include_str!("mistreated.sh");

/// Nothing on it is free any more.
const FILL: &str = "for size in 1G 100M 10M 1M 64K 4K; do \
     while fallocate -l $size /fill.$size.$((n=n+1)) 2>/dev/null; do :; done; done; \
     rm -f /fill.*.$n; ! dd if=/dev/zero of=/fill bs=4k count=1 status=none 2>/dev/null";

/// A server whose vault is a file on a volume that is not mounted; with a stick in
/// and a network card that is switched off.
struct Mistreated {
    // Dropped in this order.
    _stick: Background,
    server: Container,
    vault: Plugged,
    _disk: Stick,
    _scratch: Scratch,
}

impl Mistreated {
    fn new() -> Result<Self> {
        let server = Container::without_vault(Suite::Bookworm)?;
        let disk = Stick::partitioned(Filesystem::Ext4)?;
        let vault = Plugged::with_partition(&server, disk.image())?;
        let scratch = Scratch::new()?;
        server
            // Else that gives the card an address as soon as it is up.
            .shell(&format!(
                "systemctl stop systemd-networkd.socket systemd-networkd; {CABLE}; \
                 ip link set eth0 down"
            ))?
            .success()?;
        let stick = plug(&server, &scratch)?;
        server
            .shell(&format!(
                "mount {}p1 /mnt && stayput init --name clinic --vault /mnt/stayput.vault --yes && \
                 umount /mnt && \
                 echo 4711 | stayput stick make /dev/sdb1 --label office --pin-stdin",
                vault.device()
            ))?
            .success()?;
        std::fs::write(server.root()?.join("root/mistreated.sh"), SCRIPT)?;
        Ok(Self {
            _stick: stick,
            server,
            vault,
            _disk: disk,
            _scratch: scratch,
        })
    }

    /// Nothing was wrong; `before` is done first.
    fn bears(&self, how: &str, before: &str) -> Result {
        let volume = format!("{}p1", self.vault.device());
        let script = format!("{before} bash /root/mistreated.sh '{how}' {volume}");
        let said = self.server.shell_within(&script, minutes(12))?.success()?;
        assert_eq!(said, "", "{how}");
        Ok(())
    }
}

#[test]
fn a_command_that_is_killed_leaves_nothing_behind() -> Result {
    let server = Mistreated::new()?;
    server.bears("alone", "")?;
    server.bears("killed", "")
}

#[test]
fn no_command_aborts_whoever_starts_it_and_wherever_it_prints() -> Result {
    let server = Mistreated::new()?;
    server.bears("unread", "")?;
    server.bears("twice", "")?;
    let read_only = "mount --make-rprivate / && mount -o remount,bind,ro / && exec ";
    server.bears(
        "on a read-only root",
        &format!("unshare --mount sh -c '{read_only} \"$@\"' sh"),
    )?;
    server.bears("on a full disk", &format!("{FILL} &&"))?;
    server.bears("ordinary", "")
}
