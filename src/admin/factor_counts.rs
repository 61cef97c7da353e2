//! How many factors of each group there are, in words.

use crate::vault::{FactorCounts, Thresholds};

/// Of each group how many there are, and how many are enrolled. Key servers are
/// left out where none is enrolled.
pub fn counts(found: FactorCounts) -> String {
    format!(
        "{} of {} machine factors, {} of {} neighbours{}",
        found.machine.count,
        found.machine.of,
        found.neighbours.count,
        found.neighbours.of,
        key_servers(found, "")
    )
}

/// Of each group how many are as enrolled, and how many must be.
pub fn counts_as_enrolled(same: FactorCounts, need: Thresholds) -> String {
    format!(
        "{} of {} machine factors as enrolled ({} needed), {} of {} neighbours ({} needed){}",
        same.machine.count,
        same.machine.of,
        need.machine,
        same.neighbours.count,
        same.neighbours.of,
        need.neighbours,
        key_servers(same, &format!(" ({} needed)", need.servers))
    )
}

fn key_servers(found: FactorCounts, behind: &str) -> String {
    match found.servers.of {
        0 => String::new(),
        of => format!(", {} of {of} key servers{behind}", found.servers.count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Count;

    #[test]
    fn a_place_without_key_servers_is_told_without_them() {
        let count = |count, of| Count { count, of };
        let mut found = FactorCounts {
            machine: count(5, 6),
            neighbours: count(2, 3),
            ..FactorCounts::default()
        };
        let need = Thresholds {
            machine: 4,
            neighbours: 2,
            servers: 1,
        };
        assert_eq!(counts(found), "5 of 6 machine factors, 2 of 3 neighbours");
        let text = "5 of 6 machine factors as enrolled (4 needed), 2 of 3 neighbours (2 needed)";
        assert_eq!(counts_as_enrolled(found, need), text);
        found.servers = count(1, 2);
        let text = format!("{text}, 1 of 2 key servers (1 needed)");
        assert_eq!(counts_as_enrolled(found, need), text);
    }
}
