//! What an enrolment protects from, in plain words.

use crate::environment::ChosenFactor;
use crate::vault::{Group, PerGroup, Thresholds, is_key_server};

/// What is known of a server's surroundings besides its neighbours.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// Wired network cards.
    pub cards: usize,
    /// It has a wireless card.
    pub wireless: bool,
    /// It has a router.
    pub router: bool,
    /// It has VLANs.
    pub vlans: bool,
}

/// What a server with VLANs must be told.
pub const VLANS: &str = "This server has VLANs. While it is locked it sees stations on them only \
                         where its initramfs sets the VLAN up as well; otherwise name neighbours \
                         that answer without one: --neighbour IP";

/// Prints what guessing this place costs.
pub fn explain(chosen: &[ChosenFactor], need: Thresholds) {
    let of = |group| chosen.iter().filter(|factor| factor.group == group).count();
    println!(
        "\nTo open by itself the server needs {} of {} machine factors and {} of {} neighbours.",
        need.machine,
        of(Group::Machine),
        need.neighbours,
        of(Group::Neighbours),
    );
    if need.servers > 0 {
        let all = of(Group::Servers);
        println!(
            "It also needs {} of {all} key servers. Strong: without them nobody can compute the \
             key, however much is known or guessed. It protects as long as a thief does not get \
             at them: at least {} of them should stand where a thief of this server does not \
             come by, and only your own network should reach them.",
            need.servers,
            all + 1 - usize::from(need.servers)
        );
        return;
    }
    if chosen.iter().any(|factor| is_key_server(&factor.label)) {
        println!(
            "Warning: the place can open without its key servers. They are counted among the \
             neighbours, and what follows holds as if they were not there."
        );
    }
    if need.neighbours == 0 {
        println!(
            "Weak: nothing of the place is needed. The server opens anywhere; only a disk \
             without the machine stays locked. No start counts as one in a foreign place, so \
             nothing that `stayput policy` says about strikes ever happens."
        );
        return;
    }
    // A hardware address has 24 bits that its maker's prefix does not give.
    println!(
        "Soft: a thief who switches the server on elsewhere gets a prompt. An expert can guess \
         a neighbour's address (24 unknown bits each, here {} bits in all), or find it in logs \
         on this disk.",
        24 * u32::from(need.neighbours)
    );
    println!(
        "Nothing protects when the neighbours are taken along: at least {} of those enrolled \
         should stand where a thief of this server does not come by.",
        of(Group::Neighbours) + 1 - usize::from(need.neighbours)
    );
}

/// What happens on the day when a neighbour is replaced; `None` where none is needed.
pub fn of_a_replacement(of: PerGroup<u8>, need: Thresholds) -> Option<String> {
    if need.neighbours == 0 {
        return None;
    }
    let away = of.neighbours.saturating_sub(need.neighbours);
    if away > 0 {
        return Some(format!(
            "When a neighbour is replaced the server still opens by itself, with up to {away} of \
             them. Then run: stayput enroll --refresh"
        ));
    }
    // Where none of the neighbours and no key server is as before, a refresh takes this
    // for another place.
    let again = match (of.neighbours, of.servers) {
        (1, 0) => "stayput enroll",
        _ => "stayput enroll --refresh",
    };
    let warning = match of.neighbours {
        1 => {
            "Warning: the only neighbour must be there at every start. With three, one may fail.\n"
        }
        2 => "Warning: both neighbours must be there at every start. With three, one may fail.\n",
        _ => "Warning: every neighbour must be there at every start.\n",
    };
    Some(format!(
        "{warning}When a neighbour is replaced, and when it is off, the next start asks for a \
         stick. After replacing it, before the next start, run: {again}"
    ))
}

/// What follows when no neighbour tells one place from another; `None` where one
/// does.
pub fn of_a_lone_server(around: Surroundings, need: Thresholds) -> Option<String> {
    let why = match around {
        Surroundings { cards: 0, .. } => "It has no wired network card",
        Surroundings {
            router: false,
            wireless: true,
            ..
        } => "It has no router; perhaps it is its own access point",
        Surroundings {
            router: false,
            cards: 1,
            ..
        } => "It has one network card and no router",
        // A key server holds a secret that a thief does not take along.
        _ if need.servers > 0 => return None,
        _ if need.neighbours == 0 => "No neighbour is needed",
        _ => return None,
    };
    let what = match need.neighbours {
        0 => {
            "its own network goes with it, and every place looks like home. No start ever counts \
             as one in a foreign place, so it never counts a strike, and a thief's table cannot \
             be told from home"
        }
        _ => {
            "what was taken stands in a network of its own. Elsewhere these stations are silent \
             rather than wrong: the server then asks for a stick, but it counts no strike, and \
             `--on-strikes reset` never comes to pass"
        }
    };
    Some(format!(
        "{why}: {what}. A router or a switch with an address, in another room, would change that."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(cards: usize, wireless: bool, router: bool, place: u8) -> Option<String> {
        let around = Surroundings {
            cards,
            wireless,
            router,
            vlans: false,
        };
        of_a_lone_server(
            around,
            Thresholds {
                machine: 5,
                neighbours: place,
                ..Thresholds::default()
            },
        )
    }

    fn replacement(neighbours: u8, servers: u8, need: u8) -> Option<String> {
        let of = PerGroup {
            machine: 5,
            neighbours,
            servers,
        };
        let need = Thresholds {
            machine: 4,
            neighbours: need,
            servers: servers.div_ceil(2),
        };
        of_a_replacement(of, need)
    }

    #[test]
    fn with_one_to_spare_a_replaced_router_asks_for_no_stick() {
        let text = replacement(3, 0, 2).unwrap();
        assert!(
            text.contains("still opens by itself, with up to 1"),
            "{text}"
        );
        assert!(text.ends_with("stayput enroll --refresh"), "{text}");
        assert!(!text.contains("Warning"), "{text}");
        assert_eq!(replacement(2, 1, 0), None);
    }

    #[test]
    fn one_or_two_neighbours_are_warned_of() {
        let text = replacement(2, 0, 2).unwrap();
        assert!(text.starts_with("Warning: both"), "{text}");
        assert!(text.contains("asks for a stick"), "{text}");
        assert!(text.ends_with("--refresh"), "{text}");
        // A refresh would refuse: nothing of the place is as it was.
        let text = replacement(1, 0, 1).unwrap();
        assert!(text.starts_with("Warning: the only"), "{text}");
        assert!(text.ends_with("run: stayput enroll"), "{text}");
        assert!(replacement(1, 1, 1).unwrap().ends_with("--refresh"));
    }

    #[test]
    fn own_access_point_is_told_that_no_place_is_foreign() {
        let text = words(1, true, false, 0).unwrap();
        assert!(text.contains("its own access point"), "{text}");
        assert!(text.contains("never counts a strike"), "{text}");
        let text = words(1, true, false, 2).unwrap();
        assert!(text.contains("silent rather than wrong"), "{text}");
        assert!(text.contains("counts no strike"), "{text}");
    }

    #[test]
    fn single_card_without_neighbours_is_told_and_a_clinic_is_not() {
        assert!(
            words(1, false, false, 0)
                .unwrap()
                .contains("one network card")
        );
        assert!(words(2, false, true, 0).is_some());
        assert!(words(0, false, false, 0).is_some());
        assert_eq!(words(1, false, true, 2), None);
        assert_eq!(words(2, true, true, 1), None);
    }
}
