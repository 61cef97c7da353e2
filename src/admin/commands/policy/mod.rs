//! `stayput policy`: what the server does when it may have been stolen.

mod watch_options;
mod way_back;

use crate::admin::json;
use crate::admin::key_release;
use crate::admin::names::name;
use crate::admin::problem::Result;
use crate::admin::unlock::{UnlockOptions, Unlocked, unlock};
use crate::admin::watch_service;
use crate::theft::{OnFailure, OnStrikes, TheftPolicy, WayBack};
use crate::vault::{EventKind, Keep, PlaceInWords, Policy};
use watch_options::WatchOptions;

/// Without options the policy is shown.
#[derive(clap::Args, Clone, Debug)]
pub struct PolicyOptions {
    /// Seconds for which a place must be silent or foreign before the server
    /// draws a conclusion
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u16)
        .range(range(TheftPolicy::WAIT)))]
    wait: Option<u16>,
    /// Starts in foreign places until --on-strikes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8)
        .range(range(TheftPolicy::STRIKES)))]
    strikes: Option<u8>,
    /// Wrong PINs, passphrases and codes until a reset; "off": they only slow
    /// down
    #[arg(long, value_name = "N|off", value_parser = attempts)]
    attempts: Option<Attempts>,
    /// What becomes of a start that does not open
    #[arg(long, value_name = "WHAT")]
    on_failure: Option<OnFailure>,
    /// What follows when the limit of strikes is reached
    #[arg(long, value_name = "WHAT")]
    on_strikes: Option<OnStrikes>,
    /// Where a verified stick or the recovery code is kept, in words, for example
    /// "bank safe"
    #[arg(long, value_name = "WHERE", value_parser = name::<48>)]
    stick_kept: Option<PlaceInWords>,
    /// Which stick or code that is, where there are several: its label or id, or
    /// "code"
    #[arg(long, value_name = "NAME", requires = "stick_kept")]
    which: Option<String>,
    /// How long the released keys stay in the memory filesystem
    #[arg(long, value_name = "HOW")]
    keep: Option<Keep>,
    #[command(flatten)]
    watch: WatchOptions,
    #[command(flatten)]
    unlock: UnlockOptions,
}

/// `None`: wrong entries only slow down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attempts(Option<u16>);

fn range<T: Into<i64> + Copy>(
    bounds: core::ops::RangeInclusive<T>,
) -> core::ops::RangeInclusive<i64> {
    (*bounds.start()).into()..=(*bounds.end()).into()
}

fn attempts(text: &str) -> std::result::Result<Attempts, String> {
    if text == "off" {
        return Ok(Attempts(None));
    }
    let number = text
        .parse()
        .ok()
        .filter(|n| TheftPolicy::ATTEMPTS.contains(n));
    number.map(|n| Attempts(Some(n))).ok_or_else(|| {
        let (least, most) = (TheftPolicy::ATTEMPTS.start(), TheftPolicy::ATTEMPTS.end());
        format!("a number from {least} to {most}, or off")
    })
}

impl PolicyOptions {
    fn apply(&self, before: &Policy) -> Policy {
        Policy {
            theft: self.theft(before.theft),
            keep: self.keep.unwrap_or(before.keep),
            // Choosing anything answers the wish of `stayput init`.
            wants_reset: before.wants_reset && self.on_strikes.is_none(),
            ..before.clone()
        }
    }

    /// Whether a reset is asked for, in force already or not.
    fn asks_for_a_reset(&self) -> bool {
        let gentle = TheftPolicy {
            attempts: None,
            on_strikes: OnStrikes::Halt,
            ..TheftPolicy::default()
        };
        self.theft(gentle).resets_by_itself()
    }

    fn theft(&self, before: TheftPolicy) -> TheftPolicy {
        TheftPolicy {
            wait: self.wait.unwrap_or(before.wait),
            strikes: self.strikes.unwrap_or(before.strikes),
            attempts: self.attempts.map_or(before.attempts, |attempts| attempts.0),
            on_failure: self.on_failure.unwrap_or(before.on_failure),
            on_strikes: self.on_strikes.unwrap_or(before.on_strikes),
            watch: self.watch.apply(before.watch),
        }
    }
}

/// Runs `stayput policy`.
///
/// # Errors
/// When the vault does not open, or a reset would leave no way back in.
pub fn run(options: &PolicyOptions, for_scripts: bool) -> Result<()> {
    let mut unlocked = unlock(&options.unlock)?;
    let changed = |unlocked: &Unlocked| {
        let before = unlocked.proven.policy.draft();
        (options.apply(&before), before)
    };
    let (after, before) = changed(&unlocked);
    options
        .watch
        .must_watch_somebody(unlocked.slots()?.as_deref())?;
    let begins_to_reset = after.theft.resets_by_itself() && !before.theft.resets_by_itself();
    if begins_to_reset || options.stick_kept.is_some() {
        let which = options.which.as_deref();
        way_back::note(&mut unlocked, options.stick_kept.as_ref(), which)?;
    } else if options.asks_for_a_reset() {
        // It was in force before a reset, and may have lost its way back since.
        way_back::must_be_elsewhere(&unlocked)?;
    }
    // While a question was open, another command may have changed it.
    let (after, before) = changed(&unlocked);
    if after != before {
        unlocked.set_policy(after.clone())?;
        unlocked.log(EventKind::PolicyChanged)?;
    }
    if after.keep != before.keep {
        key_release::apply_keep(unlocked.keys(), &unlocked.proven.policy)?;
    }
    if after.theft.watch != before.theft.watch {
        watch_service::UNIT.start_anew();
    }
    if for_scripts {
        json::print(document(&after));
    } else {
        print!("{}", in_words(&after));
        if after.theft.resets_by_itself() && unlocked.way_back() == WayBack::None {
            println!("{WITHHELD}");
        }
    }
    Ok(())
}

/// What a policy that resets is worth without a way back.
const WITHHELD: &str = "NOT IN FORCE: the key is not destroyed, because no stick was tried, or none \
                        since a reset.\nstayput stick verify DEVICE, or stayput code";

fn document(policy: &Policy) -> serde_json::Value {
    let Policy { theft, keep, .. } = policy;
    serde_json::json!({
        "wait_seconds": theft.wait,
        "strikes": theft.strikes,
        "attempts": theft.attempts,
        "on_failure": word(theft.on_failure),
        "on_strikes": word(theft.on_strikes),
        "watch": word(theft.watch.on_alarm),
        "watch_every_seconds": theft.watch.every,
        "watch_persist_seconds": theft.watch.persist,
        "watch_settle_seconds": theft.watch.settle,
        "keep": word(*keep).replace('-', "_"),
    })
}

/// A document with every field.
#[cfg(test)]
pub fn example() -> serde_json::Value {
    let theft = TheftPolicy {
        attempts: Some(10),
        ..TheftPolicy::default()
    };
    document(&Policy {
        theft,
        ..Policy::default()
    })
}

/// The value as the option takes it.
fn word(value: impl clap::ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

fn in_words(policy: &Policy) -> String {
    let keep = match policy.keep {
        Keep::Always => "MariaDB's key file stays in memory",
        Keep::UntilStarted => "it leaves memory when MariaDB has read it",
    };
    let kept = word(policy.keep);
    let policy = policy.theft;
    let watch = policy.watch;
    let attempts = policy.attempts.map_or("off".into(), |n| n.to_string());
    let on_failure = match policy.on_failure {
        OnFailure::Halt => "the server stays in the prompt",
        OnFailure::Continue => "the system starts without the keys",
    };
    let on_strikes = match policy.on_strikes {
        OnStrikes::Halt => "the server stays in the prompt",
        OnStrikes::Reset => "the key on its disk is destroyed; a stick opens it",
    };
    format!(
        "wait        {:<9} seconds until a silent or foreign place is believed\n\
         strikes     {:<9} starts in foreign places are the limit\n\
         attempts    {attempts:<9} wrong entries until the key is destroyed\n\
         on-failure  {:<9} {on_failure}\n\
         on-strikes  {:<9} {on_strikes}\n\
         watch       {:<9} {}\n\
         {:11} every {} s; {} s of it are an alarm; none in the first {} s\n\
         keep        {kept:<9} {keep}\n",
        policy.wait,
        policy.strikes,
        word(policy.on_failure),
        word(policy.on_strikes),
        word(watch.on_alarm),
        watch_service::meaning(watch.on_alarm),
        "",
        watch.every,
        watch.persist,
        watch.settle,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::pending_reset::reminder;
    use crate::theft::OnAlarm;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: PolicyOptions,
    }

    fn typed(words: &[&str]) -> std::result::Result<TheftPolicy, clap::Error> {
        let words = std::iter::once(&"policy").chain(words);
        Line::try_parse_from(words).map(|line| line.options.apply(&Policy::default()).theft)
    }

    #[test]
    fn each_field_is_set_by_itself() {
        let default = TheftPolicy::default();
        assert_eq!(typed(&[]).unwrap(), default);
        let changed = typed(&["--wait", "30", "--on-failure", "continue"]).unwrap();
        let expected = TheftPolicy {
            wait: 30,
            on_failure: OnFailure::Continue,
            ..default
        };
        assert_eq!(changed, expected);
        let changed = typed(&[
            "--strikes",
            "5",
            "--attempts",
            "10",
            "--on-strikes",
            "reset",
        ]);
        let expected = TheftPolicy {
            strikes: 5,
            attempts: Some(10),
            on_strikes: OnStrikes::Reset,
            ..default
        };
        assert_eq!(changed.unwrap(), expected);
        assert_eq!(typed(&["--attempts", "off"]).unwrap(), default);
        let watch = typed(&["--watch", "lock", "--watch-persist", "600"])
            .unwrap()
            .watch;
        assert_eq!((watch.on_alarm, watch.persist), (OnAlarm::Lock, 600));
        assert_eq!(
            (watch.every, watch.settle),
            (default.watch.every, default.watch.settle)
        );
    }

    #[test]
    fn what_would_lock_or_destroy_at_once_is_refused() {
        for words in [
            ["--wait", "0"],
            ["--wait", "4000"],
            ["--strikes", "0"],
            ["--attempts", "1"],
            ["--attempts", "no"],
            ["--on-strikes", "explode"],
            ["--watch", "explode"],
            ["--watch-persist", "14"],
            ["--watch-settle", "0"],
            ["--stick-kept", " "],
        ] {
            assert!(typed(&words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn a_wish_from_init_is_reminded_of_until_it_is_in_force() {
        let mut policy = Policy::default();
        assert_eq!(reminder(&policy), None);
        policy.wants_reset = true;
        assert!(reminder(&policy).unwrap().contains("--on-strikes reset"));
        assert!(!policy.theft.resets_by_itself(), "a wish destroys nothing");
        policy.theft.on_strikes = OnStrikes::Reset;
        assert_eq!(reminder(&policy), None);
    }

    #[test]
    fn a_script_reads_the_policy_by_name() {
        let json = document(&Policy::default());
        assert_eq!(json["on_strikes"], "halt");
        assert_eq!(json["attempts"], serde_json::Value::Null);
        let text = in_words(&Policy::default());
        assert!(text.lines().all(|line| line.len() <= 79), "{text}");
    }

    #[test]
    fn watch_that_may_destroy_the_key_needs_a_way_back() {
        assert!(!TheftPolicy::default().resets_by_itself());
        assert!(typed(&["--watch", "reset"]).unwrap().resets_by_itself());
        assert!(!typed(&["--watch", "lock"]).unwrap().resets_by_itself());
    }

    #[test]
    fn a_reset_that_is_asked_for_again_needs_a_way_back_again() {
        for (words, asks) in [
            (&["--on-strikes", "reset"][..], true),
            (&["--attempts", "10"], true),
            (&["--watch", "reset"], true),
            (&["--attempts", "off", "--on-strikes", "halt"], false),
            (&["--wait", "30", "--strikes", "5"], false),
        ] {
            let words = std::iter::once(&"policy").chain(words);
            let line = Line::try_parse_from(words).unwrap();
            assert_eq!(line.options.asks_for_a_reset(), asks);
        }
    }
}
