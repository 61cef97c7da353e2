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
use crate::admin::watch_service;
use crate::vault::VAULT_CONF;

#[derive(Clone, Debug, clap::Subcommand)]
pub enum PackageCommand {
    /// Take over what `stayput install` wrote before there was a package, and renew
    /// what depends on this version
    Configure,
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
        PackageCommand::Configure => configure(),
    }
}

fn configure() -> Result<()> {
    let mut was_by_hand = false;
    for path in EARLIER_SCRIPTS.map(Path::new) {
        was_by_hand |= take_script_over(path)?;
    }
    for service in SERVICES {
        match service.origin() {
            Origin::Hand => {
                service.remove()?;
                service.put()?;
                was_by_hand = true;
            }
            Origin::Package if service.is_running() => service.start_anew(),
            Origin::Package => {}
            Origin::Owner => println!(
                "{} is not stayput's own, and stays in force",
                service.path_of(Origin::Owner).display()
            ),
        }
    }
    if was_by_hand {
        boot_files::want()?;
        println!("The package has taken over what `stayput install` had written.");
    }
    if mariadb_service::is_enabled() && mariadb::is_gate_in_front() {
        mariadb::put_gate_in_front()?;
    }
    if !Path::new(VAULT_CONF).exists() {
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

/// Removes a script of an earlier version; whether there was one.
fn take_script_over(path: &Path) -> Result<bool> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        read => read.map_err(|error| Problem::of_file(path, &error))?,
    };
    if !is_own_script(&text) {
        println!("{} is not stayput's own, and stays", path.display());
        return Ok(false);
    }
    remove_durably(path).map_err(|error| Problem::of_file(path, &error))
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
        assert!(!take_script_over(&path).unwrap());
        fs::write(&path, "#!/bin/sh\necho stay put\n").unwrap();
        assert!(!take_script_over(&path).unwrap());
        assert!(path.exists());
        let scripts = BOOT_FILES.iter();
        let scripts = scripts.filter(|file| EARLIER_SCRIPTS.contains(&file.path));
        let texts: Vec<&str> = scripts.map(|file| file.text).collect();
        assert_eq!(texts.len(), EARLIER_SCRIPTS.len());
        for text in texts {
            fs::write(&path, text).unwrap();
            assert!(take_script_over(&path).unwrap());
            assert!(!path.exists());
        }
    }
}
