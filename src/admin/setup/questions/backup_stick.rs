//! The backup stick: which one, what stands on it, its PIN, and where it is kept.

use std::path::{Path, PathBuf};

use super::{TRIES, no_answer, until_right};
use crate::admin::ask::{self, Pin};
use crate::admin::commands::stick;
use crate::admin::commands::stick::StickVolume;
use crate::admin::names::name;
use crate::admin::problem::{Exit, Problem, Result};
use crate::admin::setup::answers::{NewStick, PinFrom};
use crate::stick::Stick;

/// What a person has said of the new stick beside what stands in the answers.
pub struct ChosenStick {
    /// The one that was plugged in when they chose it: another one gets its name once it is
    /// taken out.
    pub seen: Stick,
    pub pin: Pin,
}

/// The stick of the answers, and its device: the one that a person has chosen, if `seen` says
/// which one it was, else the one that is there. `None` where there is none yet.
pub fn stick_to_make(
    new: &NewStick,
    seen: Option<Stick>,
    there: impl Fn(&Path) -> Option<Stick>,
) -> Option<Result<(Stick, PathBuf)>> {
    let now = there(&new.device);
    let stick = seen.or_else(|| now.clone())?;
    let same = stick::must_be_among(&stick, &new.device, now.as_slice());
    Some(same.map(|()| (stick, new.device.clone())))
}

/// `None` where there is to be no stick.
pub fn ask_stick() -> Result<Option<(NewStick, ChosenStick)>> {
    let Some((device, seen)) = ask_device()? else {
        return Ok(None);
    };
    let label = until_right("What stands on it, such as office: ", |typed| {
        name::<32>(typed).map_err(|why| {
            Problem::new(
                Exit::Usage,
                format!("That is no label: {why}."),
                "Type another one.",
            )
        })
    })?;
    let pin = ask_pin()?;
    let question = "Where will it be kept, in words, such as bank safe (Enter: not said): ";
    let kept = until_right(question, |typed| match typed {
        "" => Ok(None),
        typed => name(typed).map(Some).map_err(|why| {
            Problem::new(
                Exit::Usage,
                format!("That is no place: {why}."),
                "Say it otherwise.",
            )
        }),
    })?;
    let stick = NewStick {
        device,
        label: label.as_str().to_owned(),
        pin: PinFrom::Person,
        kept,
    };
    Ok(Some((stick, ChosenStick { seen, pin })))
}

fn ask_device() -> Result<Option<(PathBuf, Stick)>> {
    for _ in 0..TRIES {
        let volumes = stick::plugged_volumes();
        let offered = offered(&volumes);
        for volume in &volumes {
            println!("  {}", volume.in_words());
        }
        let device = match (ask::line(&offered.question)?.as_str(), offered.usual) {
            ("none", _) => return Ok(None),
            ("", Some(usual)) => usual,
            ("", None) => continue,
            (typed, _) => PathBuf::from(typed),
        };
        match stick::must_be_usable_stick(&device) {
            Ok(seen) => return Ok(Some((device, seen))),
            Err(problem) => println!("{problem}"),
        }
    }
    Err(no_answer())
}

/// What is asked below the list of sticks.
struct Offered {
    question: String,
    /// What Enter stands for.
    usual: Option<PathBuf>,
}

/// Enter takes the only stick. One that is mounted is in use, perhaps for something else: it
/// has to be named. Pure.
fn offered(volumes: &[StickVolume]) -> Offered {
    let usual = match volumes {
        [only] if !only.is_mounted() => Some(only.device.clone()),
        _ => None,
    };
    let question = match (&usual, volumes) {
        (_, []) => "Plug a stick in, then press Enter (or type none): ".into(),
        (Some(usual), _) => format!("Which? [{}] (or another name, or none) ", usual.display()),
        (None, _) => "Which? Type its name, such as /dev/sdb1 (or none): ".into(),
    };
    Offered { question, usual }
}

fn ask_pin() -> Result<Pin> {
    for _ in 0..TRIES {
        match stick::new_pin(false) {
            // Escape and Ctrl-C end it; a mistake does not.
            Err(problem) if problem.exit == Exit::Usage => println!("{problem}"),
            typed => return typed,
        }
    }
    Err(no_answer())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Between the question which stick it is and the last one.
    #[test]
    fn a_stick_that_was_swapped_between_the_questions_is_refused() {
        let stick = |sequence: &str| Stick {
            disk: "sdb".try_into().unwrap(),
            sequence: sequence.try_into().unwrap(),
            volumes: vec!["/dev/sdb1".into()],
        };
        let new = NewStick {
            device: "/dev/sdb1".into(),
            label: "office".into(),
            pin: PinFrom::Person,
            kept: None,
        };
        let named = |seen: Option<&str>, there: Option<&str>| {
            let named = stick_to_make(&new, seen.map(stick), |_| there.map(stick));
            named.map(|named| named.map(|(stick, _)| stick.sequence.as_str().to_owned()))
        };
        assert_eq!(named(Some("7"), Some("7")).unwrap().unwrap(), "7");
        for there in [Some("8"), None] {
            let refused = named(Some("7"), there).unwrap().unwrap_err();
            assert_eq!(refused.exit, Exit::Refused);
            assert!(refused.next.contains("Nothing was changed"), "{refused}");
        }
        // A file of answers names whichever is there.
        assert_eq!(named(None, Some("8")).unwrap().unwrap(), "8");
        assert!(named(None, None).is_none());
    }

    #[test]
    fn a_stick_in_use_is_no_answer_to_enter() {
        let free = StickVolume::example("/dev/sdb1", &[]);
        let used = StickVolume::example("/dev/sdc1", &["/media/backup"]);
        let only = offered(std::slice::from_ref(&free));
        assert_eq!(only.usual.as_deref(), Some(free.device.as_path()));
        for volumes in [vec![], vec![used.clone()], vec![free, used]] {
            let offered = offered(&volumes);
            assert_eq!(offered.usual, None, "{}", offered.question);
        }
    }
}
