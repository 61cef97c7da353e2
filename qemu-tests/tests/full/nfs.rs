//! A server whose root filesystem lies on another one in its network (NFS), as
//! initramfs-tools mounts it. Its own disk holds the vault.

use qemu_tests::{
    DebianMachine, Failure, Neighbour, NfsServer, Place, Result, System, minutes, seconds,
};

/// What the place's DHCP server leases to it.
const ADDRESS: &str = "192.168.77.60";

/// Runs in the initramfs between the boot stage and the mounting of the root filesystem:
/// writes down what the network has to be set up without.
const LOOK: &str = r#"#!/bin/sh
PREREQ=stayput
case "$1" in prereqs) echo "$PREREQ"; exit 0 ;; esac
{
    for card in /sys/class/net/e*; do
        read -r flags <"$card/flags"
        [ $((flags & 1)) = 0 ] || echo "$card is up"
    done
    ip -4 -o address show
    ls /run/net*.conf 2>/dev/null
} >/run/behind-the-stage 2>&1
"#;

#[test]
#[ignore = "takes minutes: qemu-tests/matrix runs it"]
fn root_on_nfs_comes_up_at_home_and_stays_locked_elsewhere() -> Result {
    let mut server = made_for_nfs()?;
    let stick = DebianMachine::installed_stick(System::USUAL)?;
    let mut nfs = NfsServer::with_root_of(server.disk())?;
    let home = Place::home()?;
    put_into(&home, &server, &mut nfs)?;
    server.boot_at(&home)?;
    runs_from_nfs(&mut server)?;
    assert!(nfs.was_asked()?, "who has mounted it is not to be seen");
    server.power_cut();
    nfs.shut_down()?;
    drop(home);

    // The same network plan, and its root is there too.
    let elsewhere = Place::elsewhere()?;
    put_into(&elsewhere, &server, &mut nfs)?;
    server.switch_on_at(&elsewhere)?;
    server.wait_for_prompt()?;
    has_its_lease_beside_the_prompt(&mut server)?;
    std::thread::sleep(seconds(20));
    let is_locked = "! grep nfs /proc/mounts && [ -z \"$(ls -A /run/stayput 2>/dev/null)\" ]";
    server.shell(is_locked)?.success()?;
    assert!(!nfs.was_asked()?, "the root filesystem was mounted");

    server.plug(&stick)?;
    server.wait_for_system()?;
    runs_from_nfs(&mut server)
}

/// The clinic's server, off: its initramfs can mount NFS, and its system leaves the
/// network to the initramfs and mounts no disk.
fn made_for_nfs() -> Result<DebianMachine> {
    let home = Place::home()?;
    let mut server = DebianMachine::installed(System::USUAL, &mut |_| ())?;
    server.boot_at(&home)?;
    server.wait_for_database()?;
    let look = "/etc/initramfs-tools/scripts/init-premount/zz-look";
    let set_up = format!(
        "printf '%s\\n' nfs nfsv3 >>/etc/initramfs-tools/modules && \
         cat >{look} <<'END' && chmod 755 {look} && \
         printf '[Match]\\nType=ether\\n\\n[Link]\\nUnmanaged=yes\\n' \
         >/etc/systemd/network/10-clinic.network && : >/etc/fstab\n{LOOK}END\n"
    );
    server.shell(&set_up)?.success()?;
    server
        .shell_within("stayput install", minutes(15))?
        .success()?;
    server.shut_down()?;
    // The last word counts where one comes twice.
    server.kernel_words = format!(
        "boot=nfs root=/dev/nfs nfsroot={} ip=dhcp rw",
        NfsServer::ROOT
    );
    Ok(server)
}

/// In this place the server has an address, and its root filesystem.
fn put_into(place: &Place, server: &DebianMachine, nfs: &mut NfsServer) -> Result {
    place.lease(&Neighbour::new(ADDRESS, &server.hardware.nic_mac))?;
    nfs.boot_at(place)
}

fn has_its_lease_beside_the_prompt(server: &mut DebianMachine) -> Result {
    let leased = format!("grep {ADDRESS} /run/net-*.conf && ip -4 -o address | grep {ADDRESS}");
    for _ in 0..120 {
        if server.shell(&leased)?.ok() {
            return Ok(());
        }
        std::thread::sleep(seconds(1));
    }
    Err(Failure::new("no address was leased beside the prompt"))
}

/// The stage has left the network as it found it; initramfs-tools has set it up and
/// mounted the root filesystem; the key is there, and the database serves.
fn runs_from_nfs(server: &mut DebianMachine) -> Result {
    let left = server.shell("cat /run/behind-the-stage")?.success()?;
    assert_eq!(left.trim(), "", "what the stage left of the network");
    let state = "grep ' / nfs ' /proc/mounts && ! grep ^/dev/vd /proc/mounts && \
        ls /run/stayput/mariadb.keys && ls /run/net-*.conf";
    server.shell(state)?.success()?;
    server.wait_for_database()?;
    let addresses = server.shell("ip -4 -o address show scope global")?;
    let addresses = addresses.success()?;
    assert_eq!(addresses.lines().count(), 1, "{addresses}");
    assert!(addresses.contains(ADDRESS), "{addresses}");
    Ok(())
}
