//! How far the tables are on their way to another key, from what the server says. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::usage::{Holds, Usage};
use crate::admin::mariadb::copying::TableName;
use crate::release::mariadb::{MariadbRelease, Target};

/// Where the tables are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Where they are.
    Anywhere,
    /// On this key.
    On(u32),
    /// On a key that the next `rotate` makes.
    Due,
}

impl Goal {
    /// By what the vault gives MariaDB, under the master key of this generation.
    pub fn of(release: &MariadbRelease, generation: u32) -> Self {
        match release.target(generation, false) {
            Target::Nowhere => Self::Anywhere,
            Target::Known(key) => Self::On(key.id),
            Target::New(_) | Target::NoRoom => Self::Due,
        }
    }

    fn is_reached(self, keys: &BTreeSet<Option<u32>>) -> bool {
        match self {
            Self::Anywhere => true,
            Self::On(id) => keys.iter().all(|key| *key == Some(id)),
            Self::Due => false,
        }
    }
}

/// One table of InnoDB's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// By its database and its name.
    pub name: TableName,
    /// The keys of its files; a table that is moved partition by partition has two. `None`
    /// is a clear one.
    pub keys: BTreeSet<Option<u32>>,
    /// Bytes of its files; 0 where they stand in the system tablespace.
    pub bytes: u64,
}

/// What stays on MariaDB's first keys, whichever key the tables have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
    /// The system tablespace.
    System,
    /// Rows as they were before they were changed, until those are purged.
    Undo,
    /// The newest changes of all tables, until it is written over.
    RedoLog,
    /// Files that last as long as a question.
    Temporary,
    /// The changes of all tables, where the owner keeps that log.
    BinaryLog,
    /// MariaDB's own tables of that engine (accounts, routines), and the owner's.
    Aria(u64),
    /// Words of the rows.
    FullText(u64),
    /// The next numbers of sequences.
    Sequences(u64),
}

/// How far the tables are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where they are to be.
    pub goal: Goal,
    /// Every table of InnoDB's whose files the server names.
    pub tables: Vec<Table>,
    /// Tables whose files it does not name: of their key nothing is known.
    pub unseen: Vec<TableName>,
    /// What no rotation changes.
    pub stays: Vec<Stays>,
}

/// The key of the system tablespace, whatever is set.
const FIRST_KEY: u32 = 1;

impl Standing {
    /// By what a server says of its files.
    pub fn of(usage: &Usage, goal: Goal) -> Self {
        let mut tables: BTreeMap<TableName, Table> = BTreeMap::new();
        let mut add = |name: &TableName, key: Option<u32>, bytes: u64| {
            let table = tables.entry(name.clone()).or_insert_with(|| Table {
                name: name.clone(),
                keys: BTreeSet::new(),
                bytes: 0,
            });
            table.keys.insert(key);
            table.bytes += bytes;
        };
        for space in &usage.spaces {
            if let Holds::Table(name) = &space.holds {
                add(name, space.key, space.bytes);
            }
        }
        usage
            .in_system
            .iter()
            .for_each(|name| add(name, Some(FIRST_KEY), 0));
        tables.retain(|name, _| !usage.sequences.contains(name));
        let unseen = usage.of_innodb.iter();
        let unseen = unseen.filter(|name| !tables.contains_key(*name));
        Self {
            goal,
            unseen: unseen.cloned().collect(),
            stays: stays(usage),
            tables: tables.into_values().collect(),
        }
    }

    /// The tables that are to be moved, the smallest first: the most of them are moved
    /// soonest, and none waits behind one that cannot be.
    pub fn left(&self) -> Vec<&Table> {
        let mut left: Vec<&Table> = self.tables.iter().collect();
        left.retain(|table| !self.goal.is_reached(&table.keys));
        left.sort_by_key(|table| table.bytes);
        left
    }

    /// Whether every table is where it is to be, and none is unknown.
    pub fn is_reached(&self) -> bool {
        self.left().is_empty() && (self.unseen.is_empty() || self.goal == Goal::Anywhere)
    }

    /// How many tables have files with each key, and what they take; a table in two keys
    /// counts for both, its bytes for the first.
    pub fn by_key(&self) -> BTreeMap<Option<u32>, (u64, u64)> {
        let mut keys: BTreeMap<Option<u32>, (u64, u64)> = BTreeMap::new();
        for table in &self.tables {
            for (n, key) in table.keys.iter().enumerate() {
                let (tables, bytes) = keys.entry(*key).or_default();
                *tables += 1;
                *bytes += if n == 0 { table.bytes } else { 0 };
            }
        }
        keys
    }
}

fn stays(usage: &Usage) -> Vec<Stays> {
    let mut stays = vec![Stays::System];
    let count = |wanted: Holds| {
        let spaces = usage.spaces.iter();
        spaces.filter(|space| space.holds == wanted).count() as u64
    };
    if count(Holds::Undo) > 0 {
        stays.push(Stays::Undo);
    }
    stays.extend([Stays::RedoLog, Stays::Temporary]);
    if usage.has_binary_log {
        stays.push(Stays::BinaryLog);
    }
    let aria = usage.others.get("Aria").copied();
    stays.extend(aria.map(Stays::Aria));
    if count(Holds::FullText) > 0 {
        stays.push(Stays::FullText(count(Holds::FullText)));
    }
    if !usage.sequences.is_empty() {
        stays.push(Stays::Sequences(usage.sequences.len() as u64));
    }
    stays
}

#[cfg(test)]
pub mod tests {
    use super::super::usage::Space;
    use super::*;

    fn space(table: &str, key: Option<u32>, bytes: u64) -> Space {
        Space {
            holds: Holds::Table(TableName::new("clinic", table)),
            key,
            bytes,
        }
    }

    /// A server in the middle of a rotation to key 201, with something of everything.
    pub fn usage() -> Usage {
        let other = |holds| Space {
            holds,
            key: Some(1),
            bytes: 1 << 20,
        };
        Usage {
            spaces: vec![
                other(Holds::System),
                other(Holds::Undo),
                other(Holds::FullText),
                space("patient", Some(1), 5000),
                space("visit", Some(1), 3000),
                space("visit", Some(201), 4000),
                space("drug", Some(201), 700),
                space("numbers", Some(1), 600),
            ],
            sequences: [TableName::new("clinic", "numbers")].into(),
            in_system: vec![TableName::new("clinic", "old")],
            of_innodb: ["patient", "visit", "drug", "old", "lost"]
                .map(|table| TableName::new("clinic", table))
                .to_vec(),
            others: [("Aria".into(), 28), ("CSV".into(), 2)].into(),
            has_binary_log: true,
        }
    }

    fn left(standing: &Standing) -> Vec<&str> {
        let left = standing.left().into_iter();
        left.map(|table| table.name.name.as_str()).collect()
    }

    #[test]
    fn table_counts_as_moved_when_all_of_its_files_are() {
        let standing = Standing::of(&usage(), Goal::On(201));
        assert_eq!(left(&standing), ["old", "patient", "visit"]);
        assert!(!standing.is_reached());
        let by_key = standing.by_key();
        assert_eq!(by_key[&Some(1)], (3, 12000));
        assert_eq!(by_key[&Some(201)], (2, 700));
    }

    #[test]
    fn nothing_is_done_while_a_table_is_clear_or_unknown() {
        let mut usage = usage();
        usage.in_system.clear();
        usage.spaces = vec![space("drug", Some(201), 700)];
        usage.of_innodb = vec![TableName::new("clinic", "drug")];
        let on = |usage: &Usage| Standing::of(usage, Goal::On(201));
        assert!(on(&usage).is_reached());
        usage.of_innodb.push(TableName::new("clinic", "lost"));
        assert!(on(&usage).left().is_empty() && !on(&usage).is_reached());
        usage.of_innodb.pop();
        usage.spaces.push(space("drug", None, 0));
        assert!(!on(&usage).is_reached());
    }

    #[test]
    fn goal_follows_from_the_master_key_of_now() {
        let mut release = MariadbRelease::new(104, 111, 1);
        assert_eq!(Goal::of(&release, 1), Goal::Anywhere);
        assert_eq!(Goal::of(&release, 2), Goal::Due);
        let Target::New(key) = release.target(2, false) else {
            panic!("a key is due");
        };
        release = release.with(key).unwrap();
        assert_eq!(Goal::of(&release, 2), Goal::On(201));
        assert_eq!(left(&Standing::of(&usage(), Goal::Due)).len(), 4);
        assert!(Standing::of(&usage(), Goal::Anywhere).is_reached());
    }

    #[test]
    fn what_no_rotation_changes_is_named() {
        use Stays::*;
        let all = Standing::of(&usage(), Goal::On(201)).stays;
        let expected = [
            System,
            Undo,
            RedoLog,
            Temporary,
            BinaryLog,
            Aria(28),
            FullText(1),
            Sequences(1),
        ];
        assert_eq!(all, expected);
        let few = Standing::of(&Usage::default(), Goal::On(201)).stays;
        assert_eq!(few, [System, RedoLog, Temporary]);
    }
}
