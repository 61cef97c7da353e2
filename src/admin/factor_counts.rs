//! How many factors of each group there are, in words.

use crate::vault::{Answered, Thresholds};

/// Of each group how many there are, and how many are enrolled. Key servers are
/// left out where none is enrolled.
pub fn counts(found: Answered) -> String {
    format!(
        "{} of {} machine factors, {} of {} neighbours{}",
        found.machine,
        found.machine_of,
        found.place,
        found.place_of,
        key_servers(found, "")
    )
}

/// Of each group how many are as enrolled, and how many must be.
pub fn counts_as_enrolled(same: Answered, need: Thresholds) -> String {
    format!(
        "{} of {} machine factors as enrolled ({} needed), {} of {} neighbours ({} needed){}",
        same.machine,
        same.machine_of,
        need.machine,
        same.place,
        same.place_of,
        need.place,
        key_servers(same, &format!(" ({} needed)", need.servers))
    )
}

fn key_servers(found: Answered, behind: &str) -> String {
    match found.servers_of {
        0 => String::new(),
        of => format!(", {} of {of} key servers{behind}", found.servers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_without_key_servers_is_told_without_them() {
        let mut found = Answered {
            machine: 5,
            machine_of: 6,
            place: 2,
            place_of: 3,
            ..Answered::default()
        };
        let need = Thresholds {
            machine: 4,
            place: 2,
            servers: 1,
        };
        assert_eq!(counts(found), "5 of 6 machine factors, 2 of 3 neighbours");
        let text = "5 of 6 machine factors as enrolled (4 needed), 2 of 3 neighbours (2 needed)";
        assert_eq!(counts_as_enrolled(found, need), text);
        (found.servers, found.servers_of) = (1, 2);
        let text = format!("{text}, 1 of 2 key servers (1 needed)");
        assert_eq!(counts_as_enrolled(found, need), text);
    }
}
