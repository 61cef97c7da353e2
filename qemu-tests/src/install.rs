//! stayput brought onto a Debian as its owner does it, once for all tests.

use std::path::{Path, PathBuf};

use crate::{
    DebianMachine, Failure, Filesystem, Place, Result, Scratch, Stick, System, minutes, prepared,
    run,
};

/// Hears what is going on, in a line for people.
pub type Tell<'a> = &'a mut dyn FnMut(&str);

/// What the owner types, and why.
const STEPS: [(&str, &str); 5] = [
    (
        "the vault gets a small partition in front of the first one",
        "stayput init --name clinic --disk /dev/vda --yes",
    ),
    (
        "the place is enrolled: this machine, and the three devices around it",
        "stayput enroll --yes --neighbour 192.168.77.1 --neighbour 192.168.77.2 \
         --neighbour 192.168.77.3",
    ),
    (
        "a backup stick is made",
        "stayput stick make /dev/sda1 --label Halima --no-pin",
    ),
    (
        "the database is encrypted, and the clear files are overwritten at once",
        "stayput mariadb enable --yes --destroy-original",
    ),
    ("the boot stage goes into the initramfs", "stayput install"),
];

impl DebianMachine {
    /// A server with stayput installed, at home in `Place::home`, switched
    /// off. Made once for each build of the programs, then kept; `tell` hears
    /// about it when it is made now.
    pub fn installed(system: System, tell: Tell<'_>) -> Result<Self> {
        let (base, kept) = kept(system, tell)?;
        Self::with(system, base, &kept)
    }

    /// The stick that belongs to `installed`: vfat in a partition, label
    /// "Halima", no PIN. Each call gives a copy of its own.
    pub fn installed_stick(system: System) -> Result<Stick> {
        let (_, kept) = kept(system, &mut |_| ())?;
        Stick::from_kept(&kept.join("stick.img"))
    }
}

fn kept(system: System, tell: Tell<'_>) -> Result<(PathBuf, PathBuf)> {
    let base = system.image()?;
    let programs = system.programs()?;
    let mut inputs = vec![
        base.as_os_str().as_encoded_bytes().to_vec(),
        include_bytes!("install.rs").to_vec(),
    ];
    for program in &programs {
        inputs.push(std::fs::read(program)?);
    }
    let name = format!("installed-{}", system.cache_name());
    let kept = prepared(&name, &inputs, |directory| {
        tell("  Debian starts for the first time");
        let home = Place::home()?;
        let stick = Stick::partitioned(Filesystem::Vfat)?;
        let mut server = DebianMachine::fresh(system)?;
        // Not on a disk of their own: it would be enrolled as a part of the
        // machine, and move the network card to another socket.
        let carrier = Stick::partitioned(Filesystem::Vfat)?;
        let put = carry(&programs, &carrier)?;
        server.boot_at(&home)?;
        server.wait_until_it_serves()?;
        tell("  stayput is brought onto it");
        let plugged = server.plug(&carrier)?;
        server.wait_for_device("/dev/sda1")?;
        server
            .shell(&format!("mount /dev/sda1 /mnt && {put} && umount /mnt"))?
            .success()?;
        server.unplug(&plugged)?;
        server
            .shell("while [ -e /dev/sda ]; do sleep 0.1; done")?
            .success()?;
        server.plug(&stick)?;
        server.wait_for_device("/dev/sda1")?;
        for (why, command) in steps(system) {
            tell(&format!("  {why}\n    # {command}"));
            let output = server.shell_within(command, minutes(15))?;
            if !output.ok() {
                return Err(Failure::new(format!("{command}\nended with {output}")));
            }
        }
        server.shut_down()?;
        server.keep_disks(directory)?;
        crate::server::copy_sparse(stick.image(), &directory.join("stick.img"))
    })?;
    Ok((base, kept))
}

/// Those of the steps that this system has.
fn steps(system: System) -> impl Iterator<Item = (&'static str, &'static str)> {
    STEPS.into_iter().filter(move |(_, command)| {
        system.has_database() || !command.starts_with("stayput mariadb")
    })
}

/// Writes the programs to the stick; gives the command that installs them from /mnt.
fn carry(programs: &[PathBuf], carrier: &Stick) -> Result<&'static str> {
    match programs {
        [package] => {
            carrier.write("stayput.deb", &std::fs::read(package)?)?;
            Ok("dpkg --install /mnt/stayput.deb")
        }
        _ => {
            let scratch = Scratch::new()?;
            let archive = scratch.join("programs.tar");
            pack(programs, &archive)?;
            carrier.write("programs.tar", &std::fs::read(&archive)?)?;
            Ok("tar -x -f /mnt/programs.tar -C /")
        }
    }
}

/// The programs in an archive, under the paths where they are installed.
fn pack(programs: &[PathBuf], archive: &Path) -> Result {
    let archive = archive.display().to_string();
    let mut words = vec!["--create", "--owner=0", "--group=0", "--absolute-names"];
    words.extend(["--transform", "s|.*/stayput$|usr/sbin/stayput|"]);
    let stage = "s|.*/stayput-boot$|usr/lib/stayput/stayput-boot|";
    words.extend(["--transform", stage, "--file", &archive]);
    let programs: Vec<String> = programs
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    words.extend(programs.iter().map(String::as_str));
    run("tar", &words)?;
    Ok(())
}
