//! The sticks that a reset was to wipe and has not. They are known by the id in their key
//! file when they come back. One that did not answer at the reset, or comes only later, is
//! none of them: it may have been counted as the way back, or somebody brings it from where
//! it was kept, to open the server.

use super::{PluggedKeys, StickId, Wiped};

impl PluggedKeys {
    /// The ids of those of them that were not wiped.
    pub fn unwiped(&self, wiped: &Wiped) -> Vec<StickId> {
        let keys = self.keys.iter();
        let keys = keys.filter(|(volume, _)| wiped.wiped == 0 || wiped.unwiped.contains(volume));
        keys.map(|(_, info)| info.stick_id).collect()
    }

    /// Of these the ones on the sticks with these ids; none that does not answer.
    pub fn only_these(mut self, ids: &[StickId]) -> Self {
        self.keys.retain(|(_, info)| ids.contains(&info.stick_id));
        self.silent.clear();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stick::{Stick, StickInfo};
    use std::path::Path;

    #[test]
    fn a_stick_that_never_answered_is_not_wiped_later() {
        let mut at_the_alarm = PluggedKeys::default();
        for (volume, id) in [("/dev/sdb1", 1), ("/dev/sdc1", 2)] {
            at_the_alarm.add(Path::new(volume), &StickInfo::example([id; 8]));
        }
        at_the_alarm.add_silent(&Stick {
            disk: "sdd".try_into().unwrap(),
            sequence: "7".try_into().unwrap(),
            volumes: Vec::new(),
        });
        let wiped = Wiped {
            wiped: 1,
            left: 1,
            unwiped: vec!["/dev/sdd".into(), "/dev/sdb1".into()],
            swapped: Vec::new(),
        };
        let left = at_the_alarm.unwiped(&wiped);
        assert_eq!(left, [[1; 8]]);
        let again = at_the_alarm.only_these(&left);
        assert_eq!(again.ids(), left);
        assert_eq!(again.silent(), [""; 0].map(std::path::PathBuf::from));
        // A disk that failed spares them: they are wiped when it takes the reset.
        assert_eq!(again.unwiped(&again.leave()), left);
    }
}
