//! A stick and the ways in of its vault, in memory: whatever is cut off, and whatever
//! comes in between, the stick opens the server.

use super::*;
use crate::keys::{MasterKey, ScryptParams};
use crate::vault::NextGeneration;

const PIN: &[u8] = b"2580";

/// A server with one stick.
#[derive(Clone)]
struct World {
    header: Header,
    keys: Keyring,
    ways: Ways,
    /// As the two copies stand on the stick; `None` is a torn one.
    copies: [Option<StickFile>; 2],
}

/// What somebody does.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Rekey,
    Renew,
    /// `stick verify`, cut off after so many changes of the vault or the stick.
    Verify(usize),
}

impl World {
    /// Its stick was made, and the vault has it.
    fn new() -> Self {
        let keys = Keyring::of_one(1, MasterKey::generate());
        let header = Header::of_a_new_server(keys.current());
        let (cheap, label) = (ScryptParams::CHEAPEST, "office".try_into().unwrap());
        let (file, way_key) = StickFile::make_with(cheap, &header, &keys, label, 7, PIN);
        let mut ways = Ways::default();
        let id = file.info.stick_id;
        assert!(ways.note_stick(&header, keys.current(), id, &way_key, 1));
        Self {
            header,
            keys,
            ways,
            copies: [Some(file.clone()), Some(file)],
        }
    }

    fn found(&self) -> Copies {
        let mut whole = self.copies.iter().flatten();
        let file = whole.next().expect("one copy is whole").clone();
        let other = whole.next();
        Copies {
            both_whole: other == Some(&file),
            differ: other.is_some_and(|other| *other != file),
            file,
        }
    }

    fn rekey(&mut self) {
        let next = NextGeneration::of(&self.header, &self.keys).unwrap();
        self.ways = next.ways(&self.ways, (&self.header, self.keys.current()));
        self.header = next.header;
        self.keys = next.keys;
    }

    /// Takes these steps, each change of a copy torn first, as far as `left` goes.
    fn take(&mut self, steps: Vec<RenewalStep>, mut left: usize) {
        let id = self.found().file.info.stick_id;
        let mut goes_on = || {
            left = left.saturating_sub(1);
            left > 0
        };
        for step in steps {
            if let RenewalStep::Write(file) = &step {
                let mut order = [0, 1];
                if self.copies[0].is_some() && self.copies[1].is_none() {
                    order.swap(0, 1);
                }
                for at in order {
                    for content in [None, Some((**file).clone())] {
                        if !goes_on() {
                            return;
                        }
                        self.copies[at] = content;
                    }
                }
            } else if !goes_on() {
                return;
            }
            let of = (&self.header, self.keys.current());
            assert!(step.note_in(&mut self.ways, of, id));
        }
    }

    fn does(&mut self, deed: Deed) {
        let found = self.found();
        match deed {
            Deed::Rekey => self.rekey(),
            Deed::Renew => {
                let steps = without_pin(&found.file, &self.ways, &self.header, &self.keys);
                let steps = steps.unwrap().expect("the vault knows what is on it");
                self.take(steps, usize::MAX);
                let now = self.found();
                assert!(now.both_whole && now.file.open(&self.header, PIN).is_ok());
            }
            Deed::Verify(changes) => {
                let steps = with_pin(&found, PIN, &self.ways, &self.header, &self.keys);
                self.take(steps.unwrap(), changes);
            }
        }
    }

    /// Each copy that is whole opens the server: the other one may be lost next.
    fn opens(&self) -> bool {
        self.copies.iter().flatten().all(|file| {
            let opened = file.open_in(&self.header, &self.ways, PIN);
            opened.is_ok_and(|key| self.header.accepts(&key))
        })
    }
}

/// More changes than a whole verification has.
const ALL: usize = 15;

fn deeds() -> impl Iterator<Item = Deed> {
    [Deed::Rekey, Deed::Renew]
        .into_iter()
        .chain((1..=ALL).map(Deed::Verify))
}

#[test]
fn whatever_is_cut_off_the_stick_opens_in_every_order() {
    let mut start = World::new();
    start.rekey();
    for first in deeds() {
        for second in deeds() {
            for third in [Deed::Rekey, Deed::Renew, Deed::Verify(ALL)] {
                let mut world = start.clone();
                for deed in [first, second, third, Deed::Rekey, Deed::Renew] {
                    world.does(deed);
                    assert!(world.opens(), "{first:?}, {second:?}, {third:?}: {deed:?}");
                }
            }
        }
    }
}

#[test]
fn a_stick_that_was_read_back_has_one_way_key_of_the_key_of_now() {
    let mut world = World::new();
    world.rekey();
    let before = world.found().file.way_key(PIN).unwrap();
    world.does(Deed::Verify(3));
    world.does(Deed::Verify(ALL));
    let found = world.found();
    let (id, key) = (found.file.info.stick_id, world.keys.current());
    let kept = world.ways.way_keys_of_stick(&world.header, key, id);
    assert_eq!((kept.len(), kept[0].made_in), (1, 2));
    assert!(kept[0].key == found.file.way_key(PIN).unwrap());
    // What somebody may have learned of the old one opens nothing.
    let by_old = world.ways.key_of_stick(&world.header, id, &before);
    assert!(by_old.is_none());
    let steps = with_pin(&found, PIN, &world.ways, &world.header, &world.keys);
    assert!(steps.unwrap().is_empty(), "nothing is left to do");
}

#[test]
fn a_stick_that_somebody_made_with_a_real_id_needs_its_pin() {
    let mut world = World::new();
    let real = world.found().file;
    let theirs = StickFile::for_test(&world.header, &MasterKey::generate(), "a", b"");
    let forged = theirs.with_id(real.info.stick_id);
    let renewal = |world: &World, file: &StickFile| {
        without_pin(file, &world.ways, &world.header, &world.keys).map(|steps| steps.is_some())
    };
    assert_eq!(renewal(&world, &real), Ok(true));
    assert_eq!(
        renewal(&world, &forged),
        Ok(false),
        "also of the same generation"
    );
    world.rekey();
    assert_eq!(renewal(&world, &forged), Ok(false));
}

#[test]
fn a_later_key_on_a_stick_is_never_written_over() {
    let old = World::new();
    let mut later = old.clone();
    later.rekey();
    later.does(Deed::Verify(ALL));
    let on_it = later.found();
    let by_vault = without_pin(&on_it.file, &old.ways, &old.header, &old.keys);
    assert_eq!(by_vault.err(), Some(StickError::Later));
    let by_pin = with_pin(&on_it, PIN, &old.ways, &old.header, &old.keys);
    assert_eq!(by_pin.err(), Some(StickError::Later));
}

#[test]
fn another_key_of_the_same_number_is_never_written_over() {
    let mut one = World::new();
    let mut other = one.clone();
    // An old copy of the disk was put back, and its key replaced again.
    one.rekey();
    one.does(Deed::Renew);
    other.rekey();
    let on_it = one.found();
    assert_eq!(on_it.file.generation, other.header.generation);
    for _ in 0..2 {
        let by_vault = without_pin(&on_it.file, &other.ways, &other.header, &other.keys);
        assert_eq!(by_vault.err(), Some(StickError::OtherKey));
        let by_pin = with_pin(&on_it, PIN, &other.ways, &other.header, &other.keys);
        assert_eq!(by_pin.err(), Some(StickError::OtherKey));
        other.rekey();
    }
}
