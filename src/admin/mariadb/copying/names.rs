//! Names and strings as SQL writes them.

/// A table, by its database and its name. Never written as one word: `a`.`b.c`
/// and `a.b`.`c` are two tables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The database.
    pub schema: String,
    /// The table in it.
    pub name: String,
}

impl TableName {
    /// The table `name` of the database `schema`.
    pub fn new(schema: &str, name: &str) -> Self {
        Self {
            schema: schema.to_owned(),
            name: name.to_owned(),
        }
    }

    /// As SQL writes it; it is also how people are told.
    pub fn sql(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sql())
    }
}

/// A string in SQL, whatever the session's mode says about backslashes.
pub fn literal(value: &str) -> String {
    use std::fmt::Write;
    let mut hex = String::from("_utf8mb4 X'");
    for byte in value.bytes() {
        write!(hex, "{byte:02X}").expect("a String takes any text");
    }
    hex.push('\'');
    hex
}

/// A name in SQL.
pub fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_in_a_name_does_not_make_two_tables_one() {
        let (one, other) = (TableName::new("a", "b.c"), TableName::new("a.b", "c"));
        assert_ne!(one.sql(), other.sql());
        assert_ne!(one, other);
        assert_eq!(quote("a`b"), "`a``b`");
        assert_eq!(literal("ü"), "_utf8mb4 X'C3BC'");
    }
}
