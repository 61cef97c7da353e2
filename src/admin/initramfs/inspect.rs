//! Inspects the installed initramfs images with the system's own unmkinitramfs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::hardening::Hardening;
use super::modules::{KernelModules, Need, canonical, of_every_server};
use super::network::ImageNetwork;
use super::order::{ORDER, before, scripts, touches_disks};
use super::unpacking::Unpacked;
use super::{Image, InitramfsFacts, InstalledCopy, Kernel, NoImage, hardware};
use crate::admin::installed_files::{SCRIPTS, STAGE, installed_stage};
use crate::admin::program;
use crate::sys::{interface, sysfs};
use crate::vault::{VAULT_CONF, VaultConf, locate};

/// Largest file that is compared, in bytes.
const FILE_MAX: u64 = 64 << 20;
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
    let archive = PathBuf::from(format!("/boot/initrd.img-{version}"));
    let bytes = match fs::metadata(&archive) {
        Ok(at) => at.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(NoImage::Absent),
        Err(error) => return Err(NoImage::Unreadable(error.to_string())),
    };
    let modules =
        kernel_modules(version).map_err(|error| NoImage::Unreadable(error.to_string()))?;
    let unpacked = Unpacked::of(&archive, bytes)?;
    let root = unpacked.root();
    let seen = read(&root, version, place, needs, &modules);
    Ok(Image {
        network: network(&root, command_line),
        ..seen
    })
}

/// The network that the image sets up.
fn network(root: &Path, command_line: &str) -> ImageNetwork {
    let scripts: Vec<String> = earlier_scripts(root)
        .unwrap_or_default()
        .iter()
        .map(|path| text(root, path))
        .collect();
    let mut configuration = text(root, "conf/initramfs.conf");
    for name in sysfs::list(&root.join("conf/conf.d")) {
        configuration += "\n";
        configuration += &text(root, &format!("conf/conf.d/{name}"));
    }
    ImageNetwork::of(&scripts, &configuration, command_line)
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
    root: &Path,
    version: &str,
    place: &VaultConf,
    needs: &[Need],
    modules: &KernelModules,
) -> Image {
    let script = inside(root, SCRIPT);
    let script_text = SCRIPTS[1].1.as_bytes();
    Image {
        stage: compare(
            inside(root, STAGE).as_deref(),
            fs::read(STAGE).ok().as_deref(),
        ),
        vault_conf: match inside(root, VAULT_CONF) {
            None => InstalledCopy::Missing,
            Some(text) => {
                let text = String::from_utf8_lossy(&text);
                match VaultConf::parse(&text) {
                    Ok(pinned) if pinned == *place => InstalledCopy::Same,
                    _ => InstalledCopy::Other,
                }
            }
        },
        script: match is_program(&root.join(SCRIPT)) {
            true => compare(script.as_deref(), Some(script_text)),
            false => InstalledCopy::Missing,
        },
        before: scripts_before(root),
        missing: modules.missing(needs, &modules_in(root, version)),
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

/// A file of the unpacked image; `None` where a link leads out of it.
fn inside(root: &Path, path: &str) -> Option<Vec<u8>> {
    let path = root
        .join(path.trim_start_matches('/'))
        .canonicalize()
        .ok()?;
    let is_inside = path.starts_with(root.canonicalize().ok()?);
    let file = File::open(path).ok().filter(|_| is_inside)?;
    let at = file.metadata().ok()?;
    if !at.is_file() || at.len() > FILE_MAX {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(FILE_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Scripts that run before the stage and touch disks.
fn scripts_before(root: &Path) -> Option<Vec<String>> {
    let mut earlier = earlier_scripts(root)?;
    earlier.retain(|path| touches_disks(&text(root, path)));
    Some(earlier)
}

/// Scripts that run before the stage; `None` where that is not run.
fn earlier_scripts(root: &Path) -> Option<Vec<String>> {
    let order = |folder: &str| text(root, &format!("scripts/{folder}/{ORDER}"));
    let mut earlier = scripts(&order("init-top"));
    earlier.extend(before(&order("init-premount"), SCRIPT)?);
    Some(earlier)
}

/// A text of the unpacked image; empty where there is none.
fn text(root: &Path, path: &str) -> String {
    let bytes = inside(root, path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The modules of this kernel that are in the image.
fn modules_in(root: &Path, version: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for lib in ["usr/lib/modules", "lib/modules"] {
        collect(&root.join(lib).join(version), &mut names, 0);
    }
    names
}

fn collect(folder: &Path, names: &mut BTreeSet<String>, depth: u8) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < 16 => collect(&entry.path(), names, depth + 1),
            Ok(kind) if kind.is_file() && name.contains(".ko") => {
                names.insert(canonical(&name));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::ServerId;

    fn put(root: &Path, path: &str, bytes: &[u8], mode: u32) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn place(byte: u8) -> VaultConf {
        VaultConf {
            server_id: ServerId([byte; 16]),
            partition: "0fc63daf-8483-4772-8e79-3d69d8477de4".try_into().unwrap(),
            file: None,
        }
    }

    fn unpacked() -> tempfile::TempDir {
        let room = tempfile::tempdir().unwrap();
        let root = room.path();
        put(
            root,
            "etc/stayput/vault.conf",
            place(1).text().as_bytes(),
            0o644,
        );
        put(root, SCRIPT, SCRIPTS[1].1.as_bytes(), 0o755);
        let order = "/scripts/init-premount/stayput \"$@\"\n";
        put(root, "scripts/init-premount/ORDER", order.as_bytes(), 0o644);
        let order = "/scripts/init-top/udev \"$@\"\n";
        put(root, "scripts/init-top/ORDER", order.as_bytes(), 0o644);
        put(
            root,
            "scripts/init-top/udev",
            b"#!/bin/sh\nudevadm settle\n",
            0o755,
        );
        let module = "usr/lib/modules/6.1/kernel/drivers/net/virtio_net.ko";
        put(root, module, b"", 0o644);
        room
    }

    fn seen(root: &Path) -> Image {
        let dep = "kernel/drivers/net/virtio_net.ko:\n";
        let modules = KernelModules::parse(dep, "", String::new());
        let needs = [Need::of("eth0", &["virtio_net"], true)];
        read(root, "6.1", &place(1), &needs, &modules)
    }

    #[test]
    fn an_initramfs_is_read_as_it_was_unpacked() {
        let room = unpacked();
        let image = seen(room.path());
        assert_eq!(image.vault_conf, InstalledCopy::Same);
        assert_eq!(image.script, InstalledCopy::Same);
        assert_eq!(image.before, Some(Vec::new()));
        assert_eq!(image.missing, []);
        assert_eq!(image.stage, InstalledCopy::Missing);
    }

    #[test]
    fn each_change_in_it_is_seen() {
        let room = unpacked();
        let root = room.path();
        put(
            root,
            "etc/stayput/vault.conf",
            place(2).text().as_bytes(),
            0o644,
        );
        assert_eq!(seen(root).vault_conf, InstalledCopy::Other);
        put(root, "etc/stayput/vault.conf", b"nonsense", 0o644);
        assert_eq!(seen(root).vault_conf, InstalledCopy::Other);
        fs::remove_file(root.join("etc/stayput/vault.conf")).unwrap();
        assert_eq!(seen(root).vault_conf, InstalledCopy::Missing);
        put(root, SCRIPT, b"#!/bin/sh\nexit 0\n", 0o755);
        assert_eq!(seen(root).script, InstalledCopy::Other);
        put(root, SCRIPT, SCRIPTS[1].1.as_bytes(), 0o644);
        assert_eq!(seen(root).script, InstalledCopy::Missing, "nobody runs it");
        put(
            root,
            "scripts/init-top/udev",
            b"mount /dev/sda1 /mnt\n",
            0o755,
        );
        let before = seen(root).before.unwrap();
        assert_eq!(before, ["scripts/init-top/udev"]);
        put(root, "scripts/init-premount/ORDER", b"", 0o644);
        assert_eq!(seen(root).before, None);
        fs::remove_dir_all(root.join("usr/lib/modules")).unwrap();
        assert_eq!(seen(root).missing.len(), 1);
    }

    #[test]
    fn the_network_of_an_owners_script_is_seen() {
        let room = unpacked();
        let root = room.path();
        assert!(!network(root, "quiet").gives_addresses());
        let script = b"ip link add link eth0 name eth0.5 type vlan id 5\n";
        put(root, "scripts/init-top/network", script, 0o755);
        assert!(!network(root, "quiet").makes("eth0.5"), "nobody runs it");
        let order = b"/scripts/init-top/udev\n/scripts/init-top/network \"$@\"\n";
        put(root, "scripts/init-top/ORDER", order, 0o644);
        assert!(network(root, "quiet").makes("eth0.5"));
        put(root, "conf/conf.d/ip", b"IP=dhcp\n", 0o644);
        assert!(network(root, "quiet").gives_addresses());
    }

    #[test]
    fn a_link_that_leads_out_of_the_initramfs_is_not_followed() {
        let room = unpacked();
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::write(outside.path(), place(1).text().as_bytes()).unwrap();
        let link = room.path().join("etc/stayput/vault.conf");
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(outside.path(), &link).unwrap();
        assert_eq!(seen(room.path()).vault_conf, InstalledCopy::Missing);
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
