//! The sticks that a reset was to wipe and has not, and by what they are known when they
//! come back. A stick that comes only later is none of them: somebody brings it from
//! where it was kept, to open the server.

use serde::{Deserialize, Serialize};

use super::{PluggedKeys, Stick, Wiped};

/// A stick that a reset was to wipe and has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UnwipedStick {
    /// The id in its key file.
    Key([u8; 8]),
    /// It did not answer: nothing is known of it once it is pulled out.
    Silent {
        /// The kernel's name of the disk.
        disk: String,
        /// See [`Stick::sequence`].
        sequence: String,
    },
}

impl UnwipedStick {
    fn silent(stick: &Stick) -> Self {
        Self::Silent {
            disk: stick.disk.to_string(),
            sequence: stick.sequence.to_string(),
        }
    }

    /// Whether it would be known again, where these are plugged in.
    pub fn is_known(&self, plugged: &[Stick]) -> bool {
        match self {
            Self::Key(_) => true,
            Self::Silent { .. } => plugged.iter().any(|stick| *self == Self::silent(stick)),
        }
    }
}

impl PluggedKeys {
    /// Those of them that were not wiped.
    pub fn unwiped(&self, wiped: &Wiped) -> Vec<UnwipedStick> {
        let keys = self.keys.iter();
        let keys = keys.filter(|(volume, _)| wiped.unwiped.contains(volume));
        let keys = keys.map(|(_, info)| UnwipedStick::Key(info.stick_id));
        let silent = self.silent.iter().map(UnwipedStick::silent);
        keys.chain(silent).collect()
    }

    /// Of these the ones that are `left` to be wiped; `plugged` are all sticks that are
    /// plugged in.
    pub fn only_unwiped(mut self, left: &[UnwipedStick], plugged: &[Stick]) -> Self {
        self.keys.retain(|(volume, info)| {
            let was_silent = |stick: &Stick| {
                stick.volumes.contains(volume) && left.contains(&UnwipedStick::silent(stick))
            };
            left.contains(&UnwipedStick::Key(info.stick_id)) || plugged.iter().any(was_silent)
        });
        self.silent
            .retain(|stick| left.contains(&UnwipedStick::silent(stick)));
        self
    }

    /// What is left after these were to be wiped: those that are not plugged in, and those
    /// that were not wiped. One that was silent has told by now whether it holds a key.
    pub fn still_left(&self, mut left: Vec<UnwipedStick>, wiped: &Wiped) -> Vec<UnwipedStick> {
        let tried = self.ids();
        left.retain(|stick| matches!(stick, UnwipedStick::Key(id) if !tried.contains(id)));
        left.extend(self.unwiped(wiped));
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{CheapFactors, MasterKey};
    use crate::stick::{StickFile, StickInfo};
    use crate::vault::Header;
    use std::path::{Path, PathBuf};

    fn stick(disk: &str, sequence: &str) -> Stick {
        Stick {
            disk: disk.try_into().unwrap(),
            sequence: sequence.try_into().unwrap(),
            volumes: vec![Path::new("/dev").join(format!("{disk}1"))],
        }
    }

    fn info(id: u8) -> StickInfo {
        let _cheap = CheapFactors::begin();
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let mut info = StickFile::make(&header, &key, "office".try_into().unwrap(), 1, b"").info;
        info.stick_id = [id; 8];
        info
    }

    fn keys(of: &[(&str, u8)]) -> PluggedKeys {
        let mut keys = PluggedKeys::default();
        for (volume, id) in of {
            keys.add(Path::new(volume), &info(*id));
        }
        keys
    }

    #[test]
    fn a_stick_that_was_pulled_out_is_known_when_it_comes_back() {
        let mut at_the_alarm = keys(&[("/dev/sdb1", 1), ("/dev/sdc1", 2)]);
        at_the_alarm.add_silent(&stick("sdd", "7"));
        let wiped = Wiped {
            wiped: 1,
            left: 1,
            unwiped: vec!["/dev/sdd".into(), "/dev/sdb1".into()],
        };
        let left = at_the_alarm.unwiped(&wiped);
        assert_eq!(left.len(), 2);

        // The one from the safe, the one that was pulled out, and the one that was silent.
        let plugged = [stick("sde", "9"), stick("sdf", "10"), stick("sdd", "7")];
        let now = keys(&[("/dev/sde1", 3), ("/dev/sdf1", 1), ("/dev/sdd1", 4)]);
        let again = now.only_unwiped(&left, &plugged);
        let volumes: Vec<PathBuf> = again.volumes().cloned().collect();
        assert_eq!(volumes, ["/dev/sdf1", "/dev/sdd1"].map(PathBuf::from));

        let failed = Wiped {
            unwiped: vec!["/dev/sdd1".into()],
            ..Wiped::default()
        };
        assert_eq!(again.still_left(left, &failed), [UnwipedStick::Key([4; 8])]);
    }

    #[test]
    fn what_never_answered_is_forgotten_when_it_is_pulled_out() {
        let silent = UnwipedStick::silent(&stick("sdd", "7"));
        assert!(silent.is_known(&[stick("sdd", "7")]));
        assert!(!silent.is_known(&[stick("sdd", "8")]));
        assert!(UnwipedStick::Key([1; 8]).is_known(&[]));
    }
}
