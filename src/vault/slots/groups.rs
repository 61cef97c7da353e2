//! The three groups of factors, and one value for each of them.

use serde::{Deserialize, Serialize};

/// What kind of thing a factor observes. Each group has its own threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Group {
    /// Parts of the machine.
    Machine,
    /// Stations on the same wire.
    Neighbours,
    /// Key servers (Tang): each holds a secret without which the key cannot be
    /// computed.
    Servers,
}

impl Group {
    /// In the order in which they are counted and told.
    pub const ALL: [Self; 3] = [Self::Machine, Self::Neighbours, Self::Servers];
}

/// One value for each group of factors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerGroup<T> {
    /// For the parts of the machine.
    pub machine: T,
    /// For the neighbours.
    pub neighbours: T,
    /// For the key servers.
    pub servers: T,
}

impl<T> PerGroup<T> {
    /// Calls `value` once for each group.
    pub fn from_fn(mut value: impl FnMut(Group) -> T) -> Self {
        Self {
            machine: value(Group::Machine),
            neighbours: value(Group::Neighbours),
            servers: value(Group::Servers),
        }
    }

    /// The value of this group, to be changed.
    pub fn of_mut(&mut self, group: Group) -> &mut T {
        match group {
            Group::Machine => &mut self.machine,
            Group::Neighbours => &mut self.neighbours,
            Group::Servers => &mut self.servers,
        }
    }
}

impl<T: Copy> PerGroup<T> {
    /// The value of this group.
    pub fn of(self, group: Group) -> T {
        match group {
            Group::Machine => self.machine,
            Group::Neighbours => self.neighbours,
            Group::Servers => self.servers,
        }
    }
}

/// How many factors of each group must be as they were enrolled.
pub type Thresholds = PerGroup<u8>;

impl Thresholds {
    /// Whether anything outside the machine is needed.
    pub fn binds_to_a_place(self) -> bool {
        self.neighbours > 0 || self.servers > 0
    }
}

/// Some of the enrolled factors of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// How many they are.
    pub count: u8,
    /// How many factors of the group are enrolled.
    pub of: u8,
}

/// How many factors of each group answered, or are as they were enrolled.
pub type FactorCounts = PerGroup<Count>;

impl FactorCounts {
    /// Whether each group has as many as are needed.
    pub fn reach(self, need: Thresholds) -> bool {
        let enough = |group| self.of(group).count >= need.of(group);
        Group::ALL.into_iter().all(enough)
    }

    /// Whether every enrolled factor is among them.
    pub fn are_all(self) -> bool {
        let all = |group| {
            let Count { count, of } = self.of(group);
            count == of
        };
        Group::ALL.into_iter().all(all)
    }
}

/// Counts factors: the group of each, and whether it is one of those that
/// count.
impl FromIterator<(Group, bool)> for FactorCounts {
    fn from_iter<I: IntoIterator<Item = (Group, bool)>>(factors: I) -> Self {
        let mut counts = Self::default();
        for (group, counted) in factors {
            let Count { count, of } = counts.of_mut(group);
            *of += 1;
            *count += u8::from(counted);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> FactorCounts {
        let count = |count, of| Count { count, of };
        FactorCounts {
            machine: count(1, 2),
            neighbours: count(3, 4),
            servers: count(5, 6),
        }
    }

    #[test]
    fn counts_are_six_bytes_on_the_disk_and_read_back() {
        let mut buffer = [0; 8];
        let bytes = postcard::to_slice(&counts(), &mut buffer).unwrap();
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6]);
        assert_eq!(postcard::from_bytes::<FactorCounts>(bytes), Ok(counts()));
        let need = counts();
        let need = Thresholds::from_fn(|group| need.of(group).count);
        let bytes = postcard::to_slice(&need, &mut buffer).unwrap();
        assert_eq!(bytes, [1, 3, 5]);
        assert_eq!(postcard::from_bytes::<Thresholds>(bytes), Ok(need));
    }

    #[test]
    fn each_group_is_counted_by_itself() {
        use Group::{Machine, Neighbours, Servers};
        let factors = [
            (Machine, true),
            (Neighbours, true),
            (Neighbours, false),
            (Neighbours, true),
            (Servers, false),
        ];
        let counts: FactorCounts = factors.into_iter().collect();
        let of = Group::ALL.map(|group| counts.of(group));
        assert_eq!(
            of.map(|Count { count, of }| (count, of)),
            [(1, 1), (2, 3), (0, 1)]
        );
        assert!(!counts.are_all());
        let need = |machine, neighbours, servers| Thresholds {
            machine,
            neighbours,
            servers,
        };
        assert!(counts.reach(need(1, 2, 0)));
        for more in [need(2, 0, 0), need(0, 3, 0), need(0, 0, 1)] {
            assert!(!counts.reach(more), "{more:?}");
        }
        assert!(need(0, 1, 0).binds_to_a_place() && need(0, 0, 1).binds_to_a_place());
        assert!(!need(9, 0, 0).binds_to_a_place());
        let all: FactorCounts = [(Machine, true), (Servers, true)].into_iter().collect();
        assert!(all.are_all());
    }
}
