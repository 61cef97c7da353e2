//! How far the tables are, for people and for scripts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::standing::{Goal, Standing, Stays};
use crate::admin::backup::size;

/// What is told.
pub struct Report {
    /// What the server says.
    pub standing: Standing,
    /// The generation of the master key of now; `None` where the vault cannot be read.
    pub generation: Option<u32>,
    /// The generations of the master keys that MariaDB's keys follow from, by their ids.
    pub generations: BTreeMap<u32, u32>,
}

/// Lines that say what no rotation changes.
pub fn what_stays(stays: &[Stays]) -> Vec<String> {
    let mut lines = vec!["On MariaDB's first keys, whichever the tables have, are:".to_owned()];
    lines.extend(stays.iter().map(|stays| format!("  {}", stays.in_words())));
    lines.push(
        "MariaDB has no other key for these. Only a database that is made anew gets new ones: \
         stayput mariadb\ndisable --clear, then stayput mariadb enable."
            .into(),
    );
    lines
}

impl Stays {
    fn in_words(self) -> String {
        match self {
            Self::System => "the system tablespace".into(),
            Self::Undo => "the undo logs: rows as they were, for some time".into(),
            Self::RedoLog => "the redo log: the newest changes of all tables".into(),
            Self::Temporary => "temporary files, for as long as they last".into(),
            Self::BinaryLog => "the binary logs: the changes of all tables".into(),
            Self::Aria(tables) => {
                format!("{tables} Aria tables: accounts, routines, and yours if there are any")
            }
            Self::FullText(files) => {
                format!("full-text indexes: words of the rows ({files} files)")
            }
            Self::Sequences(count) => format!("{count} sequences: their next numbers"),
        }
    }

    fn document(self) -> Value {
        let (kind, count) = match self {
            Self::System => ("system_tablespace", None),
            Self::Undo => ("undo_logs", None),
            Self::RedoLog => ("redo_log", None),
            Self::Temporary => ("temporary_files", None),
            Self::BinaryLog => ("binary_logs", None),
            Self::Aria(tables) => ("aria_tables", Some(tables)),
            Self::FullText(files) => ("full_text_indexes", Some(files)),
            Self::Sequences(count) => ("sequences", Some(count)),
        };
        json!({ "kind": kind, "count": count })
    }
}

impl Report {
    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec!["InnoDB's tables, by the key that their files have:".to_owned()];
        for (key, (tables, bytes)) in self.standing.by_key() {
            let name = match key {
                None => "clear".into(),
                Some(id) => match self.generations.get(&id) {
                    Some(generation) => format!("key {id}, of master key {generation}"),
                    None => format!("key {id}"),
                },
            };
            lines.push(format!("  {name:<28} {tables:>6} tables  {}", size(bytes)));
        }
        let (left, all) = (self.standing.left().len(), self.standing.tables.len());
        let moved = all - left;
        lines.push(match self.standing.goal {
            Goal::Anywhere => "All of MariaDB's keys follow from the master key of now.".into(),
            Goal::Due => {
                "The master key was replaced since. To move the tables: stayput mariadb rotate"
                    .into()
            }
            Goal::On(id) if left == 0 => format!("All {all} tables are on key {id}."),
            Goal::On(id) => format!(
                "{moved} of {all} tables are on key {id}. To move the others: stayput mariadb \
                 rotate"
            ),
        });
        for name in &self.standing.unseen {
            lines.push(format!("MariaDB does not say which key {name} has."));
        }
        lines.extend(what_stays(&self.standing.stays));
        lines
    }

    /// For scripts: docs/json.md.
    pub fn document(&self) -> Value {
        let standing = &self.standing;
        let keys = standing.by_key().into_iter();
        let keys = keys.map(|(id, (tables, bytes))| {
            let generation = id.and_then(|id| self.generations.get(&id));
            json!({ "id": id, "generation": generation, "tables": tables, "bytes": bytes })
        });
        let left = standing.left().into_iter();
        let left: Vec<Value> = left
            .map(|table| json!({ "table": table.name.sql(), "bytes": table.bytes }))
            .collect();
        let stays = standing.stays.iter().map(|stays| stays.document());
        json!({
            "generation": self.generation,
            "due": self.generation.map(|_| standing.goal == Goal::Due),
            "key": match standing.goal {
                Goal::On(id) => Some(id),
                Goal::Anywhere | Goal::Due => None,
            },
            "keys": keys.collect::<Vec<_>>(),
            "tables": standing.tables.len(),
            "moved": standing.tables.len() - left.len(),
            "left": left,
            "unseen": standing.unseen.iter().map(|name| name.sql()).collect::<Vec<_>>(),
            "stays": stays.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
pub mod tests {
    use super::super::standing::tests::usage;
    use super::*;

    fn report(goal: Goal) -> Report {
        Report {
            standing: Standing::of(&usage(), goal),
            generation: Some(2),
            generations: [(1, 1), (2, 1), (201, 2)].into(),
        }
    }

    /// A document with every field.
    pub fn example() -> Value {
        report(Goal::On(201)).document()
    }

    #[test]
    fn progress_says_what_is_where_and_what_is_left() {
        let said = report(Goal::On(201)).lines();
        let has = |text: &str| said.iter().any(|line| line.contains(text));
        assert!(has("key 1, of master key 1"), "{said:?}");
        assert!(has("1 of 4 tables are on key 201. To move"), "{said:?}");
        assert!(has("which key `clinic`.`lost` has"), "{said:?}");
        assert!(has("28 Aria tables") && has("the redo log"), "{said:?}");
        let due = report(Goal::Due).lines();
        assert!(due.iter().any(|line| line.contains("was replaced since")));
    }

    #[test]
    fn scripts_see_how_far_it_is() {
        let document = example();
        assert_eq!(document["key"], 201);
        assert_eq!(document["moved"], 1);
        assert_eq!(document["left"].as_array().unwrap().len(), 3);
        assert_eq!(document["keys"][0]["generation"], 1);
        assert_eq!(report(Goal::Due).document()["due"], true);
        assert_eq!(report(Goal::Due).document()["key"], Value::Null);
        let mut unread = report(Goal::On(201));
        unread.generation = None;
        assert_eq!(unread.document()["due"], Value::Null);
    }
}
