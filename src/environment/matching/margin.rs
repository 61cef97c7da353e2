//! How many factors may still change before a boot asks for a stick. Pure.

use crate::vault::{FactorCounts, Group, OpenedBy, Thresholds};

/// The difference between the factors that are as enrolled and those that are
/// needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margin {
    /// This many more factors may change or fall silent, whichever they are.
    pub left: u8,
    /// Whether a group has lost a factor and may not lose another.
    pub is_used_up: bool,
}

impl Margin {
    /// The margin of a place. Groups of which nothing is needed do not count:
    /// they cannot lock the server.
    pub fn of(same: &FactorCounts, need: Thresholds) -> Self {
        let groups = Group::ALL.map(|group| (same.of(group), need.of(group)));
        let needed = || groups.into_iter().filter(|(_, need)| *need > 0);
        Self {
            left: needed()
                .map(|(same, need)| same.count.saturating_sub(need))
                .min()
                .unwrap_or(0),
            is_used_up: needed().any(|(same, need)| same.count <= need && same.count < same.of),
        }
    }

    /// The margin when the place opened the server; `None` where a person did.
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
    use crate::vault::Count;

    /// Of each group: how many are the same, are enrolled, and are needed.
    fn margin(machine: (u8, u8, u8), neighbours: (u8, u8, u8)) -> Margin {
        let count = |(count, of, _)| Count { count, of };
        let same = FactorCounts {
            machine: count(machine),
            neighbours: count(neighbours),
            ..FactorCounts::default()
        };
        let need = Thresholds {
            machine: machine.2,
            neighbours: neighbours.2,
            ..Thresholds::default()
        };
        Margin::of(&same, need)
    }

    #[test]
    fn a_replaced_router_uses_the_margin_up() {
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
