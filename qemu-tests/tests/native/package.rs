//! The package, as apt and dpkg treat it on a server.

use qemu_tests::{
    Container, MAKE_NEWER_PACKAGE, Output, Result, Suite, debian_package, minutes, shipped_binary,
};

use crate::clear::CLEAR;
use crate::clinic::{clinic, has_rows, stayput};
use crate::disable::{KEY_FILE, OUT};

/// Brings the package to the server, and a newer one that differs in its version.
fn bring_packages(server: &Container) -> Result {
    std::fs::copy(debian_package()?, server.root()?.join("root/stayput.deb"))?;
    server.shell(MAKE_NEWER_PACKAGE)?.success()?;
    Ok(())
}

fn dpkg(server: &Container, words: &str) -> Result<Output> {
    server.shell_within(&format!("dpkg {words} 2>&1"), minutes(4))
}

/// The package's state and version, as in `ii 0.1.0-1`.
fn state(server: &Container) -> Result<String> {
    let asked = "dpkg-query -W -f '${db:Status-Abbrev}${Version}' stayput";
    Ok(server.shell(asked)?.text.trim().to_owned())
}

/// Whether the initramfs of the only kernel holds the boot stage.
fn is_stage_in_image(server: &Container) -> Result<bool> {
    is_stage_in(server, "/boot/initrd.img-*")
}

/// As the tools that list images see it: lsinitramfs, or dracut's lsinitrd.
fn is_stage_in(server: &Container, image: &str) -> Result<bool> {
    let listed = format!(
        "list=$(command -v lsinitramfs || command -v lsinitrd) && \
         $list {image} | grep -q usr/lib/stayput/stayput-boot"
    );
    Ok(server.shell_within(&listed, minutes(1))?.ok())
}

/// What an initramfs takes of a small /boot, and of the time to load it.
/// docs/dependencies.md tells of what takes the room.
const LARGEST_STAGE: u64 = 1_920_000;

#[test]
fn boot_stage_is_no_larger_than_told() -> Result {
    let stage = shipped_binary("stayput-boot")?;
    let built_for = std::fs::read_to_string(stage.with_file_name("built-for"))?;
    let size = std::fs::metadata(stage)?.len();
    // What is built in seconds is larger.
    let is_shipped = built_for.trim_end().ends_with(" release");
    assert!(!is_shipped || size <= LARGEST_STAGE, "{size}");
    Ok(())
}

fn version(server: &Container) -> Result<String> {
    Ok(state(server)?
        .split(' ')
        .next_back()
        .unwrap_or_default()
        .to_owned())
}

#[test]
fn package_alone_changes_no_boot_and_leaves_nothing() -> Result {
    let server = Container::without_vault(Suite::Bookworm)?;
    bring_packages(&server)?;
    // Installed, and once more.
    for _ in 0..2 {
        let said = dpkg(&server, "-i /root/stayput.deb")?.success()?;
        assert!(
            said.contains("not set up yet. Run: stayput setup"),
            "{said}"
        );
        assert!(!is_stage_in_image(&server)?);
        assert!(!server.shell("systemctl is-enabled stayput-watch")?.ok());
    }
    let said = dpkg(&server, "-i /root/newer.deb")?.success()?;
    assert_eq!(state(&server)?, "ii 9.0-1", "{said}");
    dpkg(&server, "-P stayput")?.success()?;
    let left = server.shell(
        "ls -d /usr/sbin/stayput /usr/lib/stayput /etc/stayput /usr/share/doc/stayput \
         /usr/share/initramfs-tools/hooks/stayput /etc/systemd/system/*/stayput* 2>/dev/null; true",
    )?;
    assert_eq!(left.text, "");
    server.wait_for_database()
}

#[test]
fn package_takes_over_what_was_installed_by_hand() -> Result {
    let mut server = Container::fresh(Suite::Bookworm)?;
    server
        .shell_within("stayput install", minutes(4))?
        .success()?;
    // As versions before the package had it.
    let earlier = "for path in hooks scripts/init-premount; do \
                   [ -e /etc/initramfs-tools/$path/stayput ] || \
                   cp /usr/share/initramfs-tools/$path/stayput /etc/initramfs-tools/$path/; done";
    server.shell(earlier)?.success()?;
    bring_packages(&server)?;
    let said = dpkg(&server, "-i /root/stayput.deb")?.success()?;
    assert!(said.contains("has taken over"), "{said}");
    let by_hand = "ls /etc/systemd/system/stayput-[rw]*.service /etc/initramfs-tools/*/stayput \
                   /etc/initramfs-tools/scripts/*/stayput 2>/dev/null";
    assert_eq!(server.shell(by_hand)?.text, "");
    assert!(is_stage_in_image(&server)?);
    let watched = "systemctl is-enabled stayput-watch stayput-release";
    server.shell(watched)?.success()?;

    // The command writes no file of the package.
    server.shell("touch /root/before")?.success()?;
    server
        .shell_within("stayput install", minutes(4))?
        .success()?;
    let written = server
        .shell("find $(dpkg -L stayput) -maxdepth 0 -type f -newer /root/before 2>/dev/null")?;
    assert_eq!(written.text, "");
    let check = server.shell("stayput check")?.text;
    assert!(!check.contains("as installed"), "{check}");

    // A program of another build has no business there.
    let other = "sed -i 2d /usr/lib/stayput/packaged && stayput install; test $? = 4";
    server.shell(other)?.success()?;

    upgrade_with_a_full_boot(&server)?;
    interrupted_upgrade(&mut server)?;
    new_kernel(&server)?;

    let said = dpkg(&server, "-r stayput")?.success()?;
    assert!(!is_stage_in_image(&server)?, "{said}");
    let purged = dpkg(&server, "-P stayput")?.success()?;
    assert!(
        purged.contains("the vault and /etc/stayput/vault.conf stay"),
        "{purged}"
    );
    server.shell("test -s /etc/stayput/vault.conf")?.success()?;
    server.wait_for_database()
}

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
fn upgrade_with_a_full_boot(server: &Container) -> Result {
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

/// Unpacked and not configured: the server starts, and the upgrade is finished.
fn interrupted_upgrade(server: &mut Container) -> Result {
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

fn new_kernel(server: &Container) -> Result {
    server.shell(KERNEL)?.success()?;
    dpkg(server, "-i /root/kernel.deb")?.success()?;
    assert!(is_stage_in(server, NEW_IMAGE)?);
    let leaves = "dpkg -P linux-image-test; rm -rf /lib/modules/9.9.9-test /boot/*9.9.9-test";
    server.shell(leaves)?.success()?;
    Ok(())
}

#[test]
fn package_that_an_encrypted_database_needs_stays() -> Result {
    let server = clinic()?;
    bring_packages(&server)?;
    dpkg(&server, "-i /root/stayput.deb")?.success()?;
    stayput(&server, "enable --destroy-original")?.success()?;
    let before = state(&server)?;
    for words in ["-r stayput", "-P stayput"] {
        let said = dpkg(&server, words)?;
        assert!(!said.ok(), "{said}");
        assert!(said.text.contains("MariaDB is encrypted"), "{said}");
        assert!(said.text.contains("the package stays"), "{said}");
    }
    // Only what its owner wants with it has changed.
    assert!(before.starts_with("ii"), "{before}");
    let after = state(&server)?;
    assert!(
        after.contains("i ") && after.ends_with(&version(&server)?),
        "{after}"
    );
    server.shell("systemctl restart mariadb")?.success()?;
    has_rows(&server, 5000)?;
    // An upgrade keeps the gate, and a database that runs.
    dpkg(&server, "-i /root/newer.deb")?.success()?;
    server.shell("systemctl restart mariadb")?.success()?;
    has_rows(&server, 5000)
}

#[test]
fn package_goes_once_the_keys_are_in_a_file() -> Result {
    let mut server = clinic()?;
    bring_packages(&server)?;
    dpkg(&server, "-i /root/stayput.deb")?.success()?;
    stayput(&server, "enable --destroy-original")?.success()?;
    let said = dpkg(&server, "-r stayput")?;
    assert!(!said.ok(), "{said}");
    assert!(said.text.contains("stayput mariadb disable"), "{said}");
    stayput(&server, OUT)?.success()?;
    dpkg(&server, "-r stayput")?.success()?;
    dpkg(&server, "-P stayput")?.success()?;
    server
        .shell(&format!(
            "[ ! -e /usr/sbin/stayput ] && [ -s {KEY_FILE} ] && \
             [ -s /etc/mysql/mariadb.conf.d/zz-stayput.cnf ]"
        ))?
        .success()?;
    server.shut_down()?;
    server.boot()?;
    has_rows(&server, 5000)
}

#[test]
fn package_goes_once_the_database_is_clear() -> Result {
    let mut server = clinic()?;
    bring_packages(&server)?;
    dpkg(&server, "-i /root/stayput.deb")?.success()?;
    stayput(&server, "enable --destroy-original")?.success()?;
    let said = dpkg(&server, "-r stayput")?;
    let words: Vec<&str> = said.text.split_whitespace().collect();
    let words = words.join(" ");
    for way in ["--key-file PATH", "disable --clear"] {
        assert!(!said.ok() && words.contains(way), "{said}");
    }
    stayput(&server, CLEAR)?.success()?;
    // The encrypted original waits for a start, and the package with it.
    let said = dpkg(&server, "-r stayput")?;
    assert!(
        !said.ok() && said.text.contains("destroy-original"),
        "{said}"
    );
    stayput(&server, "destroy-original")?.success()?;
    dpkg(&server, "-r stayput")?.success()?;
    dpkg(&server, "-P stayput")?.success()?;
    server.shell("[ ! -e /usr/sbin/stayput ]")?.success()?;
    server.shut_down()?;
    server.boot()?;
    has_rows(&server, 5000)
}

#[test]
fn package_has_dracut_make_images_beside_the_old_ones() -> Result {
    let mut server = Container::fresh(Suite::Trixie)?;
    bring_packages(&server)?;
    dpkg(&server, "-i /root/stayput.deb")?.success()?;
    assert!(!is_stage_in_image(&server)?);
    server
        .shell_within("stayput install", minutes(6))?
        .success()?;
    assert!(is_stage_in_image(&server)?);
    for package in ["newer", "newer"] {
        let said = dpkg(&server, &format!("-i /root/{package}.deb"))?.success()?;
        assert!(said.contains("Making the initramfs"), "{said}");
        assert!(is_stage_in_image(&server)?);
    }
    upgrade_with_a_full_boot(&server)?;
    interrupted_upgrade(&mut server)?;
    new_kernel(&server)?;
    dpkg(&server, "-r stayput")?.success()?;
    assert!(!is_stage_in_image(&server)?);
    dpkg(&server, "-P stayput")?.success()?;
    server.shell("test -s /etc/stayput/vault.conf")?.success()?;
    server.wait_for_database()
}
