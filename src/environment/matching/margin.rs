//! How much may still change until the server asks for a stick. Pure.

use crate::vault::{Answered, Group, OpenedBy, Thresholds};

/// What is left between what is as it was enrolled and what is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margin {
    /// So many more factors may change or fall silent, whichever they are.
    pub left: u8,
    /// It was more once: something is not as it was enrolled, and nothing more
    /// of that group may change.
    pub is_used_up: bool,
}

impl Margin {
    /// A group of which nothing is needed cannot lock the server.
    pub fn of(same: &Answered, need: Thresholds) -> Self {
        let groups = Group::ALL.map(|group| (same.of(group), need.of(group)));
        let needed = || groups.into_iter().filter(|(_, need)| *need > 0);
        Self {
            left: needed()
                .map(|((same, _), need)| same.saturating_sub(need))
                .min()
                .unwrap_or(0),
            is_used_up: needed().any(|((same, of), need)| same <= need && same < of),
        }
    }

    /// As it was when the place opened the server; `None` where a person did.
    pub fn at_opening(by: &OpenedBy) -> Option<Self> {
        match by {
            OpenedBy::Environment { same, need, .. } => Some(Self::of(same, *need)),
            OpenedBy::Stick { .. } | OpenedBy::Passphrase { .. } | OpenedBy::Code => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn margin(machine: (u8, u8, u8), place: (u8, u8, u8)) -> Margin {
        let same = Answered {
            machine: machine.0,
            machine_of: machine.1,
            place: place.0,
            place_of: place.1,
            ..Answered::default()
        };
        let need = Thresholds {
            machine: machine.2,
            place: place.2,
            ..Thresholds::default()
        };
        Margin::of(&same, need)
    }

    #[test]
    fn a_replaced_router_uses_the_margin_up_and_a_place_as_enrolled_does_not() {
        let left = |left, is_used_up| Margin { left, is_used_up };
        assert_eq!(margin((6, 6, 5), (3, 3, 2)), left(1, false));
        assert_eq!(margin((6, 6, 5), (2, 3, 2)), left(0, true));
        assert_eq!(margin((5, 6, 5), (3, 3, 2)), left(0, true));
        // Enrolled so tightly that nothing may ever change: that was said then.
        assert_eq!(margin((6, 6, 5), (1, 1, 1)), left(0, false));
        // Plenty of neighbours, one of them replaced.
        assert_eq!(margin((9, 9, 7), (4, 5, 3)), left(1, false));
        // What is not needed does not count.
        assert_eq!(margin((6, 6, 5), (0, 2, 0)), left(1, false));
    }
}
