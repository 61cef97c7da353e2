//! Where each storage engine keeps rows.

/// What an engine does with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// In files of this server.
    Rows,
    /// They are elsewhere, or nowhere: only the definition is this server's.
    Definition,
    /// An engine that was never examined.
    Unknown,
}

/// Engines by the names of information_schema.
pub fn keeps(engine: &str) -> Keeps {
    match &*engine.to_ascii_lowercase() {
        "innodb" | "myisam" | "aria" | "csv" | "archive" | "rocksdb" | "mroonga" => Keeps::Rows,
        // MEMORY is empty after every start.
        "federated" | "connect" | "spider" | "mrg_myisam" | "merge" | "blackhole" | "s3"
        | "oqgraph" | "sequence" | "memory" | "sphinx" => Keeps::Definition,
        _ => Keeps::Unknown,
    }
}

/// Whether information_schema tells at once when a table was last written.
/// Aria tells it only after its pages were flushed.
pub fn tells_writes(engine: &str) -> bool {
    matches!(&*engine.to_ascii_lowercase(), "innodb" | "myisam")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_nobody_looked_at_is_not_guessed_about() {
        assert_eq!(keeps("InnoDB"), Keeps::Rows);
        assert_eq!(keeps("FEDERATED"), Keeps::Definition);
        assert_eq!(keeps("Columnstore"), Keeps::Unknown);
        assert_eq!(keeps(""), Keeps::Unknown);
    }
}
