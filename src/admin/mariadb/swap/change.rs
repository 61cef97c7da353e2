//! `--swap`: ends clear swap for the person, and says what it changes.

use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::admin::durable::write_durably;
use crate::admin::mariadb::overwrite::overwrite;
use crate::admin::problem::{Problem, Result};
use crate::admin::program;

use super::System;

/// What takes the place of clear swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SwapChoice {
    /// No swap at all
    Off,
    /// The swap partition there is, encrypted under a new random key at each boot
    RandomKey,
    /// Swap in compressed memory
    Zram,
}

const MAPPING: &str = "stayput_swap";
const ZRAM_UNIT: &str = "stayput-zram.service";
const ZRAM: &str = include_str!("../../../../systemd/stayput-zram.service");
const RESUME: &str = "/etc/initramfs-tools/conf.d/resume";
const FSTAB: &str = "/etc/fstab";
const CRYPTTAB: &str = "/etc/crypttab";

/// Ends clear swap: now, and for the next boot. The old swap is overwritten.
///
/// # Errors
/// When a step fails; what was done until then stays done and can be done
/// again.
pub fn apply(choice: SwapChoice, system: &System) -> Result<()> {
    let active = system.active();
    let partition = match choice {
        SwapChoice::RandomKey => Some(stable_name(&active)?),
        _ => None,
    };
    let io = |error: io::Error| {
        Problem::failed(
            format!("Swap could not be changed: {error}"),
            "Is a disk full or failing? `df` and `dmesg` tell. Then run the command again.",
        )
    };
    let fstab = system.text(FSTAB);
    let mapping = partition
        .is_some()
        .then(|| format!("/dev/mapper/{MAPPING}"));
    let changed = fstab_without_swap(&fstab, mapping.as_deref(), |device| system.is_safe(device));
    if changed != fstab {
        println!("Taking clear swap out of {FSTAB}.");
        write_durably(Path::new(FSTAB), changed.as_bytes()).map_err(io)?;
    }
    if Path::new("/etc/initramfs-tools").is_dir() {
        println!("Switching off hibernation in {RESUME}.");
        write_durably(Path::new(RESUME), b"RESUME=none\n").map_err(io)?;
    }
    for path in &active {
        println!(
            "Switching off swap on {} and overwriting it (this can take minutes).",
            path.display()
        );
        // What systemd finds by itself (a partition's type) must stay off too.
        let unit = output(
            "/usr/bin/systemd-escape",
            &["-p", "--suffix=swap", &path.to_string_lossy()],
        )?;
        let written_back = system.written_back(path);
        run("/usr/sbin/swapoff", &[&path.to_string_lossy()])?;
        // An owner's own file cannot be masked: it is named afterwards.
        if !Path::new("/etc/systemd/system").join(unit.trim()).is_file() {
            run("/usr/bin/systemctl", &["mask", unit.trim()])?;
        }
        if let Some(disk) = written_back {
            println!("  It was written out to {}.", disk.display());
            run("/usr/sbin/zramctl", &["--reset", &path.to_string_lossy()])?;
            overwrite(&disk, &mut |_| {}).map_err(io)?;
            continue;
        }
        overwrite(path, &mut |_| {}).map_err(io)?;
        if !fs::metadata(path)
            .map_err(io)?
            .file_type()
            .is_block_device()
        {
            fs::remove_file(path).map_err(io)?;
        }
    }
    match (choice, partition) {
        (SwapChoice::RandomKey, Some(device)) => {
            println!(
                "Encrypting {} under a new random key at each boot.",
                device.display()
            );
            let mut text = system.text(CRYPTTAB);
            if !text.contains(MAPPING) {
                let device = device.display();
                writeln!(
                    text,
                    "{MAPPING} {device} /dev/urandom swap,cipher=aes-xts-plain64,size=512"
                )
                .expect("a String takes any text");
                write_durably(Path::new(CRYPTTAB), text.as_bytes()).map_err(io)?;
            }
            run("/usr/bin/systemctl", &["daemon-reload"])?;
            run(
                "/usr/bin/systemctl",
                &["start", "dev-mapper-stayput_swap.swap"],
            )
        }
        (SwapChoice::Zram, _) => {
            println!("Making swap in compressed memory ({ZRAM_UNIT}).");
            let unit = Path::new("/etc/systemd/system").join(ZRAM_UNIT);
            write_durably(&unit, ZRAM.as_bytes()).map_err(io)?;
            run("/usr/bin/systemctl", &["daemon-reload"])?;
            run("/usr/bin/systemctl", &["enable", "--now", ZRAM_UNIT])
        }
        _ => run("/usr/bin/systemctl", &["daemon-reload"]),
    }
}

/// A name of the swap partition that stays the same when it is overwritten
/// at every boot and when disks change places.
fn stable_name(active: &[PathBuf]) -> Result<PathBuf> {
    let refuse = |what: &str| {
        Problem::refused(
            format!("{what} Nothing was changed."),
            "Use --swap zram or --swap off instead.",
        )
    };
    let [device] = active else {
        return Err(refuse(
            "A random key needs exactly one clear swap partition in use.",
        ));
    };
    if !Path::new("/usr/sbin/cryptsetup").exists() {
        return Err(Problem::refused(
            "A random key needs cryptsetup. Nothing was changed.",
            "Install it: `apt-get install cryptsetup`. Or use --swap zram or --swap off.",
        ));
    }
    for directory in ["/dev/disk/by-partuuid", "/dev/disk/by-id"] {
        let Ok(links) = fs::read_dir(directory) else {
            continue;
        };
        for link in links.flatten() {
            if fs::canonicalize(link.path()).is_ok_and(|real| real == *device) {
                return Ok(link.path());
            }
        }
    }
    Err(refuse(
        "The swap in use is no partition with a name that stays the same.",
    ))
}

/// fstab with its lines of clear swap commented out, and one for `instead`.
fn fstab_without_swap(
    fstab: &str,
    instead: Option<&str>,
    is_safe: impl Fn(&str) -> bool,
) -> String {
    let mut text = String::new();
    for line in fstab.lines() {
        let swap = super::fstab_swaps(line).next();
        if swap.is_some_and(|device| !is_safe(&super::unescaped(device))) && swap != instead {
            text.push_str("# stayput: ");
        }
        text.push_str(line);
        text.push('\n');
    }
    if let Some(device) = instead
        && !super::fstab_swaps(&text).any(|known| known == device)
    {
        text.push_str(&format!("{device} none swap sw 0 0\n"));
    }
    text
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    output(program, arguments).map(drop)
}

fn output(name: &str, arguments: &[&str]) -> Result<String> {
    program::run(
        Command::new(name).args(arguments),
        "If swap cannot be switched off, free memory by stopping other services. `dmesg` tells more. \
         Then run the command again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_swap_leaves_the_fstab() {
        let fstab = "UUID=1 / ext4 defaults 0 1\nUUID=2 none swap sw 0 0\n/f none swap sw 0 0";
        let off = "UUID=1 / ext4 defaults 0 1\n# stayput: UUID=2 none swap sw 0 0\n\
                   # stayput: /f none swap sw 0 0\n";
        let clear = |_: &str| false;
        assert_eq!(fstab_without_swap(fstab, None, clear), off);
        assert_eq!(fstab_without_swap(off, None, clear), off);
        let mapped = fstab_without_swap(fstab, Some("/dev/mapper/x"), clear);
        assert_eq!(mapped, format!("{off}/dev/mapper/x none swap sw 0 0\n"));
        let again = fstab_without_swap(&mapped, Some("/dev/mapper/x"), clear);
        assert_eq!(again, mapped);
    }

    #[test]
    fn encrypted_swap_stays_in_the_fstab() {
        let fstab = "UUID=2 none swap sw 0 0\n/my\\040file none swap sw 0 0\n";
        let left = fstab_without_swap(fstab, None, |device| device == "/my file");
        let expected = "# stayput: UUID=2 none swap sw 0 0\n/my\\040file none swap sw 0 0\n";
        assert_eq!(left, expected);
    }
}
