//! How long guessing a PIN or a passphrase takes, in plain words. Pure.

/// Seconds that one guess takes on one processor (scrypt with 128 MiB).
const SECONDS_A_GUESS: f64 = 0.25;
/// Processors that a determined thief is assumed to have.
const PROCESSORS: f64 = 100.0;

/// How long somebody with the stick needs to try all PINs of this kind.
pub fn explain_pin(pin: &[u8]) -> String {
    if pin.is_empty() {
        return "Without a PIN whoever holds this stick and the server reads its data. Keep it \
                locked away."
            .into();
    }
    explain(pin, "holds this stick", "PIN")
}

/// How long somebody who has copied the disk before it was reset needs to try
/// all passphrases of this kind.
pub fn explain_passphrase(passphrase: &[u8]) -> String {
    explain(passphrase, "has a copy of this server's disk", "passphrase")
}

fn explain(secret: &[u8], who: &str, what: &str) -> String {
    let seconds = guesses(secret) * SECONDS_A_GUESS / PROCESSORS;
    let advice = if seconds < 86_400.0 * 365.0 {
        " Longer is better: five random words, or fourteen digits."
    } else {
        ""
    };
    format!(
        "Whoever {who} can try every {what} of this length and kind in about {} with a \
         hundred processors; sooner if it is a date, a name or a common word.{advice}",
        duration(seconds)
    )
}

/// The number of secrets of this length with the kinds of characters used.
fn guesses(pin: &[u8]) -> f64 {
    let uses = |kind: fn(&u8) -> bool| pin.iter().any(kind);
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
    signs.powi(pin.len() as i32)
}

fn duration(seconds: f64) -> String {
    let units = [
        (31_536_000.0, "years"),
        (86_400.0, "days"),
        (3600.0, "hours"),
        (60.0, "minutes"),
    ];
    let (unit, name) = units
        .into_iter()
        .find(|(unit, _)| seconds >= 2.0 * unit)
        .unwrap_or((1.0, "seconds"));
    match seconds / unit {
        many if many > 1e6 => format!("millions of {name}"),
        few => format!("{:.0} {name}", few.max(1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_called_what_they_are() {
        let text = explain_pin(b"2580");
        assert!(text.contains("about 25 seconds"), "{text}");
        assert!(text.contains("Longer is better"), "{text}");
    }

    #[test]
    fn five_words_need_no_advice() {
        let text = explain_passphrase(b"otter lamp frozen cello maize");
        assert!(text.contains("a copy of this server's disk"), "{text}");
        assert!(text.contains("millions of years"), "{text}");
        assert!(!text.contains("Longer"), "{text}");
    }

    #[test]
    fn no_pin_means_that_the_stick_is_the_key() {
        assert!(explain_pin(b"").contains("whoever holds this stick"));
    }
}
