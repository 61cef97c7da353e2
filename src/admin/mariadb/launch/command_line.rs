//! Expands one command of a unit into the arguments that mariadbd will get.
//!
//! systemd's own rules (systemd.service(5), "Command lines"): a word that is
//! `$NAME` and nothing else becomes the words of the variable, `${NAME}` inside
//! a word becomes its value as it is, `$$` is a dollar sign. Debian's unit
//! hands the rest to a shell, whose rules differ. Only what both can mean in
//! one way alone is taken; everything else is [`UnclearCommand`], and refused.

use std::fmt;

use crate::admin::mariadb::environment::Environment;
use crate::printable::Printable;

/// mariadbd and the package's second name for it.
const PROGRAMS: [&str; 2] = ["/usr/sbin/mariadbd", "/usr/sbin/mysqld"];
const SHELLS: [&str; 2] = ["/bin/sh", "/usr/bin/sh"];

/// What a shell does before `exec` in MariaDB's own units. It leaves VAR empty
/// on a server that is not part of a Galera cluster.
const GALERA: &str = "set -f; [ ! -e /usr/bin/galera_recovery ] && VAR= || \
                      VAR=`/usr/bin/galera_recovery`; [ $? -eq 0 ] || exit 1; ";

/// Characters that a shell, systemd and a person could read differently.
const AMBIGUOUS: &[char] = &[
    '\'', '"', '\\', '$', '`', ';', '&', '|', '<', '>', '*', '?', '[', ']', '~',
];

/// One command of a unit as systemd has loaded it, not yet expanded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The program.
    pub path: String,
    /// Its words, the program's name first.
    pub argv: Vec<String>,
    /// What the signs before the path mean (`no-env-expand`, `privileged`...).
    pub flags: Vec<String>,
}

impl Command {
    /// As a person would write it; never to be run or split again.
    pub fn shown(&self) -> String {
        const SHOWN_MAX: usize = 160;
        let line = Printable(&self.argv.join(" ")).to_string();
        match line.char_indices().nth(SHOWN_MAX) {
            Some((end, _)) => format!("{}...", &line[..end]),
            None => line,
        }
    }
}

/// Why a command cannot be expanded with certainty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnclearCommand {
    /// It is not mariadbd, nor the shell of MariaDB's own unit.
    Program(String),
    /// It runs in another way than the unit's other commands.
    Flag(String),
    /// The shell does something of its own.
    Script,
    /// The variable's value could mean two things.
    Variable(String),
    /// A word has a `$` that is not a plain variable.
    Dollar(String),
}

impl fmt::Display for UnclearCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(program) => write!(f, "it runs {program} instead of {}", PROGRAMS[0]),
            Self::Flag(flag) => write!(f, "it is run specially ({flag})"),
            Self::Script => write!(f, "its shell does something of its own"),
            Self::Variable(name) => write!(
                f,
                "{name} holds quotes or other signs that could mean two things"
            ),
            Self::Dollar(word) => write!(f, "the word {word} is not a plain variable"),
        }
    }
}

/// The arguments that mariadbd gets.
///
/// # Errors
/// [`UnclearCommand`].
pub fn expand(command: &Command, environment: &Environment) -> Result<Vec<String>, UnclearCommand> {
    let expands = match command.flags.iter().find(|flag| *flag != "ignore-failure") {
        None => true,
        Some(flag) if flag == "no-env-expand" && command.flags.len() == 1 => false,
        Some(flag) => return Err(UnclearCommand::Flag(flag.clone())),
    };
    let (name, rest) = match command.argv.split_first() {
        Some((name, rest)) if *name == command.path => (name, rest),
        // `@`: another name is given to the program.
        _ => return Err(UnclearCommand::Program(command.shown())),
    };
    if PROGRAMS.contains(&name.as_str()) {
        return match expands {
            true => by_systemd(rest, environment),
            false => Ok(rest.to_vec()),
        };
    }
    match rest {
        [option, script] if SHELLS.contains(&name.as_str()) && option == "-c" => {
            by_shell(script, expands, environment)
        }
        _ => Err(UnclearCommand::Program(name.clone())),
    }
}

fn by_systemd(words: &[String], environment: &Environment) -> Result<Vec<String>, UnclearCommand> {
    let mut expanded = Vec::new();
    for word in words {
        match word.strip_prefix('$') {
            Some(name) if is_name(name) => expanded.extend(split(name, environment)?),
            _ => expanded.push(within(word, environment)?),
        }
    }
    Ok(expanded)
}

/// `${NAME}` and `$$` inside a word.
fn within(word: &str, environment: &Environment) -> Result<String, UnclearCommand> {
    let unclear = || UnclearCommand::Dollar(word.to_owned());
    let mut text = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        rest = if let Some(after) = after.strip_prefix('$') {
            text.push('$');
            after
        } else {
            let (name, after) = after
                .strip_prefix('{')
                .and_then(|after| after.split_once('}'))
                .filter(|(name, _)| is_name(name))
                .ok_or_else(unclear)?;
            text.push_str(environment.value(name).unwrap_or_default());
            after
        };
    }
    text.push_str(rest);
    Ok(text)
}

/// The words of a variable: neither quotes nor patterns are in it, so that
/// systemd and a shell split it alike.
fn split(name: &str, environment: &Environment) -> Result<Vec<String>, UnclearCommand> {
    let value = environment.value(name).unwrap_or_default();
    let odd = |c: char| AMBIGUOUS.contains(&c) || (c.is_control() && !['\t', '\n'].contains(&c));
    if value.contains(odd) {
        return Err(UnclearCommand::Variable(name.to_owned()));
    }
    let words = value.split([' ', '\t', '\n']);
    Ok(words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect())
}

fn by_shell(
    script: &str,
    expands: bool,
    environment: &Environment,
) -> Result<Vec<String>, UnclearCommand> {
    // systemd would put its own values in before the shell sees the text.
    if expands && (script.contains("${") || script.contains("$$") || script.starts_with('$')) {
        return Err(UnclearCommand::Script);
    }
    // A line that goes on in the next leaves several blanks behind.
    let plain = |c: char| !c.is_control() && (c == ' ' || !c.is_whitespace());
    if !script.chars().all(plain) {
        return Err(UnclearCommand::Script);
    }
    let script = script
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let (galera, rest) = match script.strip_prefix(GALERA) {
        Some(rest) => (true, rest),
        None => (false, script.as_str()),
    };
    let mut words = rest
        .strip_prefix("exec ")
        .ok_or(UnclearCommand::Script)?
        .split(' ');
    match words.next() {
        Some(program) if PROGRAMS.contains(&program) => {}
        _ => return Err(UnclearCommand::Script),
    }
    let mut expanded = Vec::new();
    for word in words {
        match word.strip_prefix('$') {
            // Its own variable, empty without a cluster, which is refused.
            Some("VAR") if galera => {}
            Some(name) if is_name(name) => expanded.extend(split(name, environment)?),
            None if word.chars().all(is_plain) => expanded.push(word.to_owned()),
            _ => return Err(UnclearCommand::Script),
        }
    }
    Ok(expanded)
}

/// Signs that no shell looks at.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/_.,:=@%+-".contains(c)
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests;
