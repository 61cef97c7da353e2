//! Passphrases and PINs that are made for people.
//!
//! The words are made up, of a consonant and a vowel each: nobody needs to know
//! English, nor has to spell. Only letters that stand at the same place on QWERTY,
//! QWERTZ and AZERTY keyboards are in them, because the prompt often has the US one
//! whatever is printed on the keys.

use std::io::Write;

use zeroize::Zeroizing;

use crate::keys::fill_random;

const CONSONANTS: &[u8; 12] = b"bdfgklnprstv";
const VOWELS: &[u8; 4] = b"eiou";
/// Number of different syllables.
pub const SYLLABLES: u8 = (CONSONANTS.len() * VOWELS.len()) as u8;
/// Syllables of a passphrase: log2(48) * 10 is 56 bits.
const LENGTH: usize = 10;
/// Syllables of a word.
const WORD: usize = 2;
/// Digits of a PIN.
const DIGITS: usize = 12;

/// Random numbers below `limit`, each as likely as the others.
fn below(limit: u8, count: usize) -> Zeroizing<Vec<u8>> {
    // A byte of the last, incomplete round would make small numbers likelier.
    let whole = u8::MAX - u8::MAX % limit;
    let mut numbers = Zeroizing::new(Vec::with_capacity(count));
    while numbers.len() < count {
        let mut byte = Zeroizing::new([0]);
        fill_random(&mut *byte);
        if byte[0] < whole {
            numbers.push(byte[0] % limit);
        }
    }
    numbers
}

/// A new passphrase of five made-up words.
pub fn passphrase() -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(LENGTH * 3));
    for (at, syllable) in below(SYLLABLES, LENGTH).iter().enumerate() {
        if at > 0 && at % WORD == 0 {
            text.push(' ');
        }
        let [consonant, vowel] = [syllable / VOWELS.len() as u8, syllable % VOWELS.len() as u8];
        text.push(CONSONANTS[usize::from(consonant)].into());
        text.push(VOWELS[usize::from(vowel)].into());
    }
    text
}

/// A new PIN of twelve digits.
pub fn pin() -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(DIGITS));
    below(10, DIGITS)
        .iter()
        .for_each(|digit| text.push((b'0' + digit).into()));
    text
}

/// How many syllables these made-up words have; `None` where something else is among
/// them.
pub fn syllables(words: &str) -> Option<usize> {
    let mut count = 0;
    for word in words.split(' ') {
        let (syllables, rest) = word.as_bytes().as_chunks::<2>();
        let is_ours =
            |[consonant, vowel]: &[u8; 2]| CONSONANTS.contains(consonant) && VOWELS.contains(vowel);
        if !rest.is_empty() || syllables.is_empty() || !syllables.iter().all(is_ours) {
            return None;
        }
        count += syllables.len();
    }
    Some(count)
}

/// Shows a new passphrase on the terminal, before a person is asked for one.
pub fn offer_passphrase() {
    let words = passphrase();
    show(format!(
        "\nThis one is random and made for you alone (56 bits; no language, the same keys on \
         QWERTY,\nQWERTZ and AZERTY). Write it down until you know it by heart:\n\n    {}\n\n\
         Type it, or one of your own.\n",
        *words
    ));
}

/// Shows a new PIN and a new passphrase on the terminal, before a person is asked for
/// one.
pub fn offer_pin() {
    let (words, digits) = (passphrase(), pin());
    show(format!(
        "\nThese are random and made for you alone. Write the one that you take down, and keep it \
         apart\nfrom the stick:\n\n    {}\n    {}\n\nType one of them, or one of your own.\n",
        *words, *digits
    ));
}

/// Tells of letters that may be missing where a secret is typed in need.
pub fn warn_of_the_keyboard(secret: &[u8]) {
    if !secret.is_ascii() {
        println!(
            "It has letters that the keyboard at the prompt may not have: there it is often a \
             US one."
        );
    }
}

/// Not to standard output, which may go to a file. Without a terminal nobody is asked
/// either.
fn show(text: String) {
    let text = Zeroizing::new(text);
    if let Ok(mut terminal) = std::fs::OpenOptions::new().write(true).open("/dev/tty") {
        let _ = terminal.write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_made_passphrase_is_five_words_and_never_the_same() {
        let made: HashSet<String> = (0..200).map(|_| passphrase().to_string()).collect();
        assert_eq!(made.len(), 200);
        for words in &made {
            assert_eq!(words.split(' ').count(), 5, "{words}");
            assert_eq!(syllables(words), Some(LENGTH), "{words}");
        }
        // Every syllable comes up.
        let text: String = made.into_iter().collect();
        let seen: HashSet<&[u8]> = text.as_bytes().windows(2).collect();
        let ours = seen.iter().filter(|two| syllables_in(two));
        assert_eq!(ours.count(), usize::from(SYLLABLES));
        assert_eq!(
            f64::from(SYLLABLES).powi(LENGTH as i32).log2().round(),
            56.0
        );
    }

    fn syllables_in(two: &[u8]) -> bool {
        str::from_utf8(two).is_ok_and(|two| syllables(two) == Some(1))
    }

    #[test]
    fn a_made_pin_is_twelve_digits() {
        let pin = pin();
        assert_eq!(pin.len(), DIGITS);
        assert!(pin.bytes().all(|digit| digit.is_ascii_digit()));
        assert!(below(10, 10_000).iter().all(|number| *number < 10));
    }

    #[test]
    fn other_words_are_not_taken_for_made_ones() {
        for words in ["otter lamp", "belo kut", "belo  kute", "", "Belo", "bela"] {
            assert_eq!(syllables(words), None, "{words}");
        }
        assert_eq!(syllables("belo kute"), Some(4));
    }
}
