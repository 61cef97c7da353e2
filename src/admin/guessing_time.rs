//! How long guessing a PIN or a passphrase takes, in plain words. Pure.

use crate::admin::suggested_secret::{SYLLABLES, syllables};

/// Seconds that one guess takes on one processor (scrypt with 128 MiB).
const SECONDS_A_GUESS: f64 = 0.25;
/// Processors that a determined thief is assumed to have.
const PROCESSORS: f64 = 100.0;
/// Words that a person uses in daily life, in any language.
const DAILY_WORDS: f64 = 10_000.0;

const DAY: f64 = 86_400.0;
const YEAR: f64 = 365.0 * DAY;

/// How long somebody with the stick needs to find this PIN. `known` is what he reads
/// or knows anyway, such as the label of the stick.
pub fn explain_pin(pin: &[u8], known: &[&str]) -> String {
    if pin.is_empty() {
        return "Without a PIN whoever holds this stick and the server reads its data. Keep it \
                locked away."
            .into();
    }
    explain(pin, known, "holds this stick", "PIN")
}

/// How long somebody who has copied the disk before it was reset needs to find this
/// passphrase. `known` is what he reads or knows anyway, such as the person's name.
pub fn explain_passphrase(passphrase: &[u8], known: &[&str]) -> String {
    explain(
        passphrase,
        known,
        "has a copy of this server's disk",
        "passphrase",
    )
}

/// Whether this passphrase is found within a day.
pub fn is_very_weak(passphrase: &[u8], known: &[&str]) -> bool {
    seconds(passphrase, known) < DAY
}

fn seconds(secret: &[u8], known: &[&str]) -> f64 {
    guesses(secret, known) * SECONDS_A_GUESS / PROCESSORS
}

fn explain(secret: &[u8], known: &[&str], who: &str, what: &str) -> String {
    let seconds = seconds(secret, known);
    let begin = match seconds {
        ..DAY => "Very weak: whoever",
        ..YEAR => "Weak: whoever",
        _ => "Whoever",
    };
    let advice = match seconds {
        ..YEAR => " Take the one that is offered, five random words, or fourteen random digits.",
        _ => "",
    };
    format!(
        "{begin} {who} finds this {what} in about {} with a hundred processors; sooner if \
         something about you is in it.{advice}",
        duration(seconds)
    )
}

/// How many guesses are enough: the least of what several ways of guessing need.
fn guesses(secret: &[u8], known: &[&str]) -> f64 {
    let text = String::from_utf8_lossy(secret);
    let made = syllables(&text);
    let made = made.map(|count| f64::from(SYLLABLES).powi(count as i32));
    // Common passwords, names, English words, dates, rows of keys, repetitions.
    let common = zxcvbn::zxcvbn(&text, known).guesses_log10();
    let ways = [by_signs(secret), by_words(&text), 10f64.powf(common)];
    ways.into_iter().chain(made).fold(f64::INFINITY, f64::min)
}

/// The number of secrets of this length with the kinds of characters used.
fn by_signs(secret: &[u8]) -> f64 {
    let uses = |kind: fn(&u8) -> bool| secret.iter().any(kind);
    let kinds = [
        (uses(u8::is_ascii_digit), 10.0),
        (uses(u8::is_ascii_lowercase), 26.0),
        (uses(u8::is_ascii_uppercase), 26.0),
        (uses(|sign| !sign.is_ascii_alphanumeric()), 33.0),
    ];
    let signs: f64 = kinds
        .iter()
        .filter(|(used, _)| *used)
        .map(|(_, signs)| signs)
        .sum();
    signs.powi(secret.len() as i32)
}

/// The number of secrets of so many words, of a language that is not known here. One
/// word alone may be none.
fn by_words(text: &str) -> f64 {
    let parts = text.split(|sign: char| !sign.is_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let is_word = |part: &&&str| part.chars().all(char::is_alphabetic);
    if parts.iter().filter(is_word).count() < 2 {
        return f64::INFINITY;
    }
    let one = |part: &&str| {
        let most = if is_word(&part) {
            DAILY_WORDS
        } else {
            f64::INFINITY
        };
        by_signs(part.as_bytes()).min(most)
    };
    parts.iter().map(one).product()
}

fn duration(seconds: f64) -> String {
    let units = [
        (YEAR, "years"),
        (DAY, "days"),
        (3600.0, "hours"),
        (60.0, "minutes"),
        (1.0, "seconds"),
    ];
    let found = units.into_iter().find(|(unit, _)| seconds >= 2.0 * unit);
    match found.map(|(unit, name)| (seconds / unit, name)) {
        None => "a second".into(),
        Some((many, name)) if many > 1e6 => format!("millions of {name}"),
        Some((few, name)) => format!("{few:.0} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_called_what_they_are() {
        let text = explain_pin(b"2580", &[]);
        assert!(text.starts_with("Very weak"), "{text}");
        assert!(text.contains("second"), "{text}");
        assert!(text.contains("fourteen random digits"), "{text}");
    }

    #[test]
    fn a_common_password_is_called_what_it_is() {
        for common in [
            "password1",
            "Password123",
            "qwertyuiop",
            "iloveyou2",
            "19840317",
            "aaaaaaaaaaaa",
            "123456789012",
            "p@ssw0rd",
        ] {
            let text = explain_passphrase(common.as_bytes(), &[]);
            assert!(text.starts_with("Very weak"), "{common}: {text}");
            assert!(is_very_weak(common.as_bytes(), &[]), "{common}");
        }
    }

    #[test]
    fn what_a_thief_knows_anyway_is_worth_nothing() {
        let known = ["Wanjiru", "kisumuclinic"];
        let both = b"kisumuclinicWanjiru";
        assert!(is_very_weak(both, &known));
        assert!(!is_very_weak(both, &[]));
    }

    #[test]
    fn two_words_of_any_language_are_weak() {
        let text = explain_passphrase("nyumbani kitabuchangu".as_bytes(), &[]);
        assert!(text.starts_with("Weak"), "{text}");
        assert!(text.contains(" days"), "{text}");
    }

    #[test]
    fn five_words_need_no_advice() {
        let text = explain_passphrase(b"otter lamp frozen cello maize", &[]);
        assert!(text.contains("a copy of this server's disk"), "{text}");
        assert!(text.contains("years"), "{text}");
        assert!(!text.contains("eak:"), "{text}");
    }

    #[test]
    fn what_is_offered_is_judged_by_how_it_was_made() {
        let most = f64::from(SYLLABLES).powi(10);
        let found = guesses(b"belo kute dinu piro sevu", &[]);
        assert!((most / 100.0..=most).contains(&found), "{found:e}");
        assert!(!is_very_weak(b"480962719354", &[]));
    }

    #[test]
    fn no_pin_means_that_the_stick_is_the_key() {
        assert!(explain_pin(b"", &[]).contains("whoever holds this stick"));
    }
}
