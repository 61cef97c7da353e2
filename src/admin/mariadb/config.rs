//! MariaDB's configuration as mariadbd itself will see it.
//!
//! `mariadbd ... --verbose --help` reads the option files, loads the plugins
//! without starting them and prints the value of every variable: with it
//! abbreviated option names, group suffixes, files that only root may read
//! and plugins of the wrong version need no guessing. It opens no file of a
//! data directory (watched with strace: it only tries to create and remove
//! one empty test file, which a closed data directory does not let it).

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Longest text taken from mariadbd, in bytes; a real one has 200 000.
pub const TEXT_MAX: usize = 2 << 20;

/// The values of mariadbd's variables, with the names as it prints them.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    table: BTreeMap<String, String>,
    /// Every argument in force: of the option files, then of the unit.
    arguments: Vec<String>,
    /// mariadbd's name and version.
    program: String,
}

/// What mariadbd prints for an option that has no value.
const NONE: &str = "(No default value)";

impl Configuration {
    /// `help` is the text of `--verbose --help`; `arguments` is what
    /// `my_print_defaults --mysqld` printed, followed by the unit's own words.
    ///
    /// # Errors
    /// When the text holds no table of variables.
    pub fn parse(help: &str, arguments: Vec<String>) -> Result<Self, NoTable> {
        let table: BTreeMap<String, String> = help
            .lines()
            .skip_while(|line| !line.starts_with("----"))
            .skip(1)
            .take_while(|line| !line.trim().is_empty())
            .filter_map(|line| {
                let (name, value) = line.split_once(' ')?;
                Some((name.to_owned(), value.trim().to_owned()))
            })
            .collect();
        if !table.contains_key("datadir") {
            return Err(NoTable);
        }
        let program = help.lines().next().unwrap_or_default().to_owned();
        Ok(Self {
            table,
            arguments,
            program,
        })
    }

    /// What mariadbd says of its own version.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The value of a variable; None when it does not exist or is unset.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.table
            .get(name)
            .map(String::as_str)
            .filter(|value| *value != NONE)
    }

    /// The data directory as MariaDB sees it, without a slash at its end.
    pub fn data_directory(&self) -> PathBuf {
        let path = self.value("datadir").unwrap_or_default();
        path.trim_end_matches('/').into()
    }

    /// Whether mariadbd knows the variable: those of a plugin exist only
    /// while it is loaded.
    pub fn knows(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Every variable and its value, with the names as mariadbd prints them.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.table
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(_, value)| *value != NONE)
    }

    /// The value that the arguments give an option, the last one counting.
    /// mariadbd's table does not tell this for the state of a plugin.
    pub fn argument(&self, name: &str) -> Option<&str> {
        self.arguments
            .iter()
            .filter_map(|argument| option(argument))
            .filter(|option| same_name(option.name, name))
            .map(|option| option.value)
            .next_back()
    }
}

/// mariadbd did not print its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTable;

struct ServerOption<'a> {
    name: &'a str,
    value: &'a str,
}

/// One argument without the prefixes that mariadbd takes off.
fn option(argument: &str) -> Option<ServerOption<'_>> {
    let text = argument.strip_prefix("--")?;
    let (mut name, mut value) = text.split_once('=').unwrap_or((text, "ON"));
    loop {
        let rest = |prefix: &str| {
            name.strip_prefix(prefix)
                .and_then(|rest| rest.strip_prefix(['-', '_']))
        };
        if let Some(bare) = rest("loose").or(rest("enable")) {
            name = bare;
        } else if let Some(bare) = rest("skip").or(rest("disable")) {
            (name, value) = (bare, "OFF");
        } else {
            return Some(ServerOption { name, value });
        }
    }
}

fn same_name(given: &str, name: &str) -> bool {
    let plain = |c: char| if c == '_' { '-' } else { c };
    given.chars().map(plain).eq(name.chars().map(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HELP: &str = "mariadbd  Ver 10.11.19\n  --datadir=name\n\
        Variables (--variable-name=value)\n\
        and boolean options {FALSE|TRUE}  Value (after reading options)\n\
        --------------------------------- ----------------------------------\n\
        datadir                           /var/lib/mysql/\n\
        init-connect                      SET NAMES utf8\n\
        log-bin                           (No default value)\n\n\
        To see what values a running MariaDB server is using, type\n\
        datadir                           /not/this\n";

    fn with(arguments: &[&str]) -> Configuration {
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        Configuration::parse(HELP, arguments).unwrap()
    }

    #[test]
    fn the_table_is_read_as_mariadbd_prints_it() {
        let config = with(&[]);
        assert_eq!(config.value("datadir"), Some("/var/lib/mysql/"));
        assert_eq!(config.data_directory(), PathBuf::from("/var/lib/mysql"));
        assert_eq!(config.value("init-connect"), Some("SET NAMES utf8"));
        assert_eq!(config.value("log-bin"), None);
        assert!(config.knows("log-bin") && !config.knows("encrypt-binlog"));
    }

    #[test]
    fn a_server_that_prints_no_table_is_not_trusted() {
        for text in ["", "mariadbd: unknown option '--x'\n", "----\n\nabc 1\n"] {
            assert_eq!(Configuration::parse(text, Vec::new()).err(), Some(NoTable));
        }
    }

    #[test]
    fn the_last_argument_counts_whatever_its_prefix() {
        let name = "file-key-management";
        let value = |arguments: &[&str]| with(arguments).argument(name).map(str::to_owned);
        assert_eq!(value(&["--file-key-management-filename=x"]), None);
        assert_eq!(
            value(&["--loose_file_key_management=FORCE"]).as_deref(),
            Some("FORCE")
        );
        for (last, expected) in [
            ("--skip-file-key-management", "OFF"),
            ("--loose-skip-file_key_management", "OFF"),
            ("--disable_file_key_management", "OFF"),
            ("--enable-file-key-management", "ON"),
            ("--file_key-management=on", "on"),
        ] {
            let found = value(&["--loose-file-key-management=FORCE", last]);
            assert_eq!(found.as_deref(), Some(expected), "{last}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(help in "(-{0,6}\n)?([a-z-]{0,9} {0,3}[^\u{0}]{0,9}\n){0,9}", word in ".{0,40}") {
            let _ = Configuration::parse(&help, vec![word.clone()]);
            let _ = option(&word).map(|option| option.name.len());
        }
    }
}
