//! What the owner wants, whether it was asked for or stands in a file.

use core::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::admin::commands::enroll::{is_server_url, neighbour, same_server};
use crate::admin::mariadb::SwapChoice;
use crate::admin::names::name;
use crate::admin::problem::{Exit, Problem, Result};
use crate::environment::parse_thumbprint;
use crate::theft::OnStrikes;
use crate::vault::{MAX_SERVERS, PlaceInWords, ServerName};

/// What the owner wants. What is `None` was not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    pub name: Option<ServerName>,
    /// Where the vault is to be.
    pub vault: Option<PathBuf>,
    pub key_servers: Vec<KeyServer>,
    pub neighbours: Neighbours,
    pub stick: Option<NewStick>,
    /// The recovery code is shown, to be written down.
    pub code: bool,
    /// What follows too many starts in foreign places.
    pub on_strikes: Option<OnStrikes>,
    /// MariaDB stays as it is.
    pub leaves_database: bool,
    /// What takes the place of clear swap.
    pub swap: Option<SwapChoice>,
}

/// A key server, and the signing key that it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyServer {
    pub url: String,
    pub thumbprint: String,
}

/// Which stations the server is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Neighbours {
    /// Those that `enroll` takes by itself.
    #[default]
    Found,
    Named(Vec<IpAddr>),
    /// Key servers alone.
    None,
}

/// A backup stick that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewStick {
    pub device: PathBuf,
    pub label: String,
    pub pin: PinFrom,
    /// Where it will be kept, in words.
    pub kept: Option<PlaceInWords>,
}

/// Where the stick's PIN comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinFrom {
    /// It was typed.
    Person,
    /// The first line of this file.
    File(PathBuf),
    /// The first line of standard input.
    Stdin,
    /// Whoever has the stick has the key.
    Nowhere,
}

/// The most bytes that a file of answers has.
pub const MAX_BYTES: u64 = 16 * 1024;

/// What can stand in front of the equals sign.
pub const KEYS: [&str; 13] = [
    "name",
    "vault",
    "key-server",
    "thumbprint",
    "neighbour",
    "neighbours",
    "stick",
    "stick-label",
    "stick-pin",
    "stick-kept",
    "on-strikes",
    "database",
    "swap",
];

/// Those that may stand in several lines.
const LISTS: [&str; 3] = ["key-server", "thumbprint", "neighbour"];

/// One line of the file.
struct Line<'a> {
    number: usize,
    key: &'a str,
    value: &'a str,
}

impl Answers {
    /// Reads a file of answers: `KEY = VALUE` lines; empty ones and those that begin with
    /// `#` are skipped. `file` is its name, for messages.
    ///
    /// # Errors
    /// [`Exit::Usage`], with the number of the line that is wrong. What stands behind the
    /// equals sign is never part of it: somebody may have written a PIN there.
    pub fn parse(text: &str, file: &Path) -> Result<Self> {
        let wrong = |number: usize, what: String, next: String| {
            let file = file.display();
            Problem::new(
                Exit::Usage,
                format!("{file}, line {number}: {what} Nothing was changed."),
                next,
            )
        };
        let lines = lines(text).map_err(|(number, what, next)| wrong(number, what, next))?;
        let parsed = Self::of_lines(&lines);
        parsed.map_err(|(number, what)| {
            wrong(
                number,
                what,
                "docs/setup.md says what can stand there.".into(),
            )
        })
    }

    fn of_lines(lines: &[Line]) -> std::result::Result<Self, (usize, String)> {
        let all = |key: &'static str| lines.iter().filter(move |line| line.key == key);
        let one = |key: &'static str| all(key).next();
        let last = lines.last().map_or(1, |line| line.number);
        let mut answers = Self::default();
        if let Some(line) = one("name") {
            let named = name(line.value);
            answers.name = Some(named.map_err(|why| at(line, why))?);
        }
        answers.vault = one("vault").map(|line| absolute(line)).transpose()?;
        answers.key_servers = key_servers(
            &all("key-server").collect::<Vec<_>>(),
            &all("thumbprint").collect::<Vec<_>>(),
        )?;
        answers.neighbours = neighbours(&all("neighbour").collect::<Vec<_>>(), one("neighbours"))?;
        if answers.neighbours == Neighbours::None && answers.key_servers.is_empty() {
            let number = one("neighbours").map_or(last, |line| line.number);
            let what = "without neighbours and without a key server it would open anywhere.";
            return Err((number, what.into()));
        }
        answers.stick = stick(&one)?;
        if let Some(line) = one("on-strikes") {
            let wish = OnStrikes::from_str(line.value, false);
            answers.on_strikes = Some(wish.map_err(|_| at(line, "it is halt or reset"))?);
        }
        let kept = answers.stick.as_ref().and_then(|stick| stick.kept.as_ref());
        if answers.on_strikes == Some(OnStrikes::Reset) && answers.stick.is_some() && kept.is_none()
        {
            let number = one("on-strikes").map_or(last, |line| line.number);
            return Err((number, "reset needs stick-kept as well.".into()));
        }
        if let Some(line) = one("database") {
            answers.leaves_database = match line.value {
                "encrypt" => false,
                "leave" => true,
                _ => return Err(at(line, "it is encrypt or leave")),
            };
        }
        if let Some(line) = one("swap") {
            let choice = SwapChoice::from_str(line.value, false);
            let choice = choice.map_err(|_| at(line, "it is off, random-key or zram"))?;
            answers.swap = Some(choice);
        }
        Ok(answers)
    }
}

/// What is wrong with the value of a line.
fn at(line: &Line, why: impl core::fmt::Display) -> (usize, String) {
    (line.number, format!("`{}`: {why}.", line.key))
}

fn lines(text: &str) -> std::result::Result<Vec<Line<'_>>, (usize, String, String)> {
    let mut found: Vec<Line> = Vec::new();
    // Some editors write a mark in front of a text in UTF-8.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (at, line) in text.lines().enumerate() {
        let (number, line) = (at + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            let next = "Write KEY = VALUE, for example: name = clinic";
            return Err((number, "there is no equals sign.".into(), next.into()));
        };
        let (key, value) = (key.trim(), value.trim());
        if !KEYS.contains(&key) {
            // What stands in front of the equals sign may be a PIN as well.
            let next = format!("What can stand there: {}.", KEYS.join(", "));
            return Err((number, "this key is not known.".into(), next));
        }
        let is_again = found.iter().any(|line| line.key == key) && !LISTS.contains(&key);
        if value.is_empty() || is_again {
            let what = match is_again {
                true => format!("`{key}` stands there twice."),
                false => format!("`{key}` has no value."),
            };
            let next = "Leave the line out, or say one thing.".into();
            return Err((number, what, next));
        }
        found.push(Line { number, key, value });
    }
    Ok(found)
}

fn absolute(line: &Line) -> std::result::Result<PathBuf, (usize, String)> {
    let path = PathBuf::from(line.value);
    match path.is_absolute() {
        true => Ok(path),
        false => Err(at(line, "a path begins with /")),
    }
}

fn key_servers(
    urls: &[&Line],
    thumbprints: &[&Line],
) -> std::result::Result<Vec<KeyServer>, (usize, String)> {
    if let Some(line) = thumbprints
        .iter()
        .find(|line| parse_thumbprint(line.value).is_none())
    {
        return Err(at(
            line,
            "a thumbprint has 43 letters, as tang-show-keys prints it",
        ));
    }
    if let Some(line) = urls.get(thumbprints.len()).or(thumbprints.get(urls.len())) {
        let why = "there are as many lines of key-server as of thumbprint, in the same order";
        return Err(at(line, why));
    }
    for (index, url) in urls.iter().enumerate() {
        let named_before = urls[..index].iter();
        let why = match url {
            url if !is_server_url(url.value) => "it is written as http://ADDRESS:PORT",
            url if { named_before }.any(|other| same_server(other.value, url.value)) => {
                "it is named twice"
            }
            _ if index >= MAX_SERVERS => "a place has 8 key servers at most",
            _ => continue,
        };
        return Err(at(url, why));
    }
    let both = urls.iter().zip(thumbprints);
    let servers = both.map(|(url, thumbprint)| KeyServer {
        url: url.value.to_owned(),
        thumbprint: thumbprint.value.to_owned(),
    });
    Ok(servers.collect())
}

fn neighbours(
    named: &[&Line],
    which: Option<&Line>,
) -> std::result::Result<Neighbours, (usize, String)> {
    let addresses = named.iter().map(|line| {
        let address = neighbour(line.value);
        address.map_err(|why| at(line, why))
    });
    let addresses = addresses.collect::<std::result::Result<Vec<_>, _>>()?;
    match (which, addresses.is_empty()) {
        (None, true) => Ok(Neighbours::Found),
        (None, false) => Ok(Neighbours::Named(addresses)),
        (Some(line), false) => Err(at(line, "neighbour lines say it already")),
        (Some(line), true) => match line.value {
            "found" => Ok(Neighbours::Found),
            "none" => Ok(Neighbours::None),
            _ => Err(at(line, "it is found or none")),
        },
    }
}

fn stick<'a>(
    one: &impl Fn(&'static str) -> Option<&'a Line<'a>>,
) -> std::result::Result<Option<NewStick>, (usize, String)> {
    let others = ["stick-label", "stick-pin", "stick-kept"];
    let Some(device) = one("stick") else {
        return match others.into_iter().find_map(one) {
            Some(line) => Err(at(line, "no stick is named")),
            None => Ok(None),
        };
    };
    let needed = |key| one(key).ok_or_else(|| at(device, format!("{key} is missing")));
    let label = needed("stick-label")?;
    let pin = needed("stick-pin")?;
    let kept = one("stick-kept").map(|line| name(line.value).map_err(|why| at(line, why)));
    Ok(Some(NewStick {
        device: absolute(device)?,
        label: {
            let named = name::<32>(label.value).map_err(|why| at(label, why))?;
            named.as_str().to_owned()
        },
        pin: match pin.value {
            "-" => PinFrom::Stdin,
            "none" => PinFrom::Nowhere,
            path if path.starts_with('/') => PinFrom::File(path.into()),
            _ => {
                let why = "it is the path of a file with the PIN, - for standard input, or none";
                return Err(at(pin, why));
            }
        },
        kept: kept.transpose()?,
    }))
}

#[cfg(test)]
mod tests;
