//! The command line of each step, in words: nothing in it passes through a shell.

use crate::admin::mariadb::SwapChoice;
use crate::admin::setup::answers::{Answers, Neighbours, NewStick, PinFrom};
use crate::admin::setup::facts::Facts;

/// An option and its value: in one word where the value would be taken for an option.
pub fn option(name: &str, value: &str) -> Vec<String> {
    match value.starts_with('-') {
        true => vec![format!("{name}={value}")],
        false => line(&[name, value]),
    }
}

pub fn line(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub fn init(answers: &Answers, wants_reset: bool) -> Vec<String> {
    let mut words = line(&["init"]);
    if let Some(name) = &answers.name {
        words.extend(option("--name", name));
    }
    if let Some(path) = &answers.vault {
        words.extend(option("--vault", &path.to_string_lossy()));
    }
    let wish = if wants_reset { "reset" } else { "halt" };
    words.extend(line(&["--on-strikes", wish, "--yes"]));
    words
}

pub fn enroll(answers: &Answers) -> Vec<String> {
    let mut words = line(&["enroll"]);
    match &answers.neighbours {
        Neighbours::Found => {}
        Neighbours::Named(addresses) => {
            let named = addresses.iter().map(ToString::to_string);
            named.for_each(|address| words.extend(line(&["--neighbour", &address])));
        }
        Neighbours::None => words.extend(line(&["--place-need", "0"])),
    }
    for server in &answers.key_servers {
        // In one word: a thumbprint may begin with a hyphen.
        let thumbprint = format!("--thumbprint={}", server.thumbprint);
        words.extend(line(&["--tang", &server.url, &thumbprint]));
    }
    words.push("--yes".into());
    words
}

pub fn stick_make(stick: &NewStick) -> Vec<String> {
    let device = stick.device.to_string_lossy();
    let mut words = line(&["stick", "make", &device]);
    words.extend(option("--label", &stick.label));
    if stick.pin == PinFrom::Nowhere {
        words.push("--no-pin".into());
    }
    words
}

/// With a person there, `enable` asks when it knows how long the database will be away.
pub fn enable(facts: &Facts, answers: &Answers, is_attended: bool) -> Vec<String> {
    let mut words = line(&["mariadb", "enable"]);
    if let (Some(choice), true) = (answers.swap, facts.clear_memory.is_some()) {
        words.extend(line(&["--swap", swap_word(choice)]));
    }
    if !is_attended {
        words.push("--yes".into());
    }
    words
}

const fn swap_word(choice: SwapChoice) -> &'static str {
    match choice {
        SwapChoice::Off => "off",
        SwapChoice::RandomKey => "random-key",
        SwapChoice::Zram => "zram",
    }
}
