//! The ways in besides the place, and what removing one of them leaves.

use crate::admin::ask;
use crate::admin::problem::Result;
use crate::admin::unlock::Unlocked;
use crate::vault::{Passphrase, SlotTable, StickList};

/// The ways in that are known to open, by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaysIn {
    /// Verified sticks of the present key.
    pub sticks: usize,
    /// The recovery code was typed back.
    pub code: bool,
    /// Passphrases that open, those for duress left out.
    pub passphrases: usize,
}

impl WaysIn {
    /// Counts them, with `list` in place of the vault's own list of sticks.
    ///
    /// # Errors
    /// When the slots cannot be read for another reason than that they were
    /// destroyed.
    pub fn of(unlocked: &Unlocked, list: &StickList) -> Result<Self> {
        let slots = unlocked.slots()?.unwrap_or_default();
        Ok(Self::counted(unlocked, list, &slots))
    }

    /// Counts them, with `list` and `slots` in place of the vault's own.
    pub fn counted(unlocked: &Unlocked, list: &StickList, slots: &SlotTable) -> Self {
        let (header, key) = (unlocked.vault.header(), unlocked.master_key());
        let people = slots.passphrases.slots().iter();
        let opening = people.filter(|slot| slot.kind(header, key) == Some(Passphrase::Opens));
        let generation = header.generation;
        let sticks = list.sticks.iter();
        Self {
            sticks: sticks
                .filter(|stick| stick.opens_without(generation, &[]))
                .count(),
            code: list.code_of(generation).is_some(),
            passphrases: opening.count(),
        }
    }

    /// Whether only the place is left.
    pub fn is_none(&self) -> bool {
        self.passphrases == 0 && !self.survive_a_reset()
    }

    /// Whether one of them opens a server whose slots are destroyed.
    pub fn survive_a_reset(&self) -> bool {
        self.sticks > 0 || self.code
    }

    /// What it means that only these are left.
    fn warning(&self) -> &'static str {
        if self.is_none() {
            "THIS IS THE LAST WAY IN. After it only the place opens this server: when it is moved,\n\
             when its network changes or when it is reset, its data is lost for ever."
        } else {
            "This is the last way in that a reset leaves. After it passphrases are all there is,\n\
             and a reset destroys these: its data is then lost for ever. Until there is a verified\n\
             stick or a recovery code again, the server does not reset by itself."
        }
    }
}

/// Asks before a way in is removed. When only the ways in `lost` would be left,
/// it says what that means and asks again. Each `--yes` answers one question.
///
/// # Errors
/// When one of the answers is no.
pub fn confirm_removal(question: &str, lost: Option<&WaysIn>, yes: u8) -> Result<()> {
    ask::confirm(question, yes > 0)?;
    let Some(left) = lost else {
        return Ok(());
    };
    println!("{}", left.warning());
    ask::confirm("Remove it all the same?", yes > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(sticks: usize, code: bool, passphrases: usize) -> WaysIn {
        WaysIn {
            sticks,
            code,
            passphrases,
        }
    }

    #[test]
    fn a_passphrase_alone_is_a_way_in_and_not_one_after_a_reset() {
        for (left, none, survive) in [
            (left(0, false, 0), true, false),
            (left(0, false, 1), false, false),
            (left(1, false, 0), false, true),
            (left(0, true, 0), false, true),
        ] {
            assert_eq!(left.is_none(), none, "{left:?}");
            assert_eq!(left.survive_a_reset(), survive, "{left:?}");
        }
    }

    #[test]
    fn the_last_way_in_needs_a_second_yes() {
        let none = left(0, false, 0);
        assert!(confirm_removal("Remove?", None, 1).is_ok());
        // Nobody answers in a test.
        assert!(confirm_removal("Remove?", Some(&none), 1).is_err());
        assert!(confirm_removal("Remove?", Some(&none), 2).is_ok());
        assert!(none.warning().contains("LAST WAY IN"));
    }
}
