//! The sticks that are plugged in and get backups by themselves: what became of each, in
//! memory.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::backup::Made;
use crate::stick::Stick;

/// For root alone.
const FILE: &str = "/run/stayput-backup.json";
/// Backups of this boot that are remembered, more than there are sockets.
const MADE_MAX: usize = 32;

/// What became of a stick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StickState {
    /// This process writes a backup to it.
    Writing { process: u32 },
    /// It has this one, and nothing is written to it.
    Has { number: u64 },
    /// It has this one; and why it is not to be trusted, in words.
    HasAndLost { number: u64, why: String },
    /// It has got none, and why it is not to be trusted, in words.
    Lies { why: String },
    /// Why it has got none, in words.
    Failed { why: String },
}

impl StickState {
    /// Whether something may be written to it before it is plugged in anew. One that does not
    /// keep what is written to it writes over its older backups at each try.
    pub fn is_trusted(&self) -> bool {
        match self {
            Self::Writing { .. } | Self::Has { .. } | Self::Failed { .. } => true,
            Self::HasAndLost { .. } | Self::Lies { .. } => false,
        }
    }
}

/// A stick that holds backups of this server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluggedStick {
    /// The volume with the backups.
    pub device: PathBuf,
    /// The kernel's name of the disk.
    disk: String,
    /// As it is counted when it is plugged in.
    sequence: String,
    pub state: StickState,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluggedSticks {
    sticks: Vec<PluggedStick>,
    made: Vec<Made>,
}

impl PluggedStick {
    fn is(&self, stick: &Stick) -> bool {
        self.disk == *stick.disk && self.sequence == *stick.sequence
    }

    /// For who stands before the server: whether it may be pulled out.
    pub fn sentence(&self) -> String {
        let device = self.device.display();
        match &self.state {
            StickState::Writing { process } if is_running(*process) => {
                format!("{device} is getting a backup: DO NOT PULL IT OUT.")
            }
            StickState::Writing { .. } => {
                format!("{device}: a backup was interrupted. It may be pulled out.")
            }
            StickState::Has { number } => {
                format!("{device} has backup {number}. It may be pulled out.")
            }
            StickState::HasAndLost { number, why } => {
                format!("{device} has backup {number}, but: {why} It may be pulled out.")
            }
            StickState::Failed { why } | StickState::Lies { why } if self.device.exists() => {
                format!("{device} has got NO backup: {why} It may be pulled out.")
            }
            StickState::Failed { why } | StickState::Lies { why } => {
                format!("{device} has got NO backup: {why}")
            }
        }
    }

    /// Whether somebody has to see to it.
    pub fn is_well(&self) -> bool {
        match self.state {
            StickState::Writing { process } => is_running(process),
            StickState::Has { .. } => true,
            StickState::HasAndLost { .. } | StickState::Lies { .. } | StickState::Failed { .. } => {
                false
            }
        }
    }
}

fn is_running(process: u32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}

impl PluggedSticks {
    /// What is known in this boot, of the sticks that are among `plugged`.
    pub fn read(plugged: &[Stick]) -> Self {
        Self::read_from(Path::new(FILE), plugged)
    }

    fn read_from(path: &Path, plugged: &[Stick]) -> Self {
        let read = fs::read(path).ok();
        // Whatever cannot be read costs one backup more.
        let known: Option<Self> = read.and_then(|text| serde_json::from_slice(&text).ok());
        let mut known = known.unwrap_or_default();
        known
            .sticks
            .retain(|known| plugged.iter().any(|stick| known.is(stick)));
        known
    }

    /// Those that are plugged in.
    pub fn sticks(&self) -> &[PluggedStick] {
        &self.sticks
    }

    /// What is known of this one since it was plugged in.
    pub fn known(&self, stick: &Stick) -> Option<&PluggedStick> {
        self.sticks.iter().find(|known| known.is(stick))
    }

    /// The backup with this number, where it was made in this boot.
    pub fn made(&self, number: u64) -> Option<&Made> {
        self.made.iter().find(|made| made.number == number)
    }

    /// Notes what has become of a stick.
    ///
    /// # Errors
    /// What the filesystem says.
    pub fn note(&mut self, stick: &Stick, device: &Path, state: StickState) -> io::Result<()> {
        self.sticks.retain(|known| !known.is(stick));
        self.sticks.push(PluggedStick {
            device: device.to_owned(),
            disk: stick.disk.to_string(),
            sequence: stick.sequence.to_string(),
            state,
        });
        self.write_to(Path::new(FILE))
    }

    /// Remembers a backup; [`PluggedSticks::note`] writes it.
    pub fn remember(&mut self, made: Made) {
        self.made.retain(|known| known.number != made.number);
        self.made.push(made);
        let surplus = self.made.len().saturating_sub(MADE_MAX);
        self.made.drain(..surplus);
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        let new = path.with_extension("new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(&new, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stick(disk: &str, sequence: &str) -> Stick {
        Stick {
            disk: disk.try_into().unwrap(),
            sequence: sequence.try_into().unwrap(),
            volumes: vec![Path::new("/dev").join(disk)],
        }
    }

    #[test]
    fn stick_that_was_pulled_is_forgotten_and_its_backups_are_not() {
        let room = tempfile::tempdir().unwrap();
        let file = room.path().join("sticks.json");
        let (office, safe) = (stick("sda", "7"), stick("sdb", "8"));
        let mut known = PluggedSticks::read_from(&file, &[]);
        for stick in [&office, &safe] {
            known.sticks.push(PluggedStick {
                device: stick.volumes[0].clone(),
                disk: stick.disk.to_string(),
                sequence: stick.sequence.to_string(),
                state: StickState::Has { number: 12 },
            });
        }
        known.remember(Made {
            number: 12,
            mark: "0-1-5".into(),
            ended: 100,
            took: 2,
        });
        known.write_to(&file).unwrap();
        let both = PluggedSticks::read_from(&file, &[office.clone(), safe]);
        assert_eq!(both, known);
        // Another one sits in the socket.
        let other = PluggedSticks::read_from(&file, &[office.clone(), stick("sdb", "9")]);
        assert_eq!(other.sticks().len(), 1);
        assert!(other.known(&office).is_some());
        assert!(other.made(12).is_some());
        fs::write(&file, "{").unwrap();
        let none = PluggedSticks::read_from(&file, &[office]);
        assert_eq!(none, PluggedSticks::default());
    }

    #[test]
    fn no_more_backups_are_remembered_than_there_is_room_for() {
        let mut known = PluggedSticks::default();
        for number in 1..=100 {
            known.remember(Made {
                number,
                mark: String::new(),
                ended: number,
                took: 1,
            });
        }
        assert_eq!(known.made.len(), MADE_MAX);
        assert!(known.made(100).is_some() && known.made(1).is_none());
    }

    #[test]
    fn stick_is_said_to_be_free_only_when_nobody_writes_to_it() {
        let told = |state| {
            PluggedStick {
                device: "/dev/sdb1".into(),
                disk: "sdb".into(),
                sequence: "7".into(),
                state,
            }
            .sentence()
        };
        let process = std::process::id();
        assert!(told(StickState::Writing { process }).contains("DO NOT PULL"));
        let gone = u32::MAX;
        assert!(told(StickState::Writing { process: gone }).contains("interrupted"));
        assert!(told(StickState::Has { number: 3 }).contains("may be pulled out"));
    }

    #[test]
    fn stick_that_failed_is_not_told_to_be_pulled_out_twice() {
        let sentence = |device: &str| {
            PluggedStick {
                device: device.into(),
                disk: "sdb".into(),
                sequence: "7".into(),
                state: StickState::Failed {
                    why: "It was pulled out.".into(),
                },
            }
            .sentence()
        };
        assert!(sentence("/dev/null").ends_with("It may be pulled out."));
        assert!(sentence("/dev/nothing").ends_with("It was pulled out."));
    }

    #[test]
    fn stick_that_lost_an_older_backup_is_not_written_to_again() {
        let why = || "It lies.".to_owned();
        assert!(StickState::Has { number: 3 }.is_trusted());
        assert!(StickState::Failed { why: why() }.is_trusted());
        assert!(!StickState::Lies { why: why() }.is_trusted());
        let lost = StickState::HasAndLost {
            number: 3,
            why: why(),
        };
        assert!(!lost.is_trusted());
    }
}
