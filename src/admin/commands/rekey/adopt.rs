//! `stayput rekey --adopt`: a vault that is an old copy, from an image of the disk for
//! one, is given the later master key that the server has had since.

use std::path::Path;

use super::staying::{Staying, Without};
use super::{RekeyOptions, put_in_force, slots_of};
use crate::admin::ask;
use crate::admin::mariadb::release_for_known_database;
use crate::admin::open_vault::open_vault;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::unlock::{Unlocked, copies_for_stick};
use crate::admin::ways_copies;
use crate::keys::{Keyring, UnsealedWayKey, WayKey};
use crate::printable::Printable;
use crate::stick::{self, StickError, StickFile};
use crate::sys::clock;
use crate::vault::{Header, KeyOfCopy, NextGeneration, WaysCopy};

/// Runs `stayput rekey --adopt`.
///
/// # Errors
/// When the stick does not open, or has no later key of this server.
pub fn run(device: &Path, options: &RekeyOptions) -> Result<()> {
    let vault = open_vault()?;
    let header = vault.header().clone();
    let file = stick::read(device, &header).map_err(|error| refused(device, error))?;
    let copies = copies_for_stick(device, &header);
    let way_key = way_key(device, &file, options.unlock.pin_stdin)?;
    let keys = later_keys(&file, &way_key, &copies, &header).ok_or_else(|| {
        Problem::refused(
            format!(
                "{} has no later key than this vault, which is of key number {}.",
                device.display(),
                header.generation
            ),
            "Nothing was changed. Use a stick that was plugged in after the key was replaced last.",
        )
    })?;
    let Some(key) = keys.of_generation(header.generation).cloned() else {
        return Err(refused(device, StickError::OtherKey));
    };
    if !header.accepts(&key) {
        return Err(refused(device, StickError::OtherKey));
    }
    let unlocked = Unlocked::new(vault, key)?;
    let copy = newest_of(&copies, &keys);
    let next = NextGeneration::adopting(&header, keys.clone());
    let stays = what_stays(&unlocked, copy, &next.header, options)?;
    say(&stays, copy, &next);
    let mut records = super::prepare(stays, &unlocked, &next)?;
    if let Some(copy) = copy {
        records.ways.join(&copy.ways(), &next.header, next.key());
    }
    let used = UnsealedWayKey {
        key: way_key,
        // When it was made nobody knows: the oldest is assumed.
        made_in: 1,
    };
    let (id, of_file) = (file.info.stick_id, file.generation);
    let ways = &mut records.ways;
    if !ways.note_used_stick(&next.header, next.key(), id, &used, of_file) {
        return Err(ways_copies::no_room());
    }
    let seen = file.info.known(next.header.generation, clock::now());
    records.list.note_verified(seen);
    if let Some(release) = release_for_known_database(&keys)? {
        let mut policy = unlocked.proven.policy.draft();
        policy.mariadb = Some(release);
        records.policy = Some(policy);
    }
    let mut unlocked = put_in_force(unlocked, &next, &records, options.yes)?;
    super::tell_the_rest(&mut unlocked)
}

fn refused(device: &Path, error: StickError) -> Problem {
    Problem::new(
        Exit::Locked,
        format!("{}: {error}", device.display()),
        "Nothing was changed. Name a backup stick of this server that has the later key.",
    )
}

fn way_key(device: &Path, file: &StickFile, pin_stdin: bool) -> Result<WayKey> {
    let pin = match file.info.has_pin() {
        true => ask::pin(
            &format!("PIN of stick \"{}\": ", file.info.label),
            pin_stdin,
        )?,
        false => ask::Pin::default(),
    };
    file.way_key(&pin).map_err(|error| refused(device, error))
}

/// The keys that the stick opens, by its own file or by a copy, where they are later than
/// this vault's.
fn later_keys(
    file: &StickFile,
    way_key: &WayKey,
    copies: &[WaysCopy],
    header: &Header,
) -> Option<Keyring> {
    let by_copy = copies
        .iter()
        .filter_map(|copy| copy.open_by_stick(file.info.stick_id, way_key));
    let all = by_copy.chain(file.keys(way_key).ok());
    all.filter(|keys| keys.generation() > header.generation)
        .max_by_key(Keyring::generation)
}

/// The copy of the ways in as they were under the newest of these keys.
fn newest_of<'a>(copies: &'a [WaysCopy], keys: &Keyring) -> Option<&'a WaysCopy> {
    let is_newest = |copy: &&WaysCopy| {
        copy.generation == keys.generation() && copy.compared_with_all(keys) == KeyOfCopy::Known
    };
    copies.iter().find(is_newest)
}

fn what_stays(
    unlocked: &Unlocked,
    copy: Option<&WaysCopy>,
    next: &Header,
    options: &RekeyOptions,
) -> Result<Staying> {
    let without = Without {
        people: &options.without_passphrase,
        ..Without::default()
    };
    let of = (unlocked.vault.header(), unlocked.master_key());
    let (slots, list) = (slots_of(unlocked)?, unlocked.proven.sticks.draft());
    let mut stays = Staying::of(slots, list, unlocked.ways()?, without, of)?;
    stays.keep_those_of(of, copy, next);
    // Who is in the copy opens by that.
    stays.left_out.clear();
    Ok(stays)
}

/// What the owner has to know before the question.
fn say(stays: &Staying, copy: Option<&WaysCopy>, next: &NextGeneration) {
    println!(
        "This vault is an old copy. It is given the server's master key number {}.",
        next.header.generation
    );
    let names = |names: Vec<String>| match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    };
    let people = stays.slots.passphrases.slots().iter();
    let people = people.map(|slot| Printable(&slot.name).to_string());
    let places = stays.slots.environments.iter();
    let places = places.map(|slot| Printable(&slot.name).to_string());
    println!(
        "As they stand in it, these get that key: places: {}; passphrases: {}.\nWhoever was left \
         out since is to be named now: --without-passphrase NAME. A place that was given up\nis \
         to be enrolled anew first, with what is to open the server: stayput enroll",
        names(places.collect()),
        names(people.collect())
    );
    match copy {
        Some(_) => println!("Sticks and the code are as they were under that key."),
        None => println!(
            "What else opened the server by then is not known: no other stick and no code gets \
             that key. Plug each\nstick in afterwards: stayput stick verify"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{MasterKey, ScryptParams};
    use crate::vault::Ways;

    #[test]
    fn the_later_key_comes_from_the_stick_or_from_a_copy() {
        let keys = Keyring::of_one(1, MasterKey::generate());
        let header = Header::of_a_new_server(keys.current());
        let (cheap, label) = (ScryptParams::CHEAPEST, "office".try_into().unwrap());
        let (file, way_key) = StickFile::make_with(cheap, &header, &keys, label, 7, b"");
        let mut ways = Ways::default();
        let id = file.info.stick_id;
        assert!(ways.note_stick(&header, keys.current(), id, &way_key, 1));
        let next = NextGeneration::of(&header, &keys).unwrap();
        let ways = next.ways(&ways, (&header, keys.current()));
        let copies = [WaysCopy::of(&next.header, &ways)];
        let found = |file: &StickFile, copies: &[WaysCopy]| {
            later_keys(file, &way_key.key, copies, &header).map(|keys| keys.generation())
        };
        assert_eq!(found(&file, &[]), None);
        assert_eq!(found(&file, &copies), Some(2));
        let renewed = file.renewed(&way_key.key, &next.keys);
        assert_eq!(found(&renewed, &[]), Some(2));
        assert!(newest_of(&copies, &next.keys).is_some());
        assert!(newest_of(&copies, &keys).is_none());
    }

    #[test]
    fn what_was_made_for_a_later_key_opens_a_vault_that_adopts_it() {
        let keys = Keyring::of_one(1, MasterKey::generate());
        let header = Header::of_a_new_server(keys.current());
        let way_key = || UnsealedWayKey {
            key: WayKey::random(),
            made_in: 1,
        };
        let (mut old, bank, renewed) = (Ways::default(), way_key(), way_key());
        for id in [[1; 8], [2; 8]] {
            assert!(old.note_stick(&header, keys.current(), id, &bank, 1));
        }
        let later = NextGeneration::of(&header, &keys).unwrap();
        let mut since = later.ways(&old, (&header, keys.current()));
        // One was lost; the other was given a new way key, and there is a code.
        since.forget_stick([1; 8]);
        assert!(since.note_stick(&later.header, later.key(), [2; 8], &renewed, 2));
        let code = since.make_code(&later.header, later.key());
        let copy = WaysCopy::of(&later.header, &since);

        let next = NextGeneration::adopting(&header, later.keys.clone());
        assert_eq!(next.header.check, later.header.check);
        let kept = {
            let mut old = old.clone();
            old.forget_stick([1; 8]);
            old
        };
        let mut ways = next.ways(&kept, (&header, keys.current()));
        ways.join(&copy.ways(), &next.header, next.key());
        let by_stick = |id, by: &UnsealedWayKey| ways.key_of_stick(&next.header, id, &by.key);
        assert!(by_stick([2; 8], &renewed).is_some());
        assert!(by_stick([1; 8], &bank).is_none());
        assert!(ways.key_of_code(&next.header, &code).is_ok());
    }
}
