//! The ways in that get the next master key, and those that do not. Pure.

use crate::admin::named_stick::named_stick;
use crate::admin::problem::Result;
use crate::keys::MasterKey;
use crate::printable::Printable;
use crate::stick::StickId;
use crate::vault::{Header, SlotTable, StickList, Ways, WaysCopy};

/// The ways in that get the next key.
pub struct Staying {
    pub slots: Box<SlotTable>,
    pub list: StickList,
    pub ways: Ways,
    /// What opens this server now and will not, although nobody has named it.
    pub left_out: Vec<LeftOut>,
}

/// A way in that does not get the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// A stick whose way key the vault does not have.
    Unknown { label: String },
    /// A stick that is not on the list.
    Unlisted { id: StickId },
    /// The code, whose way key the vault does not have.
    Code,
}

/// What the owner wants to be left out.
#[derive(Clone, Copy, Default)]
pub struct Without<'a> {
    pub sticks: &'a [String],
    pub people: &'a [String],
    pub code: bool,
}

impl Staying {
    /// Of what the vault has, without what the owner names.
    ///
    /// # Errors
    /// When there is no such stick or person.
    pub fn of(
        slots: Box<SlotTable>,
        list: StickList,
        ways: Ways,
        without: Without<'_>,
        of: (&Header, &MasterKey),
    ) -> Result<Self> {
        let mut stays = Self {
            slots,
            list,
            ways,
            left_out: Vec::new(),
        };
        for which in without.sticks {
            let id = named_stick(&stays.list, which)?.id;
            stays.list.sticks.retain(|known| known.id != id);
            stays.ways.forget_stick(id);
        }
        for name in without.people {
            stays.slots.passphrases.remove(name)?;
        }
        if without.code {
            stays.list.code = None;
            stays.ways.code = None;
        }
        stays.leave_out(of);
        Ok(stays)
    }

    /// Leaves out what the next key cannot be wrapped for, and what the list has forgotten:
    /// that has no business to open the next key.
    fn leave_out(&mut self, (header, key): (&Header, &MasterKey)) {
        let Self {
            list,
            ways,
            left_out,
            ..
        } = self;
        let is_known = |id| !ways.way_keys_of_stick(header, key, id).is_empty();
        let listed = list.sticks.iter();
        let unknown = listed.filter(|stick| !is_known(stick.id));
        let unknown = unknown.map(|stick| LeftOut::Unknown {
            label: stick.label.to_string(),
        });
        let is_listed = |id| list.sticks.iter().any(|stick| stick.id == id);
        let unlisted = ways.sticks.iter().filter(|way| !is_listed(way.id));
        let unlisted = unlisted.map(|way| LeftOut::Unlisted { id: way.id });
        let has_code = list.code.is_some() || ways.code.is_some();
        let code = has_code && ways.way_key_of_code(header, key).is_none();
        let code = code.then_some(LeftOut::Code);
        *left_out = unknown.chain(unlisted).chain(code).collect();
        ways.sticks.retain(|way| is_listed(way.id));
    }

    /// Of a vault that is an old copy, whose server has a later key: who had that, as the
    /// `copy` of the later ways in says. Without one nobody is known to have had it. `next` is
    /// the header of the later key.
    pub fn keep_those_of(
        &mut self,
        of: (&Header, &MasterKey),
        copy: Option<&WaysCopy>,
        next: &Header,
    ) {
        let later = copy.map(WaysCopy::ways).unwrap_or_default();
        self.list
            .sticks
            .retain(|stick| later.stick(stick.id).is_some());
        self.ways.keep_those_of(of, &later, next);
        if later.code.is_none() {
            self.list.code = None;
        }
    }
}

impl LeftOut {
    pub fn in_words(&self) -> String {
        const VERIFY: &str =
            "it will open this server no more.\nPlug it in first, and run: stayput stick verify";
        match self {
            Self::Unknown { label } => format!(
                "The stick \"{}\" was not used since the vault was made anew: {VERIFY}",
                Printable(label)
            ),
            Self::Unlisted { id } => {
                let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("A stick that is not on the list (its id is {id}) opens it now: {VERIFY}")
            }
            Self::Code => {
                "The recovery code was not used since the vault was made anew: it will open this \
                 server no more.\nMake another one afterwards: stayput code --new"
                    .into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{UnsealedWayKey, WayKey};
    use crate::vault::{KnownCode, KnownStick, NextGeneration};

    /// A stick of the list.
    fn known(id: u8, label: &str) -> KnownStick {
        KnownStick {
            id: [id; 8],
            label: label.try_into().unwrap(),
            has_pin: true,
            generation: 1,
            made: 0,
            verified: Some(7),
            kept: None,
        }
    }

    fn way_key() -> UnsealedWayKey {
        UnsealedWayKey {
            key: WayKey::random(),
            made_in: 1,
        }
    }

    fn server() -> (Header, MasterKey, Ways, StickList) {
        let key = MasterKey::generate();
        let header = Header::of_a_new_server(&key);
        let mut ways = Ways::default();
        for id in [1, 2] {
            assert!(ways.note_stick(&header, &key, [id; 8], &way_key(), 1));
        }
        let _ = ways.make_code(&header, &key);
        let list = StickList {
            sticks: [known(1, "office"), known(2, "bank")].into_iter().collect(),
            code: Some(KnownCode {
                generation: 1,
                verified: 7,
                kept: None,
            }),
        };
        (header, key, ways, list)
    }

    fn staying(list: &StickList, ways: &Ways, of: (&Header, &MasterKey)) -> Staying {
        let (list, ways) = (list.clone(), ways.clone());
        Staying::of(Box::default(), list, ways, Without::default(), of).unwrap()
    }

    #[test]
    fn whoever_is_known_stays_and_nobody_is_named() {
        let (header, key, ways, list) = server();
        let stays = staying(&list, &ways, (&header, &key));
        assert_eq!(stays.left_out, []);
        assert_eq!((stays.ways, stays.list), (ways, list));
    }

    #[test]
    fn a_vault_made_anew_names_what_gets_no_next_key() {
        let (header, key, ways, _) = server();
        // The list was in the lost vault, and a copy has no way keys.
        let ways = WaysCopy::of(&header, &ways).ways();
        let stays = staying(&StickList::default(), &ways, (&header, &key));
        let unlisted = |id| LeftOut::Unlisted { id: [id; 8] };
        assert_eq!(stays.left_out, [unlisted(1), unlisted(2), LeftOut::Code]);
        let said = stays.left_out[0].in_words();
        assert!(said.contains("0101010101010101") && said.contains("stick verify"));
        assert!(stays.ways.sticks.is_empty());
    }

    #[test]
    fn a_listed_stick_or_code_without_a_way_here_is_named() {
        let (header, key, _, list) = server();
        let stays = staying(&list, &Ways::default(), (&header, &key));
        let unknown = |label: &str| LeftOut::Unknown {
            label: label.into(),
        };
        let expected = [unknown("office"), unknown("bank"), LeftOut::Code];
        assert_eq!(stays.left_out, expected);
    }

    #[test]
    fn what_the_owner_names_is_not_named_again() {
        let (header, key, ways, list) = server();
        let sticks = ["office".to_owned()];
        let without = Without {
            sticks: &sticks,
            people: &[],
            code: true,
        };
        let of = (&header, &key);
        let stays = Staying::of(Box::default(), list, ways, without, of).unwrap();
        assert_eq!(stays.left_out, []);
        assert!(stays.ways.code.is_none() && stays.list.code.is_none());
        assert_eq!(stays.ways.sticks.len(), 1);
    }

    #[test]
    fn lost_paper_gets_no_adopted_key_by_its_number() {
        let (header, key, ways, list) = server();
        let keys = crate::keys::Keyring::of_one(1, key.clone());
        let next = NextGeneration::of(&header, &keys).unwrap();
        // The paper was lost; the next one has its number, and a stick has another way key.
        let mut later = next.ways(&ways, (&header, &key));
        later.code = None;
        let code = later.make_code(&next.header, next.key());
        assert_eq!(code.number, ways.code(&header, &key).unwrap().number);
        assert!(later.note_stick(&next.header, next.key(), [1; 8], &way_key(), 2));
        let copy = WaysCopy::of(&next.header, &later);
        let mut stays = staying(&list, &ways, (&header, &key));
        stays.keep_those_of((&header, &key), Some(&copy), &next.header);
        assert!(stays.ways.code.is_none() && stays.ways.stick([1; 8]).is_none());
        assert!(stays.ways.stick([2; 8]).is_some());
        let mut adopted = next.ways(&stays.ways, (&header, &key));
        adopted.join(&copy.ways(), &next.header, next.key());
        assert!(adopted.key_of_code(&next.header, &code).is_ok());
        let lost = ways.code(&header, &key).unwrap();
        assert!(adopted.key_of_code(&next.header, &lost).is_err());
    }

    #[test]
    fn a_vault_that_adopts_a_key_gives_it_to_nobody_left_out() {
        let (header, key, ways, list) = server();
        let keys = crate::keys::Keyring::of_one(1, key.clone());
        let next = NextGeneration::of(&header, &keys).unwrap();
        // When the key was replaced the office stick was lost, and the paper with the code.
        let mut later = next.ways(&ways, (&header, &key));
        later.forget_stick([1; 8]);
        let copies = [
            {
                let mut later = later.clone();
                later.code = None;
                WaysCopy::of(&next.header, &later)
            },
            {
                let _ = later.make_code(&next.header, next.key());
                WaysCopy::of(&next.header, &later)
            },
        ];
        for (copy, is_listed) in copies.iter().zip([false, true]) {
            let mut stays = staying(&list, &ways, (&header, &key));
            stays.keep_those_of((&header, &key), Some(copy), &next.header);
            assert!(stays.ways.stick([1; 8]).is_none());
            assert!(stays.ways.stick([2; 8]).is_some());
            assert!(stays.ways.code.is_none(), "another one was made since");
            assert_eq!(stays.list.code.is_some(), is_listed);
            assert_eq!(stays.list.sticks.len(), 1);
        }
        let mut stays = staying(&list, &ways, (&header, &key));
        stays.keep_those_of((&header, &key), None, &next.header);
        assert!(stays.ways.sticks.is_empty() && stays.ways.code.is_none());
    }
}
