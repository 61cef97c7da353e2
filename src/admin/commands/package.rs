//! `stayput package`: what the package's scripts do that a shell cannot judge.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use crate::admin::boot_files;
use crate::admin::durable::remove_durably;
use crate::admin::initramfs::{self, Found, Generator};
use crate::admin::mariadb;
use crate::admin::mariadb_service;
use crate::admin::open_vault::vault_conf;
use crate::admin::problem::{Problem, Result};
use crate::admin::program;
use crate::admin::release_service;
use crate::admin::service_unit::{Origin, ServiceUnit};
use crate::admin::systemd;
use crate::admin::watch_service;
use crate::vault::VAULT_CONF;

#[derive(Clone, Debug, clap::Subcommand)]
pub enum PackageCommand {
    /// Take over what `stayput install` wrote before there was a package, and renew
    /// what depends on this version
    Configure {
        /// The version that was configured before; empty or left out: none
        before: Option<String>,
    },
}

const SERVICES: [&ServiceUnit; 2] = [&release_service::UNIT, &watch_service::UNIT];

/// Where `stayput install` put the scripts of initramfs-tools before there was a package.
/// There they would run beside the package's.
const EARLIER_SCRIPTS: [&str; 2] = [
    "/etc/initramfs-tools/hooks/stayput",
    "/etc/initramfs-tools/scripts/init-premount/stayput",
];

/// # Errors
/// What the filesystem or systemd says.
pub fn run(command: &PackageCommand) -> Result<()> {
    match command {
        PackageCommand::Configure { before } => {
            configure(before.as_deref().is_none_or(str::is_empty))
        }
    }
}

/// `is_first`: no version of the package was in use here.
fn configure(is_first: bool) -> Result<()> {
    let _alone = boot_files::alone()?;
    systemd::reload()?;
    let is_set_up = Path::new(VAULT_CONF).exists();
    let scripts = own_scripts()?;
    // First: what is interrupted after it leaves hooks that refuse, and none that leave
    // the stage out.
    if is_set_up && !scripts.is_empty() {
        boot_files::want()?;
    }
    let mut was_by_hand = !scripts.is_empty();
    for path in scripts {
        remove_durably(path).map_err(|error| Problem::of_file(path, &error))?;
    }
    for service in SERVICES {
        match service.origin() {
            // Later it is a copy that the owner has made of the package's.
            Origin::Hand if is_first => {
                service.remove()?;
                service.put()?;
                was_by_hand = true;
            }
            Origin::Package | Origin::Hand if service.is_running() => service.start_anew(),
            Origin::Package => {}
            Origin::Hand | Origin::Owner => println!(
                "{} is its owner's, and stays in force",
                service.path_of(Origin::Owner).display()
            ),
        }
    }
    if was_by_hand {
        println!("The package has taken over what `stayput install` had written.");
    }
    if mariadb_service::is_enabled() && mariadb::is_gate_in_front() {
        mariadb::put_gate_in_front()?;
    }
    if !is_set_up {
        println!("This server is not set up yet. Run: stayput setup");
    } else if boot_files::are_wanted() {
        renew_images(initramfs::find_generator())?;
    }
    Ok(())
}

/// Has the boot stage of this version put into the initramfs.
fn renew_images(generator: Found) -> Result<()> {
    const NEXT: &str = "Each kernel starts with what it has now. Mend what is said above, then: \
                        stayput install";
    // No failure: apt would leave what else it installs now as it is, and a kernel that is
    // only unpacked has no initramfs at all.
    if let Some(no_room) = initramfs::no_room() {
        println!("{no_room} No initramfs was made: each kernel keeps the boot stage that it has.");
        println!("Remove an old kernel (apt-get autoremove), then: stayput install");
        return Ok(());
    }
    match generator {
        // Once for all packages that are installed now, when dpkg is done with them.
        Found::Generator(Generator::InitramfsTools) => {
            let mut trigger = Command::new("dpkg-trigger");
            trigger.args(["--by-package=stayput", "--no-await", "update-initramfs"]);
            program::run(&mut trigger, NEXT).map(drop)
        }
        // By the same trigger it would write over an image, and leave none where there is
        // no room.
        Found::Generator(dracut) => {
            println!("Making the initramfs; this takes a minute or so ...");
            initramfs::make(dracut, Some(&vault_conf()?))
                .map_err(|what| Problem::failed(what, NEXT))
        }
        Found::Gone(_) | Found::NotKnown(..) | Found::NoImage => {
            println!("No initramfs was made. When /boot is as it should be: stayput install");
            Ok(())
        }
    }
}

/// The scripts of earlier versions that are there.
fn own_scripts() -> Result<Vec<&'static Path>> {
    let mut own = Vec::new();
    for path in EARLIER_SCRIPTS.map(Path::new) {
        if is_own_script_at(path)? {
            own.push(path);
        }
    }
    Ok(own)
}

fn is_own_script_at(path: &Path) -> Result<bool> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        read => read.map_err(|error| Problem::of_file(path, &error))?,
    };
    let is_own = is_own_script(&text);
    if !is_own {
        println!("{} is not stayput's own, and stays", path.display());
    }
    Ok(is_own)
}

/// Whether a version of stayput wrote this script. All of them name the boot stage.
fn is_own_script(text: &str) -> bool {
    text.starts_with("#!/bin/sh\n") && text.contains("/usr/lib/stayput/stayput-boot")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::boot_files::BOOT_FILES;

    #[test]
    fn services_that_were_put_by_hand_are_known_as_ours() {
        for service in SERVICES {
            assert_eq!(Origin::of(Some(service.text)), Origin::Hand);
        }
    }

    #[test]
    fn an_owners_script_of_the_same_name_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stayput");
        assert!(!is_own_script_at(&path).unwrap());
        fs::write(&path, "#!/bin/sh\necho stay put\n").unwrap();
        assert!(!is_own_script_at(&path).unwrap());
        let scripts = BOOT_FILES.iter();
        let scripts = scripts.filter(|file| EARLIER_SCRIPTS.contains(&file.path));
        let texts: Vec<&str> = scripts.map(|file| file.text).collect();
        assert_eq!(texts.len(), EARLIER_SCRIPTS.len());
        for text in texts {
            fs::write(&path, text).unwrap();
            assert!(is_own_script_at(&path).unwrap());
        }
    }
}
