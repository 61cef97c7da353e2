//! `stayput package`: what the package's scripts do that a shell cannot judge.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::admin::backup_service;
use crate::admin::boot_files;
use crate::admin::by_hand::WrittenByHand;
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
    Configure,
}

const SERVICES: [&ServiceUnit; 2] = [&release_service::UNIT, &watch_service::UNIT];

/// Where `stayput install` put the scripts of initramfs-tools before there was a package.
/// There they would run beside the package's.
const EARLIER_SCRIPTS: [&str; 2] = [
    "/etc/initramfs-tools/hooks/stayput",
    "/etc/initramfs-tools/scripts/init-premount/stayput",
];

/// How long another command of stayput may take to make its images.
const OTHERS_TAKE: Duration = Duration::from_secs(300);

/// # Errors
/// What the filesystem or systemd says.
pub fn run(command: &PackageCommand) -> Result<()> {
    match command {
        PackageCommand::Configure => configure(),
    }
}

fn configure() -> Result<()> {
    // A failure here would stop apt.
    let _alone = boot_files::alone_within(OTHERS_TAKE)?;
    systemd::reload()?;
    take_over()?;
    if mariadb_service::is_enabled() && mariadb::is_gate_in_front() {
        mariadb::put_gate_in_front()?;
    }
    if backup_service::is_on() {
        backup_service::put()?;
    }
    if !Path::new(VAULT_CONF).exists() {
        let was_set_up = boot_files::are_wanted() || mariadb_service::is_enabled();
        println!("{}", without_vault_conf(was_set_up));
    } else if boot_files::are_wanted() {
        renew_images(initramfs::find_generator())?;
    }
    Ok(())
}

/// Takes away what `stayput install` wrote into /etc before there was a package, and has
/// the services of this version run. The list of what was written goes last: a run that
/// is interrupted is taken up by the next one.
fn take_over() -> Result<()> {
    let by_hand = boot_files::written_by_hand();
    for path in EARLIER_SCRIPTS.map(Path::new) {
        match writer_of(path, &by_hand)? {
            Writer::Nobody => {}
            Writer::Install => {
                remove_durably(path).map_err(|error| Problem::of_file(path, &error))?;
            }
            Writer::Owner => println!("{} is its owner's, and stays", path.display()),
        }
    }
    for service in SERVICES {
        let path = service.path_of(Origin::Hand);
        let is_put = match writer_of(&path, &by_hand)? {
            Writer::Install => {
                service.remove()?;
                service.put()?
            }
            // An earlier run has taken the file away, and was interrupted.
            Writer::Nobody if !by_hand.is_empty() => service.put()?,
            Writer::Nobody => false,
            Writer::Owner => {
                println!("{} is its owner's, and stays in force", path.display());
                false
            }
        };
        // Another program's service is none of ours to start anew.
        if !is_put && service.origin() != Origin::Owner && service.is_running() {
            service.start_anew();
        }
    }
    if !by_hand.is_empty() {
        boot_files::want(&WrittenByHand::default())?;
        println!("The package has taken over what `stayput install` had written.");
    }
    Ok(())
}

/// Who has written a file in /etc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    /// It is not there.
    Nobody,
    /// `stayput install`, and nobody has changed it since.
    Install,
    Owner,
}

fn writer_of(path: &Path, by_hand: &WrittenByHand) -> Result<Writer> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Writer::Nobody),
        Err(error) => Err(Problem::of_file(path, &error)),
        Ok(text) => Ok(match by_hand.has(&path.to_string_lossy(), &text) {
            true => Writer::Install,
            false => Writer::Owner,
        }),
    }
}

/// What is said of a server without vault.conf. Pure.
fn without_vault_conf(was_set_up: bool) -> String {
    match was_set_up {
        false => "This server is not set up yet. Run: stayput setup".into(),
        true => format!(
            "{VAULT_CONF} is lost. No initramfs was made: each kernel keeps the boot stage that it \
             has.\nRun: stayput init --adopt (with where the vault is; stayput init alone finds \
             it), then: stayput install"
        ),
    }
}

/// Has the boot stage of this version put into the initramfs.
fn renew_images(generator: Found) -> Result<()> {
    const NEXT: &str = "Each kernel starts with what it has now. Mend what is said above, then: \
                        stayput install";
    // No failure: apt would leave what else it installs now as it is, and a kernel that is
    // only unpacked has no initramfs at all.
    initramfs::remove_leftovers();
    if let Some(obstacle) = initramfs::obstacle(&generator) {
        println!("{obstacle} No initramfs was made: each kernel keeps the boot stage that it has.");
        println!("{}, then: stayput install", obstacle.what_to_do());
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
    fn every_script_in_etc_is_taken_over() {
        let in_etc = BOOT_FILES.iter().map(|file| file.path);
        let in_etc: Vec<_> = in_etc.filter(|path| path.starts_with("/etc/")).collect();
        assert_eq!(in_etc, EARLIER_SCRIPTS);
    }

    #[test]
    fn what_its_owner_has_changed_is_not_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stayput");
        let mut by_hand = WrittenByHand::default();
        let text = BOOT_FILES[0].text;
        by_hand.add(path.to_str().unwrap(), text);
        let writer = |text: Option<&str>| {
            if let Some(text) = text {
                fs::write(&path, text).unwrap();
            }
            writer_of(&path, &by_hand).unwrap()
        };
        assert_eq!(writer(None), Writer::Nobody);
        assert_eq!(writer(Some(text)), Writer::Install);
        let with_a_line = format!("{text}echo a line of the owner\n");
        assert_eq!(writer(Some(&with_a_line)), Writer::Owner);
        assert_eq!(writer(Some("#!/bin/sh\necho stay put\n")), Writer::Owner);
    }

    #[test]
    fn a_server_that_has_lost_vault_conf_is_not_called_new() {
        assert!(without_vault_conf(false).contains("Run: stayput setup"));
        let lost = without_vault_conf(true);
        assert!(
            lost.contains("--adopt") && !lost.contains("setup"),
            "{lost}"
        );
    }
}
