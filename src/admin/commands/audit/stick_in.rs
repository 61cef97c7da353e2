//! At how many starts a stick with the key was in the server.

use std::collections::{BTreeMap, BTreeSet};

use crate::vault::{EventKind, LoggedEvent, OpenedBy};

/// Starts that the log tells of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartsWithStick {
    /// A stick with the server's key was in.
    pub with: usize,
    /// The place has opened the server: no stick was needed.
    pub of: usize,
}

impl StartsWithStick {
    /// A start that a person has opened does not count: the stick had to be in. Nor does one
    /// from before the first time that one was noted: perhaps nobody looked then.
    pub fn of(events: &[LoggedEvent]) -> Self {
        let first = events
            .iter()
            .find(|event| matches!(event.kind, EventKind::KeyStickIn { .. }));
        let Some(first) = first.map(|event| event.boot_id) else {
            return Self::default();
        };
        let events = events.iter().skip_while(|event| event.boot_id != first);
        let mut at_home = BTreeMap::new();
        let mut with = BTreeSet::new();
        for event in events {
            match &event.kind {
                EventKind::Released { by, .. } => {
                    let by_place = matches!(by, OpenedBy::Environment { .. });
                    *at_home.entry(event.boot_id).or_insert(true) &= by_place;
                }
                EventKind::KeyStickIn { .. } => {
                    with.insert(event.boot_id);
                }
                _ => {}
            }
        }
        at_home.retain(|_, by_place| *by_place);
        Self {
            with: at_home.keys().filter(|boot| with.contains(*boot)).count(),
            of: at_home.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{FactorCounts, Thresholds};

    #[test]
    fn starts_that_needed_the_stick_do_not_count() {
        let event = |boot: u8, kind| LoggedEvent {
            number: 1,
            time: 0,
            boot_id: [boot; 16],
            kind,
        };
        let opened = |boot, by| {
            let milliseconds = 1;
            event(boot, EventKind::Released { by, milliseconds })
        };
        let at_home = |boot| {
            let by = OpenedBy::Environment {
                place: "home".try_into().unwrap(),
                same: FactorCounts::default(),
                need: Thresholds::default(),
            };
            opened(boot, by)
        };
        let with_stick = |boot| {
            let label = "office".try_into().unwrap();
            opened(boot, OpenedBy::Stick { label })
        };
        let stick_in = |boot, id| {
            let stick = "office".try_into().unwrap();
            event(boot, EventKind::KeyStickIn { stick, id: [id; 8] })
        };
        let events = [
            at_home(1),
            with_stick(2),
            stick_in(2, 1),
            at_home(3),
            stick_in(3, 1),
            stick_in(3, 2),
            at_home(4),
        ];
        let starts = StartsWithStick::of(&events);
        assert_eq!(starts, StartsWithStick { with: 1, of: 2 });
        assert_eq!(
            StartsWithStick::of(&events[..2]),
            StartsWithStick::default()
        );
        // What came after a start without keys may have opened it twice.
        let twice = [at_home(1), with_stick(1), stick_in(1, 1)];
        assert_eq!(StartsWithStick::of(&twice), StartsWithStick::default());
    }
}
