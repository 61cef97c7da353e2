//! What a passphrase for duress leads to.

use super::decide::WayBack;

/// What a passphrase for duress destroys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnderDuress {
    /// Nothing would open the server afterwards: nothing is destroyed.
    Withhold,
    /// The pepper and the slots; on the sticks that are plugged in only where
    /// the owner has another way back.
    Destroy {
        /// Whether the keys on plugged sticks are destroyed as well.
        plugged_sticks: bool,
    },
}

/// `elsewhere` is the way back when everything that is plugged in is lost,
/// `anywhere` when it is not.
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
