//! Upgrades of the package in bad circumstances, on a server that is set up with it.

use qemu_tests::{Container, FILL_BOOT, Result, make_kernel_package};

use super::{dpkg, is_stage_in, is_stage_in_image, state};

/// A kernel that comes.
const KERNEL: &str = "9.9.9-test";
const NEW_IMAGE: &str = "/boot/initrd.img-9.9.9-test";

/// The package stands in no other one's way: a kernel that comes in the same run of apt
/// gets its initramfs.
pub fn upgrade_with_a_full_boot(server: &Container) -> Result {
    server.shell(&make_kernel_package(KERNEL))?.success()?;
    server.shell(FILL_BOOT)?.success()?;
    let sum = "sha256sum /boot/initrd.img-[0-8]*";
    let before = server.shell(sum)?.success()?;
    dpkg(server, "--unpack /root/newer.deb /root/kernel.deb")?.success()?;
    let said = dpkg(server, "--configure -a")?.success()?;
    assert!(
        said.contains("each kernel keeps the boot stage that it has"),
        "{said}"
    );
    assert_eq!(server.shell("dpkg --audit")?.text, "");
    assert_eq!(state(server)?, "ii 9.0-1");
    assert!(is_stage_in(server, NEW_IMAGE)?);
    assert_eq!(server.shell(sum)?.success()?, before);
    let leaves = "dpkg -P linux-image-test && umount /boot && umount /mnt && \
                  rm -r /lib/modules/9.9.9-test";
    server.shell(leaves)?.success()?;
    Ok(())
}

/// No image can be made, and the upgrade says why.
fn is_upgraded_without_an_image(server: &Container, package: &str, why: &str) -> Result {
    let sum = "sha256sum /boot/initrd.img-*";
    let before = server.shell(sum)?.success()?;
    let said = dpkg(server, &format!("-i /root/{package}.deb"))?.success()?;
    assert!(
        said.contains(why) && said.contains("each kernel keeps the boot stage that it has"),
        "{said}"
    );
    assert_eq!(server.shell("dpkg --audit")?.text, "");
    assert_eq!(server.shell(sum)?.success()?, before);
    Ok(())
}

pub fn upgrade_with_a_read_only_boot(server: &Container) -> Result {
    let closes = "mount --bind /boot /boot && mount -o remount,bind,ro /boot";
    server.shell(closes)?.success()?;
    is_upgraded_without_an_image(server, "newer", "/boot is read-only.")?;
    server.shell("umount /boot")?.success()?;
    Ok(())
}

/// And to an older version.
pub fn upgrade_where_new_images_are_switched_off(server: &Container) -> Result {
    let switch = |to: &str| {
        let line = format!(
            "sed -i 's/^update_initramfs=.*/update_initramfs={to}/' \
             /etc/initramfs-tools/update-initramfs.conf"
        );
        server.shell(&line)?.success()
    };
    switch("no")?;
    is_upgraded_without_an_image(server, "stayput", "update_initramfs=no")?;
    switch("yes")?;
    Ok(())
}

/// Another program's hook fails: dpkg names who has not ended, and nothing is lost.
pub fn upgrade_with_a_failing_hook(server: &Container) -> Result {
    let hook = "/etc/initramfs-tools/hooks/broken";
    let fails = format!("printf '#!/bin/sh\nexit 1\n' >{hook} && chmod 755 {hook}");
    server.shell(&fails)?.success()?;
    let sum = "sha256sum /boot/initrd.img-*";
    let before = server.shell(sum)?.success()?;
    let said = dpkg(server, "-i /root/newer.deb")?;
    assert!(!said.ok(), "{said}");
    let named = said.text.split("Errors were encountered").nth(1);
    assert!(
        named.is_some_and(|named| named.contains("initramfs-tools")),
        "{said}"
    );
    assert_eq!(server.shell(sum)?.success()?, before);
    server.shell(&format!("rm {hook}"))?.success()?;
    dpkg(server, "--configure -a")?.success()?;
    assert_eq!(server.shell("dpkg --audit")?.text, "");
    assert!(is_stage_in_image(server)?);
    Ok(())
}

pub fn upgrade_without_vault_conf(server: &Container) -> Result {
    server
        .shell("mv /etc/stayput/vault.conf /root/")?
        .success()?;
    is_upgraded_without_an_image(server, "newer", "vault.conf is lost")?;
    let said = dpkg(server, "-i /root/newer.deb")?.success()?;
    assert!(!said.contains("stayput setup"), "{said}");
    server
        .shell("mv /root/vault.conf /etc/stayput/")?
        .success()?;
    Ok(())
}

/// dpkg asks nobody then.
pub fn removal_while_it_is_only_unpacked(server: &Container) -> Result {
    dpkg(server, "--unpack /root/newer.deb")?.success()?;
    let said = dpkg(server, "-r stayput")?.success()?;
    assert!(said.contains("REMOVED WHILE IT IS IN USE"), "{said}");
    dpkg(server, "-i /root/newer.deb")?.success()?;
    assert!(is_stage_in_image(server)?);
    server
        .shell("stayput check | grep -q 'as installed'; test $? = 1")?
        .success()?;
    Ok(())
}

/// Unpacked and not configured: the server starts, and the upgrade is finished.
pub fn interrupted_upgrade(server: &mut Container) -> Result {
    dpkg(server, "--unpack /root/newer.deb")?.success()?;
    server.shell("sync")?.success()?;
    server.power_cut();
    server.boot()?;
    assert_eq!(state(server)?, "iU 9.0-1");
    assert!(is_stage_in_image(server)?);
    server.shell("stayput status")?.success()?;
    server.wait_for_database()?;
    dpkg(server, "--configure -a")?.success()?;
    assert_eq!(state(server)?, "ii 9.0-1");
    assert!(is_stage_in_image(server)?);
    Ok(())
}

/// The power went while dracut made it.
pub fn half_made_image(server: &Container) -> Result {
    let half = "cd /boot && image=$(echo initrd.img-*) && head -c 1M $image >$image.stayput-new";
    server.shell(half)?.success()?;
    dpkg(server, "-i /root/newer.deb")?.success()?;
    assert_eq!(server.shell("ls /boot | grep stayput")?.text, "");
    assert!(is_stage_in_image(server)?);
    Ok(())
}

pub fn new_kernel(server: &Container) -> Result {
    server.shell(&make_kernel_package(KERNEL))?.success()?;
    dpkg(server, "-i /root/kernel.deb")?.success()?;
    assert!(is_stage_in(server, NEW_IMAGE)?);
    let leaves = "dpkg -P linux-image-test; rm -rf /lib/modules/9.9.9-test /boot/*9.9.9-test";
    server.shell(leaves)?.success()?;
    Ok(())
}
