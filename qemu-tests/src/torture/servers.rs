//! The servers, as `qemu-tests/servers/*.sql` describes them: a file a family.

use crate::{Failure, Result, Suite};

const FAMILIES: [(&str, &str); 7] = [
    ("types", include_str!("../../servers/types.sql")),
    ("names", include_str!("../../servers/names.sql")),
    ("tables", include_str!("../../servers/tables.sql")),
    ("programs", include_str!("../../servers/programs.sql")),
    ("accounts", include_str!("../../servers/accounts.sql")),
    ("settings", include_str!("../../servers/settings.sql")),
    ("obstacles", include_str!("../../servers/obstacles.sql")),
];

/// What `enable` must make of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The same rows behind the gate.
    Sound,
    /// A refusal before the server was stopped, in which this stands. With
    /// `mend`, which is SQL, it is sound.
    Refused { word: String, mend: String },
    /// One of both: a refusal is no loss.
    SoundOrRefused,
}

/// A server: an empty one, and what was done to it.
///
/// Each begins with `-- server: NAME`; its SQL runs in a database of that name
/// (with `_` for what is no letter). Lines that may follow, before the SQL:
///
/// - `-- shell: COMMAND`: run first
/// - `-- config: LINE`: in the section `[mariadb]`; then MariaDB is restarted
/// - `-- alone`: in a container of its own (as with the two above, and with the
///   three below)
/// - `-- refused: WORD`, and `-- mend: SQL` what makes it sound
/// - `-- sound or refused`
/// - `-- without a locale`: `enable` is started without one
/// - `-- only: SUITE`
/// - `-- large`: its rows are compared by checksums
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerText {
    pub family: &'static str,
    pub name: String,
    pub shell: Vec<String>,
    pub config: Vec<String>,
    pub sql: String,
    pub expected: Expected,
    pub alone: bool,
    pub without_locale: bool,
    pub large: bool,
    only: Option<String>,
}

impl ServerText {
    fn named(family: &'static str, name: &str) -> Self {
        Self {
            family,
            name: name.into(),
            shell: Vec::new(),
            config: Vec::new(),
            sql: String::new(),
            expected: Expected::Sound,
            alone: false,
            without_locale: false,
            large: false,
            only: None,
        }
    }

    /// The database that its SQL runs in.
    pub fn database(&self) -> String {
        let letter = |c: char| if c.is_alphanumeric() { c } else { '_' };
        self.name.to_lowercase().chars().map(letter).collect()
    }

    /// Whether this Debian's MariaDB can be such a server.
    pub fn is_for(&self, suite: Suite) -> bool {
        self.only.as_ref().is_none_or(|only| only == suite.name())
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let (key, value) = line.split_once(": ").unwrap_or((line, ""));
        match (key, value) {
            ("shell", command) if !command.is_empty() => self.shell.push(command.into()),
            ("config", setting) if !setting.is_empty() => self.config.push(setting.into()),
            ("refused", word) if !word.is_empty() => {
                let mend = String::new();
                let word = word.into();
                self.expected = Expected::Refused { word, mend };
            }
            ("mend", sql) => match &mut self.expected {
                Expected::Refused { mend, .. } => *mend = sql.into(),
                _ => return None,
            },
            ("only", suite) if !suite.is_empty() => {
                self.only = Some(suite.into());
                return Some(());
            }
            ("sound or refused", "") => self.expected = Expected::SoundOrRefused,
            ("without a locale", "") => self.without_locale = true,
            ("large", "") => self.large = true,
            ("alone", "") => {}
            _ => return None,
        }
        self.alone = true;
        Some(())
    }
}

/// All of them.
///
/// # Errors
/// A line that makes no sense.
pub fn all() -> Result<Vec<ServerText>> {
    let mut all = Vec::new();
    for (family, text) in FAMILIES {
        all.extend(parse(family, text)?);
    }
    Ok(all)
}

fn parse(family: &'static str, text: &str) -> Result<Vec<ServerText>> {
    let mut servers: Vec<ServerText> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("-- server: ") {
            servers.push(ServerText::named(family, name));
            continue;
        }
        let nonsense = || Failure::new(format!("{family}.sql: no sense: {line}"));
        let Some(server) = servers.last_mut() else {
            return Err(nonsense());
        };
        match line.strip_prefix("-- ") {
            Some(words) if server.sql.is_empty() => server.take(words).ok_or_else(nonsense)?,
            _ if line.is_empty() && server.sql.is_empty() => {}
            _ => {
                server.sql.push_str(line);
                server.sql.push('\n');
            }
        }
    }
    Ok(servers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_its_lines_and_its_sql() {
        let text = "-- server: Two tables\n-- config: read_only=1\n-- refused: no\n\
                    -- mend: drop table a\ncreate table a (b int);\n\n-- only a comment\n\
                    -- server: none\n-- only: trixie\n";
        let servers = parse("x", text).unwrap();
        assert_eq!(servers[0].database(), "two_tables");
        assert_eq!(servers[0].config, ["read_only=1"]);
        assert!(servers[0].alone && !servers[1].alone);
        let Expected::Refused { word, mend } = &servers[0].expected else {
            panic!("{:?}", servers[0].expected);
        };
        assert_eq!((word.as_str(), mend.as_str()), ("no", "drop table a"));
        assert!(servers[0].sql.starts_with("create table a (b int);\n"));
        assert!(!servers[1].is_for(Suite::Bookworm) && servers[1].is_for(Suite::Trixie));
        assert!(parse("x", "-- server: a\n-- confg: b\n").is_err());
    }

    #[test]
    fn every_server_has_a_name_of_its_own() {
        let mut names: Vec<String> = all().unwrap().iter().map(ServerText::database).collect();
        let count = names.len();
        assert!(count >= 60, "{count} servers");
        assert!(names.iter().all(|name| name.len() <= 60), "{names:?}");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
