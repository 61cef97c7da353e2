//! The package, as apt and dpkg treat it on a server.

mod building;
mod upgrades;

use qemu_tests::{Container, MAKE_NEWER_PACKAGE, Output, Result, Suite, debian_package, minutes};

use crate::clear::CLEAR;
use crate::clinic::{clinic, has_rows, stayput};
use crate::disable::{KEY_FILE, OUT};
use upgrades::{
    half_made_image, interrupted_upgrade, new_kernel, removal_while_it_is_only_unpacked,
    upgrade_where_new_images_are_switched_off, upgrade_with_a_failing_hook,
    upgrade_with_a_full_boot, upgrade_with_a_read_only_boot, upgrade_without_vault_conf,
};

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

fn is_stage_in(server: &Container, image: &str) -> Result<bool> {
    Ok(listing(server, image)?.contains("usr/lib/stayput/stayput-boot"))
}

/// Whether the only image lists any file of ours. mkinitramfs copies scripts that nobody
/// has asked for.
fn is_anything_in_image(server: &Container) -> Result<bool> {
    Ok(listing(server, "/boot/initrd.img-*")?.contains("stayput"))
}

/// What the tools that list images see: lsinitramfs, or dracut's lsinitrd. What cannot be
/// listed is a failure, and never an image without a stage.
pub fn listing(server: &Container, image: &str) -> Result<String> {
    let list =
        format!("list=$(command -v lsinitramfs || command -v lsinitrd) && $list {image} 2>&1");
    let listed = server.shell_within(&list, minutes(1))?.success()?;
    assert!(listed.contains("bin/sh"), "{image}: {listed}");
    Ok(listed)
}

/// Each command that the help lists has a manual page, and no other one has.
fn every_command_has_a_page(server: &Container) -> Result {
    let listed = "pages() { \
          echo stayput$1; \
          stayput $2 -h | sed -n '/^Commands:/,/^$/s/^  \\([a-z][a-z-]*\\).*/\\1/p' | grep -vx help | \
          while read -r word; do pages \"$1-$word\" \"$2 $word\" </dev/null; done; \
        } && pages '' '' | sort";
    let commands = server.shell(listed)?.success()?;
    assert!(commands.contains("stayput-stick-make\n"), "{commands}");
    let packed =
        "dpkg -L stayput | sed -n 's,^/usr/share/man/man8/\\(.*\\)\\.8\\.gz$,\\1,p' | sort";
    assert_eq!(server.shell(packed)?.success()?, commands);
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
        assert!(!server.shell("systemctl is-enabled stayput-watch")?.ok());
        server
            .shell_within("update-initramfs -u", minutes(4))?
            .success()?;
        assert!(!is_anything_in_image(&server)?);
    }
    every_command_has_a_page(&server)?;
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
    bring_packages(&server)?;
    let said = dpkg(&server, "-i /root/stayput.deb")?.success()?;
    assert!(said.contains("has taken over"), "{said}");
    is_taken_over(&server)?;
    assert!(is_stage_in_image(&server)?);

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
    upgrade_with_a_read_only_boot(&server)?;
    upgrade_where_new_images_are_switched_off(&server)?;
    upgrade_with_a_failing_hook(&server)?;
    upgrade_without_vault_conf(&server)?;
    interrupted_upgrade(&mut server)?;
    removal_while_it_is_only_unpacked(&server)?;
    new_kernel(&server)?;

    let said = dpkg(&server, "-r stayput")?.success()?;
    assert!(!is_anything_in_image(&server)?, "{said}");
    let purged = dpkg(&server, "-P stayput")?.success()?;
    assert!(
        purged.contains("the vault and /etc/stayput/vault.conf stay"),
        "{purged}"
    );
    server.shell("test -s /etc/stayput/vault.conf")?.success()?;
    server.wait_for_database()
}

/// Nothing of an installation by hand is left, and what it had runs.
fn is_taken_over(server: &Container) -> Result {
    let by_hand = "ls /etc/systemd/system/stayput-[rw]*.service /etc/initramfs-tools/*/stayput \
                   /etc/initramfs-tools/scripts/*/stayput 2>/dev/null";
    assert_eq!(server.shell(by_hand)?.text, "");
    let watched = "systemctl is-enabled stayput-watch stayput-release";
    server.shell(watched)?.success()?;
    Ok(())
}

/// A kernel that somebody has put there, and that starts without an initramfs.
const ODD_KERNEL: &str = "\
    old=$(ls /lib/modules) && cp -al /lib/modules/$old /lib/modules/9.9.9-odd && \
    cp /boot/vmlinuz-$old /boot/vmlinuz-9.9.9-odd";

const CHANGED_SCRIPT: &str = "/etc/initramfs-tools/scripts/init-premount/stayput";

#[test]
fn takeover_that_was_interrupted_is_taken_up() -> Result {
    let server = Container::fresh(Suite::Bookworm)?;
    server.shell(ODD_KERNEL)?.success()?;
    let said = server.shell_within("stayput install", minutes(4))?;
    assert!(
        !said.ok() && said.text.contains("have no initramfs"),
        "{said}"
    );
    assert!(is_stage_in(&server, "/boot/initrd.img-[0-8]*")?);
    let watched = "systemctl is-enabled stayput-watch stayput-release";
    server.shell(watched)?.success()?;
    server
        .shell("rm -r /lib/modules/9.9.9-odd /boot/vmlinuz-9.9.9-odd")?
        .success()?;

    let change = format!("echo '# of the owner' >>{CHANGED_SCRIPT}");
    server.shell(&change)?.success()?;
    bring_packages(&server)?;
    dpkg(&server, "--unpack /root/stayput.deb")?.success()?;
    // It was killed when the units had gone, and not come again.
    let killed = "systemctl disable --now stayput-watch stayput-release && \
                  rm /etc/systemd/system/stayput-[rw]*.service /etc/initramfs-tools/hooks/stayput";
    server.shell(killed)?.success()?;
    let said = dpkg(&server, "--configure -a")?.success()?;
    server.shell(watched)?.success()?;
    // What its owner has changed stays, and is named each time.
    assert!(said.contains("is its owner's, and stays"), "{said}");
    for _ in 0..2 {
        let said = dpkg(&server, "-i /root/newer.deb")?.success()?;
        assert!(said.contains("is its owner's, and stays"), "{said}");
        server
            .shell(&format!("grep -q '^# of the owner' {CHANGED_SCRIPT}"))?
            .success()?;
    }
    server.shell(&format!("rm {CHANGED_SCRIPT}"))?.success()?;
    is_taken_over(&server)?;

    // Removed, and installed once more: the owner decides again.
    dpkg(&server, "-r stayput")?.success()?;
    dpkg(&server, "-i /root/newer.deb")?.success()?;
    assert!(!is_anything_in_image(&server)?);
    server
        .shell_within("stayput install", minutes(4))?
        .success()?;
    assert!(is_stage_in_image(&server)?);

    // And with an installation by hand in between.
    let keep =
        "mkdir -p /root/hand && cp /usr/sbin/stayput /usr/lib/stayput/stayput-boot /root/hand";
    server.shell(keep)?.success()?;
    dpkg(&server, "-r stayput")?.success()?;
    server
        .shell_within("/root/hand/stayput install", minutes(4))?
        .success()?;
    let said = dpkg(&server, "-i /root/newer.deb")?.success()?;
    assert!(said.contains("has taken over"), "{said}");
    is_taken_over(&server)?;
    assert!(is_stage_in_image(&server)?);
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
    upgrade_with_a_read_only_boot(&server)?;
    half_made_image(&server)?;
    interrupted_upgrade(&mut server)?;
    new_kernel(&server)?;
    dpkg(&server, "-r stayput")?.success()?;
    assert!(!is_anything_in_image(&server)?);
    dpkg(&server, "-P stayput")?.success()?;
    server.shell("test -s /etc/stayput/vault.conf")?.success()?;
    server.wait_for_database()
}
