use super::*;
use crate::keys::{random_bytes, scrypts_of};

const NOW: u64 = 1_700_000_000;

/// As many people as fit, with the longest names.
pub fn largest() -> Passphrases {
    let key = MasterKey::generate();
    let header = Header::of_a_new_server(&key);
    let way_key = UnsealedWayKey {
        key: WayKey::random(),
        made_in: u32::MAX,
    };
    let slot = PassphraseSlot {
        id: u32::MAX,
        name: "x".repeat(32).as_str().try_into().unwrap(),
        made: u64::MAX,
        changed: u64::MAX,
        locked: WrappedKey::of_nothing(),
        wrapped: WrappedKey::of_nothing(),
        sealed: PassphraseSlot::way(0, &header).seal(&key, 1, &way_key),
    };
    Passphrases {
        stretch: Some(Stretch::new(ScryptParams::PASSPHRASE)),
        slots: (0..MAX_PEOPLE).map(|_| slot.clone()).collect(),
    }
}

impl Passphrases {
    /// Of nobody yet, with the cheapest scrypt.
    pub fn quick() -> Self {
        Self {
            stretch: Some(Stretch::new(ScryptParams::CHEAPEST)),
            ..Self::default()
        }
    }
}

/// A server with an empty table whose scrypt is quick.
fn server() -> (MasterKey, Header, SlotTable) {
    let key = MasterKey::generate();
    let header = Header::of_a_new_server(&key);
    let table = SlotTable {
        passphrases: Passphrases::quick(),
        ..SlotTable::default()
    };
    (key, header, table)
}

fn name(text: &str) -> PersonName {
    text.try_into().unwrap()
}

struct People {
    key: MasterKey,
    header: Header,
    table: SlotTable,
}

impl People {
    /// Halima and Otieno open, "night" is for duress.
    fn of_the_clinic() -> Self {
        let (key, header, table) = server();
        let mut people = Self { key, header, table };
        for (who, kind) in [
            ("halima", Passphrase::Opens),
            ("night", Passphrase::Duress),
            ("otieno", Passphrase::Opens),
        ] {
            people.add(who, kind, &format!("{who}'s words")).unwrap();
        }
        people
    }

    fn add(&mut self, who: &str, kind: Passphrase, words: &str) -> Result<(), PassphraseError> {
        let (header, key) = (&self.header, &self.key);
        let words = words.as_bytes();
        self.table
            .add_passphrase(header, key, name(who), kind, words, NOW)
    }

    /// Who it opened for, or what else it was.
    fn enter(&self, words: &str) -> std::string::String {
        match self.table.passphrases.enter(&self.header, words.as_bytes()) {
            PassphraseOutcome::Opened { key, name } => {
                assert_eq!(key.expose(), self.key.expose());
                name.to_string()
            }
            PassphraseOutcome::Duress => "duress".into(),
            PassphraseOutcome::Wrong => "wrong".into(),
        }
    }

    fn slot(&self, who: &str) -> &PassphraseSlot {
        let at = self.table.passphrases.position(who).unwrap();
        &self.table.passphrases.slots[at]
    }
}

#[test]
fn each_person_opens_with_their_own_words_alone() {
    let people = People::of_the_clinic();
    assert_eq!(people.enter("halima's words"), "halima");
    assert_eq!(people.enter("otieno's words"), "otieno");
    assert_eq!(people.enter("night's words"), "duress");
    for wrong in ["", "halima", "Halima's words", "otieno's words "] {
        assert_eq!(people.enter(wrong), "wrong", "{wrong:?}");
    }
    let (_, header, nobody) = server();
    let entered = nobody.passphrases.enter(&header, b"");
    assert!(matches!(entered, PassphraseOutcome::Wrong));
}

#[test]
fn changing_one_leaves_the_others_as_they_are_on_the_disk() {
    let mut people = People::of_the_clinic();
    let before = people.table.clone();
    let (header, key) = (people.header.clone(), people.key.clone());
    let changed = |people: &mut People, who, words: &str| {
        let passphrases = &mut people.table.passphrases;
        passphrases.change(&header, &key, who, words.as_bytes(), NOW + 9)
    };
    changed(&mut people, "halima", "new words").unwrap();
    assert_eq!(people.enter("halima's words"), "wrong");
    assert_eq!(people.enter("new words"), "halima");
    assert_eq!(people.slot("halima").changed, NOW + 9);
    assert_eq!(people.slot("halima").made, NOW);
    assert_eq!(people.table.passphrases.stretch, before.passphrases.stretch);
    assert_eq!(
        people.table.passphrases.slots[1..],
        before.passphrases.slots[1..]
    );
    // One for duress stays one.
    changed(&mut people, "night", "new night").unwrap();
    assert_eq!(people.enter("new night"), "duress");
    let nobody = changed(&mut people, "nobody", "x");
    assert_eq!(nobody, Err(PassphraseError::NoSuchName));
}

#[test]
fn who_was_removed_does_not_open_any_more() {
    let mut people = People::of_the_clinic();
    people.table.passphrases.remove("halima").unwrap();
    assert_eq!(people.enter("halima's words"), "wrong");
    assert_eq!(people.enter("otieno's words"), "otieno");
    let again = people.table.passphrases.remove("halima");
    assert_eq!(again, Err(PassphraseError::NoSuchName));
    // An id is never used twice.
    let last = people.table.next_id;
    people.add("halima", Passphrase::Opens, "words").unwrap();
    assert_eq!(people.slot("halima").id, last);
    assert_eq!(people.table.next_id, last + 1);
}

#[test]
fn the_same_words_cannot_open_for_one_and_destroy_for_another() {
    let mut people = People::of_the_clinic();
    for (who, words, error) in [
        ("duress", "halima's words", PassphraseError::InUse),
        ("other", "night's words", PassphraseError::InUse),
        ("halima", "fresh words", PassphraseError::NameTaken),
    ] {
        let before = people.table.clone();
        for kind in [Passphrase::Opens, Passphrase::Duress] {
            assert_eq!(people.add(who, kind, words), Err(error));
        }
        assert_eq!(people.table, before);
    }
}

#[test]
fn sixteen_people_are_the_most() {
    let mut people = People::of_the_clinic();
    for at in 3..MAX_PEOPLE {
        let who = format!("person {at}");
        people.add(&who, Passphrase::Opens, &who).unwrap();
    }
    let full = people.add("one more", Passphrase::Opens, "one more");
    assert_eq!(full, Err(PassphraseError::Full));
}

#[test]
fn only_the_master_key_tells_which_one_is_for_duress() {
    let people = People::of_the_clinic();
    let kind = |who, key: &MasterKey| people.slot(who).kind(&people.header, key);
    assert_eq!(kind("halima", &people.key), Some(Passphrase::Opens));
    assert_eq!(kind("night", &people.key), Some(Passphrase::Duress));
    let foreign = MasterKey::generate();
    assert_eq!(kind("night", &foreign), None);
    // Of the same length, whatever they hold.
    let stored = |who| {
        let mut bytes = [0; 512];
        postcard::to_slice(people.slot(who), &mut bytes)
            .unwrap()
            .len()
    };
    assert_eq!(stored("night"), stored("halima") - 1, "the name is shorter");
}

#[test]
fn a_name_put_on_somebody_elses_slot_opens_nothing() {
    let mut people = People::of_the_clinic();
    people.table.passphrases.slots[0].name = name("otiena");
    assert_eq!(people.enter("halima's words"), "wrong");
    let mut other = people.header.clone();
    other.server_id = crate::vault::ServerId(random_bytes());
    let entered = people.table.passphrases.enter(&other, b"otieno's words");
    assert!(matches!(entered, PassphraseOutcome::Wrong));
}

#[test]
fn a_hostile_table_cannot_ask_for_a_terabyte() {
    let mut people = People::of_the_clinic();
    let stretch = people.table.passphrases.stretch.as_mut().unwrap();
    stretch.params.log_n = 40;
    assert_eq!(people.enter("halima's words"), "wrong");
    let added = people.add("new", Passphrase::Opens, "new");
    assert_eq!(added, Err(PassphraseError::Damaged));
}

#[test]
fn a_table_made_useless_looks_the_same_and_opens_for_nobody() {
    let mut people = People::of_the_clinic();
    let names = |people: &People| {
        let slots = people.table.passphrases.slots().iter();
        slots
            .map(|slot| slot.name.clone())
            .collect::<std::vec::Vec<_>>()
    };
    let before = names(&people);
    people.table.make_useless();
    assert_eq!(names(&people), before);
    for words in ["halima's words", "night's words", "otieno's words"] {
        assert_eq!(people.enter(words), "wrong");
    }
}

#[test]
fn every_entry_costs_one_scrypt_right_or_wrong() {
    let mut people = People::of_the_clinic();
    let cost = people.table.passphrases.stretch.unwrap().params;
    let each_costs_one = |people: &People, answers: [&str; 5]| {
        let entries = [
            "halima's words",
            "otieno's words",
            "night's words",
            "a guess",
            "",
        ];
        for (words, answer) in entries.into_iter().zip(answers) {
            let scrypts = scrypts_of(|| assert_eq!(people.enter(words), answer));
            assert_eq!(scrypts, [cost], "{words:?}");
        }
    };
    each_costs_one(&people, ["halima", "otieno", "duress", "wrong", "wrong"]);
    // Nor does it show afterwards that one of them was for duress.
    people.table.make_useless();
    each_costs_one(&people, ["wrong"; 5]);
}

/// The header and the key of the generation after a server's.
fn next_key(header: &Header) -> (Header, MasterKey) {
    let key = MasterKey::generate();
    let generation = header.generation + 1;
    let next = Header {
        generation,
        check: Header::check_value(&key, &header.server_id, generation),
        ..header.clone()
    };
    (next, key)
}

impl People {
    /// The same people after the master key was replaced, which asks nobody.
    fn with_next_key(&self) -> Self {
        let (header, key) = next_key(&self.header);
        let (old, new) = ((&self.header, &self.key), (&header, &key));
        let table = SlotTable {
            passphrases: self.table.passphrases.under_next_key(old, new),
            ..self.table.clone()
        };
        Self { key, header, table }
    }
}

#[test]
fn the_same_words_open_the_next_key_and_nobody_was_asked() {
    let old = People::of_the_clinic();
    let mut new = People::of_the_clinic();
    let scrypts = scrypts_of(|| new = old.with_next_key());
    assert!(scrypts.is_empty());
    assert_eq!(new.enter("halima's words"), "halima");
    assert_eq!(new.enter("otieno's words"), "otieno");
    assert_eq!(new.enter("night's words"), "duress");
    assert_eq!(new.enter("a guess"), "wrong");
    let kind = |who| new.slot(who).kind(&new.header, &new.key);
    assert_eq!(kind("night"), Some(Passphrase::Duress));
    assert_eq!(kind("otieno"), Some(Passphrase::Opens));
}

/// Which parts of each slot differ between two copies of the disk, and how long the
/// slots are: all that somebody without the master key has to go by.
fn seen_without_the_key(before: &SlotTable, after: &SlotTable) -> Vec<(bool, bool, bool), 16> {
    let pairs = before
        .passphrases
        .slots
        .iter()
        .zip(&after.passphrases.slots);
    pairs
        .map(|(before, after)| {
            (
                before.locked != after.locked,
                before.wrapped != after.wrapped,
                before.sealed != after.sealed,
            )
        })
        .collect()
}

#[test]
fn after_a_new_key_one_for_duress_looks_like_the_others() {
    let old = People::of_the_clinic();
    let new = old.with_next_key();
    let seen = seen_without_the_key(&old.table, &new.table);
    assert_eq!(seen, [(false, true, true); 3]);
    // Nor does a key that is none of this server's tell anything.
    let foreign = MasterKey::generate();
    for who in ["halima", "night"] {
        assert_eq!(new.slot(who).kind(&new.header, &foreign), None);
        assert_eq!(new.slot(who).kind(&new.header, &old.key), None);
    }
}

#[test]
fn whoever_types_their_words_gets_a_new_way_key_once() {
    let old = People::of_the_clinic();
    let mut new = old.with_next_key();
    let (header, key) = (new.header.clone(), new.key.clone());
    let made_in = |people: &People, who| people.slot(who).made_in(&header, &key);
    assert_eq!(made_in(&new, "halima"), Some(1));
    let renew = |people: &mut People, words: &str| {
        let passphrases = &mut people.table.passphrases;
        passphrases.renew(&header, &key, words.as_bytes())
    };
    assert!(!renew(&mut new, "a guess"));
    let before = new.table.clone();
    assert!(renew(&mut new, "halima's words"));
    assert!(!renew(&mut new, "halima's words"), "it is new already");
    assert_eq!(made_in(&new, "halima"), Some(2));
    assert_eq!(made_in(&new, "otieno"), Some(1));
    assert_eq!(new.enter("halima's words"), "halima");
    // What the earlier master key knew of her opens nothing now.
    let known = old.slot("halima").unsealed(&old.header, &old.key).unwrap();
    let way = PassphraseSlot::way(old.slot("halima").id, &header);
    let opens = |people: &People| {
        let wrapped = &people.slot("halima").wrapped;
        way.unwrap(&known.key, header.generation, wrapped).is_ok()
    };
    assert!(opens(&People {
        table: before,
        ..old.with_next_key()
    }));
    assert!(!opens(&new));
}

#[test]
fn a_slot_that_nobody_with_the_key_has_made_gets_no_next_key() {
    let mut people = People::of_the_clinic();
    let stranger = People::of_the_clinic();
    people.table.passphrases.slots[0] = stranger.table.passphrases.slots[0].clone();
    let names = people.with_next_key().table.passphrases.slots;
    let names = names.iter().map(|slot| slot.name.as_str());
    assert!(names.eq(["night", "otieno"]));
}
