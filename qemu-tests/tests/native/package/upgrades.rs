//! Upgrades of the package in bad circumstances, on a server that is set up with it.

use qemu_tests::{Container, Result};

use super::{dpkg, is_stage_in, is_stage_in_image, state};

/// A kernel of which only the modules are there yet: its package has its initramfs made,
/// as Debian's do.
const KERNEL: &str = "\
    cd /root && mkdir -p kernel/DEBIAN kernel/boot && old=$(ls /lib/modules) && \
    cp -al /lib/modules/$old /lib/modules/9.9.9-test && \
    for file in vmlinuz config; do cp /boot/$file-$old kernel/boot/$file-9.9.9-test; done && \
    printf '%s\n' 'Package: linux-image-test' 'Version: 1' 'Architecture: all' \
        'Maintainer: a clinic <clinic@clinic.example>' 'Description: a kernel' \
        >kernel/DEBIAN/control && \
    printf '%s\n' '#!/bin/sh' 'set -e' \
        'run-parts --exit-on-error --arg=9.9.9-test --arg=/boot/vmlinuz-9.9.9-test \
         /etc/kernel/postinst.d' >kernel/DEBIAN/postinst && \
    chmod 755 kernel/DEBIAN/postinst && dpkg-deb -Znone -b kernel kernel.deb";

const NEW_IMAGE: &str = "/boot/initrd.img-9.9.9-test";

/// Room for the kernel and its initramfs, and for no other one.
const FULL_BOOT: &str = "\
    mount -t tmpfs tmpfs /mnt && cp -a /boot/. /mnt && \
    size=$(du -skc /mnt /root/kernel/boot /boot/initrd.img-* | tail -n 1 | cut -f1) && \
    mount -o remount,size=$((size + 1024))k /mnt && mount --bind /mnt /boot";

/// The package stands in no other one's way: a kernel that comes in the same run of apt
/// gets its initramfs.
pub fn upgrade_with_a_full_boot(server: &Container) -> Result {
    server.shell(KERNEL)?.success()?;
    server.shell(FULL_BOOT)?.success()?;
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
    server.shell(KERNEL)?.success()?;
    dpkg(server, "-i /root/kernel.deb")?.success()?;
    assert!(is_stage_in(server, NEW_IMAGE)?);
    let leaves = "dpkg -P linux-image-test; rm -rf /lib/modules/9.9.9-test /boot/*9.9.9-test";
    server.shell(leaves)?.success()?;
    Ok(())
}
