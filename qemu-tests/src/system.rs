//! The systems that are tried: which Debian, and what makes its initramfs.

use std::fmt;
use std::path::PathBuf;

use crate::Result;
use crate::prepared::built_debian;

/// Which Debian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Debian 12, MariaDB 10.11.
    Bookworm,
    /// Debian 13, MariaDB 11.8.
    Trixie,
    /// What becomes Debian 14.
    Forky,
}

impl Suite {
    /// Those whose servers are tried in containers.
    pub const IN_CONTAINERS: [Self; 2] = [Self::Bookworm, Self::Trixie];

    /// Its name in Debian.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Forky => "forky",
        }
    }

    /// The number of its release.
    pub fn number(self) -> u8 {
        match self {
            Self::Bookworm => 12,
            Self::Trixie => 13,
            Self::Forky => 14,
        }
    }

    /// A container has no boot, so that any image of the suite will do: the one that
    /// scenarios boot.
    pub(crate) fn of_containers(self) -> System {
        let generator = match self {
            Self::Bookworm => Generator::InitramfsTools,
            Self::Trixie | Self::Forky => Generator::Dracut,
        };
        System {
            suite: self,
            generator,
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

/// A Debian that boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct System {
    pub suite: Suite,
    pub generator: Generator,
}

impl System {
    /// Debian 12 with initramfs-tools.
    pub const USUAL: Self = Self {
        suite: Suite::Bookworm,
        generator: Generator::InitramfsTools,
    };

    /// All that the table in README tells of.
    pub fn all() -> impl Iterator<Item = Self> {
        let suites = [Suite::Bookworm, Suite::Trixie, Suite::Forky];
        suites.into_iter().flat_map(|suite| {
            let systems = Generator::ALL.into_iter();
            systems.map(move |generator| Self { suite, generator })
        })
    }

    /// Its name in the cache.
    pub fn cache_name(self) -> String {
        format!("{}-{}", self.suite.name(), self.generator.name())
    }

    /// The directory of its image, made now where it is not kept.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn image(self) -> Result<PathBuf> {
        let built = built_debian(&[self.suite.name(), self.generator.name()])?;
        Ok(PathBuf::from(built))
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Debian {} with {}",
            self.suite.number(),
            self.generator.name()
        )
    }
}
