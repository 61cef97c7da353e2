//! Where the stick or the code is kept that opens the server after it has destroyed
//! its own key. One must be known to open and to be elsewhere: a false alarm then
//! costs a walk, no data.

use crate::admin::ask;
use crate::admin::named_stick::named_stick;
use crate::admin::names::name;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::unlock::Unlocked;
use crate::stick::PluggedKeys;
use crate::vault::{PlaceInWords, SealedPlace, StickList};

/// What the recovery code is called where a stick could be named.
const CODE: &str = "code";

/// A verified stick that is not in this server, or the recovery code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack {
    Stick([u8; 8]),
    Code,
}

/// Notes where one of them is kept: in these words, else asked for where nobody has
/// said it of any. `which` is needed where there are several.
///
/// # Errors
/// When none is known to be elsewhere, or it is not clear which is meant.
pub fn note(
    unlocked: &mut Unlocked,
    kept: Option<&PlaceInWords>,
    which: Option<&str>,
) -> Result<()> {
    let all = must_be_elsewhere(unlocked)?;
    let list = unlocked.proven.sticks.draft();
    let (way, place) = match kept {
        Some(place) => (meant(&list, &all, which)?, place.clone()),
        None if all.iter().any(|way| kept_of(&list, *way).is_some()) => return Ok(()),
        None => {
            println!(
                "The server will destroy its own key when the limit is reached. A false alarm \
                 then costs a\nwalk to a stick or the code that is kept elsewhere, and no data."
            );
            let way = match all[..] {
                [only] => only,
                _ => {
                    let question = format!("Which is kept elsewhere: {}? ", names(&list, &all));
                    meant(&list, &all, Some(&ask::line(&question)?))?
                }
            };
            (way, ask_place(&title(&list, way))?)
        }
    };
    unlocked.read_again()?;
    let mut list = unlocked.proven.sticks.draft();
    let sealed = unlocked.seal_place(&place);
    match way {
        WayBack::Stick(id) => {
            let stick = list.sticks.iter_mut().find(|stick| stick.id == id);
            stick.map(|stick| stick.kept = Some(sealed))
        }
        WayBack::Code => list.code.as_mut().map(|code| code.kept = Some(sealed)),
    }
    .ok_or_else(gone)?;
    unlocked.set_sticks(list)
}

/// All that are known to be elsewhere.
///
/// # Errors
/// When none is.
pub fn must_be_elsewhere(unlocked: &Unlocked) -> Result<Vec<WayBack>> {
    let generation = unlocked.vault.header().generation;
    let plugged = PluggedKeys::beside(&unlocked.vault).ids();
    let list = unlocked.proven.sticks.draft();
    let list = list.backed_by(&unlocked.ways()?, generation);
    let all = ways_back(&list, generation, &plugged);
    if !all.is_empty() {
        return Ok(all);
    }
    Err(Problem::refused(
        "No backup stick is verified and out of this server, and no recovery code is written \
         down: a false alarm could lose the data for ever.",
        "Make a stick, or show that one opens with `stayput stick verify DEVICE`, and take it \
         out; or write the code down with `stayput code`. Then run this again.",
    ))
}

/// Another command has removed it while the question was open.
fn gone() -> Problem {
    Problem::refused(
        "That way back is no longer on the list.",
        "Nothing was changed. Run the command again.",
    )
}

fn ask_place(what: &str) -> Result<PlaceInWords> {
    name(&ask::line(&format!("Where is the {what} kept? "))?).map_err(|why| {
        Problem::new(
            Exit::Usage,
            format!("That is no place: {why}."),
            "Nothing was changed. Say it in words: --stick-kept \"bank safe\"",
        )
    })
}

fn ways_back(list: &StickList, generation: u32, plugged: &[[u8; 8]]) -> Vec<WayBack> {
    let sticks = list.sticks.iter();
    let sticks = sticks.filter(|stick| stick.opens_without(generation, plugged));
    let code = list.code_of(generation).map(|_| WayBack::Code);
    sticks
        .map(|stick| WayBack::Stick(stick.id))
        .chain(code)
        .collect()
}

/// The one that the owner means.
fn meant(list: &StickList, all: &[WayBack], which: Option<&str>) -> Result<WayBack> {
    let which = match (which, all) {
        (None, [only]) => return Ok(*only),
        (None, _) => {
            return Err(Problem::new(
                Exit::Usage,
                format!("It is not clear which is kept there: {}.", names(list, all)),
                "Nothing was changed. Say which: --which NAME",
            ));
        }
        (Some(which), _) => which.trim(),
    };
    let way = match all.contains(&WayBack::Code) && which == CODE {
        true => WayBack::Code,
        // A wiped one may have been made anew under its label, and be listed still.
        false => match named_stick(&only(list, all), which) {
            Ok(stick) => WayBack::Stick(stick.id),
            Err(_) => WayBack::Stick(named_stick(list, which)?.id),
        },
    };
    if all.contains(&way) {
        return Ok(way);
    }
    Err(Problem::refused(
        format!(
            "The {} is no way back: it was not tried yet, or not since a reset; or it is plugged \
             in here, or has an earlier key.",
            title(list, way)
        ),
        "Nothing was changed. `stayput stick verify DEVICE` shows that it opens; then take it out.",
    ))
}

/// The sticks of the list that are ways back.
fn only(list: &StickList, all: &[WayBack]) -> StickList {
    let mut list = list.clone();
    list.sticks
        .retain(|stick| all.contains(&WayBack::Stick(stick.id)));
    list
}

fn kept_of(list: &StickList, way: WayBack) -> Option<&SealedPlace> {
    match way {
        WayBack::Stick(id) => {
            let mut sticks = list.sticks.iter();
            sticks.find(|stick| stick.id == id)?.kept.as_ref()
        }
        WayBack::Code => list.code.as_ref()?.kept.as_ref(),
    }
}

fn title(list: &StickList, way: WayBack) -> String {
    match way {
        WayBack::Stick(_) => format!("stick \"{}\"", typed_name(list, way)),
        WayBack::Code => "recovery code".into(),
    }
}

/// What names it at the terminal.
fn typed_name(list: &StickList, way: WayBack) -> String {
    let WayBack::Stick(id) = way else {
        return CODE.into();
    };
    let stick = list.sticks.iter().find(|stick| stick.id == id);
    stick.map_or_else(String::new, |stick| {
        let means_the_code = list.code.is_some() && stick.label == CODE;
        match named_stick(list, &stick.label).is_ok() && !means_the_code {
            true => stick.label.as_str().to_owned(),
            false => stick.hex_id(),
        }
    })
}

fn names(list: &StickList, all: &[WayBack]) -> String {
    let names: Vec<String> = all.iter().map(|way| typed_name(list, *way)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::{KnownCode, KnownStick};

    fn list() -> StickList {
        let stick = |id, label: &str, verified| KnownStick {
            id: [id; 8],
            label: label.try_into().unwrap(),
            has_pin: true,
            generation: 1,
            made: 0,
            verified,
            kept: None,
        };
        StickList {
            sticks: [
                stick(1, "office", Some(1)),
                stick(2, "bank", Some(1)),
                stick(3, "old", None),
            ]
            .into_iter()
            .collect(),
            code: Some(KnownCode {
                generation: 1,
                verified: 1,
                kept: None,
            }),
        }
    }

    #[test]
    fn the_place_is_noted_for_the_stick_that_was_meant() {
        let list = list();
        let all = ways_back(&list, 1, &[]);
        let office = WayBack::Stick([1; 8]);
        let bank = WayBack::Stick([2; 8]);
        assert_eq!(all, [office, bank, WayBack::Code]);
        let meant = |which| meant(&list, &all, which).ok();
        assert_eq!(meant(Some("bank")), Some(bank));
        assert_eq!(meant(Some("0101010101010101")), Some(office));
        assert_eq!(meant(Some("code")), Some(WayBack::Code));
        assert_eq!(meant(None), None, "nobody said which");
        assert_eq!(meant(Some("old")), None, "never verified");
        assert_eq!(meant(Some("attic")), None);
    }

    #[test]
    fn stick_that_is_called_code_is_named_by_its_id() {
        let mut list = list();
        list.sticks[0].label = "code".try_into().unwrap();
        let all = ways_back(&list, 1, &[]);
        assert_eq!(names(&list, &all), "0101010101010101, bank, code");
        let named = meant(&list, &all, Some("0101010101010101"));
        assert_eq!(named.ok(), Some(WayBack::Stick([1; 8])));
        list.code = None;
        let all = ways_back(&list, 1, &[]);
        assert_eq!(names(&list, &all), "code, bank");
    }

    #[test]
    fn the_only_way_back_needs_no_name() {
        let list = list();
        let all = ways_back(&list, 1, &[[1; 8], [2; 8]]);
        assert_eq!(meant(&list, &all, None).ok(), Some(WayBack::Code));
        // It is plugged in: whoever takes the server takes it too.
        assert!(meant(&list, &all, Some("office")).is_err());
    }

    #[test]
    fn a_wiped_stick_does_not_hide_the_new_one_of_its_label() {
        let mut list = list();
        list.sticks[2].label = "bank".try_into().unwrap();
        let all = ways_back(&list, 1, &[]);
        let bank = meant(&list, &all, Some("bank")).ok();
        assert_eq!(bank, Some(WayBack::Stick([2; 8])));
    }

    #[test]
    fn a_code_of_an_earlier_key_is_no_way_back() {
        assert_eq!(ways_back(&list(), 2, &[]), []);
    }
}
