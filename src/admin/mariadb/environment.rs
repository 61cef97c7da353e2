//! The environment that a unit's commands get.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;

/// Longest file of variables that is read, in bytes.
pub const FILE_MAX: usize = 64 << 10;

/// Variables for the service's process alone. A program that is only asked for
/// its settings must not tell systemd that it is ready.
const OF_THE_SERVICE: [&str; 6] = [
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// Names and values; later ones replace earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process, which is one of the unit's commands.
    pub fn of_this_process() -> Self {
        let mut all = Self::default();
        for (name, value) in env::vars_os() {
            // What is no text cannot stand in a unit either.
            if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
                all.set(&name, &value);
            }
        }
        all
    }

    /// Sets a variable, unless it belongs to the unit's own process.
    pub fn set(&mut self, name: &str, value: &str) {
        if !OF_THE_SERVICE.contains(&name) {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Sets variables from words of the form NAME=VALUE.
    pub fn extend<'a>(&mut self, assignments: impl IntoIterator<Item = &'a str>) {
        for (name, value) in assignments
            .into_iter()
            .filter_map(|word| word.split_once('='))
        {
            self.set(name, value);
        }
    }

    /// Removes a variable by its name, or by NAME=VALUE if it has that value.
    pub fn unset(&mut self, what: &str) {
        match what.split_once('=') {
            Some((name, value)) if self.value(name) == Some(value) => drop(self.0.remove(name)),
            Some(_) => {}
            None => drop(self.0.remove(what)),
        }
    }

    /// Sets variables from the text of an `EnvironmentFile=`. A value with quotes
    /// inside quotes is left as it is, so that whoever uses it refuses it.
    pub fn read_file(&mut self, text: &str) {
        for line in text.lines().map(str::trim) {
            if line.starts_with(['#', ';']) {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim();
            let bare = ['"', '\''].iter().find_map(|quote| {
                let inner = value.strip_prefix(*quote)?.strip_suffix(*quote)?;
                (!inner.contains(['"', '\'', '\\'])).then_some(inner)
            });
            self.set(name.trim(), bare.unwrap_or(value));
        }
    }

    /// The value of a variable; `None` where it is not set.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Makes this the whole environment of a program.
    pub fn give<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env_clear().envs(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_variables_is_read_as_systemd_reads_it() {
        let mut all = Environment::default();
        all.read_file("# x\n; y\nA=1\n B = two words \nC=\"--port=1 --b\"\nD='x'\nno\nE=\n");
        for (name, value) in [
            ("A", "1"),
            ("B", "two words"),
            ("C", "--port=1 --b"),
            ("D", "x"),
            ("E", ""),
        ] {
            assert_eq!(all.value(name), Some(value), "{name}");
        }
        all.read_file("C=\"a\\\"b\"");
        assert_eq!(all.value("C"), Some("\"a\\\"b\""), "left to be refused");
    }

    #[test]
    fn later_values_replace_and_unset_takes_away() {
        let mut all = Environment::default();
        all.extend(["A=1", "A=2", "B=x=y", "nonsense"]);
        assert_eq!((all.value("A"), all.value("B")), (Some("2"), Some("x=y")));
        all.unset("A=1");
        assert_eq!(all.value("A"), Some("2"));
        all.unset("A=2");
        all.unset("B");
        assert_eq!(all, Environment::default());
    }

    #[test]
    fn a_settings_question_cannot_call_the_service_ready() {
        let mut all = Environment::default();
        all.extend(["NOTIFY_SOCKET=/run/systemd/notify"]);
        assert_eq!(all.value("NOTIFY_SOCKET"), None);
    }
}
