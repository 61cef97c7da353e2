//! Inspects the installed initramfs images.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::archive::read_image;
use super::hardening::Hardening;
use super::modules::{KernelModules, Need, canonical, of_every_server};
use super::network::ImageNetwork;
use super::order::{ORDER, before, scripts, touches_disks};
use super::tree::{Node, Tree};
use super::{Image, InitramfsFacts, InstalledCopy, Kernel, NoImage, hardware};
use crate::admin::installed_files::{SCRIPTS, STAGE, installed_stage};
use crate::admin::program;
use crate::sys::{interface, sysfs};
use crate::vault::{VAULT_CONF, VaultConf, locate};

const SCRIPT: &str = "scripts/init-premount/stayput";

/// Inspects the image of every installed kernel. `place` is what the image's own
/// vault.conf must say.
pub fn inspect(place: &VaultConf) -> InitramfsFacts {
    let needs = needs(locate::disk_of(place).as_deref());
    let command_line = command_line();
    InitramfsFacts {
        kernels: kernels_with(place, &needs, &command_line),
        installed_stage: installed_stage(),
        scripts: SCRIPTS.iter().all(|(path, text)| {
            is_program(Path::new(path))
                && fs::read(path).is_ok_and(|there| there == text.as_bytes())
        }),
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
    let versions = super::kernels::installed(&names("/boot"), &names("/lib/modules"));
    let kernels = versions.into_iter().enumerate();
    let kernels = kernels.map(|(at, version)| Kernel {
        is_next: at == 0 || running.as_ref() == Some(&version),
        image: inspect_image(&version, place, needs, command_line),
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

fn names(folder: &str) -> Vec<String> {
    let names = sysfs::list(Path::new(folder)).into_iter();
    names.map(|name| name.to_string()).collect()
}

fn inspect_image(
    version: &str,
    place: &VaultConf,
    needs: &[Need],
    command_line: &str,
) -> Result<Image, NoImage> {
    let path = format!("/boot/initrd.img-{version}");
    let unreadable = |error: io::Error| NoImage::Unreadable(error.to_string());
    let modules = kernel_modules(version).map_err(unreadable)?;
    let image = match read_image(Path::new(&path), is_of_interest) {
        Err(error) if error.kind() == ErrorKind::NotFound && !Path::new(&path).exists() => {
            return Err(NoImage::Absent);
        }
        image => image.map_err(unreadable)?,
    };
    let seen = read(&image, version, place, needs, &modules);
    Ok(Image {
        network: network(&image, command_line),
        ..seen
    })
}

/// Whether the content of this file is looked at.
fn is_of_interest(path: &str) -> bool {
    ["scripts/", "conf/"]
        .iter()
        .any(|folder| path.starts_with(folder))
        || [STAGE, VAULT_CONF].iter().any(|file| {
            // usr/lib is lib on some systems.
            let file = file.trim_start_matches('/');
            path == file || Some(path) == file.strip_prefix("usr/")
        })
}

/// The network that the image sets up.
fn network(image: &Tree, command_line: &str) -> ImageNetwork {
    let scripts: Vec<String> = earlier_scripts(image)
        .unwrap_or_default()
        .iter()
        .map(|path| image.text(path))
        .collect();
    let mut configuration = image.text("conf/initramfs.conf");
    for name in image.below("conf/conf.d") {
        configuration += "\n";
        configuration += &image.text(&format!("conf/conf.d/{name}"));
    }
    let functions = image.text("scripts/functions");
    ImageNetwork::of(&scripts, &functions, &configuration, command_line)
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
) -> Image {
    let script_text = SCRIPTS[1].1.as_bytes();
    Image {
        stage: compare(image.content(STAGE), fs::read(STAGE).ok().as_deref()),
        vault_conf: match image.content(VAULT_CONF) {
            None => InstalledCopy::Missing,
            Some(text) => match VaultConf::parse(&String::from_utf8_lossy(text)) {
                Ok(pinned) if pinned == *place => InstalledCopy::Same,
                _ => InstalledCopy::Other,
            },
        },
        script: match image.get(SCRIPT).is_some_and(Node::is_program) {
            true => compare(image.content(SCRIPT), Some(script_text)),
            false => InstalledCopy::Missing,
        },
        before: scripts_before(image),
        missing: modules.missing(needs, &modules_in(image, version)),
        network: ImageNetwork::default(),
    }
}

fn compare(there: Option<&[u8]>, installed: Option<&[u8]>) -> InstalledCopy {
    match there {
        None => InstalledCopy::Missing,
        there if there == installed => InstalledCopy::Same,
        Some(_) => InstalledCopy::Other,
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|at| at.is_file() && at.permissions().mode() & 0o111 != 0)
}

/// Scripts that run before the stage and touch disks.
fn scripts_before(image: &Tree) -> Option<Vec<String>> {
    let mut earlier = earlier_scripts(image)?;
    earlier.retain(|path| touches_disks(&image.text(path)));
    Some(earlier)
}

/// Scripts that run before the stage; `None` where that is not run.
fn earlier_scripts(image: &Tree) -> Option<Vec<String>> {
    let order = |folder: &str| image.text(&format!("scripts/{folder}/{ORDER}"));
    let mut earlier = scripts(&order("init-top"));
    earlier.extend(before(&order("init-premount"), SCRIPT)?);
    Some(earlier)
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
    use crate::admin::initramfs::Addressing;
    use crate::vault::ServerId;

    const FILE: u32 = 0o100_644;
    const PROGRAM: u32 = 0o100_755;

    fn put(image: &mut Tree, path: &str, text: &str, mode: u32) {
        let content = Some(text.as_bytes().to_vec());
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
        put(SCRIPT, SCRIPTS[1].1, PROGRAM);
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
        read(image, "6.1", &place(1), &needs, &modules)
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
        let other = seen_with(SCRIPT, SCRIPTS[1].1, FILE);
        assert_eq!(other.script, InstalledCopy::Missing, "nobody runs it");
        let other = seen_with("scripts/init-top/udev", "mount /dev/sda1 /mnt\n", PROGRAM);
        assert_eq!(other.before.unwrap(), ["scripts/init-top/udev"]);
        let other = seen_with("scripts/init-premount/ORDER", "", FILE);
        assert_eq!(other.before, None);
        let other = seen(&Tree::default());
        assert_eq!(other.vault_conf, InstalledCopy::Missing);
        assert_eq!(other.missing.len(), 1);
    }

    #[test]
    fn the_network_of_an_owners_script_is_seen() {
        let mut image = good();
        let addressing = |image: &Tree| network(image, "quiet").addressing("eth0");
        assert_eq!(addressing(&image), Addressing::None);
        let script = "ip link add link eth0 name eth0.5 type vlan id 5\n";
        put(&mut image, "scripts/init-top/network", script, PROGRAM);
        assert!(!network(&image, "quiet").makes("eth0.5"), "nobody runs it");
        let order = "/scripts/init-top/udev\n/scripts/init-top/network \"$@\"\n";
        put(&mut image, "scripts/init-top/ORDER", order, FILE);
        assert!(network(&image, "quiet").makes("eth0.5"));
        put(&mut image, "conf/conf.d/ip", "IP=dhcp\n", FILE);
        assert_eq!(addressing(&image), Addressing::NotKnown);
        let knows_vlans = "vlan() { :; }\n";
        assert!(!network(&image, "vlan=eth0.7:eth0").makes("eth0.7"));
        put(&mut image, "scripts/functions", knows_vlans, FILE);
        assert!(network(&image, "vlan=eth0.7:eth0").makes("eth0.7"));
    }

    #[test]
    fn what_is_looked_at_is_kept() {
        for path in [
            "usr/lib/stayput/stayput-boot",
            "lib/stayput/stayput-boot",
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
