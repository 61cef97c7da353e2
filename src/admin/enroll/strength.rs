//! What an enrolment protects from, in plain words.

use crate::environment::Chosen;
use crate::vault::{Group, Thresholds};

pub fn explain(chosen: &[Chosen], need: Thresholds) {
    let of = |group| chosen.iter().filter(|factor| factor.group == group).count();
    println!(
        "\nTo open by itself the server needs {} of {} machine factors and {} of {} neighbours.",
        need.machine,
        of(Group::Machine),
        need.place,
        of(Group::Place),
    );
    if need.place == 0 {
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
        24 * u32::from(need.place)
    );
    println!(
        "Nothing protects when the neighbours are taken along: at least {} of those enrolled \
         should stand where a thief of this server does not come by.",
        of(Group::Place) + 1 - usize::from(need.place)
    );
}
