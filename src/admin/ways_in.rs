//! The ways in besides the place, and what removing one of them leaves.

use crate::admin::ask;
use crate::admin::problem::Result;
use crate::admin::unlock::Unlocked;
use crate::keys::MasterKey;
use crate::vault::{Header, KnownStick, Passphrase, SlotTable, StickList, Ways};

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
        let of = (unlocked.vault.header(), unlocked.master_key());
        Ok(Self::counted(of, list, &unlocked.ways()?, &slots))
    }

    /// Counts those that open by this master key.
    pub fn counted(
        (header, key): (&Header, &MasterKey),
        list: &StickList,
        ways: &Ways,
        slots: &SlotTable,
    ) -> Self {
        let people = slots.passphrases.slots().iter();
        let opening = people.filter(|slot| slot.kind(header, key) == Some(Passphrase::Opens));
        let generation = header.generation;
        let sticks = list.sticks.iter();
        let opens = |stick: &&KnownStick| {
            stick.opens_without(generation, &[]) && ways.have(stick.id, generation)
        };
        Self {
            sticks: sticks.filter(opens).count(),
            code: list.code_of(generation).is_some() && ways.code.is_some(),
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
    use crate::keys::{Keyring, UnsealedWayKey, WayKey};
    use crate::vault::{KnownCode, NextGeneration, WaysCopy};

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

    /// The vault was made anew: of one stick and of the code it has no way key.
    #[test]
    fn what_does_not_get_the_next_key_is_no_way_in_that_is_left() {
        let keys = Keyring::of_one(1, MasterKey::generate());
        let header = Header::of_a_new_server(keys.current());
        let (mut known, mut lost) = (Ways::default(), Ways::default());
        let way_key = UnsealedWayKey {
            key: WayKey::random(),
            made_in: 1,
        };
        assert!(known.note_stick(&header, keys.current(), [1; 8], &way_key, 1));
        assert!(lost.note_stick(&header, keys.current(), [2; 8], &way_key, 1));
        lost.make_code(&header, keys.current());
        known.fill_from(&WaysCopy::of(&header, &lost).ways());
        let stick = |id| KnownStick {
            id: [id; 8],
            label: "office".try_into().unwrap(),
            has_pin: true,
            generation: 1,
            made: 0,
            verified: Some(7),
            kept: None,
        };
        let list = StickList {
            sticks: [stick(1), stick(2)].into_iter().collect(),
            code: Some(KnownCode {
                generation: 1,
                verified: 7,
                kept: None,
            }),
        };
        let slots = SlotTable::default();
        let now = WaysIn::counted((&header, keys.current()), &list, &known, &slots);
        assert_eq!(now, left(2, true, 0));
        let next = NextGeneration::of(&header, &keys).unwrap();
        let old = (&header, keys.current());
        let ways = next.ways(&known, old);
        let list = next.sticks(&list, &ways, old);
        let of_next = (&next.header, next.key());
        let after = WaysIn::counted(of_next, &list, &ways, &slots);
        assert_eq!(after, left(1, false, 0));
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
