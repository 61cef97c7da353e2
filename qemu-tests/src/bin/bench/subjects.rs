//! What is compared: servers that differ in what opens them.

use std::fmt;
use std::path::PathBuf;

use qemu_tests::{
    FastMachine, Filesystem, Hardware, KeyServer, Machine, MachineBuilder, Neighbour, Place,
    Result, Scratch, Stick, UsbController, UsbModel, cpio, minutes,
};

use crate::images::Images;

/// What opens the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Nothing,
    /// stayput, with so many neighbours that all have to answer.
    Neighbours(u8),
    /// stayput, with so many Tang servers. Half of them have to answer, as they are
    /// enrolled without another word, or all.
    Tang {
        servers: u8,
        all: bool,
    },
    Passdev,
    Clevis,
}

impl What {
    /// The name of its initramfs.
    pub fn image(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Neighbours(_) | Self::Tang { .. } => "stayput",
            Self::Passdev => "passdev",
            Self::Clevis => "clevis",
        }
    }

    /// Neither nothing nor stayput.
    pub fn is_another_program(self) -> bool {
        matches!(self, Self::Passdev | Self::Clevis)
    }

    /// What the mark at the end of the stretch finds when it went well.
    pub fn result(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Neighbours(_) | Self::Tang { .. } => "keys",
            Self::Passdev | Self::Clevis => "volume",
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Neighbours(1) => f.write_str("stayput, 1 neighbour"),
            Self::Neighbours(n) => write!(f, "stayput, {n} neighbours"),
            Self::Tang { servers: 1, .. } => f.write_str("stayput, 1 Tang server"),
            Self::Tang { servers, all } => {
                let needed = if *all { ", all needed" } else { "" };
                write!(f, "stayput, {servers} Tang servers{needed}")
            }
            Self::Passdev => f.write_str("cryptsetup's passdev, a stick"),
            Self::Clevis => f.write_str("clevis, 1 Tang server"),
        }
    }
}

/// One server, and what stands around it.
pub struct Subject {
    pub what: What,
    place: Place,
    disk: Option<PathBuf>,
    /// Laid over its initramfs: path and content.
    file: Option<(&'static str, String)>,
    stick: Option<Stick>,
    words: &'static str,
    _kept: Kept,
}

/// What has to live as long as the subject.
#[derive(Default)]
struct Kept {
    _server: Option<FastMachine>,
    _key_servers: Vec<KeyServer>,
}

pub fn all(images: &Images) -> Result<Vec<Subject>> {
    let mut subjects = vec![Subject::plain(What::Nothing)?];
    for count in [1, 2, 4, 8] {
        subjects.push(stayput_with_neighbours(count)?);
    }
    for servers in [1, 2, 4, 8] {
        subjects.push(stayput_with_tang(servers, false)?);
    }
    subjects.push(stayput_with_tang(8, true)?);
    subjects.push(passdev(images)?);
    subjects.push(clevis(images)?);
    Ok(subjects)
}

/// Devices at 192.168.77.1 and on.
fn neighbours(count: u8) -> Vec<Neighbour> {
    (1..=count)
        .map(|n| {
            Neighbour::new(
                &format!("192.168.77.{n}"),
                &format!("00:0d:b9:41:7a:{n:02x}"),
            )
        })
        .collect()
}

/// All of them are needed: at home the first try opens whatever is needed, and
/// one combination is made sooner than many.
fn stayput_with_neighbours(count: u8) -> Result<Subject> {
    let place = Place::with(&neighbours(count))?;
    let named: String = neighbours(count)
        .iter()
        .map(|neighbour| format!(" --neighbour {}", neighbour.ip))
        .collect();
    let enroll = format!("stayput enroll --yes --machine-need 4 --place-need {count}{named}");
    stayput(What::Neighbours(count), place, Vec::new(), &enroll)
}

/// Each neighbour is a Tang server. The server takes its enrolled address in
/// the boot stage.
fn stayput_with_tang(servers: u8, all: bool) -> Result<Subject> {
    let place = Place::empty()?;
    let mut key_servers = Vec::new();
    let mut named = String::new();
    for Neighbour { ip, mac } in neighbours(servers) {
        let server = KeyServer::at(&place, &ip, &mac)?;
        named += &format!(
            " --tang {} --thumbprint {}",
            server.url(),
            server.thumbprint()?
        );
        key_servers.push(server);
    }
    if all {
        named += &format!(" --tang-need {servers}");
    }
    let enroll = format!(
        "ip link set eth0 up && ip addr add 192.168.77.10/24 dev eth0 && \
         stayput enroll --yes --machine-need 4 --place-need 0{named}"
    );
    stayput(What::Tang { servers, all }, place, key_servers, &enroll)
}

/// Set up with the commands that an owner types.
fn stayput(what: What, place: Place, key_servers: Vec<KeyServer>, enroll: &str) -> Result<Subject> {
    let mut server = FastMachine::blank()?;
    server.boot_to_shell_at(&place)?;
    server
        .shell("stayput init --name clinic --disk /dev/vda --yes")?
        .success()?;
    server
        .shell_within(&format!("{enroll} && sync"), minutes(2))?
        .success()?;
    let path = "/etc/stayput/vault.conf";
    let conf = server.shell(&format!("cat {path}"))?.success()?;
    server.power_cut();
    Ok(Subject {
        place,
        disk: Some(server.disk().to_path_buf()),
        file: Some((path, conf)),
        _kept: Kept {
            _server: Some(server),
            _key_servers: key_servers,
        },
        ..Subject::plain(what)?
    })
}

/// The stick is plugged in before the server is switched on. ext4: on vfat
/// Debian's passdev does not find its file.
fn passdev(images: &Images) -> Result<Subject> {
    let stick = Stick::partitioned(Filesystem::Ext4)?;
    stick.write("bench.key", &std::fs::read(images.path("stick.key"))?)?;
    Ok(Subject {
        disk: Some(images.path("passdev.disk")),
        stick: Some(stick),
        ..Subject::plain(What::Passdev)?
    })
}

/// Its best case: a fixed address, and a server that answers.
fn clevis(images: &Images) -> Result<Subject> {
    let place = Place::empty()?;
    let Neighbour { ip, mac } = &neighbours(1)[0];
    let key_server = KeyServer::with_keys(&place, ip, mac, &images.path("tang"))?;
    Ok(Subject {
        place,
        disk: Some(images.path("clevis.disk")),
        words: "ip=192.168.77.10::192.168.77.1:255.255.255.0:clinic:eth0:off",
        _kept: Kept {
            _server: None,
            _key_servers: vec![key_server],
        },
        ..Subject::plain(What::Clevis)?
    })
}

impl Subject {
    fn plain(what: What) -> Result<Self> {
        Ok(Self {
            what,
            place: Place::with(&neighbours(1))?,
            disk: None,
            file: None,
            stick: None,
            words: "",
            _kept: Kept::default(),
        })
    }

    /// The server is switched on; these words are on its kernel's command line
    /// too.
    pub fn switch_on(&self, images: &Images, words: &str) -> Result<Machine> {
        let scratch = Scratch::new()?;
        let part = |kind: &str| images.path(&format!("{}.{kind}", self.what.image()));
        let mut builder = MachineBuilder::new(Hardware::clinic(), &images.kernel())
            .initrd(&part("img"))
            .initrd(&part("marks"))
            .memory_mib(768)
            .kernel_words("console=ttyS0 quiet loglevel=4 net.ifnames=0 root=/dev/vda1")
            .kernel_words(self.words)
            .kernel_words(words);
        if let Some(disk) = &self.disk {
            builder = builder.disk(disk);
        }
        if let Some((path, content)) = &self.file {
            let overlay = scratch.join("overlay.cpio");
            let entry = cpio::Entry {
                path: (*path).into(),
                mode: 0o644,
                content: content.clone().into_bytes(),
            };
            std::fs::write(&overlay, cpio::archive(&[entry]))?;
            builder = builder.initrd(&overlay);
        }
        let mut machine = builder.start(&self.place)?;
        if let Some(stick) = &self.stick {
            machine.plug(stick, UsbController::Xhci, UsbModel::Storage)?;
        }
        Ok(machine)
    }
}
