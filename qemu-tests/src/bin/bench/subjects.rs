//! What is compared: servers that differ in what opens them.

use std::fmt;
use std::path::PathBuf;

use qemu_tests::{
    FastMachine, Filesystem, Generator, Hardware, KeyServer, Machine, MachineBuilder, Neighbour,
    Place, Result, Scratch, Stick, UsbController, UsbModel, VAULT_CONF, cpio, minutes,
};

use crate::images::Images;
use crate::mandos::{MANDOS_PORT, MandosServer};

/// Each machine has so many: as the smallest server has that is sold. With one, udev and
/// the boot stage would wait for each other.
pub const PROCESSORS: u32 = 2;

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
    /// stayput halted at its prompt, and a stick without a PIN is plugged in.
    StickAtThePrompt,
    Passdev,
    /// passdev waits for its stick, and it is plugged in.
    PassdevWaits,
    Mandos,
    Clevis,
}

impl What {
    /// The name of its initramfs.
    pub fn image(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Neighbours(_) | Self::Tang { .. } | Self::StickAtThePrompt => "stayput",
            Self::Passdev | Self::PassdevWaits => "passdev",
            Self::Mandos => "mandos",
            Self::Clevis => "clevis",
        }
    }

    /// Neither nothing nor stayput.
    pub fn is_another_program(self) -> bool {
        matches!(self, Self::Passdev | Self::Mandos | Self::Clevis)
    }

    /// The time to the key is from a stick that is plugged in meanwhile.
    pub fn waits_for_a_stick(self) -> bool {
        matches!(self, Self::StickAtThePrompt | Self::PassdevWaits)
    }

    /// What can be in an initramfs that this makes: dracut knows no keyscripts, and
    /// Mandos' module of it refuses an image for any machine.
    pub fn runs_with(self, generator: Generator) -> bool {
        generator == Generator::InitramfsTools || !matches!(self.image(), "passdev" | "mandos")
    }

    /// What the mark at the end of the stretch finds when it went well.
    pub fn result(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Neighbours(_) | Self::Tang { .. } | Self::StickAtThePrompt => "keys",
            Self::Passdev | Self::PassdevWaits | Self::Mandos | Self::Clevis => "volume",
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
            Self::StickAtThePrompt => f.write_str("stayput, a stick at the prompt"),
            Self::Passdev => f.write_str("cryptsetup's passdev, a stick"),
            Self::PassdevWaits => f.write_str("cryptsetup's passdev, waiting for a stick"),
            Self::Mandos => f.write_str("Mandos, its server"),
            Self::Clevis => f.write_str("clevis, 1 Tang server"),
        }
    }
}

/// One server, and what stands around it.
pub struct Subject {
    pub what: What,
    place: Place,
    disk: Option<Disk>,
    /// Laid over its initramfs: path and content.
    file: Option<(&'static str, String)>,
    stick: Option<Stick>,
    _kept: Kept,
}

/// The disk of a server.
enum Disk {
    /// This one.
    Own(PathBuf),
    /// A volume that was made beside the images, by this name.
    Made(&'static str),
}

/// What has to live as long as the subject.
#[derive(Default)]
struct Kept {
    _server: Option<FastMachine>,
    _key_servers: Vec<KeyServer>,
    _mandos: Option<MandosServer>,
}

/// Those that stand in one image or in several.
pub fn all() -> Result<Vec<Subject>> {
    let mut subjects = vec![Subject::plain(What::Nothing)?];
    for count in [1, 4, 8] {
        subjects.push(stayput_with_neighbours(count)?);
    }
    for (servers, all) in [(1, false), (8, false), (8, true)] {
        subjects.push(stayput_with_tang(servers, all)?);
    }
    subjects.push(stayput_with_a_stick()?);
    Ok(subjects)
}

/// Those whose volume or server was made beside the images.
pub fn others(images: &Images) -> Result<Vec<Subject>> {
    let mut subjects = vec![clevis(images)?];
    if What::Passdev.runs_with(images.generator) {
        subjects.push(passdev(What::Passdev, images)?);
        subjects.push(passdev(What::PassdevWaits, images)?);
    }
    if What::Mandos.runs_with(images.generator) {
        subjects.push(mandos(images)?);
    }
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
        let mut server = KeyServer::at(&place, &ip, &mac)?;
        server.start_ahead()?;
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
    server.keep_vault_conf()?;
    let conf = String::from_utf8_lossy(server.vault_conf()).into_owned();
    server.power_cut();
    Ok(Subject {
        place,
        disk: Some(Disk::Own(server.disk().to_path_buf())),
        file: Some((VAULT_CONF, conf)),
        _kept: Kept {
            _server: Some(server),
            _key_servers: key_servers,
            ..Kept::default()
        },
        ..Subject::plain(what)?
    })
}

/// Away from its place, so that it waits for a stick.
fn stayput_with_a_stick() -> Result<Subject> {
    let server = FastMachine::clinic()?;
    let conf = String::from_utf8_lossy(server.vault_conf()).into_owned();
    Ok(Subject {
        place: Place::empty()?,
        disk: Some(Disk::Own(server.disk().to_path_buf())),
        file: Some((VAULT_CONF, conf)),
        stick: Some(FastMachine::clinics_stick()?),
        _kept: Kept {
            _server: Some(server),
            ..Kept::default()
        },
        ..Subject::plain(What::StickAtThePrompt)?
    })
}

/// ext4: on vfat Debian's passdev does not find its file.
fn passdev(what: What, images: &Images) -> Result<Subject> {
    let stick = Stick::partitioned(Filesystem::Ext4)?;
    stick.write("bench.key", &std::fs::read(images.path("stick.key"))?)?;
    Ok(Subject {
        disk: Some(Disk::Made("passdev.disk")),
        stick: Some(stick),
        ..Subject::plain(what)?
    })
}

/// Its best case: a fixed address, and a server that answers.
fn clevis(images: &Images) -> Result<Subject> {
    let place = Place::empty()?;
    let Neighbour { ip, mac } = &neighbours(1)[0];
    let mut key_server = KeyServer::with_keys(&place, ip, mac, &images.path("tang"))?;
    key_server.start_ahead()?;
    Ok(Subject {
        place,
        disk: Some(Disk::Made("clevis.disk")),
        _kept: Kept {
            _key_servers: vec![key_server],
            ..Kept::default()
        },
        ..Subject::plain(What::Clevis)?
    })
}

/// As clevis. Its server is named too, so that nobody is searched for.
fn mandos(images: &Images) -> Result<Subject> {
    let place = Place::empty()?;
    let server = MandosServer::at(&place, &neighbours(1)[0], &images.path("mandos"))?;
    Ok(Subject {
        place,
        disk: Some(Disk::Made("mandos.disk")),
        _kept: Kept {
            _mandos: Some(server),
            ..Kept::default()
        },
        ..Subject::plain(What::Mandos)?
    })
}

/// What dracut opens is named on the kernel's command line.
const CLEVIS_IN_DRACUT: &str =
    "rd.neednet=1 rd.luks.name=0b1e6d2c-6a35-4f0e-9d51-3c1f0a5e7702=bench";

impl Subject {
    fn plain(what: What) -> Result<Self> {
        Ok(Self {
            what,
            place: Place::with(&neighbours(1))?,
            disk: None,
            file: None,
            stick: None,
            _kept: Kept::default(),
        })
    }

    /// The server is switched on; these words are on its kernel's command line
    /// too. A stick that it waits for is not in it yet.
    pub fn switch_on(&self, images: &Images, words: &str) -> Result<Machine> {
        let scratch = Scratch::new()?;
        let part = |kind: &str| images.path(&format!("{}.{kind}", self.what.image()));
        let dracut = images.generator == Generator::Dracut;
        let mut builder = MachineBuilder::new(Hardware::clinic(), &images.kernel())
            .processors(PROCESSORS)
            .initrd(&part("img"))
            .initrd(&part("marks"))
            .memory_mib(1024)
            .kernel_words("console=ttyS0 quiet loglevel=4 net.ifnames=0")
            .kernel_words(if dracut {
                "root=LABEL=bench ro"
            } else {
                "root=/dev/vda1"
            })
            .kernel_words(words);
        if matches!(self.what, What::Clevis | What::Mandos) {
            builder = builder
                .kernel_words("ip=192.168.77.10::192.168.77.1:255.255.255.0:clinic:eth0:off");
        }
        if self.what == What::Mandos {
            builder = builder.kernel_words(&format!("mandos=connect:192.168.77.1:{MANDOS_PORT}"));
        }
        if self.what == What::Clevis && dracut {
            builder = builder.kernel_words(CLEVIS_IN_DRACUT);
        }
        builder = match &self.disk {
            Some(Disk::Own(path)) => builder.disk(path),
            Some(Disk::Made(name)) => builder.disk(&images.path(name)),
            None => builder,
        };
        if dracut {
            builder = builder.disk(&images.path("root.disk"));
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
        if !self.what.waits_for_a_stick() {
            self.plug(&mut machine)?;
        }
        Ok(machine)
    }

    /// Plugs its stick in, if it has one.
    pub fn plug(&self, machine: &mut Machine) -> Result {
        if let Some(stick) = &self.stick {
            machine.plug(stick, UsbController::Xhci, UsbModel::Storage)?;
        }
        Ok(())
    }
}
