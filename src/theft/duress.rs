//! Decides what a duress passphrase destroys.

use super::decide::WayBack;

/// What a duress passphrase destroys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnderDuress {
    /// Nothing, because nothing would open the server afterwards.
    Withhold,
    /// The pepper and the slots.
    Destroy {
        /// Whether the keys on plugged sticks are destroyed too.
        plugged_sticks: bool,
    },
}

/// `elsewhere` is the way back without the plugged sticks, `anywhere` the one
/// with them.
pub fn under_duress(elsewhere: WayBack, anywhere: WayBack) -> UnderDuress {
    match (elsewhere, anywhere) {
        (WayBack::Listed, _) => UnderDuress::Destroy {
            plugged_sticks: true,
        },
        (WayBack::None, WayBack::Listed) => UnderDuress::Destroy {
            plugged_sticks: false,
        },
        (WayBack::None, WayBack::None) => UnderDuress::Withhold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_way_back_is_never_destroyed() {
        let (listed, none) = (WayBack::Listed, WayBack::None);
        let destroy = |plugged_sticks| UnderDuress::Destroy { plugged_sticks };
        assert_eq!(under_duress(listed, listed), destroy(true));
        assert_eq!(under_duress(none, listed), destroy(false));
        assert_eq!(under_duress(none, none), UnderDuress::Withhold);
    }
}
