//! The systems that are tried: which Debian or Ubuntu, and what makes its initramfs.

use std::fmt;
use std::path::PathBuf;

use crate::prepared::{built_image, debian_package_of, run_script, shipped_binary};
use crate::{Architecture, Result};

/// Which release of Debian or Ubuntu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Debian 12, MariaDB 10.11.
    Bookworm,
    /// Debian 13, MariaDB 11.8.
    Trixie,
    /// What becomes Debian 14.
    Forky,
    /// Ubuntu 24.04, MariaDB 10.11.
    Noble,
    /// Ubuntu 25.04, MariaDB 11.4.
    Plucky,
    /// Ubuntu 26.04, MariaDB 11.8.
    Resolute,
}

impl Suite {
    /// Those whose servers are tried in containers.
    pub const IN_CONTAINERS: [Self; 2] = [Self::Bookworm, Self::Trixie];

    /// Its name in the archive.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Forky => "forky",
            Self::Noble => "noble",
            Self::Plucky => "plucky",
            Self::Resolute => "resolute",
        }
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Bookworm => "Debian 12",
            Self::Trixie => "Debian 13",
            Self::Forky => "Debian 14",
            Self::Noble => "Ubuntu 24.04",
            Self::Plucky => "Ubuntu 25.04",
            Self::Resolute => "Ubuntu 26.04",
        }
    }

    /// What makes its initramfs where nobody has chosen.
    fn default_generator(self) -> Generator {
        match self {
            Self::Bookworm | Self::Trixie | Self::Noble | Self::Plucky => Generator::InitramfsTools,
            Self::Forky | Self::Resolute => Generator::Dracut,
        }
    }

    /// A container has no boot, so that any image of the suite will do: the one that
    /// scenarios boot.
    pub(crate) fn of_containers(self) -> System {
        let generator = match self {
            Self::Trixie => Generator::Dracut,
            suite => suite.default_generator(),
        };
        System {
            suite: self,
            generator,
            ..System::USUAL
        }
    }
}

/// What makes the initramfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    InitramfsTools,
    Dracut,
}

impl Generator {
    pub const ALL: [Self; 2] = [Self::InitramfsTools, Self::Dracut];

    /// The name of its package.
    pub fn name(self) -> &'static str {
        match self {
            Self::InitramfsTools => "initramfs-tools",
            Self::Dracut => "dracut",
        }
    }
}

/// What the root filesystem lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The first partition.
    Plain,
    /// LUKS, on LVM, on a RAID1 of two disks; a splash screen hides the boot.
    Layered,
}

/// A Debian or Ubuntu that boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct System {
    pub architecture: Architecture,
    pub suite: Suite,
    pub generator: Generator,
    pub layout: Layout,
}

impl System {
    /// Debian 12 with initramfs-tools.
    pub const USUAL: Self = Self {
        architecture: Architecture::Amd64,
        suite: Suite::Bookworm,
        generator: Generator::InitramfsTools,
        layout: Layout::Plain,
    };

    /// Debian 13 with dracut.
    pub const WITH_DRACUT: Self = Self {
        suite: Suite::Trixie,
        generator: Generator::Dracut,
        ..Self::USUAL
    };

    /// With a root filesystem on LUKS, LVM and RAID: one for each generator.
    pub const LAYERED: [Self; 2] = [
        Self {
            layout: Layout::Layered,
            ..Self::USUAL
        },
        Self {
            layout: Layout::Layered,
            ..Self::WITH_DRACUT
        },
    ];

    /// Debian 13 on another processor, without MariaDB.
    const ARM64: Self = Self {
        architecture: Architecture::Arm64,
        suite: Suite::Trixie,
        ..Self::USUAL
    };

    /// All that the table in README tells of.
    pub fn all() -> impl Iterator<Item = Self> {
        let suites = [Suite::Bookworm, Suite::Trixie, Suite::Forky];
        let plain = suites.into_iter().flat_map(|suite| {
            let systems = Generator::ALL.into_iter();
            systems.map(move |generator| Self {
                suite,
                generator,
                ..Self::USUAL
            })
        });
        let ubuntu = [Suite::Noble, Suite::Plucky, Suite::Resolute].map(|suite| Self {
            suite,
            generator: suite.default_generator(),
            ..Self::USUAL
        });
        plain
            .chain([Self::ARM64])
            .chain(ubuntu)
            .chain(Self::LAYERED)
    }

    /// Whether MariaDB is on it. On arm64 all of it would be emulated, and what is asked
    /// there is whether the server starts.
    pub fn has_database(self) -> bool {
        self.architecture == Architecture::Amd64
    }

    /// What is brought onto it: the two programs, or the package that holds them.
    ///
    /// # Errors
    /// They cannot be built.
    pub fn programs(self) -> Result<Vec<PathBuf>> {
        match self.architecture {
            Architecture::Amd64 => ["stayput", "stayput-boot"]
                .map(shipped_binary)
                .into_iter()
                .collect(),
            Architecture::Arm64 => Ok(vec![debian_package_of(self.architecture)?]),
        }
    }

    /// What people call it, without what makes its initramfs.
    pub fn title(self) -> String {
        match self.architecture {
            Architecture::Amd64 => self.suite.title().into(),
            Architecture::Arm64 => format!("{} on arm64", self.suite.title()),
        }
    }

    /// Its name in the cache. None begins with another one: see `prepared`.
    pub fn cache_name(self) -> String {
        let kind = match (self.architecture, self.layout) {
            (Architecture::Arm64, _) => "arm64-",
            (Architecture::Amd64, Layout::Plain) => "",
            (Architecture::Amd64, Layout::Layered) => "layered-",
        };
        format!("{kind}{}-{}", self.suite.name(), self.generator.name())
    }

    /// The directory of its image, made now where it is not kept.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn image(self) -> Result<PathBuf> {
        let script = match self.layout {
            Layout::Plain => "images/build-debian",
            Layout::Layered => "images/build-layered",
        };
        let mut words = vec![self.suite.name(), self.generator.name()];
        if self.architecture == Architecture::Arm64 {
            // Nobody else needs these.
            run_script("images/install-tools", self.architecture.words())?;
            words.push("arm64");
        }
        built_image(script, &words)
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.title(), self.generator.name())?;
        match self.layout {
            Layout::Plain => Ok(()),
            Layout::Layered => f.write_str(" and its root on LUKS, LVM and RAID"),
        }
    }
}
