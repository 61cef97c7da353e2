//! Inspects the installed initramfs images.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::Command;

use super::archive::{read_image, too_large};
use super::generator::{Generator, image_path};
use super::hardening::Hardening;
use super::kernels::installed_versions;
use super::modules::{KernelModules, Need, canonical, of_every_server};
use super::tree::{Node, Tree};
use super::{
    Image, InitramfsFacts, InstalledCopy, Kernel, NoImage, dracut, hardware, initramfs_tools,
};
use crate::admin::boot_files::{self, RUN_STAGE};
use crate::admin::installed_files::{STAGE, installed_stage};
use crate::admin::program;
use crate::sys::{interface, sysfs};
use crate::vault::{VAULT_CONF, VaultConf, locate};

/// Inspects the image of every installed kernel. `place` is what the image's own
/// vault.conf must say.
pub fn inspect(place: &VaultConf) -> InitramfsFacts {
    let needs = needs(locate::disk_of(place).as_deref());
    let command_line = command_line();
    InitramfsFacts {
        kernels: kernels_with(place, &needs, &command_line),
        installed_stage: installed_stage(),
        scripts: boot_files::are_in_place(),
        panic: command_line
            .split_whitespace()
            .any(|word| word.starts_with("panic=")),
        hardening: Hardening::of(&module_settings(), &needs, &command_line),
    }
}

/// The image of every installed kernel, the newest kernel first.
pub fn kernels(place: &VaultConf) -> Vec<Kernel> {
    let needs = needs(locate::disk_of(place).as_deref());
    kernels_with(place, &needs, &command_line())
}

fn kernels_with(place: &VaultConf, needs: &[Need], command_line: &str) -> Vec<Kernel> {
    let running = nix::sys::utsname::uname().ok();
    let running = running.map(|name| name.release().to_string_lossy().into_owned());
    let kernels = installed_versions().into_iter().enumerate();
    let kernels = kernels.map(|(at, version)| Kernel {
        is_next: at == 0 || running.as_ref() == Some(&version),
        image: match image_path(&version) {
            Some(path) => inspect_image(&path, &version, place, needs, command_line),
            None => Err(NoImage::Absent),
        },
        version,
    });
    kernels.collect()
}

fn command_line() -> String {
    let text = sysfs::read_text::<4096>(Path::new("/proc/cmdline"));
    text.unwrap_or_default().to_string()
}

/// What the boot stage needs on this machine, with the vault on this `disk`.
pub(super) fn needs(disk: Option<&str>) -> Vec<Need> {
    let mut needs = hardware::needs(Path::new("/"), &interface::wired(), disk);
    needs.extend(of_every_server());
    needs
}

/// What modprobe(8) goes by; nothing where it cannot be run.
fn module_settings() -> String {
    program::run(Command::new("/sbin/modprobe").arg("--showconfig"), "").unwrap_or_default()
}

/// Whether an image that has just been made holds what it should, at another path than
/// the one from which its kernel starts.
pub fn inspect_new(path: &Path, version: &str, place: &VaultConf) -> Result<Image, NoImage> {
    let needs = needs(locate::disk_of(place).as_deref());
    inspect_image(path, version, place, &needs, &command_line())
}

fn inspect_image(
    path: &Path,
    version: &str,
    place: &VaultConf,
    needs: &[Need],
    command_line: &str,
) -> Result<Image, NoImage> {
    let unreadable = |error: io::Error| NoImage::Unreadable(error.to_string());
    let modules = kernel_modules(version).map_err(unreadable)?;
    let image = match read_image(path, is_of_interest) {
        Err(error) if error.kind() == ErrorKind::NotFound && !path.exists() => {
            return Err(NoImage::Absent);
        }
        image => image.map_err(unreadable)?,
    };
    let read = read(&image, version, place, needs, &modules, command_line);
    match image.is_exhausted() {
        true => Err(unreadable(too_large())),
        false => Ok(read),
    }
}

/// Whether the content of this file is looked at.
pub(super) fn is_of_interest(path: &str) -> bool {
    // usr/lib is lib on some systems.
    let path = path.strip_prefix("usr/").unwrap_or(path);
    initramfs_tools::is_of_interest(path)
        || dracut::is_of_interest(path)
        || [STAGE, RUN_STAGE.path, VAULT_CONF].iter().any(|file| {
            let file = file.trim_start_matches('/');
            path == file.strip_prefix("usr/").unwrap_or(file)
        })
}

/// # Errors
/// When depmod(8) has written nothing for this kernel.
pub(super) fn kernel_modules(version: &str) -> io::Result<KernelModules> {
    let folder = Path::new("/lib/modules").join(version);
    let text = |name: &str| fs::read_to_string(folder.join(name));
    Ok(KernelModules::parse(
        &text("modules.dep")?,
        &text("modules.builtin")?,
        text("modules.alias").unwrap_or_default(),
    ))
}

fn read(
    image: &Tree,
    version: &str,
    place: &VaultConf,
    needs: &[Need],
    modules: &KernelModules,
    command_line: &str,
) -> Image {
    let (script, before, network) = match Generator::of(image) {
        Some(Generator::Dracut { .. }) => (
            dracut::files(image),
            dracut::before(image),
            dracut::network(image, command_line),
        ),
        _ => (
            initramfs_tools::files(image),
            initramfs_tools::before(image),
            initramfs_tools::network(image, command_line),
        ),
    };
    Image {
        // Nobody runs one that is no program.
        stage: match image.get(STAGE).is_some_and(Node::is_program) {
            true => compare(image.content(STAGE), fs::read(STAGE).ok().as_deref()),
            false => InstalledCopy::Missing,
        },
        vault_conf: match image.content(VAULT_CONF) {
            None => InstalledCopy::Missing,
            Some(text) => match VaultConf::parse(&String::from_utf8_lossy(text)) {
                Ok(pinned) if pinned == *place => InstalledCopy::Same,
                _ => InstalledCopy::Other,
            },
        },
        script: script.worse(InstalledCopy::of_text(
            image,
            RUN_STAGE.path,
            RUN_STAGE.text,
        )),
        before,
        missing: modules.missing(needs, &modules_in(image, version)),
        network,
    }
}

fn compare(there: Option<&[u8]>, installed: Option<&[u8]>) -> InstalledCopy {
    match there {
        None => InstalledCopy::Missing,
        there if there == installed => InstalledCopy::Same,
        Some(_) => InstalledCopy::Other,
    }
}

/// The modules of this kernel that are in the image.
fn modules_in(image: &Tree, version: &str) -> BTreeSet<String> {
    let folders = ["usr/lib/modules", "lib/modules"];
    let folders = folders.map(|folder| format!("{folder}/{version}"));
    let paths = folders.iter().flat_map(|folder| image.below(folder));
    let names = paths.map(|path| path.rsplit('/').next().unwrap_or(path));
    names
        .filter(|name| name.contains(".ko"))
        .map(canonical)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::boot_files::SCRIPT as SCRIPT_FILE;
    use crate::admin::initramfs::Addressing;
    use crate::vault::ServerId;

    const SCRIPT: &str = "scripts/init-premount/stayput";
    const FILE: u32 = 0o100_644;
    const PROGRAM: u32 = 0o100_755;

    fn put(image: &mut Tree, path: &str, text: &str, mode: u32) {
        let content = Some(text.as_bytes().into());
        image.put(path, Node { mode, content });
    }

    fn place(byte: u8) -> VaultConf {
        VaultConf {
            server_id: ServerId([byte; 16]),
            partition: "0fc63daf-8483-4772-8e79-3d69d8477de4".try_into().unwrap(),
            file: None,
        }
    }

    fn good() -> Tree {
        let mut image = Tree::default();
        let mut put = |path: &str, text: &str, mode| put(&mut image, path, text, mode);
        put("etc/stayput/vault.conf", &place(1).text(), FILE);
        put(SCRIPT, SCRIPT_FILE.text, PROGRAM);
        put(RUN_STAGE.path.trim_start_matches('/'), RUN_STAGE.text, FILE);
        put("scripts/init-premount/ORDER", ORDER_OF_STAGE, FILE);
        put(
            "scripts/init-top/ORDER",
            "/scripts/init-top/udev \"$@\"\n",
            FILE,
        );
        put(
            "scripts/init-top/udev",
            "#!/bin/sh\nudevadm settle\n",
            PROGRAM,
        );
        put("usr/lib/modules/6.1/kernel/net/virtio_net.ko.xz", "", FILE);
        image
    }

    const ORDER_OF_STAGE: &str = "/scripts/init-premount/stayput \"$@\"\n";

    fn seen(image: &Tree) -> Image {
        let dep = "kernel/drivers/net/virtio_net.ko:\n";
        let modules = KernelModules::parse(dep, "", String::new());
        let needs = [Need::of("eth0", &["virtio_net"], true)];
        read(image, "6.1", &place(1), &needs, &modules, "quiet")
    }

    #[test]
    fn an_initramfs_is_read_as_the_kernel_unpacks_it() {
        let image = seen(&good());
        assert_eq!(image.vault_conf, InstalledCopy::Same);
        assert_eq!(image.script, InstalledCopy::Same);
        assert_eq!(image.before, Some(Vec::new()));
        assert_eq!(image.missing, []);
        assert_eq!(image.stage, InstalledCopy::Missing);
    }

    #[test]
    fn each_change_in_it_is_seen() {
        let seen_with = |path: &str, text: &str, mode| {
            let mut image = good();
            put(&mut image, path, text, mode);
            seen(&image)
        };
        let conf = VAULT_CONF.trim_start_matches('/');
        let other = seen_with(conf, &place(2).text(), FILE);
        assert_eq!(other.vault_conf, InstalledCopy::Other);
        let other = seen_with(conf, "nonsense", FILE);
        assert_eq!(other.vault_conf, InstalledCopy::Other);
        let other = seen_with(SCRIPT, "#!/bin/sh\nexit 0\n", PROGRAM);
        assert_eq!(other.script, InstalledCopy::Other);
        let other = seen_with(SCRIPT, SCRIPT_FILE.text, FILE);
        assert_eq!(other.script, InstalledCopy::Missing, "nobody runs it");
        let stage = STAGE.trim_start_matches('/');
        let other = seen_with(stage, "another stage", PROGRAM);
        assert_eq!(other.stage, InstalledCopy::Other);
        let other = seen_with(stage, "another stage", FILE);
        assert_eq!(other.stage, InstalledCopy::Missing, "nobody can run it");
        let other = seen_with("scripts/init-top/udev", "mount /dev/sda1 /mnt\n", PROGRAM);
        assert_eq!(other.before.unwrap(), ["scripts/init-top/udev"]);
        let other = seen_with("scripts/init-premount/ORDER", "", FILE);
        assert_eq!(other.before, None);
        let other = seen_with(RUN_STAGE.path.trim_start_matches('/'), "", FILE);
        assert_eq!(other.script, InstalledCopy::Other, "what the script reads");
        let other = seen(&Tree::default());
        assert_eq!(other.vault_conf, InstalledCopy::Missing);
        assert_eq!(other.missing.len(), 1);
    }

    #[test]
    fn the_network_of_an_owners_script_is_seen() {
        let mut image = good();
        let addressing = |image: &Tree| initramfs_tools::network(image, "quiet").addressing("eth0");
        assert_eq!(addressing(&image), Addressing::None);
        let script = "ip link add link eth0 name eth0.5 type vlan id 5\n";
        put(&mut image, "scripts/init-top/network", script, PROGRAM);
        assert!(
            !initramfs_tools::network(&image, "quiet").makes("eth0.5"),
            "nobody runs it"
        );
        let order = "/scripts/init-top/udev\n/scripts/init-top/network \"$@\"\n";
        put(&mut image, "scripts/init-top/ORDER", order, FILE);
        assert!(initramfs_tools::network(&image, "quiet").makes("eth0.5"));
        put(&mut image, "conf/conf.d/ip", "IP=dhcp\n", FILE);
        assert_eq!(addressing(&image), Addressing::NotKnown);
        let knows_vlans = "vlan() { :; }\n";
        assert!(!initramfs_tools::network(&image, "vlan=eth0.7:eth0").makes("eth0.7"));
        put(&mut image, "scripts/functions", knows_vlans, FILE);
        assert!(initramfs_tools::network(&image, "vlan=eth0.7:eth0").makes("eth0.7"));
    }

    #[test]
    fn what_is_looked_at_is_kept() {
        for path in [
            "usr/lib/stayput/stayput-boot",
            "lib/stayput/stayput-boot",
            "usr/lib/stayput/run-stage",
            "usr/lib/systemd/system/stayput-boot.service",
            "lib/systemd/system/sysroot.mount.d/stayput.conf",
            "etc/cmdline.d/50-stayput.conf",
            "etc/stayput/vault.conf",
            SCRIPT,
        ] {
            assert!(is_of_interest(path), "{path}");
        }
        assert!(!is_of_interest(
            "usr/lib/modules/6.1/kernel/net/virtio_net.ko"
        ));
    }

    #[test]
    fn another_build_is_not_taken_for_the_installed_stage() {
        assert_eq!(compare(Some(b"a"), Some(b"a")), InstalledCopy::Same);
        assert_eq!(compare(Some(b"a"), Some(b"b")), InstalledCopy::Other);
        assert_eq!(compare(Some(b"a"), None), InstalledCopy::Other);
        assert_eq!(compare(None, Some(b"a")), InstalledCopy::Missing);
        assert_eq!(compare(None, None), InstalledCopy::Missing);
    }
}
